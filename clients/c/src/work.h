/* A worker from within. One thread, that of jobbroker_worker_run, does all that concerns the broker; the handlers have
 * threads of their own. Both meet in the tasks, under one mutex. It is in four parts: worker.c claims and stops, task.c is
 * the handlers' side, keeper.c keeps the claims alive, finish.c tells how they ended. */
#ifndef JB_WORK_H
#define JB_WORK_H

#include <pthread.h>
#include <stdatomic.h>

#include "clock.h"
#include "jobbroker/worker.h"

enum {
  JB_CONCURRENCY = 100,
  JB_LEASE_MS = 30000,
  JB_GRACE_MS = 30000,
  /* How long one claim waits; then comes the next. */
  JB_CLAIM_WAIT_MS = 60000,
  /* How long an answer may take. */
  JB_ANSWER_MS = 30000,
  /* How long to let a broker be that could not take a report. */
  JB_REST_MS = 500,
  JB_STAGE_LIMIT = 256,
  JB_ERROR_LIMIT = 16384
};

enum jb_phase {
  JB_FREE,
  /* Claimed; waits for a thread. */
  JB_READY_TO_RUN,
  JB_RUNNING,
  /* The handler has ended; the broker is to be told. */
  JB_HANDLED,
  /* The broker is being told. */
  JB_FINISHING,
  /* There is nothing more to tell. */
  JB_OVER
};

/* What a handler says of itself. */
struct jb_report {
  bool has_stage;
  bool has_progress;
  /* Empty: no stage any more. */
  char stage[JB_STAGE_LIMIT + 1];
  double progress;
};

/* A place for a job. */
struct jobbroker_task {
  struct jobbroker_worker *worker;
  const jobbroker_job *job;
  /* The reply that the job came with. */
  jobbroker_reply *claimed;
  /* Can be read once the handler should end. */
  int cancel_fd;

  /* Under the mutex. */
  enum jb_phase phase;
  /* The job was taken away. */
  bool revoked;
  /* The worker can't wait any longer. */
  bool cut_short;
  struct jb_report report;
  jobbroker_outcome outcome;
  char *result;
  char *error;

  /* The broker's side only. */
  struct jb_report underway;
  bool beating;
  uint64_t beat_ticket;
  int64_t next_beat;
  int64_t rests_until;
  uint64_t finish_ticket;
  int finish_failures;
  int64_t next_finish;
};

struct jobbroker_worker {
  jobbroker_client *client;
  jobbroker_handler *handler;
  void *context;
  char **types;
  size_t type_count;
  uint64_t lease_ms;
  uint64_t grace_ms;
  /* An eventfd: something has happened to a task, or the worker is to stop. */
  int wake_fd;
  /* How often jobbroker_worker_stop was called. */
  atomic_int stops;

  pthread_mutex_t mutex;
  pthread_cond_t ready;
  bool quits;

  struct jobbroker_task *tasks;
  pthread_t *threads;
  uint32_t concurrency;

  /* The broker's side only. */
  uint64_t random;
  bool connected;
  bool claiming;
  uint64_t claim_ticket;
  int claim_failures;
  int64_t next_claim;
  bool stopping;
  int64_t grace_ends;
  /* It can't wait any longer. */
  bool cut_short;
  /* Why claiming is pointless. */
  jobbroker_reply *failure;
};

/* task.c */

/* The life of a handlers' thread: takes tasks that are ready to run, until the worker quits. */
void *jb_handler_thread(void *worker);
/* Has the handler's descriptor say that it should end. */
void jb_task_wake_handler(struct jobbroker_task *task);

/* keeper.c */

/* Sends the heartbeats and reports that are due; returns when the next one is. */
int64_t jb_keep(struct jobbroker_worker *worker, int64_t now);
/* Heartbeats every job at once. */
void jb_keep_all(struct jobbroker_worker *worker);
/* A job was taken away. */
void jb_revoke(struct jobbroker_task *task);

/* finish.c */

/* Tells the broker of handlers that have ended, and frees the places of those it knows of; returns when to try again. */
int64_t jb_finish(struct jobbroker_worker *worker, int64_t now);
/* Has nothing more to tell the broker, and waits for none of its answers. */
void jb_abandon(struct jobbroker_worker *worker);

/* worker.c */

void jb_worker_wake(struct jobbroker_worker *worker);

#endif
