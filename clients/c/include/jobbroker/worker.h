/* A worker: claims jobs and runs a handler for each, with heartbeats that do not depend on the handler's thread. */
#ifndef JOBBROKER_WORKER_H
#define JOBBROKER_WORKER_H

#include <jobbroker/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A worker, with a connection of its own. */
typedef struct jobbroker_worker jobbroker_worker;

/* A job that a handler works on. */
typedef struct jobbroker_task jobbroker_task;

/* What becomes of a job whose handler has ended. */
typedef enum jobbroker_outcome {
  /* It is complete, with the result of jobbroker_task_result, if any. */
  JOBBROKER_DONE,
  /* It fails, with the text of jobbroker_task_error, and goes back to the queue while it has retries left. */
  JOBBROKER_TRY_AGAIN,
  /* It fails for good, with the text of jobbroker_task_error. */
  JOBBROKER_GIVE_UP,
  /* It goes back to the queue unharmed. */
  JOBBROKER_HAND_BACK
} jobbroker_outcome;

/* Does a job. Runs on a thread of the worker's. It may use no other functions on `task` than those below, and it needs
 * a client of its own for other calls. */
typedef jobbroker_outcome jobbroker_handler(jobbroker_task *task, void *context);

/* What a worker does; all zero will do. */
typedef struct jobbroker_worker_options {
  /* Only these types; none: any. */
  const char *const *types;
  size_t type_count;
  /* How many jobs it works on at a time, each on a thread of its own: 1 to 100; 0: 1. */
  uint32_t concurrency;
  /* How long a job stays claimed when this worker falls silent, 10 ms to 7 days; 0: 30 s. */
  uint64_t lease_ms;
  /* How long the current jobs may go on after jobbroker_worker_stop; then they are cancelled. 0: 30 s. */
  uint64_t grace_ms;
} jobbroker_worker_options;

/* Makes a worker. `client` and `options` may be NULL. NULL: no memory, no descriptors, or a concurrency above 100. */
JOBBROKER_API jobbroker_worker *jobbroker_worker_new(const jobbroker_options *client,
                                                     const jobbroker_worker_options *options,
                                                     jobbroker_handler *handler, void *context);

/* Ends a worker that does not run. */
JOBBROKER_API void jobbroker_worker_free(jobbroker_worker *worker);

/* Works until jobbroker_worker_stop; once in a worker's life. The calling thread does all that concerns the broker:
 * it claims, heartbeats, reports and takes up the connection again; the handlers run on other threads. It waits for a
 * broker that is not there, however long.
 *
 * OK: it was stopped, and all its handlers have ended. INVALID_ARGUMENT, PERMISSION_DENIED, UNSUPPORTED: claiming is
 * pointless, and jobbroker_worker_error says why; RESOURCE_EXHAUSTED: no threads or memory. */
JOBBROKER_API jobbroker_code jobbroker_worker_run(jobbroker_worker *worker);

/* Stops a worker: it takes no more jobs and finishes the current ones. Those that are not done within the grace period,
 * or when it is called again, are cancelled; what their handlers do not complete is given back. The broker is then told
 * only once more how a job ended, and has 30 s to answer; after a second call none that is away is waited for: the lease
 * will end. May be called from any thread, from handlers, and from a signal handler. */
JOBBROKER_API void jobbroker_worker_stop(jobbroker_worker *worker);

/* Why jobbroker_worker_run failed; "" if it did not. */
JOBBROKER_API const char *jobbroker_worker_error(const jobbroker_worker *worker);

/* The job, as it was claimed; valid while its handler runs. */
JOBBROKER_API const jobbroker_job *jobbroker_task_job(const jobbroker_task *task);

/* Says what the handler is doing. Returns at once; of reports that come faster than the broker answers the latest
 * counts.
 *
 * stage     at most 256 bytes; "": no stage any more; NULL: unchanged.
 * progress  0 to 100 within the stage; negative: unchanged.
 *
 * INVALID_ARGUMENT: out of range. STALE_CLAIM: the job was taken away (cancelled, for instance), stop working on it.
 * RESOURCE_EXHAUSTED: no memory. */
JOBBROKER_API jobbroker_code jobbroker_task_report(jobbroker_task *task, const char *stage, double progress);

/* Whether the handler should end: the job was taken away, or the worker can't wait for it any longer. */
JOBBROKER_API bool jobbroker_task_cancelled(jobbroker_task *task);

/* A descriptor that can be read (POLLIN) once the handler should end: for handlers that wait for a child, a socket, or
 * anything else that can be polled. Don't read from it, and don't close it. */
JOBBROKER_API int jobbroker_task_fd(const jobbroker_task *task);

/* Sets the result for JOBBROKER_DONE: a JSON object. RESOURCE_EXHAUSTED: no memory. */
JOBBROKER_API jobbroker_code jobbroker_task_result(jobbroker_task *task, const char *result);

/* Sets the error for JOBBROKER_TRY_AGAIN and JOBBROKER_GIVE_UP, as printf does; the first 16,384 bytes are kept.
 * RESOURCE_EXHAUSTED: no memory. */
JOBBROKER_API jobbroker_code jobbroker_task_error(jobbroker_task *task, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

#ifdef __cplusplus
}
#endif

#endif
