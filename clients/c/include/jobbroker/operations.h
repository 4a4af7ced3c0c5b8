/* The operations, as blocking calls.
 *
 * Each waits for its answer, at most `timeout_ms` (JOBBROKER_FOREVER: without limit), for a connection if need be. It
 * returns JOBBROKER_OK and puts the answer into `*reply`, to be freed with jobbroker_reply_free; or another code, `*reply`
 * NULL, and jobbroker_error has the message. `reply` may be NULL for those who do not want it. While it waits, callbacks
 * of other requests may run. A signal does not end the wait.
 *
 * Every call may fail with UNAVAILABLE (no broker, or no answer in time; repeating it is safe), INVALID_ARGUMENT,
 * UNKNOWN_OUTCOME, UNSUPPORTED, INTERNAL and RESOURCE_EXHAUSTED; changes also with PERMISSION_DENIED. */
#ifndef JOBBROKER_OPERATIONS_H
#define JOBBROKER_OPERATIONS_H

#include <jobbroker/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Makes any request and waits for its answer. A watch can't be made so: INVALID_ARGUMENT. */
JOBBROKER_API jobbroker_code jobbroker_call(jobbroker_client *client, const jobbroker_request *request,
                                            int timeout_ms, jobbroker_reply **reply);

/* Asks for a sign of life. */
JOBBROKER_API jobbroker_code jobbroker_ping(jobbroker_client *client, int timeout_ms);

/* Creates a job. Repeating it with the same id is safe. ALREADY_EXISTS: the id has a job with other content. */
JOBBROKER_API jobbroker_code jobbroker_create(jobbroker_client *client, const jobbroker_new_job *job, int timeout_ms,
                                              jobbroker_reply **reply);

/* Creates 1 to 1,000 jobs, all or none; the reply has them in the same order. */
JOBBROKER_API jobbroker_code jobbroker_create_all(jobbroker_client *client, const jobbroker_new_job *jobs,
                                                  size_t count, int timeout_ms, jobbroker_reply **reply);

/* Reads a job, with its history. NOT_FOUND. */
JOBBROKER_API jobbroker_code jobbroker_get(jobbroker_client *client, jobbroker_id id, int timeout_ms,
                                           jobbroker_reply **reply);

/* Lists jobs, newest first. `filter` may be NULL: the newest 100. */
JOBBROKER_API jobbroker_code jobbroker_list(jobbroker_client *client, const jobbroker_filter *filter,
                                            int timeout_ms, jobbroker_reply **reply);

/* Changes some fields of a job; the reply has it as it is now. NOT_FOUND, STALE_CLAIM, JOB_FINISHED. */
JOBBROKER_API jobbroker_code jobbroker_change(jobbroker_client *client, const jobbroker_update *update,
                                              int timeout_ms, jobbroker_reply **reply);

/* Finishes a job with success; `result` is a JSON object or NULL. `attempt` is that of the claim, or 0 for those who
 * hold none. NOT_FOUND, STALE_CLAIM, JOB_FINISHED. */
JOBBROKER_API jobbroker_code jobbroker_complete(jobbroker_client *client, jobbroker_id id, uint32_t attempt,
                                                const char *result, int timeout_ms, jobbroker_reply **reply);

/* Finishes a job without success; `error` says why and may be NULL. If `retryable`, and it has retries left, it goes back
 * to the queue. NOT_FOUND, STALE_CLAIM, JOB_FINISHED. */
JOBBROKER_API jobbroker_code jobbroker_fail(jobbroker_client *client, jobbroker_id id, uint32_t attempt,
                                            const char *error, bool retryable, int timeout_ms,
                                            jobbroker_reply **reply);

/* Gives a job back unharmed, not to be claimed for `delay_ms`. NOT_FOUND, STALE_CLAIM, JOB_FINISHED. */
JOBBROKER_API jobbroker_code jobbroker_release(jobbroker_client *client, jobbroker_id id, uint32_t attempt,
                                               uint64_t delay_ms, int timeout_ms, jobbroker_reply **reply);

/* Calls a job off; its holder is told at once. A finished job stays as it is. NOT_FOUND. */
JOBBROKER_API jobbroker_code jobbroker_cancel(jobbroker_client *client, jobbroker_id id, int timeout_ms,
                                              jobbroker_reply **reply);

/* Puts a failed or cancelled job back into the queue, its budgets renewed. NOT_FOUND; INVALID_ARGUMENT: it is neither. */
JOBBROKER_API jobbroker_code jobbroker_retry(jobbroker_client *client, jobbroker_id id, int timeout_ms,
                                             jobbroker_reply **reply);

/* Removes a job. Operators only. NOT_FOUND. */
JOBBROKER_API jobbroker_code jobbroker_delete(jobbroker_client *client, jobbroker_id id, int timeout_ms);

/* Takes the next jobs; the reply has none when there were none within `wait_ms`. The time limit is that wait and
 * `timeout_ms` on top. While the broker is away or shuts down, the claim waits for its return. `options` may be NULL.
 * Whoever claims has to heartbeat: see jobbroker_update, or take a worker (worker.h). */
JOBBROKER_API jobbroker_code jobbroker_claim(jobbroker_client *client, const jobbroker_claim_options *options,
                                             int timeout_ms, jobbroker_reply **reply);

/* Fails the jobs (of `type`; NULL: of any) that have been processing without a sign of life for `age_ms`. Operators
 * only. */
JOBBROKER_API jobbroker_code jobbroker_reap(jobbroker_client *client, uint64_t age_ms, const char *type,
                                            int timeout_ms, jobbroker_reply **reply);

/* Where a job stands in the queue. */
JOBBROKER_API jobbroker_code jobbroker_position(jobbroker_client *client, jobbroker_id id, int timeout_ms,
                                                jobbroker_reply **reply);

/* The broker's counters. */
JOBBROKER_API jobbroker_code jobbroker_stats(jobbroker_client *client, int timeout_ms, jobbroker_reply **reply);

/* Who is connected, waits for what, and holds what. */
JOBBROKER_API jobbroker_code jobbroker_workers(jobbroker_client *client, int timeout_ms, jobbroker_reply **reply);

/* Stops claims of a type; its running jobs go on. Operators only. */
JOBBROKER_API jobbroker_code jobbroker_pause(jobbroker_client *client, const char *type, int timeout_ms);

/* Allows claims of a type again. Operators only. */
JOBBROKER_API jobbroker_code jobbroker_resume(jobbroker_client *client, const char *type, int timeout_ms);

/* Deletes finished jobs. Operators only. */
JOBBROKER_API jobbroker_code jobbroker_prune(jobbroker_client *client, const jobbroker_pruning *pruning,
                                             int timeout_ms, jobbroker_reply **reply);

/* Writes a consistent copy of the store to a new file on the broker's host; `path` is absolute. Operators only.
 * ALREADY_EXISTS. */
JOBBROKER_API jobbroker_code jobbroker_backup(jobbroker_client *client, const char *path, int timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
