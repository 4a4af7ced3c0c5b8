#include "clock.h"

#include <limits.h>
#include <sys/random.h>
#include <time.h>

enum { JB_FIRST_CEILING_MS = 50, JB_LAST_CEILING_MS = 5000 };

int64_t jb_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

int64_t jb_after(int64_t moment, uint64_t span) {
  return span < (uint64_t)(JB_NEVER - moment) ? moment + (int64_t)span : JB_NEVER - 1;
}

int jb_until(int64_t moment) {
  if (moment == JB_NEVER) return -1;
  int64_t left = moment - jb_now();
  return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

int64_t jb_deadline(int timeout_ms) {
  /* One more, because jb_now has dropped a part of a millisecond. */
  return timeout_ms < 0 ? JB_NEVER : jb_now() + timeout_ms + 1;
}

int64_t jb_backoff(int failures, uint64_t *random) {
  int64_t ceiling = JB_FIRST_CEILING_MS;
  for (int i = 1; i < failures && ceiling < JB_LAST_CEILING_MS; i++) ceiling *= 2;
  if (ceiling > JB_LAST_CEILING_MS) ceiling = JB_LAST_CEILING_MS;
  /* Marsaglia's xorshift64. */
  *random ^= *random << 13;
  *random ^= *random >> 7;
  *random ^= *random << 17;
  return (int64_t)(*random % (uint64_t)(ceiling + 1));
}

uint64_t jb_seed(void) {
  uint64_t seed = 0;
  /* Without it, time and place will have to do: a backoff needs no secret. */
  if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed) seed = (uint64_t)jb_now() ^ (uintptr_t)&seed;
  return seed ? seed : 1;
}
