/* What the broker answers. A reply owns everything that is read from it. */
#ifndef JOBBROKER_REPLY_H
#define JOBBROKER_REPLY_H

#include <jobbroker/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Who holds a job, or held it. */
typedef struct jobbroker_holder {
  const char *name;
  uint32_t pid;
  uint32_t uid;
} jobbroker_holder;

/* An attempt that ended without success. */
typedef struct jobbroker_attempt {
  uint32_t attempt;
  /* NULL where it is not known. */
  const jobbroker_holder *worker;
  int64_t started_at;
  int64_t ended_at;
  jobbroker_cause cause;
  /* NULL: none. */
  const char *error;
} jobbroker_attempt;

/* A job. Texts that it does not have are NULL, times that it does not have are 0. The library makes these, you only
 * read them; later versions may add fields at the end. */
typedef struct jobbroker_job {
  jobbroker_id id;
  const char *type;
  jobbroker_status status;
  /* 0 to 100 within the stage. */
  double progress;
  const char *stage;
  /* A JSON object; only in replies to get, list and claim. */
  const char *metadata;
  /* A JSON object; only in replies to get and list, and in events. */
  const char *result;
  const char *error;
  uint32_t retry_count;
  uint32_t max_retries;
  uint32_t lost_count;
  uint32_t max_lost;
  int32_t priority;
  int64_t not_before;
  const char *unique_key;
  /* How often it was claimed: what a holder puts into every request about it. */
  uint32_t attempt;
  /* The holder, or the last one; NULL: nobody yet. */
  const jobbroker_holder *worker;
  int64_t lease_expires_at;
  int64_t created_at;
  int64_t updated_at;
  int64_t started_at;
  int64_t finished_at;
  /* Its place in the order of creation. */
  uint64_t sequence;
  /* The attempts that ended without success; only in the reply to get. */
  size_t history_count;
  const jobbroker_attempt *const *history;
} jobbroker_job;

/* An answer. */
typedef struct jobbroker_reply jobbroker_reply;

/* Ends a reply, and with it all that was read from it. */
JOBBROKER_API void jobbroker_reply_free(jobbroker_reply *reply);

/* How the request ended. */
JOBBROKER_API jobbroker_code jobbroker_reply_code(const jobbroker_reply *reply);

/* Of an error: what is wrong, and what to do; otherwise "". */
JOBBROKER_API const char *jobbroker_reply_message(const jobbroker_reply *reply);

/* How many jobs it has: those created, claimed, listed, of a snapshot; one for get and the changes of one job, for an
 * event, and for an error that carries a job. */
JOBBROKER_API size_t jobbroker_reply_job_count(const jobbroker_reply *reply);

/* One of its jobs; NULL when there is none of that index. */
JOBBROKER_API const jobbroker_job *jobbroker_reply_job(const jobbroker_reply *reply, size_t index);

/* To create: whether this job was made, rather than there already (by id, or by unique_key). */
JOBBROKER_API bool jobbroker_reply_created(const jobbroker_reply *reply, size_t index);

/* To list: where the next page begins; 0: this is the last. */
JOBBROKER_API uint64_t jobbroker_reply_next_cursor(const jobbroker_reply *reply);

/* To reap and prune: how many jobs. */
JOBBROKER_API uint64_t jobbroker_reply_count(const jobbroker_reply *reply);

/* To position: the place among all pending jobs, from 0; -1: not pending, or unknown. */
JOBBROKER_API int64_t jobbroker_reply_position(const jobbroker_reply *reply);

/* To position: the place among the pending jobs of its type; -1 likewise. */
JOBBROKER_API int64_t jobbroker_reply_position_in_type(const jobbroker_reply *reply);

/* What a watch tells. */
typedef enum jobbroker_event {
  /* The reply tells of no event: the watch was refused, or has ended (see its code). */
  JOBBROKER_EVENT_NONE = 0,
  /* Jobs as they are now: when the watch begins, and after an interruption. Large ones come in parts. */
  JOBBROKER_EVENT_SNAPSHOT,
  /* A job changed. It is the reply's only job, without its metadata; when its holder only reported, without its result,
   * too. */
  JOBBROKER_EVENT_CHANGED,
  /* A job is gone: jobbroker_reply_deleted. */
  JOBBROKER_EVENT_DELETED,
  /* Changes may have been missed (the connection was lost, or this client was too slow); a snapshot follows. */
  JOBBROKER_EVENT_INTERRUPTED
} jobbroker_event;

/* What an answer to a watch tells. */
JOBBROKER_API jobbroker_event jobbroker_reply_event(const jobbroker_reply *reply);

/* Of a snapshot: whether another part follows. */
JOBBROKER_API bool jobbroker_reply_more(const jobbroker_reply *reply);

/* Whether the reply leaves something out: of a snapshot, unfinished jobs beyond the 10,000 it can show; of counters,
 * types; of workers, some of them, or of what they wait for and hold. */
JOBBROKER_API bool jobbroker_reply_truncated(const jobbroker_reply *reply);

/* Of a deletion: which job is gone. */
JOBBROKER_API jobbroker_id jobbroker_reply_deleted(const jobbroker_reply *reply);

/* The jobs of one type, counted. */
typedef struct jobbroker_type_stats {
  const char *type;
  uint64_t pending;
  uint64_t processing;
  uint64_t complete;
  uint64_t failed;
  uint64_t cancelled;
  bool paused;
} jobbroker_type_stats;

/* The broker's counters. */
typedef struct jobbroker_stats_info {
  size_t type_count;
  const jobbroker_type_stats *const *types;
  uint64_t connections;
  uint64_t waiting_claims;
  uint64_t watches;
  /* Since the broker started. */
  uint64_t commits;
  uint64_t commands;
  uint64_t uptime_ms;
  /* User and system time of the broker's process. */
  uint64_t cpu_us;
  uint64_t resident_bytes;
  const char *server;
  const char *store;
  uint32_t pid;
} jobbroker_stats_info;

/* To stats: the counters; NULL for other replies. */
JOBBROKER_API const jobbroker_stats_info *jobbroker_reply_stats(const jobbroker_reply *reply);

/* A job that a worker holds. */
typedef struct jobbroker_held {
  jobbroker_id id;
  uint32_t attempt;
  const char *type;
} jobbroker_held;

/* Somebody who is connected. */
typedef struct jobbroker_worker_info {
  jobbroker_holder holder;
  /* Program and version. */
  const char *client;
  int64_t connected_at;
  /* Blocked in a claim, of these types (none: any). */
  bool waiting;
  size_t waiting_type_count;
  const char *const *waiting_types;
  size_t held_count;
  const jobbroker_held *const *held;
} jobbroker_worker_info;

/* To workers: how many are connected. */
JOBBROKER_API size_t jobbroker_reply_worker_count(const jobbroker_reply *reply);

/* To workers: one of them; NULL when there is none of that index. */
JOBBROKER_API const jobbroker_worker_info *jobbroker_reply_worker(const jobbroker_reply *reply, size_t index);

#ifdef __cplusplus
}
#endif

#endif
