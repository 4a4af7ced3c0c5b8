/* Messages as bytes.
 *
 * The messages and what describes them are protobuf-c's; the way there and back is the library's own. protobuf-c hides a
 * NUL within a string (a C string just ends there) and bad UTF-8, keeps every unknown field at 88 bytes each, and walks a
 * message three times to read it and twice to write it, which was half of the cost of a call. */
#ifndef JB_WIRE_H
#define JB_WIRE_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "jobbroker.pb-c.h"

enum {
  JB_WIRE_VARINT = 0,
  JB_WIRE_FIXED64 = 1,
  JB_WIRE_BYTES = 2,
  JB_WIRE_FIXED32 = 5
};

/* How fields of a type are written: one of the above. */
static inline unsigned jb_wire_type(ProtobufCType type) {
  switch (type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE: return JB_WIRE_BYTES;
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64: return JB_WIRE_FIXED64;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32: return JB_WIRE_FIXED32;
    default: return JB_WIRE_VARINT;
  }
}

/* The size of a member of a type in the structure of its message, or in the array of a repeated one. */
static inline size_t jb_member_size(ProtobufCType type) {
  switch (type) {
    case PROTOBUF_C_TYPE_STRING: return sizeof(char *);
    case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_MESSAGE: return sizeof(ProtobufCMessage *);
    case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64: return sizeof(uint64_t);
    default: return sizeof(uint32_t);
  }
}

/* ------------------------------------------------------------------------------------------------ wire_read.c */

enum jb_wire {
  JB_WIRE_SOUND,
  /* A field has what it must not have; the rest may be as it should. */
  JB_WIRE_BAD_FIELD,
  /* The bytes are no protobuf. */
  JB_WIRE_MALFORMED,
  /* The arena gave no memory. */
  JB_WIRE_NO_MEMORY
};

struct jb_wire_report {
  enum jb_wire verdict;
  /* How many fields were left out because the schema does not have them. */
  unsigned unknown_fields;
  /* What is wrong: "created.jobs[3].job.type is not valid UTF-8". */
  char fault[160];
};

/* Reads a whole message into the arena; NULL: the report says why. The schema is not recursive, so neither is the depth
 * unbounded. */
ProtobufCMessage *jb_wire_read(const uint8_t *bytes, size_t count, const ProtobufCMessageDescriptor *descriptor,
                               struct jb_arena *arena, struct jb_wire_report *report);

/* The `id` (field 1) of a message that need not be sound; 0 when there is none to be read. */
uint64_t jb_wire_id(const uint8_t *bytes, size_t count);

/* ----------------------------------------------------------------------------------------------- wire_write.c */

/* Writes a request so that it ends before `end`: from its last byte to its first, for then a length is known when it is
 * to be written. Returns how many bytes it takes; if there is not so much room, what is there is of no use. */
size_t jb_request_write(const Jobbroker__Request *message, uint8_t *end, size_t room);

#endif
