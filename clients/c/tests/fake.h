/* A peer that plays the broker's part by a script, for what a real broker can't be brought to do. */
#ifndef FAKE_H
#define FAKE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jobbroker.pb-c.h"

/* Plays one connection; `number` counts them from 1. The connection is closed when it returns. */
typedef void fake_script(int connection, int number);

struct fake {
  char folder[64];
  char socket[96];
  int listener;
  fake_script *script;
  pthread_t thread;
};

void fake_start(struct fake *fake, fake_script *script);

/* Ends the peer; the client must be closed already. */
void fake_end(struct fake *fake);

/* The next request; NULL: the client has closed. Free it with jobbroker__request__free_unpacked. */
Jobbroker__Request *fake_read(int connection);

/* Reads the next request, which must be of this kind, and returns its id. */
uint64_t fake_expect(int connection, Jobbroker__Request__OperationCase operation);

/* Writes a response. */
void fake_write(int connection, Jobbroker__Response *response);

/* Answers the hello with a welcome that allows so many requests in flight. */
void fake_welcome(int connection, uint32_t max_in_flight);

/* Answers a request with a sound job, in this status. */
void fake_job(int connection, uint64_t id, Jobbroker__Status status);

/* The attempt under which fake_claimed gives its job. */
enum { FAKE_ATTEMPT = 7 };

/* How many jobs it gives at most. */
enum { FAKE_JOBS = 3 };

/* Answers a claim with so many jobs. The first byte of their ids counts them from 1, the others are 0. */
void fake_claimed(int connection, uint64_t id, size_t count);

/* Answers a request that is answered with nothing but that it is done. */
void fake_done(int connection, uint64_t id);

/* Answers a request with an error. */
void fake_error(int connection, uint64_t id, Jobbroker__ErrorCode code);

/* Answers a ping. */
void fake_pong(int connection, uint64_t id);

/* Answers every ping, until the client closes. */
void fake_serve_pings(int connection);

#endif
