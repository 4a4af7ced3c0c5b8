/* Messages as JSON, by their descriptors. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "adapter.h"

void print_text(FILE *file, const char *text) {
  putc('"', file);
  for (const unsigned char *byte = (const unsigned char *)text; *byte; byte++) {
    if (*byte == '"' || *byte == '\\') {
      fprintf(file, "\\%c", *byte);
    } else if (*byte < 0x20) {
      fprintf(file, "\\u%04x", *byte);
    } else {
      putc(*byte, file);
    }
  }
  putc('"', file);
}

void print_number(FILE *file, double number) {
  if (isnan(number)) {
    fputs("\"NaN\"", file);
  } else if (isinf(number)) {
    fputs(number < 0 ? "\"-Infinity\"" : "\"Infinity\"", file);
  } else {
    char text[32];
    snprintf(text, sizeof text, "%.15g", number);
    if (strtod(text, NULL) != number) snprintf(text, sizeof text, "%.17g", number);
    fputs(text, file);
  }
}

static void print_bytes(FILE *file, const ProtobufCBinaryData *bytes) {
  putc('"', file);
  for (size_t i = 0; i < bytes->len; i++) fprintf(file, "%02x", bytes->data[i]);
  putc('"', file);
}

/* Prints the value of a field, or of one element of it. */
static void print_value(FILE *file, const ProtobufCFieldDescriptor *field, const void *value) {
  switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE: print_message(file, *(ProtobufCMessage *const *)value); break;
    case PROTOBUF_C_TYPE_STRING: print_text(file, *(char *const *)value); break;
    case PROTOBUF_C_TYPE_BYTES: print_bytes(file, value); break;
    case PROTOBUF_C_TYPE_DOUBLE: print_number(file, *(const double *)value); break;
    case PROTOBUF_C_TYPE_BOOL: fputs(*(const protobuf_c_boolean *)value ? "true" : "false", file); break;
    case PROTOBUF_C_TYPE_UINT64: fprintf(file, "%" PRIu64, *(const uint64_t *)value); break;
    case PROTOBUF_C_TYPE_INT64: fprintf(file, "%" PRId64, *(const int64_t *)value); break;
    case PROTOBUF_C_TYPE_UINT32: fprintf(file, "%" PRIu32, *(const uint32_t *)value); break;
    case PROTOBUF_C_TYPE_SINT32: fprintf(file, "%" PRId32, *(const int32_t *)value); break;
    case PROTOBUF_C_TYPE_ENUM: {
      const ProtobufCEnumValue *name = protobuf_c_enum_descriptor_get_value(field->descriptor, *(const int *)value);
      print_text(file, name ? name->name : "?");
      break;
    }
    default: fputs("\"a type that the schema did not have\"", file);
  }
}

static size_t element_size(const ProtobufCFieldDescriptor *field) {
  switch (field->type) {
    case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
    default: return sizeof(void *); /* Only texts, messages and bytes are repeated in the schema. */
  }
}

static bool is_present(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field) {
  const char *base = (const char *)message, *quantifier = base + field->quantifier_offset;
  if (field->label == PROTOBUF_C_LABEL_REPEATED) return *(const size_t *)quantifier;
  if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) return *(const uint32_t *)quantifier == field->id;
  if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE) {
    return *(const void *const *)(base + field->offset);
  }
  return *(const protobuf_c_boolean *)quantifier;
}

void print_message(FILE *file, const ProtobufCMessage *message) {
  const char *separator = "";
  putc('{', file);
  for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
    const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
    if (!is_present(message, field)) continue;
    fprintf(file, "%s\"%s\":", separator, field->name);
    separator = ",";
    const char *value = (const char *)message + field->offset;
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
      print_value(file, field, value);
      continue;
    }
    size_t count = *(const size_t *)((const char *)message + field->quantifier_offset);
    for (size_t j = 0; j < count; j++) {
      putc(j ? ',' : '[', file);
      print_value(file, field, *(const char *const *)value + j * element_size(field));
    }
    putc(']', file);
  }
  putc('}', file);
}
