/* What a client can ask. The blocking functions of operations.h take these, and so does jobbroker_send. */
#ifndef JOBBROKER_REQUEST_H
#define JOBBROKER_REQUEST_H

#include <jobbroker/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A job to be made. Begin with JOBBROKER_NEW_JOB_INIT, then set `type` and what else is wanted. */
typedef struct jobbroker_new_job {
  /* Which job: with the same id a create may be sent any number of times. None: the library makes one. */
  jobbroker_id id;
  /* What kind of work; 1 to 256 bytes. */
  const char *type;
  /* A JSON object of at most 393,216 bytes; NULL: {}. */
  const char *metadata;
  /* Higher goes first. */
  int32_t priority;
  /* Automatic retries, 0 to 1,000,000; negative: the broker's default, 1. */
  int32_t max_retries;
  /* How often its worker may be lost, 0 to 1,000,000; negative: the broker's default, 3. */
  int32_t max_lost;
  /* Not to be claimed before; negative: at once. */
  int64_t not_before;
  /* At most one unfinished job has this key; 1 to 256 bytes; NULL: none. */
  const char *unique_key;
} jobbroker_new_job;

#define JOBBROKER_NEW_JOB_INIT {{{0}}, NULL, NULL, 0, -1, -1, -1, NULL}

/* Some jobs, to be made all or none. */
typedef struct jobbroker_creation {
  /* 1 to 1,000. */
  const jobbroker_new_job *jobs;
  size_t job_count;
} jobbroker_creation;

/* Which jobs to list; all zero: the newest 100. */
typedef struct jobbroker_filter {
  jobbroker_status status;
  /* NULL: any. */
  const char *type;
  /* The beginning of the id, 1 to 32 hexadecimal digits; NULL: any. */
  const char *id_prefix;
  /* 1 to 1,000; 0: 100. */
  uint32_t limit;
  /* Where the page before ended (jobbroker_reply_next_cursor); 0: begin with the newest. */
  uint64_t cursor;
} jobbroker_filter;

/* Changes of a job; what is left as in JOBBROKER_UPDATE_INIT stays as it is. With none it is a heartbeat. */
typedef struct jobbroker_update {
  jobbroker_id id;
  /* The claim under which it is done (`attempt` of the claimed job); 0: none, as an operator or a webhook. */
  uint32_t attempt;
  jobbroker_status status;
  /* 0 to 100 within the stage; negative: unchanged. */
  double progress;
  /* At most 256 bytes; NULL: unchanged. */
  const char *stage;
  /* Removes the stage. */
  bool clear_stage;
  /* A JSON object; NULL: unchanged. */
  const char *result;
  /* At most 16,384 bytes; NULL: unchanged. */
  const char *error;
  /* Up to 1,000,000; negative: unchanged. */
  int32_t retry_count;
} jobbroker_update;

#define JOBBROKER_UPDATE_INIT {{{0}}, 0, JOBBROKER_STATUS_NONE, -1, NULL, false, NULL, NULL, -1}

/* A job's success. */
typedef struct jobbroker_completion {
  jobbroker_id id;
  /* As in jobbroker_update. */
  uint32_t attempt;
  /* A JSON object of at most 393,216 bytes; NULL: none. */
  const char *result;
} jobbroker_completion;

/* A job's failure. */
typedef struct jobbroker_failure {
  jobbroker_id id;
  /* As in jobbroker_update. */
  uint32_t attempt;
  /* Why, for a person; at most 16,384 bytes; NULL: nothing to say. */
  const char *error;
  /* Whether it may go back to the queue while it has retries left. */
  bool retryable;
} jobbroker_failure;

/* A job given back unharmed. */
typedef struct jobbroker_return {
  jobbroker_id id;
  /* As in jobbroker_update. */
  uint32_t attempt;
  /* How long it is not to be claimed. */
  uint64_t delay_ms;
} jobbroker_return;

/* Which jobs to take; all zero: one of any type, if there is one now. */
typedef struct jobbroker_claim_options {
  /* Up to 1,000; none: any. */
  const char *const *types;
  size_t type_count;
  /* 1 to 100; 0: 1. */
  uint32_t max_jobs;
  /* How long to wait for the first job. */
  uint64_t wait_ms;
  /* How long the claim holds without a sign of life, 10 ms to 7 days; 0: 30 s. Send an update under its attempt every
   * third of it. */
  uint64_t lease_ms;
} jobbroker_claim_options;

/* Jobs to be failed because they have been processing without a sign of life. */
typedef struct jobbroker_reaping {
  uint64_t timeout_ms;
  /* NULL: any. */
  const char *type;
} jobbroker_reaping;

/* Which jobs to watch; neither ids nor types: every job. */
typedef struct jobbroker_selection {
  /* Up to 1,000. */
  const jobbroker_id *ids;
  size_t id_count;
  /* Up to 1,000. */
  const char *const *types;
  size_t type_count;
} jobbroker_selection;

/* Finished jobs to be deleted. */
typedef struct jobbroker_pruning {
  /* How long ago they finished, at least. */
  uint64_t older_than_ms;
  /* One finished status; JOBBROKER_STATUS_NONE: all three. */
  jobbroker_status status;
  /* NULL: any. */
  const char *type;
} jobbroker_pruning;

/* What can be asked. The values are those of the protocol. */
typedef enum jobbroker_operation {
  JOBBROKER_PING = 3,
  JOBBROKER_CREATE = 4,
  JOBBROKER_GET = 5,
  JOBBROKER_LIST = 6,
  JOBBROKER_UPDATE = 7,
  JOBBROKER_COMPLETE_JOB = 8,
  JOBBROKER_FAIL_JOB = 9,
  JOBBROKER_RELEASE_JOB = 10,
  JOBBROKER_CANCEL = 11,
  JOBBROKER_RETRY = 12,
  JOBBROKER_DELETE = 13,
  JOBBROKER_CLAIM = 14,
  JOBBROKER_REAP = 15,
  JOBBROKER_POSITION = 16,
  JOBBROKER_WATCH = 17,
  JOBBROKER_STATS = 19,
  JOBBROKER_WORKERS = 20,
  JOBBROKER_PAUSE = 21,
  JOBBROKER_RESUME = 22,
  JOBBROKER_PRUNE = 23,
  JOBBROKER_BACKUP = 24
} jobbroker_operation;

/* A request: the operation, and the member that belongs to it. */
typedef struct jobbroker_request {
  jobbroker_operation operation;
  union {
    /* GET, CANCEL, RETRY, DELETE, POSITION. */
    jobbroker_id id;
    jobbroker_creation create;
    jobbroker_filter list;
    jobbroker_update update;
    jobbroker_completion complete;
    jobbroker_failure fail;
    jobbroker_return release;
    jobbroker_claim_options claim;
    jobbroker_reaping reap;
    jobbroker_selection watch;
    jobbroker_pruning prune;
    /* PAUSE, RESUME. */
    const char *type;
    /* BACKUP. */
    const char *path;
  };
} jobbroker_request;

#ifdef __cplusplus
}
#endif

#endif
