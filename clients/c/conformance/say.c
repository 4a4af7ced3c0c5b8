/* Turns a message into the library's own request, and has the library write it. */
#include <string.h>

#include "adapter.h"

static bool to_id(protobuf_c_boolean has, const ProtobufCBinaryData *bytes, jobbroker_id *id) {
  if (!has || bytes->len != sizeof id->bytes) return false;
  memcpy(id->bytes, bytes->data, sizeof id->bytes);
  return true;
}

/* A number where 0 says "none": an explicit 0 can't be said. */
static bool to_number(protobuf_c_boolean has, uint32_t value, uint32_t *number) {
  *number = value;
  return !has || value;
}

/* A number where what is negative says "none". */
static bool to_signed(protobuf_c_boolean has, uint32_t value, int32_t *number) {
  *number = has ? (int32_t)value : -1;
  return !has || value <= INT32_MAX;
}

static bool to_new_job(const Jobbroker__NewJob *message, jobbroker_new_job *job) {
  *job = (jobbroker_new_job)JOBBROKER_NEW_JOB_INIT;
  job->type = message->type;
  job->metadata = message->metadata;
  job->priority = message->priority;
  if (message->has_not_before) job->not_before = message->not_before;
  job->unique_key = message->unique_key;
  return (!message->has_id || to_id(1, &message->id, &job->id)) && job->not_before >= -1 &&
         to_signed(message->has_max_retries, message->max_retries, &job->max_retries) &&
         to_signed(message->has_max_lost, message->max_lost, &job->max_lost);
}

static bool to_create(struct jb_arena *arena, const Jobbroker__Create *message, jobbroker_creation *creation) {
  jobbroker_new_job *jobs = jb_arena_take_array(arena, message->n_jobs, sizeof *jobs);
  for (size_t i = 0; i < message->n_jobs; i++) {
    if (!to_new_job(message->jobs[i], &jobs[i])) return false;
  }
  *creation = (jobbroker_creation){jobs, message->n_jobs};
  return true;
}

static bool to_update(const Jobbroker__Update *message, jobbroker_update *update) {
  *update = (jobbroker_update)JOBBROKER_UPDATE_INIT;
  update->status = (jobbroker_status)message->status;
  if (message->has_progress) update->progress = message->progress;
  update->stage = message->stage;
  update->clear_stage = message->clear_stage;
  update->result = message->result;
  update->error = message->error;
  return to_id(message->has_id, &message->id, &update->id) && !(message->has_progress && message->progress < 0) &&
         to_number(message->has_attempt, message->attempt, &update->attempt) &&
         to_signed(message->has_retry_count, message->retry_count, &update->retry_count);
}

static bool to_watch(struct jb_arena *arena, const Jobbroker__Watch *message, jobbroker_selection *selection) {
  jobbroker_id *ids = jb_arena_take_array(arena, message->n_ids, sizeof *ids);
  for (size_t i = 0; i < message->n_ids; i++) {
    if (!to_id(1, &message->ids[i], &ids[i])) return false;
  }
  *selection = (jobbroker_selection){ids, message->n_ids, (const char *const *)message->types, message->n_types};
  return true;
}

static bool to_request(struct jb_arena *arena, const Jobbroker__Request *message, jobbroker_request *request) {
  request->operation = (jobbroker_operation)message->operation_case;
  switch (request->operation) {
    case JOBBROKER_PING:
    case JOBBROKER_STATS:
    case JOBBROKER_WORKERS: return true;
    case JOBBROKER_CREATE: return to_create(arena, message->create, &request->create);
    case JOBBROKER_GET: return to_id(message->get->has_id, &message->get->id, &request->id);
    case JOBBROKER_CANCEL: return to_id(message->cancel->has_id, &message->cancel->id, &request->id);
    case JOBBROKER_RETRY: return to_id(message->retry->has_id, &message->retry->id, &request->id);
    case JOBBROKER_DELETE: return to_id(message->delete_->has_id, &message->delete_->id, &request->id);
    case JOBBROKER_POSITION: return to_id(message->position->has_id, &message->position->id, &request->id);
    case JOBBROKER_LIST:
      request->list = (jobbroker_filter){(jobbroker_status)message->list->status, message->list->type,
                                         message->list->id_prefix, message->list->limit, message->list->cursor};
      return !message->list->has_limit || message->list->limit;
    case JOBBROKER_UPDATE: return to_update(message->update, &request->update);
    case JOBBROKER_COMPLETE_JOB:
      request->complete.result = message->complete->result;
      return to_id(message->complete->has_id, &message->complete->id, &request->complete.id) &&
             to_number(message->complete->has_attempt, message->complete->attempt, &request->complete.attempt);
    case JOBBROKER_FAIL_JOB:
      request->fail.error = message->fail->error;
      request->fail.retryable = message->fail->retryable;
      return to_id(message->fail->has_id, &message->fail->id, &request->fail.id) &&
             to_number(message->fail->has_attempt, message->fail->attempt, &request->fail.attempt);
    case JOBBROKER_RELEASE_JOB:
      request->release.delay_ms = message->release->delay_ms;
      return to_id(message->release->has_id, &message->release->id, &request->release.id) &&
             to_number(message->release->has_attempt, message->release->attempt, &request->release.attempt);
    case JOBBROKER_CLAIM:
      request->claim = (jobbroker_claim_options){(const char *const *)message->claim->types, message->claim->n_types,
                                                 message->claim->max_jobs, message->claim->wait_ms,
                                                 message->claim->lease_ms};
      return (!message->claim->has_max_jobs || message->claim->max_jobs) &&
             (!message->claim->has_lease_ms || message->claim->lease_ms);
    case JOBBROKER_REAP:
      request->reap = (jobbroker_reaping){message->reap->timeout_ms, message->reap->type};
      return message->reap->has_timeout_ms;
    case JOBBROKER_WATCH: return to_watch(arena, message->watch, &request->watch);
    case JOBBROKER_PAUSE: request->type = message->pause->type; return true;
    case JOBBROKER_RESUME: request->type = message->resume->type; return true;
    case JOBBROKER_PRUNE:
      request->prune = (jobbroker_pruning){message->prune->older_than_ms, (jobbroker_status)message->prune->status,
                                           message->prune->type};
      return message->prune->has_older_than_ms;
    case JOBBROKER_BACKUP: request->path = message->backup->path; return true;
  }
  return false;
}

Jobbroker__Request *say_again(struct jb_arena *arena, const Jobbroker__Request *message) {
  Jobbroker__Request *again = NULL;
  /* The message will point into it. */
  jobbroker_request *request = jb_arena_take(arena, sizeof *request);
  if (message->operation_case == JOBBROKER__REQUEST__OPERATION_HELLO) {
    const Jobbroker__Hello *hello = message->hello;
    again = jb_message_hello(
        arena, &(struct jb_hello){hello->protocol_version, hello->client, hello->worker_name, hello->read_only});
  } else if (message->operation_case == JOBBROKER__REQUEST__OPERATION_UNWATCH) {
    if (message->unwatch->has_watch_id) again = jb_message_unwatch(arena, message->unwatch->watch_id);
  } else if (message->operation_case == JOBBROKER__REQUEST__OPERATION_WITHDRAW) {
    if (message->withdraw->has_claim_id) again = jb_message_withdraw(arena, message->withdraw->claim_id);
  } else if (to_request(arena, message, request)) {
    again = jb_message_make(arena, request, NULL);
  }
  if (!again || !message->id) return NULL;
  again->id = message->id;
  return again;
}
