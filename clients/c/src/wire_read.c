#include <endian.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"
#include "wire.h"

/* Room for a newer broker's fields. */
enum { JB_UNKNOWN_FIELDS = 1000 };

/* A field as it stands in a message. */
struct field {
  uint32_t number;
  unsigned wire_type;
  /* Of what has a length, that. */
  uint64_t value;
  const uint8_t *bytes;
};

/* A message being read, and the field of the message around it that it is. */
struct level {
  const struct level *outer;
  const ProtobufCFieldDescriptor *field;
  const uint8_t *start;
  const uint8_t *cursor;
  const uint8_t *end;
};

struct reader {
  struct jb_arena *arena;
  struct jb_wire_report *report;
};

/* ------------------------------------------------------------------------------------------------ fields */

/* Each of these reads what is at the cursor and returns where it ends; NULL: the bytes are no protobuf. */

static const uint8_t *read_long_varint(const uint8_t *cursor, const uint8_t *end, size_t longest, uint64_t *value) {
  if ((size_t)(end - cursor) > longest) end = cursor + longest;
  uint64_t read = 0;
  for (unsigned shift = 0; cursor < end; shift += 7) {
    uint64_t byte = *cursor++;
    read |= (byte & 0x7F) << shift;
    if (byte < 0x80) {
      *value = read;
      return cursor;
    }
  }
  return NULL;
}

/* Nearly all have one byte. */
static inline const uint8_t *read_varint(const uint8_t *cursor, const uint8_t *end, size_t longest, uint64_t *value) {
  if (cursor < end && *cursor < 0x80) {
    *value = *cursor;
    return cursor + 1;
  }
  uint64_t read = 0;
  cursor = read_long_varint(cursor, end, longest, &read);
  *value = read;
  return cursor;
}

static inline const uint8_t *read_fixed(const uint8_t *cursor, const uint8_t *end, size_t size, uint64_t *value) {
  if ((size_t)(end - cursor) < size) return NULL;
  uint64_t little = 0;
  memcpy(&little, cursor, size);
  *value = le64toh(little);
  return cursor + size;
}

/* Groups, which protobuf gave up, count as no protobuf. Tags and lengths have at most five bytes, as in protobuf-c. */
static inline const uint8_t *read_tagged(const uint8_t *cursor, const uint8_t *end, struct field *field) {
  uint64_t tag;
  cursor = read_varint(cursor, end, 5, &tag);
  if (!cursor || tag < 1 << 3) return NULL;
  *field = (struct field){(uint32_t)(tag >> 3), tag & 7, 0, NULL};
  switch (field->wire_type) {
    case JB_WIRE_VARINT: return read_varint(cursor, end, 10, &field->value);
    case JB_WIRE_FIXED64: return read_fixed(cursor, end, 8, &field->value);
    case JB_WIRE_FIXED32: return read_fixed(cursor, end, 4, &field->value);
    case JB_WIRE_BYTES:
      field->bytes = read_varint(cursor, end, 5, &field->value);
      if (!field->bytes || field->value > (uint64_t)(end - field->bytes)) return NULL;
      return field->bytes + field->value;
    default: return NULL;
  }
}

/* How often a field occurs between two places. */
static size_t occurrences(uint32_t number, const uint8_t *cursor, const uint8_t *end) {
  struct field field;
  size_t count = 0;
  while (cursor < end && (cursor = read_tagged(cursor, end, &field))) count += field.number == number;
  return count;
}

static const ProtobufCFieldDescriptor *known_field(const ProtobufCMessageDescriptor *descriptor, uint32_t number) {
  /* Numbers run from 1 without a gap unless a field was removed, and the fields are sorted by them. */
  if (number <= descriptor->n_fields && descriptor->fields[number - 1].id == number) {
    return &descriptor->fields[number - 1];
  }
  return protobuf_c_message_descriptor_get_field(descriptor, number);
}

/* ------------------------------------------------------------------------------------------------ refusals */

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

static bool refuse(struct reader *reader, enum jb_wire verdict, const struct level *level,
                   const ProtobufCFieldDescriptor *field, const char *reason) {
  char *text = reader->report->fault;
  size_t size = sizeof reader->report->fault;
  text[0] = '\0';
  if (field) write_path(text, size, level, field);
  size_t used = strlen(text);
  snprintf(text + used, size - used, "%s%s", used ? " " : "", reason);
  reader->report->verdict = verdict;
  return false;
}

static bool no_memory(struct reader *reader) {
  reader->report->verdict = JB_WIRE_NO_MEMORY;
  return false;
}

/* ------------------------------------------------------------------------------------------------ members */

/* What the field is to be put into; the message then has it. NULL: no memory. */
static void *member_for(struct reader *reader, const struct level *level, const ProtobufCFieldDescriptor *known,
                        size_t size, ProtobufCMessage *message) {
  void *member = (char *)message + known->offset, *quantifier = (char *)message + known->quantifier_offset;
  if (known->label == PROTOBUF_C_LABEL_REPEATED) {
    size_t *count = quantifier;
    char **elements = member;
    /* The first one makes room for all. */
    if (!*count) {
      *elements = jb_arena_take_array(reader->arena, occurrences(known->id, level->cursor, level->end), size);
    }
    return *elements ? *elements + size * (*count)++ : NULL;
  }
  if (known->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
    uint32_t *chosen = quantifier;
    if (*chosen != known->id) memset(member, 0, size);
    *chosen = known->id;
  } else if (known->quantifier_offset) {
    *(protobuf_c_boolean *)quantifier = 1;
  }
  return member;
}

