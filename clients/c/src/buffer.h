/* Bytes that come or go, in order; and the frames they make. */
#ifndef JB_BUFFER_H
#define JB_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  /* Bytes of a frame after its length, at most. */
  JB_MAX_FRAME = 1 << 20,
  JB_LENGTH_PREFIX = 4
};

/* Between `begin` and `end` are the bytes that were put in and not taken out. */
struct jb_buffer {
  uint8_t *bytes;
  size_t begin;
  size_t end;
  size_t capacity;
};

void jb_buffer_free(struct jb_buffer *buffer);

/* Forgets the bytes, keeps the memory. */
void jb_buffer_clear(struct jb_buffer *buffer);

static inline size_t jb_buffer_count(const struct jb_buffer *buffer) { return buffer->end - buffer->begin; }

/* Makes room for `count` more bytes after the end; false: no memory. */
bool jb_buffer_reserve(struct jb_buffer *buffer, size_t count);

/* Takes bytes out in front. */
void jb_buffer_consume(struct jb_buffer *buffer, size_t count);

/* Writes a frame's length prefix. */
void jb_frame_prefix(uint8_t prefix[JB_LENGTH_PREFIX], uint32_t length);

enum jb_frame { JB_FRAME_WHOLE, JB_FRAME_PARTIAL, JB_FRAME_REFUSED };

/* The body of the next frame, which stays valid until bytes are put in. PARTIAL: `length` bytes are wanted, prefix
 * included. REFUSED: its length is 0 or above JB_MAX_FRAME; nothing more can be read. */
enum jb_frame jb_frame_next(struct jb_buffer *buffer, const uint8_t **body, size_t *length);

#endif
