#include <stdbool.h>
#include <string.h>

#include "wire.h"

/* What has been written ends before `end`; what finds no room is only counted. */
struct writer {
  uint8_t *end;
  size_t room;
  size_t count;
};

static void put(struct writer *writer, const void *bytes, size_t count) {
  writer->count += count;
  if (writer->count <= writer->room && count) memcpy(writer->end - writer->count, bytes, count);
}

static void put_long_varint(struct writer *writer, uint64_t value) {
  uint8_t bytes[10];
  size_t count = 0;
  for (; value >= 0x80; value >>= 7) bytes[count++] = (uint8_t)value | 0x80;
  bytes[count++] = (uint8_t)value;
  put(writer, bytes, count);
}

/* Nearly all have one byte. */
static inline void put_varint(struct writer *writer, uint64_t value) {
  if (value >= 0x80) {
    put_long_varint(writer, value);
  } else if (++writer->count <= writer->room) {
    writer->end[-(ptrdiff_t)writer->count] = (uint8_t)value;
  }
}

static void put_fixed(struct writer *writer, uint64_t value, size_t size) {
  uint8_t bytes[sizeof value];
  for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)(value >> (8 * i));
  put(writer, bytes, size);
}

static uint64_t to_zigzag(int64_t value) { return (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0); }

static uint64_t number_of(ProtobufCType type, size_t size, const void *member) {
  uint64_t whole;
  uint32_t half;
  if (size == sizeof whole) {
    memcpy(&whole, member, sizeof whole);
    return type == PROTOBUF_C_TYPE_SINT64 ? to_zigzag((int64_t)whole) : whole;
  }
  memcpy(&half, member, sizeof half);
  switch (type) {
    case PROTOBUF_C_TYPE_SINT32: return to_zigzag((int32_t)half);
    /* What is negative takes ten bytes. */
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_ENUM: return (uint64_t)(int32_t)half;
    default: return half;
  }
}

/* Writes the tag of a field, which is in front of all else of it. */
static inline void put_tag(struct writer *writer, uint32_t number, unsigned wire_type) {
  put_varint(writer, (uint64_t)number << 3 | wire_type);
}

static void put_message(struct writer *writer, const ProtobufCMessage *message);

static inline void put_content(struct writer *writer, ProtobufCType type, const void *member) {
  if (type == PROTOBUF_C_TYPE_MESSAGE) {
    put_message(writer, *(ProtobufCMessage *const *)member);
  } else if (type == PROTOBUF_C_TYPE_STRING) {
    const char *text = *(char *const *)member;
    put(writer, text, text ? strlen(text) : 0);
  } else {
    const ProtobufCBinaryData *bytes = member;
    put(writer, bytes->data, bytes->len);
  }
}

static inline void put_field(struct writer *writer, uint32_t number, ProtobufCType type, const void *member) {
  struct jb_shape shape = jb_shape(type);
  size_t before = writer->count;
  switch (shape.wire_type) {
    case JB_WIRE_BYTES:
      put_content(writer, type, member);
      put_varint(writer, writer->count - before);
      break;
    case JB_WIRE_FIXED64:
    case JB_WIRE_FIXED32: put_fixed(writer, number_of(type, shape.size, member), shape.size); break;
    default: put_varint(writer, number_of(type, shape.size, member));
  }
  put_tag(writer, number, shape.wire_type);
}

/* How often a message has a field that is not repeated: once or not at all. */
static inline size_t has(const ProtobufCFieldDescriptor *field, const void *member, const void *quantifier) {
  if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF && *(const uint32_t *)quantifier != field->id) return 0;
  if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE) {
    return *(void *const *)member != NULL;
  }
  return *(const protobuf_c_boolean *)quantifier != 0;
}

static void put_message(struct writer *writer, const ProtobufCMessage *message) {
  const ProtobufCMessageDescriptor *descriptor = message->descriptor;
  for (unsigned i = descriptor->n_fields; i-- > 0;) {
    const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
    const void *quantifier = (const char *)message + field->quantifier_offset;
    const char *elements = (const char *)message + field->offset;
    size_t size = 0, count;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
      elements = *(char *const *)elements;
      size = jb_shape(field->type).size;
      count = *(const size_t *)quantifier;
    } else {
      count = has(field, elements, quantifier);
    }
    while (count-- > 0) put_field(writer, field->id, field->type, elements + count * size);
  }
}

/* A request is an id and a message, whichever its operation is: to look for it among all operations would cost more than to
 * write the rest. */
static void put_request(struct writer *writer, const Jobbroker__Request *request) {
  put_message(writer, &request->ping->base);
  put_varint(writer, writer->count);
  put_tag(writer, (uint32_t)request->operation_case, JB_WIRE_BYTES);
  put_varint(writer, request->id);
  put_tag(writer, 1, JB_WIRE_VARINT);
}

size_t jb_request_write(const Jobbroker__Request *message, uint8_t *end, size_t room) {
  struct writer writer = {end, room, 0};
  put_request(&writer, message);
  return writer.count;
}
