/* Time and chance. */
#ifndef JB_CLOCK_H
#define JB_CLOCK_H

#include <stdint.h>

/* Later than any moment. */
#define JB_NEVER INT64_MAX

/* Milliseconds of a clock that nobody sets. */
int64_t jb_now(void);

/* `moment` + `span`, at most JB_NEVER - 1. */
int64_t jb_after(int64_t moment, uint64_t span);

/* The milliseconds to wait for a moment, as poll(2) wants them: rounded up, -1 for JB_NEVER. */
int jb_until(int64_t moment);

/* The moment at which `timeout_ms` are over; negative: JB_NEVER. */
int64_t jb_deadline(int timeout_ms);

/* How long to wait after so many failures in a row: a random time below 50 ms, doubled with each failure up to 5 s, so
 * that the clients of a broker that restarts do not all come back at once. `random` is the state of the chance, which
 * jb_seed begins. */
int64_t jb_backoff(int failures, uint64_t *random);

/* A number that nobody can guess, not 0. */
uint64_t jb_seed(void);

#endif