static bool read_text(struct reader *reader, const struct level *level, const struct field *field,
                      const ProtobufCFieldDescriptor *known, char **member) {
  size_t count = (size_t)field->value;
  switch (jb_text_check(field->bytes, count)) {
    case JB_TEXT_SOUND: break;
    case JB_TEXT_HOLDS_NUL: return refuse(reader, JB_WIRE_BAD_FIELD, level, known, "contains a NUL character");
    case JB_TEXT_NOT_UTF8: return refuse(reader, JB_WIRE_BAD_FIELD, level, known, "is not valid UTF-8");
  }
  *member = jb_arena_take(reader->arena, count + 1);
  if (!*member) return no_memory(reader);
  memcpy(*member, field->bytes, count);
  return true;
}

static bool read_bytes(struct reader *reader, const struct field *field, ProtobufCBinaryData *member) {
  member->len = field->value;
  member->data = jb_arena_take(reader->arena, field->value);
  if (!member->data) return no_memory(reader);
  memcpy(member->data, field->bytes, field->value);
  return true;
}

static bool read_message(struct reader *reader, struct level *level, ProtobufCMessage *message);

static ProtobufCMessage *new_message(struct jb_arena *arena, const ProtobufCMessageDescriptor *descriptor) {
  ProtobufCMessage *message = jb_arena_take(arena, descriptor->sizeof_message);
  /* All defaults of the schema are 0, as is the piece. */
  if (message) message->descriptor = descriptor;
  return message;
}

static bool read_inner(struct reader *reader, const struct level *level, const struct field *field,
                       const ProtobufCFieldDescriptor *known, ProtobufCMessage **member) {
  /* Two parts of one message would each count the elements of their repeated fields, and only the first makes room. */
  if (*member) return refuse(reader, JB_WIRE_BAD_FIELD, level, known, "occurs twice");
  *member = new_message(reader->arena, known->descriptor);
  if (!*member) return no_memory(reader);
  struct level inner = {level, known, field->bytes, field->bytes, field->bytes + field->value};
  return read_message(reader, &inner, *member);
}

static uint64_t from_zigzag(uint64_t value) { return value >> 1 ^ (0 - (value & 1)); }

static void read_number(uint64_t value, ProtobufCType type, size_t size, void *member) {
  if (type == PROTOBUF_C_TYPE_BOOL) value = value != 0;
  if (type == PROTOBUF_C_TYPE_SINT32) value = from_zigzag((uint32_t)value);
  if (type == PROTOBUF_C_TYPE_SINT64) value = from_zigzag(value);
  if (size == sizeof value) {
    memcpy(member, &value, sizeof value);
  } else {
    uint32_t half = (uint32_t)value;
    memcpy(member, &half, sizeof half);
  }
}

static bool read_field(struct reader *reader, const struct level *level, const struct field *field,
                       const ProtobufCFieldDescriptor *known, ProtobufCMessage *message) {
  struct jb_shape shape = jb_shape(known->type);
  if (field->wire_type != shape.wire_type) {
    return refuse(reader, JB_WIRE_BAD_FIELD, level, known, "has another wire type than the schema says");
  }
  void *member = member_for(reader, level, known, shape.size, message);
  if (!member) return no_memory(reader);
  if (shape.wire_type != JB_WIRE_BYTES) {
    read_number(field->value, known->type, shape.size, member);
    return true;
  }
  switch (known->type) {
    case PROTOBUF_C_TYPE_STRING: return read_text(reader, level, field, known, member);
    case PROTOBUF_C_TYPE_BYTES: return read_bytes(reader, field, member);
    default: return read_inner(reader, level, field, known, member);
  }
}

static bool read_message(struct reader *reader, struct level *level, ProtobufCMessage *message) {
  const uint8_t *next = level->cursor, *end = level->end;
  while (next < end) {
    level->cursor = next;
    struct field field;
    next = read_tagged(next, end, &field);
    if (!next) {
      return refuse(reader, JB_WIRE_MALFORMED, level->outer, level->field, "is not a protobuf message");
    }
    const ProtobufCFieldDescriptor *known = known_field(message->descriptor, field.number);
    if (known) {
      if (!read_field(reader, level, &field, known, message)) return false;
    } else if (++reader->report->unknown_fields > JB_UNKNOWN_FIELDS) {
      return refuse(reader, JB_WIRE_BAD_FIELD, level, NULL, "has more than 1,000 unknown fields");
    }
  }
  return true;
}

ProtobufCMessage *jb_wire_read(const uint8_t *bytes, size_t count, const ProtobufCMessageDescriptor *descriptor,
                               struct jb_arena *arena, struct jb_wire_report *report) {
  report->verdict = JB_WIRE_SOUND;
  report->unknown_fields = 0;
  struct reader reader = {arena, report};
  struct level level = {.start = bytes, .cursor = bytes, .end = bytes + count};
  ProtobufCMessage *message = new_message(arena, descriptor);
  if (!message) no_memory(&reader);
  return message && read_message(&reader, &level, message) ? message : NULL;
}

uint64_t jb_wire_id(const uint8_t *bytes, size_t count) {
  struct field field;
  uint64_t id = 0;
  const uint8_t *cursor = bytes, *end = bytes + count;
  while (cursor < end && (cursor = read_tagged(cursor, end, &field))) {
    if (field.number == 1 && field.wire_type == JB_WIRE_VARINT) id = field.value;
  }
  return id;
}
