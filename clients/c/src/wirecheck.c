#include "wirecheck.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

/* Room for a newer broker's fields; each costs an allocation. */
enum { JB_UNKNOWN_FIELDS = 1000 };

enum { JB_VARINT = 0, JB_FIXED64 = 1, JB_BYTES = 2, JB_FIXED32 = 5 };

/* A field as it stands in a message. */
struct field {
  uint32_t number;
  unsigned wire_type;
  /* The value of a varint. */
  uint64_t value;
  const uint8_t *bytes;
  size_t count;
};

/* A message being checked, and the field of the message around it that it is. */
struct level {
  const struct level *outer;
  const ProtobufCFieldDescriptor *field;
  const uint8_t *start;
  const uint8_t *cursor;
  const uint8_t *end;
};

struct check {
  unsigned unknown_fields;
  struct jb_wire_fault *fault;
};

static bool read_varint(const uint8_t **cursor, const uint8_t *end, int longest, uint64_t *value) {
  *value = 0;
  for (int i = 0; i < longest && *cursor < end; i++) {
    uint8_t byte = *(*cursor)++;
    *value |= (uint64_t)(byte & 0x7F) << (7 * i);
    if (byte < 0x80) return true;
  }
  return false;
}

/* Reads the field at the cursor; false if the bytes are no protobuf. Groups, which protobuf gave up, count as none. Tags
 * and lengths have at most five bytes, as in protobuf-c. */
static bool next_field(const uint8_t **cursor, const uint8_t *end, struct field *field) {
  uint64_t tag, length;
  if (!read_varint(cursor, end, 5, &tag) || !(tag >> 3) || tag >> 3 > UINT32_MAX) return false;
  *field = (struct field){.number = (uint32_t)(tag >> 3), .wire_type = tag & 7};
  switch (field->wire_type) {
    case JB_VARINT: return read_varint(cursor, end, 10, &field->value);
    case JB_FIXED64: length = 8; break;
    case JB_FIXED32: length = 4; break;
    case JB_BYTES:
      if (!read_varint(cursor, end, 5, &length)) return false;
      break;
    default: return false;
  }
  if (length > (uint64_t)(end - *cursor)) return false;
  field->bytes = *cursor;
  field->count = (size_t)length;
  *cursor += length;
  return true;
}

static const ProtobufCFieldDescriptor *known_field(const ProtobufCMessageDescriptor *descriptor, uint32_t number) {
  /* Numbers run from 1 without a gap unless a field was removed, and the fields are sorted by them. */
  if (number <= descriptor->n_fields && descriptor->fields[number - 1].id == number) {
    return &descriptor->fields[number - 1];
  }
  return protobuf_c_message_descriptor_get_field(descriptor, number);
}

static unsigned wire_type(ProtobufCType type) {
  switch (type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE: return JB_BYTES;
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64: return JB_FIXED64;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32: return JB_FIXED32;
    default: return JB_VARINT;
  }
}

/* How often a field occurs between two places: its index, wanted only when an error has to name it. */
static size_t occurrences(uint32_t number, const uint8_t *cursor, const uint8_t *end) {
  struct field field;
  size_t count = 0;
  while (cursor < end && next_field(&cursor, end, &field)) count += field.number == number;
  return count;
}

/* Writes the path of a field, from the outermost message on. */
static void write_path(char *text, size_t size, const struct level *level, const ProtobufCFieldDescriptor *field) {
  if (level->outer) write_path(text, size, level->outer, level->field);
  size_t used = strlen(text);
  snprintf(text + used, size - used, "%s%s", used ? "." : "", field->name);
  if (field->label == PROTOBUF_C_LABEL_REPEATED) {
    used = strlen(text);
    snprintf(text + used, size - used, "[%zu]", occurrences(field->id, level->start, level->cursor));
  }
}

static enum jb_wire refuse(struct check *check, enum jb_wire verdict, const struct level *level,
                           const ProtobufCFieldDescriptor *field, const char *reason) {
  char *text = check->fault->text;
  size_t size = sizeof check->fault->text;
  text[0] = '\0';
  if (field) write_path(text, size, level, field);
  size_t used = strlen(text);
  snprintf(text + used, size - used, "%s%s", used ? " " : "", reason);
  return verdict;
}

static enum jb_wire check_message(struct check *check, struct level *level,
                                  const ProtobufCMessageDescriptor *descriptor);

static enum jb_wire check_field(struct check *check, const struct level *level, const struct field *field,
                                const ProtobufCFieldDescriptor *known) {
  if (field->wire_type != wire_type(known->type)) {
    return refuse(check, JB_WIRE_BAD_FIELD, level, known, "has another wire type than the schema says");
  }
  if (known->type == PROTOBUF_C_TYPE_STRING) {
    switch (jb_text_check(field->bytes, field->count)) {
      case JB_TEXT_SOUND: break;
      case JB_TEXT_HOLDS_NUL: return refuse(check, JB_WIRE_BAD_FIELD, level, known, "contains a NUL character");
      case JB_TEXT_NOT_UTF8: return refuse(check, JB_WIRE_BAD_FIELD, level, known, "is not valid UTF-8");
    }
  } else if (known->type == PROTOBUF_C_TYPE_MESSAGE) {
    struct level inner = {.outer = level,
                          .field = known,
                          .start = field->bytes,
                          .cursor = field->bytes,
                          .end = field->bytes + field->count};
    return check_message(check, &inner, known->descriptor);
  }
  return JB_WIRE_SOUND;
}

static enum jb_wire check_message(struct check *check, struct level *level,
                                  const ProtobufCMessageDescriptor *descriptor) {
  const uint8_t *next = level->cursor;
  while (level->cursor < level->end) {
    struct field field;
    if (!next_field(&next, level->end, &field)) {
      return refuse(check, JB_WIRE_MALFORMED, level->outer, level->field, "is not a protobuf message");
    }
    const ProtobufCFieldDescriptor *known = known_field(descriptor, field.number);
    if (known) {
      enum jb_wire verdict = check_field(check, level, &field, known);
      if (verdict != JB_WIRE_SOUND) return verdict;
    } else if (++check->unknown_fields > JB_UNKNOWN_FIELDS) {
      return refuse(check, JB_WIRE_BAD_FIELD, level, NULL, "has more than 1,000 unknown fields");
    }
    level->cursor = next;
  }
  return JB_WIRE_SOUND;
}

enum jb_wire jb_wire_check(const uint8_t *bytes, size_t count, const ProtobufCMessageDescriptor *descriptor,
                           struct jb_wire_fault *fault) {
  struct check check = {.fault = fault};
  struct level level = {.start = bytes, .cursor = bytes, .end = bytes + count};
  return check_message(&check, &level, descriptor);
}

uint64_t jb_wire_id(const uint8_t *bytes, size_t count) {
  struct field field;
  uint64_t id = 0;
  const uint8_t *cursor = bytes, *end = bytes + count;
  while (cursor < end && next_field(&cursor, end, &field)) {
    if (field.number == 1 && field.wire_type == JB_VARINT) id = field.value;
  }
  return id;
}
