#include "jobbroker/operations.h"

#include "session.h"

/* A call that is being waited for. */
struct waiting {
  jobbroker_reply *reply;
};

static void answered(jobbroker_reply *reply, void *context) { ((struct waiting *)context)->reply = reply; }

static jobbroker_code fail(jobbroker_client *client, jobbroker_reply *error) {
  jobbroker_code code = error->code;
  jb_set_error(client, error);
  return code;
}

static jobbroker_reply *called_back(void) {
  return jb_reply_error(JOBBROKER_INVALID_ARGUMENT, "a blocking call can't be made from a callback");
}

jobbroker_code jobbroker_call(jobbroker_client *client, const jobbroker_request *request, int timeout_ms,
                              jobbroker_reply **reply) {
  if (reply) *reply = NULL;
  if (client->processing) return fail(client, called_back());
  jb_set_error(client, NULL);
  if (request->operation == JOBBROKER_WATCH) {
    return fail(client, jb_reply_error(JOBBROKER_INVALID_ARGUMENT, "a watch is made with jobbroker_send"));
  }
  struct waiting waiting = {NULL};
  jobbroker_code code = jobbroker_send(client, request, timeout_ms, answered, &waiting, NULL);
  if (code != JOBBROKER_OK) return code;
  /* The call ends at its deadline at the latest. */
  while (!waiting.reply) jobbroker_wait(client, JOBBROKER_FOREVER);
  if (waiting.reply->code != JOBBROKER_OK) return fail(client, waiting.reply);
  if (reply) {
    *reply = waiting.reply;
  } else {
    jobbroker_reply_free(waiting.reply);
  }
  return JOBBROKER_OK;
}

jobbroker_code jobbroker_connect(jobbroker_client *client, int timeout_ms) {
  if (client->processing) return fail(client, called_back());
  jb_set_error(client, NULL);
  int64_t deadline = jb_deadline(timeout_ms);
  while (client->state != JB_READY) {
    if (client->state == JB_ENDED) return fail(client, jb_reply_share(client->ending));
    if (jb_now() >= deadline) {
      return fail(client, client->trouble ? jb_reply_share(client->trouble)
                                          : jb_reply_error(JOBBROKER_UNAVAILABLE, "no connection in time"));
    }
    jobbroker_wait(client, jb_until(deadline));
  }
  return JOBBROKER_OK;
}

/* --------------------------------------------------------------------------------- the operations one by one */

jobbroker_code jobbroker_ping(jobbroker_client *client, int timeout_ms) {
  return jobbroker_call(client, &(jobbroker_request){.operation = JOBBROKER_PING}, timeout_ms, NULL);
}

jobbroker_code jobbroker_create(jobbroker_client *client, const jobbroker_new_job *job, int timeout_ms,
                                jobbroker_reply **reply) {
  return jobbroker_create_all(client, job, 1, timeout_ms, reply);
}

jobbroker_code jobbroker_create_all(jobbroker_client *client, const jobbroker_new_job *jobs, size_t count,
                                    int timeout_ms, jobbroker_reply **reply) {
  jobbroker_request request = {.operation = JOBBROKER_CREATE, .create = {jobs, count}};
  return jobbroker_call(client, &request, timeout_ms, reply);
}

/* A request that is an operation on a job, and nothing more. */
static jobbroker_code call_on(jobbroker_client *client, jobbroker_operation operation, jobbroker_id id, int timeout_ms,
                              jobbroker_reply **reply) {
  return jobbroker_call(client, &(jobbroker_request){.operation = operation, .id = id}, timeout_ms, reply);
}

jobbroker_code jobbroker_get(jobbroker_client *client, jobbroker_id id, int timeout_ms, jobbroker_reply **reply) {
  return call_on(client, JOBBROKER_GET, id, timeout_ms, reply);
}

jobbroker_code jobbroker_list(jobbroker_client *client, const jobbroker_filter *filter, int timeout_ms,
                              jobbroker_reply **reply) {
  jobbroker_request request = {.operation = JOBBROKER_LIST, .list = {JOBBROKER_STATUS_NONE, NULL, NULL, 0, 0}};
  if (filter) request.list = *filter;
  return jobbroker_call(client, &request, timeout_ms, reply);
}

jobbroker_code jobbroker_change(jobbroker_client *client, const jobbroker_update *update, int timeout_ms,
                                jobbroker_reply **reply) {
  return jobbroker_call(client, &(jobbroker_request){.operation = JOBBROKER_UPDATE, .update = *update}, timeout_ms,
                        reply);
}

