/* Jobs of a reply. */
#include <string.h>

#include "reply.h"

static jobbroker_code refuse(struct jb_fault *fault, jobbroker_code code, const char *field, const char *reason) {
  *fault = (struct jb_fault){field, reason};
  return code;
}

static jobbroker_code no_memory(struct jb_fault *fault) {
  return refuse(fault, JOBBROKER_RESOURCE_EXHAUSTED, "reply", "finds no memory");
}

const char *jb_text_or_empty(const char *text) { return text ? text : ""; }

jobbroker_code jb_read_id(protobuf_c_boolean has, const ProtobufCBinaryData *bytes, jobbroker_id *id,
                          const char *field, struct jb_fault *fault) {
  if (!has || bytes->len != sizeof id->bytes) {
    return refuse(fault, JOBBROKER_INTERNAL, field, has ? "does not have 16 bytes" : "is missing");
  }
  memcpy(id->bytes, bytes->data, sizeof id->bytes);
  return JOBBROKER_OK;
}

static bool read_holder(struct jb_arena *arena, const Jobbroker__Holder *message, const jobbroker_holder **holder) {
  if (!message) return true;
  jobbroker_holder *read = jb_arena_take(arena, sizeof *read);
  if (!read) return false;
  *read = (jobbroker_holder){jb_text_or_empty(message->name), message->pid, message->uid};
  *holder = read;
  return true;
}

static jobbroker_code read_attempt(struct jb_arena *arena, const Jobbroker__Attempt *message,
                                   const jobbroker_attempt **attempt, struct jb_fault *fault) {
  if (message->cause < JOBBROKER__CAUSE__CAUSE_FAILED || message->cause > JOBBROKER__CAUSE__CAUSE_CANCELLED) {
    return refuse(fault, JOBBROKER_UNSUPPORTED, "job.history.cause", "is not known to this version");
  }
  jobbroker_attempt *read = jb_arena_take(arena, sizeof *read);
  if (!read || !read_holder(arena, message->worker, &read->worker)) return no_memory(fault);
  read->attempt = message->attempt;
  read->started_at = message->started_at;
  read->ended_at = message->ended_at;
  read->cause = (jobbroker_cause)message->cause;
  read->error = message->error;
  *attempt = read;
  return JOBBROKER_OK;
}

static jobbroker_code read_history(struct jb_arena *arena, const Jobbroker__Job *message, jobbroker_job *job,
                                   struct jb_fault *fault) {
  if (!message->n_history) return JOBBROKER_OK;
  const jobbroker_attempt **history = jb_arena_take_array(arena, message->n_history, sizeof *history);
  if (!history) return no_memory(fault);
  for (size_t i = 0; i < message->n_history; i++) {
    jobbroker_code code = read_attempt(arena, message->history[i], &history[i], fault);
    if (code != JOBBROKER_OK) return code;
  }
  job->history = history;
  job->history_count = message->n_history;
  return JOBBROKER_OK;
}

static jobbroker_code read_job(struct jb_arena *arena, const Jobbroker__Job *message, const jobbroker_job **job,
                               struct jb_fault *fault) {
  if (!message->has_status) return refuse(fault, JOBBROKER_INTERNAL, "job.status", "is missing");
  if (message->status < JOBBROKER__STATUS__PENDING || message->status > JOBBROKER__STATUS__CANCELLED) {
    return refuse(fault, JOBBROKER_UNSUPPORTED, "job.status", "is not known to this version");
  }
  jobbroker_job *read = jb_arena_take(arena, sizeof *read);
  if (!read || !read_holder(arena, message->worker, &read->worker)) return no_memory(fault);
  jobbroker_code code = jb_read_id(message->has_id, &message->id, &read->id, "job.id", fault);
  if (code != JOBBROKER_OK) return code;
  read->type = jb_text_or_empty(message->type);
  read->status = (jobbroker_status)message->status;
  read->progress = message->progress;
  read->stage = message->stage;
  read->metadata = message->metadata;
  read->result = message->result;
  read->error = message->error;
  read->retry_count = message->retry_count;
  read->max_retries = message->max_retries;
  read->lost_count = message->lost_count;
  read->max_lost = message->max_lost;
  read->priority = message->priority;
  read->not_before = message->not_before;
  read->unique_key = message->unique_key;
  read->attempt = message->attempt;
  read->lease_expires_at = message->lease_expires_at;
  read->created_at = message->created_at;
  read->updated_at = message->updated_at;
  read->started_at = message->started_at;
  read->finished_at = message->finished_at;
  read->sequence = message->sequence;
  *job = read;
  return read_history(arena, message, read, fault);
}

static const jobbroker_job **room_for_jobs(jobbroker_reply *reply, size_t count) {
  const jobbroker_job **jobs = jb_arena_take_array(&reply->arena, count, sizeof *jobs);
  reply->jobs = jobs;
  reply->job_count = jobs ? count : 0;
  return jobs;
}

jobbroker_code jb_read_jobs(jobbroker_reply *reply, size_t count, Jobbroker__Job *const *messages,
                            struct jb_fault *fault) {
  const jobbroker_job **jobs = room_for_jobs(reply, count);
  if (!jobs) return no_memory(fault);
  for (size_t i = 0; i < count; i++) {
    jobbroker_code code = read_job(&reply->arena, messages[i], &jobs[i], fault);
    if (code != JOBBROKER_OK) return code;
  }
  return JOBBROKER_OK;
}

jobbroker_code jb_read_created(jobbroker_reply *reply, const Jobbroker__Created *message, struct jb_fault *fault) {
  const jobbroker_job **jobs = room_for_jobs(reply, message->n_jobs);
  if (!jobs) return no_memory(fault);
  for (size_t i = 0; i < message->n_jobs; i++) {
    const Jobbroker__Job *job = message->jobs[i]->job;
    if (!job) return refuse(fault, JOBBROKER_INTERNAL, "created.jobs.job", "is missing");
    jobbroker_code code = read_job(&reply->arena, job, &jobs[i], fault);
    if (code != JOBBROKER_OK) return code;
  }
  return JOBBROKER_OK;
}
