/* The memory of one message: handed out piece by piece, zeroed, and taken back all at once.
 *
 * It begins with memory of its owner, which does for most messages: allocating more costs more than reading or writing one.
 * A limit bounds what a peer can make us allocate: a job of two bytes becomes several hundred. */
#ifndef JB_ARENA_H
#define JB_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct jb_chunk;

struct jb_arena {
  struct jb_chunk *chunks;
  char *cursor;
  char *end;
  size_t next_size;
  size_t allowance;
  /* Whether more than the limit was wanted. */
  bool exhausted;
  /* Whether the system had no memory. */
  bool starved;
};

/* Begins an empty arena in `memory`, aligned as by malloc, of `size` bytes. It gives out at most `limit`. */
void jb_arena_init(struct jb_arena *arena, void *memory, size_t size, size_t limit);

/* Takes everything back; what it began with is its owner's. */
void jb_arena_free(struct jb_arena *arena);

/* A zeroed piece, aligned as by malloc; NULL: no memory, or beyond the limit. */
void *jb_arena_take(struct jb_arena *arena, size_t size);

/* As jb_arena_take, for `count` elements. */
void *jb_arena_take_array(struct jb_arena *arena, size_t count, size_t size);

#endif
