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

static void put_varint(struct writer *writer, uint64_t value) {
  uint8_t bytes[10];
  size_t count = 0;
  for (; value >= 0x80; value >>= 7) bytes[count++] = (uint8_t)value | 0x80;
  bytes[count++] = (uint8_t)value;
  put(writer, bytes, count);
}

static void put_fixed(struct writer *writer, uint64_t value, size_t size) {
  uint8_t bytes[sizeof value];
  for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)(value >> (8 * i));
  put(writer, bytes, size);
}

static uint64_t to_zigzag(int64_t value) { return (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0); }

static uint64_t number_of(ProtobufCType type, const void *member) {
  uint64_t whole;
  uint32_t half;
  if (jb_member_size(type) == sizeof whole) {
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

static void put_message(struct writer *writer, const ProtobufCMessage *message);

/* Writes what follows the length of bytes; returns how many. */
static size_t put_content(struct writer *writer, ProtobufCType type, const void *member) {
  size_t before = writer->count;
  if (type == PROTOBUF_C_TYPE_MESSAGE) {
    put_message(writer, *(ProtobufCMessage *const *)member);
  } else if (type == PROTOBUF_C_TYPE_STRING) {
    const char *text = *(char *const *)member;
    put(writer, text, text ? strlen(text) : 0);
  } else {
    const ProtobufCBinaryData *bytes = member;
    put(writer, bytes->data, bytes->len);
  }
  return writer->count - before;
}

static void put_field(struct writer *writer, uint32_t number, ProtobufCType type, const void *member) {
  unsigned wire_type = jb_wire_type(type);
  switch (wire_type) {
    case JB_WIRE_BYTES: put_varint(writer, put_content(writer, type, member)); break;
    case JB_WIRE_FIXED64: put_fixed(writer, number_of(type, member), 8); break;
    case JB_WIRE_FIXED32: put_fixed(writer, number_of(type, member), 4); break;
    default: put_varint(writer, number_of(type, member));
  }
  put_varint(writer, (uint64_t)number << 3 | wire_type);
}

/* Whether a message has a field that is not repeated. */
static bool has(const ProtobufCFieldDescriptor *field, const void *member, const void *quantifier) {
  if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF && *(const uint32_t *)quantifier != field->id) return false;
  if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE) {
    return *(void *const *)member;
  }
  return *(const protobuf_c_boolean *)quantifier;
}

static void put_message(struct writer *writer, const ProtobufCMessage *message) {
  const ProtobufCMessageDescriptor *descriptor = message->descriptor;
  for (unsigned i = descriptor->n_fields; i-- > 0;) {
    const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
    const void *member = (const char *)message + field->offset;
    const void *quantifier = (const char *)message + field->quantifier_offset;
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
      if (has(field, member, quantifier)) put_field(writer, field->id, field->type, member);
      continue;
    }
    const char *elements = *(char *const *)member;
    size_t size = jb_member_size(field->type);
    for (size_t j = *(const size_t *)quantifier; j-- > 0;) put_field(writer, field->id, field->type, elements + j * size);
  }
}

/* A request is an id and a message, whichever its operation is: to look for it among all operations would cost more than to
 * write the rest. */
static void put_request(struct writer *writer, const Jobbroker__Request *request) {
  put_field(writer, (uint32_t)request->operation_case, PROTOBUF_C_TYPE_MESSAGE, &request->ping);
  put_field(writer, 1, PROTOBUF_C_TYPE_UINT64, &request->id);
}

size_t jb_request_write(const Jobbroker__Request *message, uint8_t *end, size_t room) {
  struct writer writer = {end, room, 0};
  put_request(&writer, message);
  return writer.count;
}
