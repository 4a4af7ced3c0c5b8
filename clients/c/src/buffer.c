#include "buffer.h"

#include <stdlib.h>
#include <string.h>

enum { JB_FIRST_CAPACITY = 16 << 10 };

void jb_buffer_free(struct jb_buffer *buffer) {
  free(buffer->bytes);
  *buffer = (struct jb_buffer){0};
}

void jb_buffer_clear(struct jb_buffer *buffer) { buffer->begin = buffer->end = 0; }

bool jb_buffer_reserve(struct jb_buffer *buffer, size_t count) {
  if (buffer->capacity - buffer->end >= count) return true;
  size_t used = jb_buffer_count(buffer);
  if (buffer->begin) {
    memmove(buffer->bytes, buffer->bytes + buffer->begin, used);
    buffer->begin = 0;
    buffer->end = used;
    if (buffer->capacity - used >= count) return true;
  }
  size_t capacity = buffer->capacity ? buffer->capacity : JB_FIRST_CAPACITY;
  while (capacity - used < count) {
    if (capacity > SIZE_MAX / 2) return false;
    capacity *= 2;
  }
  uint8_t *bytes = realloc(buffer->bytes, capacity);
  if (!bytes) return false;
  buffer->bytes = bytes;
  buffer->capacity = capacity;
  return true;
}

void jb_buffer_consume(struct jb_buffer *buffer, size_t count) {
  buffer->begin += count;
  if (buffer->begin == buffer->end) jb_buffer_clear(buffer);
}

void jb_frame_prefix(uint8_t prefix[JB_LENGTH_PREFIX], uint32_t length) {
  prefix[0] = (uint8_t)(length >> 24);
  prefix[1] = (uint8_t)(length >> 16);
  prefix[2] = (uint8_t)(length >> 8);
  prefix[3] = (uint8_t)length;
}

enum jb_frame jb_frame_next(struct jb_buffer *buffer, const uint8_t **body, size_t *length) {
  size_t count = jb_buffer_count(buffer);
  *length = JB_LENGTH_PREFIX;
  if (count < JB_LENGTH_PREFIX) return JB_FRAME_PARTIAL;
  const uint8_t *prefix = buffer->bytes + buffer->begin;
  uint32_t announced =
      (uint32_t)prefix[0] << 24 | (uint32_t)prefix[1] << 16 | (uint32_t)prefix[2] << 8 | prefix[3];
  *length = announced;
  if (announced == 0 || announced > JB_MAX_FRAME) return JB_FRAME_REFUSED;
  if (count < JB_LENGTH_PREFIX + *length) {
    *length += JB_LENGTH_PREFIX;
    return JB_FRAME_PARTIAL;
  }
  *body = prefix + JB_LENGTH_PREFIX;
  jb_buffer_consume(buffer, JB_LENGTH_PREFIX + *length);
  return JB_FRAME_WHOLE;
}
