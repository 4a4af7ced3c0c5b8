/* The memory of one message: handed out piece by piece, zeroed, and taken back all at once.
 *
 * protobuf-c unpacks into it, and messages to be packed are built in it. Freeing a piece does nothing, every piece is
 * zeroed (protobuf-c 1.4 may follow a pointer that it has not set when an unpack fails), and a limit bounds what a peer
 * can make us allocate: an unknown field of two bytes costs about 88. */
#ifndef JB_ARENA_H
#define JB_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

struct jb_chunk;

struct jb_arena {
  /* For protobuf-c; it points back to the arena, which therefore must not be moved. */
  ProtobufCAllocator allocator;
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

/* Begins an empty arena that expects `size` bytes and gives out at most `limit`. */
void jb_arena_init(struct jb_arena *arena, size_t size, size_t limit);

/* Takes everything back. */
void jb_arena_free(struct jb_arena *arena);

/* A zeroed piece, aligned as by malloc; NULL: no memory, or beyond the limit. */
void *jb_arena_take(struct jb_arena *arena, size_t size);

/* As jb_arena_take, for `count` elements. */
void *jb_arena_take_array(struct jb_arena *arena, size_t count, size_t size);

/* A copy of a text; NULL: no memory. */
char *jb_arena_text(struct jb_arena *arena, const char *text);

#endif
