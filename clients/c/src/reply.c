#include "reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

enum {
  /* What one response may take unpacked: a frame full of the smallest jobs would take more than a hundred times its
   * size. */
  JB_RESPONSE_MEMORY = 64 << 20,
  /* What most responses of `n` bytes take: twice that, and the structures of a job. */
  JB_RESPONSE_OVERHEAD = 704
};

/* The answer when there is no memory for an answer. Never changed, never freed. */
static const jobbroker_reply out_of_memory = {
    .code = JOBBROKER_RESOURCE_EXHAUSTED,
    .message = "this process is out of memory; what was asked for may have been done",
};

static jobbroker_reply *new_reply(size_t size) {
  size = (size + JB_ALIGNMENT - 1) & ~(JB_ALIGNMENT - 1);
  jobbroker_reply *reply = malloc(sizeof *reply + size);
  if (!reply) return NULL;
  *reply = (jobbroker_reply){.references = 1, .message = ""};
  memset(reply->memory, 0, size);
  jb_arena_init(&reply->arena, reply->memory, size, JB_RESPONSE_MEMORY);
  return reply;
}

jobbroker_reply *jb_reply_share(jobbroker_reply *reply) {
  if (reply->references) reply->references++;
  return reply;
}

void jobbroker_reply_free(jobbroker_reply *reply) {
  if (!reply || !reply->references || --reply->references) return;
  jb_arena_free(&reply->arena);
  free(reply);
}

jobbroker_reply *jb_reply_error(jobbroker_code code, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  size_t size = length < 0 ? 1 : (size_t)length + 1;
  jobbroker_reply *reply = new_reply(size);
  char *message = reply ? jb_arena_take(&reply->arena, size) : NULL;
  if (!message) {
    jobbroker_reply_free(reply);
    return (jobbroker_reply *)&out_of_memory;
  }
  va_start(arguments, format);
  vsnprintf(message, size, format, arguments);
  va_end(arguments);
  reply->code = code;
  reply->message = message;
  return reply;
}

jobbroker_reply *jb_reply_interrupted(void) {
  static const jobbroker_reply interrupted = {.message = "", .event = JOBBROKER_EVENT_INTERRUPTED};
  return (jobbroker_reply *)&interrupted;
}

/* ------------------------------------------------------------------------------------------------- reading */

static jobbroker_code read_error(jobbroker_reply *reply, const Jobbroker__Error *error, struct jb_fault *fault) {
  jobbroker_code code = error->job ? jb_read_jobs(reply, 1, &error->job, fault) : JOBBROKER_OK;
  if (code != JOBBROKER_OK) return code;
  bool known = error->code >= JOBBROKER__ERROR_CODE__INVALID_ARGUMENT && error->code <= JOBBROKER__ERROR_CODE__INTERNAL;
  reply->code = known ? (jobbroker_code)error->code : JOBBROKER_INTERNAL;
  reply->message = jb_text_or_empty(error->message);
  return JOBBROKER_OK;
}

static jobbroker_code read_event(jobbroker_reply *reply, const Jobbroker__Event *event, struct jb_fault *fault) {
  jobbroker_id deleted;
  switch (event->change_case) {
    case JOBBROKER__EVENT__CHANGE_CHANGED:
      reply->event = JOBBROKER_EVENT_CHANGED;
      return jb_read_jobs(reply, 1, &event->changed, fault);
    case JOBBROKER__EVENT__CHANGE_DELETED:
      reply->event = JOBBROKER_EVENT_DELETED;
      return jb_read_id(1, &event->deleted, &deleted, "event.deleted", fault);
    case JOBBROKER__EVENT__CHANGE_RESYNC: reply->event = JOBBROKER_EVENT_INTERRUPTED; return JOBBROKER_OK;
    default:
      *fault = (struct jb_fault){"event", "is of a kind that this version does not know"};
      return JOBBROKER_UNSUPPORTED;
  }
}

