#include "arena.h"

#include <stdint.h>
#include <stdlib.h>

/* Each chunk is twice as large as the one before. */
enum { JB_MINIMUM_CHUNK = 4 << 10, JB_MAXIMUM_CHUNK = 64 << 10 };

struct jb_chunk {
  struct jb_chunk *next;
  alignas(max_align_t) char bytes[];
};

void jb_arena_init(struct jb_arena *arena, void *memory, size_t size, size_t limit) {
  /* Without memory, a piece of no bytes may be anywhere. */
  char *begin = memory ? memory : (char *)arena;
  *arena = (struct jb_arena){
      .cursor = begin,
      .end = begin + (size & ~(JB_ALIGNMENT - 1)),
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

void *jb_arena_take_elsewhere(struct jb_arena *arena, size_t size) {
  if (size > arena->allowance || size > SIZE_MAX / 2) {
    arena->exhausted = true;
    return NULL;
  }
  return add_chunk(arena, (size + JB_ALIGNMENT - 1) & ~(JB_ALIGNMENT - 1)) ? jb_arena_take(arena, size) : NULL;
}
