#include "arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Each chunk is twice as large as the one before. */
enum { JB_MINIMUM_CHUNK = 4 << 10, JB_MAXIMUM_CHUNK = 64 << 10 };

struct jb_chunk {
  struct jb_chunk *next;
  alignas(max_align_t) char bytes[];
};

void jb_arena_init(struct jb_arena *arena, void *memory, size_t size, size_t limit) {
  *arena = (struct jb_arena){
      .cursor = memory,
      .end = memory ? (char *)memory + size : NULL,
      .next_size = JB_MINIMUM_CHUNK,
      .allowance = limit,
  };
}

void jb_arena_free(struct jb_arena *arena) {
  while (arena->chunks) {
    struct jb_chunk *next = arena->chunks->next;
    free(arena->chunks);
    arena->chunks = next;
  }
  arena->cursor = arena->end = NULL;
}

static bool add_chunk(struct jb_arena *arena, size_t needed) {
  size_t size = arena->next_size < needed ? needed : arena->next_size;
  struct jb_chunk *chunk = malloc(sizeof *chunk + size);
  if (!chunk) {
    arena->starved = true;
    return false;
  }
  arena->next_size = 2 * size < JB_MAXIMUM_CHUNK ? 2 * size : JB_MAXIMUM_CHUNK;
  chunk->next = arena->chunks;
  arena->chunks = chunk;
  arena->cursor = chunk->bytes;
  arena->end = chunk->bytes + size;
  return true;
}

void *jb_arena_take(struct jb_arena *arena, size_t size) {
  const size_t alignment = alignof(max_align_t);
  if (size > arena->allowance || size > SIZE_MAX / 2) {
    arena->exhausted = true;
    return NULL;
  }
  size_t rounded = (size + alignment - 1) & ~(alignment - 1);
  bool fits = arena->cursor && (size_t)(arena->end - arena->cursor) >= rounded;
  if (!fits && !add_chunk(arena, rounded)) return NULL;
  arena->allowance -= size;
  void *piece = arena->cursor;
  arena->cursor += rounded;
  return memset(piece, 0, size);
}

void *jb_arena_take_array(struct jb_arena *arena, size_t count, size_t size) {
  if (size && count > SIZE_MAX / size) return NULL;
  return jb_arena_take(arena, count * size);
}