static jobbroker_code read_parts(jobbroker_reply *reply, unsigned unknown_fields, struct jb_fault *fault) {
  const Jobbroker__Response *response = reply->response;
  jobbroker_id id;
  switch (response->reply_case) {
    case JOBBROKER__RESPONSE__REPLY_ERROR: return read_error(reply, response->error, fault);
    case JOBBROKER__RESPONSE__REPLY_CREATED: return jb_read_created(reply, response->created, fault);
    case JOBBROKER__RESPONSE__REPLY_JOB: return jb_read_jobs(reply, 1, &response->job, fault);
    case JOBBROKER__RESPONSE__REPLY_JOBS:
      return jb_read_jobs(reply, response->jobs->n_jobs, response->jobs->jobs, fault);
    case JOBBROKER__RESPONSE__REPLY_CLAIMED:
      return jb_read_jobs(reply, response->claimed->n_jobs, response->claimed->jobs, fault);
    case JOBBROKER__RESPONSE__REPLY_SNAPSHOT:
      reply->event = JOBBROKER_EVENT_SNAPSHOT;
      return jb_read_jobs(reply, response->snapshot->n_jobs, response->snapshot->jobs, fault);
    case JOBBROKER__RESPONSE__REPLY_EVENT: return read_event(reply, response->event, fault);
    case JOBBROKER__RESPONSE__REPLY_REVOKED:
      return jb_read_id(response->revoked->has_id, &response->revoked->id, &id, "revoked.id", fault);
    case JOBBROKER__RESPONSE__REPLY_STATS: return jb_read_stats(reply, response->stats, fault);
    case JOBBROKER__RESPONSE__REPLY_WORKERS: return jb_read_workers(reply, response->workers, fault);
    case JOBBROKER__RESPONSE__REPLY_WELCOME:
    case JOBBROKER__RESPONSE__REPLY_PONG:
    case JOBBROKER__RESPONSE__REPLY_COUNT:
    case JOBBROKER__RESPONSE__REPLY_POSITION:
    case JOBBROKER__RESPONSE__REPLY_DONE: return JOBBROKER_OK;
    default:
      if (unknown_fields) {
        *fault = (struct jb_fault){"reply", "is of a kind that this version does not know"};
        return JOBBROKER_UNSUPPORTED;
      }
      *fault = (struct jb_fault){"response", "has no reply"};
      return JOBBROKER_INTERNAL;
  }
}

enum jb_reading jb_reply_read(const uint8_t *body, size_t count, uint64_t *id, jobbroker_reply **reply) {
  struct jb_wire_report report;
  struct jb_fault fault;
  jobbroker_code code = JOBBROKER_INTERNAL;
  jobbroker_reply *read = new_reply(2 * count + JB_RESPONSE_OVERHEAD);
  const Jobbroker__Response *response = NULL;
  if (read) {
    response = (Jobbroker__Response *)jb_wire_read(body, count, &jobbroker__response__descriptor, &read->arena, &report);
    read->response = response;
  }
  *id = response ? response->id : jb_wire_id(body, count);
  if (response) code = read_parts(read, report.unknown_fields, &fault);
  if (code == JOBBROKER_OK) {
    *reply = read;
    return JB_READ_REPLY;
  }
  if (!read || read->arena.starved) {
    *reply = (jobbroker_reply *)&out_of_memory;
  } else if (read->arena.exhausted) {
    *reply = jb_reply_error(JOBBROKER_INTERNAL, "the broker's reply takes more than 64 MiB of memory");
  } else if (response) {
    *reply = jb_reply_error(code, "the broker's reply can't be read: %s %s", fault.field, fault.reason);
  } else {
    *reply = jb_reply_error(code, "the broker's reply can't be read: %s", report.fault);
  }
  jobbroker_reply_free(read);
  return read && !response && report.verdict == JB_WIRE_MALFORMED ? JB_READ_MALFORMED : JB_READ_REFUSED;
}

/* ----------------------------------------------------------------------------------------------- accessors */

