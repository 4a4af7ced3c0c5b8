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

/* How a type stands in the bytes of a message, and in its structure. */
struct jb_shape {
  /* One of the above. */
  uint8_t wire_type;
  /* Bytes of a member, or of an element of a repeated one. */
  uint8_t size;
};

/* A table, not a choice among seventeen cases: it is asked for every field. */
static inline struct jb_shape jb_shape(ProtobufCType type) {
  static const struct jb_shape shapes[] = {
      [PROTOBUF_C_TYPE_INT32] = {JB_WIRE_VARINT, sizeof(int32_t)},
      [PROTOBUF_C_TYPE_SINT32] = {JB_WIRE_VARINT, sizeof(int32_t)},
      [PROTOBUF_C_TYPE_SFIXED32] = {JB_WIRE_FIXED32, sizeof(int32_t)},
      [PROTOBUF_C_TYPE_INT64] = {JB_WIRE_VARINT, sizeof(int64_t)},
      [PROTOBUF_C_TYPE_SINT64] = {JB_WIRE_VARINT, sizeof(int64_t)},
      [PROTOBUF_C_TYPE_SFIXED64] = {JB_WIRE_FIXED64, sizeof(int64_t)},
      [PROTOBUF_C_TYPE_UINT32] = {JB_WIRE_VARINT, sizeof(uint32_t)},
      [PROTOBUF_C_TYPE_FIXED32] = {JB_WIRE_FIXED32, sizeof(uint32_t)},
      [PROTOBUF_C_TYPE_UINT64] = {JB_WIRE_VARINT, sizeof(uint64_t)},
      [PROTOBUF_C_TYPE_FIXED64] = {JB_WIRE_FIXED64, sizeof(uint64_t)},
      [PROTOBUF_C_TYPE_FLOAT] = {JB_WIRE_FIXED32, sizeof(float)},
      [PROTOBUF_C_TYPE_DOUBLE] = {JB_WIRE_FIXED64, sizeof(double)},
      [PROTOBUF_C_TYPE_BOOL] = {JB_WIRE_VARINT, sizeof(protobuf_c_boolean)},
      [PROTOBUF_C_TYPE_ENUM] = {JB_WIRE_VARINT, sizeof(int32_t)},
      [PROTOBUF_C_TYPE_STRING] = {JB_WIRE_BYTES, sizeof(char *)},
      [PROTOBUF_C_TYPE_BYTES] = {JB_WIRE_BYTES, sizeof(ProtobufCBinaryData)},
      [PROTOBUF_C_TYPE_MESSAGE] = {JB_WIRE_BYTES, sizeof(ProtobufCMessage *)},
  };
  return shapes[type];
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
