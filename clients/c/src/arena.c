#include "arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The first chunk does for most messages; each further one is twice as large as the one before, because zeroing more than
 * is used costs more than the message. */
enum { JB_MINIMUM_CHUNK = 1024, JB_MAXIMUM_CHUNK = 64 << 10 };

struct jb_chunk {
  struct jb_chunk *next;
  alignas(max_align_t) char bytes[];
};

static void *allocate(void *arena, size_t size) { return jb_arena_take(arena, size); }

static void leave(void *arena, void *piece) {
  (void)arena;
  (void)piece;
}

void jb_arena_init(struct jb_arena *arena, size_t size, size_t limit) {
  *arena = (struct jb_arena){
      .allocator = {.alloc = allocate, .free = leave, .allocator_data = arena},
      .next_size = size < JB_MINIMUM_CHUNK ? JB_MINIMUM_CHUNK : size,
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
  /* calloc, because every piece has to be zero. */
  struct jb_chunk *chunk = calloc(1, sizeof *chunk + size);
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
  if ((size_t)(arena->end - arena->cursor) < rounded && !add_chunk(arena, rounded)) return NULL;
  arena->allowance -= size;
  void *piece = arena->cursor;
  arena->cursor += rounded;
  return piece;
}

void *jb_arena_take_array(struct jb_arena *arena, size_t count, size_t size) {
  if (size && count > SIZE_MAX / size) return NULL;
  return jb_arena_take(arena, count * size);
}

char *jb_arena_text(struct jb_arena *arena, const char *text) {
  size_t size = strlen(text) + 1;
  char *copy = jb_arena_take(arena, size);
  if (copy) memcpy(copy, text, size);
  return copy;
}
