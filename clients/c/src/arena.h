/* The memory of one message: handed out piece by piece, zeroed, and taken back all at once.
 *
 * It begins with memory of its owner, which does for most messages: allocating more costs more than reading or writing one.
 * That memory is zeroed by its owner, at once, so that nothing is left to do for a piece.
 * A limit bounds what a peer can make us allocate: a job of two bytes becomes several hundred. */
#ifndef JB_ARENA_H
#define JB_ARENA_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>

#define JB_ALIGNMENT alignof(max_align_t)

struct jb_chunk;

struct jb_arena {
  struct jb_chunk *chunks;
  /* Both stay aligned. */
  char *cursor;
  char *end;
  size_t next_size;
  size_t allowance;
  /* Whether more than the limit was wanted. */
  bool exhausted;
  /* Whether the system had no memory. */
  bool starved;
};

/* Begins an empty arena in `memory`: `size` bytes, zero, aligned as by malloc. It gives out at most `limit`. */
void jb_arena_init(struct jb_arena *arena, void *memory, size_t size, size_t limit);

/* Takes everything back; what it began with is its owner's. */
void jb_arena_free(struct jb_arena *arena);

/* As jb_arena_take, when it takes a new chunk or can't be. */
void *jb_arena_take_elsewhere(struct jb_arena *arena, size_t size);

/* A zeroed piece, aligned as by malloc; NULL: no memory, or beyond the limit. */
static inline void *jb_arena_take(struct jb_arena *arena, size_t size) {
  if (size > arena->allowance || size > (size_t)(arena->end - arena->cursor)) {
    return jb_arena_take_elsewhere(arena, size);
  }
  void *piece = arena->cursor;
  arena->cursor += (size + JB_ALIGNMENT - 1) & ~(JB_ALIGNMENT - 1);
  arena->allowance -= size;
  return piece;
}

/* As jb_arena_take, for `count` elements. */
static inline void *jb_arena_take_array(struct jb_arena *arena, size_t count, size_t size) {
  size_t total;
  return __builtin_mul_overflow(count, size, &total) ? NULL : jb_arena_take(arena, total);
}

#endif
