/* Checks the bytes of a message before protobuf-c unpacks them.
 *
 * It sees what protobuf-c hides or does not bound: a NUL within a string (after unpacking, a C string just ends there),
 * bad UTF-8, and the number of unknown fields. The schema is not recursive, so neither is the depth unbounded. */
#ifndef JB_WIRECHECK_H
#define JB_WIRECHECK_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

enum jb_wire { JB_WIRE_SOUND, JB_WIRE_BAD_FIELD, JB_WIRE_MALFORMED };

/* What is wrong: "created.jobs[3].job.type is not valid UTF-8". */
struct jb_wire_fault {
  char text[160];
};

/* Checks a whole message; of one that is not sound, `fault` says why. */
enum jb_wire jb_wire_check(const uint8_t *bytes, size_t count, const ProtobufCMessageDescriptor *descriptor,
                           struct jb_wire_fault *fault);

/* The `id` (field 1) of a message that need not be sound; 0 when there is none to be read. */
uint64_t jb_wire_id(const uint8_t *bytes, size_t count);

#endif