/* The member of the broker's response, if it is of this kind. */
#define JB_MEMBER(reply, member, CASE) \
  ((reply)->response && (reply)->response->reply_case == (CASE) ? (reply)->response->member : NULL)

jobbroker_code jobbroker_reply_code(const jobbroker_reply *reply) { return reply->code; }

const char *jobbroker_reply_message(const jobbroker_reply *reply) { return reply->message; }

size_t jobbroker_reply_job_count(const jobbroker_reply *reply) { return reply->job_count; }

const jobbroker_job *jobbroker_reply_job(const jobbroker_reply *reply, size_t index) {
  return index < reply->job_count ? reply->jobs[index] : NULL;
}

bool jobbroker_reply_created(const jobbroker_reply *reply, size_t index) {
  const Jobbroker__Created *created = JB_MEMBER(reply, created, JOBBROKER__RESPONSE__REPLY_CREATED);
  return created && index < created->n_jobs && created->jobs[index]->created;
}

uint64_t jobbroker_reply_next_cursor(const jobbroker_reply *reply) {
  const Jobbroker__JobList *jobs = JB_MEMBER(reply, jobs, JOBBROKER__RESPONSE__REPLY_JOBS);
  return jobs ? jobs->next_cursor : 0;
}

uint64_t jobbroker_reply_count(const jobbroker_reply *reply) {
  const Jobbroker__Count *count = JB_MEMBER(reply, count, JOBBROKER__RESPONSE__REPLY_COUNT);
  return count ? count->count : 0;
}

int64_t jobbroker_reply_position(const jobbroker_reply *reply) {
  const Jobbroker__QueuePosition *position = JB_MEMBER(reply, position, JOBBROKER__RESPONSE__REPLY_POSITION);
  return position ? position->position : -1;
}

int64_t jobbroker_reply_position_in_type(const jobbroker_reply *reply) {
  const Jobbroker__QueuePosition *position = JB_MEMBER(reply, position, JOBBROKER__RESPONSE__REPLY_POSITION);
  return position ? position->position_in_type : -1;
}

jobbroker_event jobbroker_reply_event(const jobbroker_reply *reply) { return reply->event; }

bool jobbroker_reply_more(const jobbroker_reply *reply) {
  const Jobbroker__Snapshot *snapshot = JB_MEMBER(reply, snapshot, JOBBROKER__RESPONSE__REPLY_SNAPSHOT);
  return snapshot && snapshot->more;
}

bool jobbroker_reply_truncated(const jobbroker_reply *reply) {
  const Jobbroker__Snapshot *snapshot = JB_MEMBER(reply, snapshot, JOBBROKER__RESPONSE__REPLY_SNAPSHOT);
  const Jobbroker__Stats *stats = JB_MEMBER(reply, stats, JOBBROKER__RESPONSE__REPLY_STATS);
  const Jobbroker__WorkerList *workers = JB_MEMBER(reply, workers, JOBBROKER__RESPONSE__REPLY_WORKERS);
  return (snapshot && snapshot->truncated) || (stats && stats->truncated) || (workers && workers->truncated);
}

jobbroker_id jobbroker_reply_deleted(const jobbroker_reply *reply) {
  jobbroker_id id = {{0}};
  const Jobbroker__Event *event = JB_MEMBER(reply, event, JOBBROKER__RESPONSE__REPLY_EVENT);
  if (event && event->change_case == JOBBROKER__EVENT__CHANGE_DELETED) {
    memcpy(id.bytes, event->deleted.data, sizeof id.bytes);
  }
  return id;
}

const jobbroker_stats_info *jobbroker_reply_stats(const jobbroker_reply *reply) { return reply->stats; }

size_t jobbroker_reply_worker_count(const jobbroker_reply *reply) { return reply->worker_count; }

const jobbroker_worker_info *jobbroker_reply_worker(const jobbroker_reply *reply, size_t index) {
  return index < reply->worker_count ? reply->workers[index] : NULL;
}