jobbroker_code jobbroker_complete(jobbroker_client *client, jobbroker_id id, uint32_t attempt, const char *result,
                                  int timeout_ms, jobbroker_reply **reply) {
  jobbroker_request request = {.operation = JOBBROKER_COMPLETE_JOB, .complete = {id, attempt, result}};
  return jobbroker_call(client, &request, timeout_ms, reply);
}

jobbroker_code jobbroker_fail(jobbroker_client *client, jobbroker_id id, uint32_t attempt, const char *error,
                              bool retryable, int timeout_ms, jobbroker_reply **reply) {
  jobbroker_request request = {.operation = JOBBROKER_FAIL_JOB, .fail = {id, attempt, error, retryable}};
  return jobbroker_call(client, &request, timeout_ms, reply);
}

jobbroker_code jobbroker_release(jobbroker_client *client, jobbroker_id id, uint32_t attempt, uint64_t delay_ms,
                                 int timeout_ms, jobbroker_reply **reply) {
  jobbroker_request request = {.operation = JOBBROKER_RELEASE_JOB, .release = {id, attempt, delay_ms}};
  return jobbroker_call(client, &request, timeout_ms, reply);
}

jobbroker_code jobbroker_cancel(jobbroker_client *client, jobbroker_id id, int timeout_ms, jobbroker_reply **reply) {
  return call_on(client, JOBBROKER_CANCEL, id, timeout_ms, reply);
}

jobbroker_code jobbroker_retry(jobbroker_client *client, jobbroker_id id, int timeout_ms, jobbroker_reply **reply) {
  return call_on(client, JOBBROKER_RETRY, id, timeout_ms, reply);
}

jobbroker_code jobbroker_delete(jobbroker_client *client, jobbroker_id id, int timeout_ms) {
  return call_on(client, JOBBROKER_DELETE, id, timeout_ms, NULL);
}

jobbroker_code jobbroker_claim(jobbroker_client *client, const jobbroker_claim_options *options, int timeout_ms,
                               jobbroker_reply **reply) {
  jobbroker_request request = {.operation = JOBBROKER_CLAIM, .claim = {NULL, 0, 0, 0, 0}};
  if (options) request.claim = *options;
  return jobbroker_call(client, &request, timeout_ms, reply);
}

jobbroker_code jobbroker_reap(jobbroker_client *client, uint64_t age_ms, const char *type, int timeout_ms,
                              jobbroker_reply **reply) {
  jobbroker_request request = {.operation = JOBBROKER_REAP, .reap = {age_ms, type}};
  return jobbroker_call(client, &request, timeout_ms, reply);
}

jobbroker_code jobbroker_position(jobbroker_client *client, jobbroker_id id, int timeout_ms, jobbroker_reply **reply) {
  return call_on(client, JOBBROKER_POSITION, id, timeout_ms, reply);
}

jobbroker_code jobbroker_stats(jobbroker_client *client, int timeout_ms, jobbroker_reply **reply) {
  return jobbroker_call(client, &(jobbroker_request){.operation = JOBBROKER_STATS}, timeout_ms, reply);
}

jobbroker_code jobbroker_workers(jobbroker_client *client, int timeout_ms, jobbroker_reply **reply) {
  return jobbroker_call(client, &(jobbroker_request){.operation = JOBBROKER_WORKERS}, timeout_ms, reply);
}

jobbroker_code jobbroker_pause(jobbroker_client *client, const char *type, int timeout_ms) {
  return jobbroker_call(client, &(jobbroker_request){.operation = JOBBROKER_PAUSE, .type = type}, timeout_ms, NULL);
}

jobbroker_code jobbroker_resume(jobbroker_client *client, const char *type, int timeout_ms) {
  return jobbroker_call(client, &(jobbroker_request){.operation = JOBBROKER_RESUME, .type = type}, timeout_ms, NULL);
}

jobbroker_code jobbroker_prune(jobbroker_client *client, const jobbroker_pruning *pruning, int timeout_ms,
                               jobbroker_reply **reply) {
  return jobbroker_call(client, &(jobbroker_request){.operation = JOBBROKER_PRUNE, .prune = *pruning}, timeout_ms,
                        reply);
}

jobbroker_code jobbroker_backup(jobbroker_client *client, const char *path, int timeout_ms) {
  return jobbroker_call(client, &(jobbroker_request){.operation = JOBBROKER_BACKUP, .path = path}, timeout_ms, NULL);
}
