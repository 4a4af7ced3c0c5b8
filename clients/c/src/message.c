#include "message.h"

/* Declares a message in the arena, or gives up. All defaults of the schema are 0, as are its pieces. */
#define JB_MAKE(Type, snake, name)                 \
  Type *name = jb_arena_take(arena, sizeof(Type)); \
  if (!name) return NULL;                          \
  name->base.descriptor = &jobbroker__##snake##__descriptor

/* What protobuf-c reads, too, it does not declare as constant. */
static ProtobufCBinaryData bytes_of(const jobbroker_id *id) {
  return (ProtobufCBinaryData){sizeof id->bytes, (uint8_t *)id->bytes};
}

/* Sets a number that is there unless it is negative, or unless it is 0. */
#define JB_SET_UNLESS_NEGATIVE(message, field, number) \
  if ((number) >= 0) (message)->has_##field = 1, (message)->field = (uint32_t)(number)
#define JB_SET_UNLESS_ZERO(message, field, number) \
  if (number) (message)->has_##field = 1, (message)->field = (number)

#define JB_SET_ID(message, from) (message)->has_id = 1, (message)->id = bytes_of(from)

static Jobbroker__NewJob *make_new_job(struct jb_arena *arena, const jobbroker_new_job *job,
                                       struct jb_id_pool *ids) {
  JB_MAKE(Jobbroker__NewJob, new_job, message);
  const jobbroker_id *id = &job->id;
  if (jobbroker_id_is_none(*id)) {
    jobbroker_id *made = jb_arena_take(arena, sizeof *made);
    if (!made) return NULL;
    *made = jb_id_make(ids);
    id = made;
  }
  JB_SET_ID(message, id);
  message->type = (char *)job->type;
  message->metadata = (char *)job->metadata;
  message->unique_key = (char *)job->unique_key;
  JB_SET_UNLESS_ZERO(message, priority, job->priority);
  JB_SET_UNLESS_NEGATIVE(message, max_retries, job->max_retries);
  JB_SET_UNLESS_NEGATIVE(message, max_lost, job->max_lost);
  if (job->not_before >= 0) message->has_not_before = 1, message->not_before = job->not_before;
  return message;
}

static Jobbroker__Create *make_create(struct jb_arena *arena, const jobbroker_creation *creation,
                                      struct jb_id_pool *ids) {
  JB_MAKE(Jobbroker__Create, create, message);
  message->jobs = jb_arena_take_array(arena, creation->job_count, sizeof *message->jobs);
  if (!message->jobs) return NULL;
  for (size_t i = 0; i < creation->job_count; i++) {
    message->jobs[i] = make_new_job(arena, &creation->jobs[i], ids);
    if (!message->jobs[i]) return NULL;
  }
  message->n_jobs = creation->job_count;
  return message;
}

static Jobbroker__List *make_list(struct jb_arena *arena, const jobbroker_filter *filter) {
  JB_MAKE(Jobbroker__List, list, message);
  message->type = (char *)filter->type;
  message->id_prefix = (char *)filter->id_prefix;
  JB_SET_UNLESS_ZERO(message, status, (Jobbroker__Status)filter->status);
  JB_SET_UNLESS_ZERO(message, limit, filter->limit);
  JB_SET_UNLESS_ZERO(message, cursor, filter->cursor);
  return message;
}

static Jobbroker__Update *make_update(struct jb_arena *arena, const jobbroker_update *update) {
  JB_MAKE(Jobbroker__Update, update, message);
  JB_SET_ID(message, &update->id);
  message->stage = (char *)update->stage;
  message->result = (char *)update->result;
  message->error = (char *)update->error;
  JB_SET_UNLESS_ZERO(message, attempt, update->attempt);
  JB_SET_UNLESS_ZERO(message, status, (Jobbroker__Status)update->status);
  /* Not `>= 0`: a NaN is for the broker to refuse. */
  if (!(update->progress < 0)) message->has_progress = 1, message->progress = update->progress;
  JB_SET_UNLESS_ZERO(message, clear_stage, update->clear_stage);
  JB_SET_UNLESS_NEGATIVE(message, retry_count, update->retry_count);
  return message;
}

static Jobbroker__Complete *make_complete(struct jb_arena *arena, const jobbroker_completion *completion) {
  JB_MAKE(Jobbroker__Complete, complete, message);
  JB_SET_ID(message, &completion->id);
  message->result = (char *)completion->result;
  JB_SET_UNLESS_ZERO(message, attempt, completion->attempt);
  return message;
}

static Jobbroker__Fail *make_fail(struct jb_arena *arena, const jobbroker_failure *failure) {
  JB_MAKE(Jobbroker__Fail, fail, message);
  JB_SET_ID(message, &failure->id);
  message->error = (char *)failure->error;
  JB_SET_UNLESS_ZERO(message, attempt, failure->attempt);
  JB_SET_UNLESS_ZERO(message, retryable, failure->retryable);
  return message;
}

static Jobbroker__Release *make_release(struct jb_arena *arena, const jobbroker_return *release) {
  JB_MAKE(Jobbroker__Release, release, message);
  JB_SET_ID(message, &release->id);
  JB_SET_UNLESS_ZERO(message, attempt, release->attempt);
  JB_SET_UNLESS_ZERO(message, delay_ms, release->delay_ms);
  return message;
}

static Jobbroker__Claim *make_claim(struct jb_arena *arena, const jobbroker_claim_options *claim) {
  JB_MAKE(Jobbroker__Claim, claim, message);
  message->n_types = claim->type_count;
  message->types = (char **)claim->types;
  JB_SET_UNLESS_ZERO(message, max_jobs, claim->max_jobs);
  JB_SET_UNLESS_ZERO(message, wait_ms, claim->wait_ms);
  JB_SET_UNLESS_ZERO(message, lease_ms, claim->lease_ms);
  return message;
}

static Jobbroker__Reap *make_reap(struct jb_arena *arena, const jobbroker_reaping *reaping) {
  JB_MAKE(Jobbroker__Reap, reap, message);
  message->type = (char *)reaping->type;
  message->has_timeout_ms = 1;
  message->timeout_ms = reaping->timeout_ms;
  return message;
}

static Jobbroker__Watch *make_watch(struct jb_arena *arena, const jobbroker_selection *selection) {
  JB_MAKE(Jobbroker__Watch, watch, message);
  message->ids = jb_arena_take_array(arena, selection->id_count, sizeof *message->ids);
  if (!message->ids) return NULL;
  for (size_t i = 0; i < selection->id_count; i++) message->ids[i] = bytes_of(&selection->ids[i]);
  message->n_ids = selection->id_count;
  message->n_types = selection->type_count;
  message->types = (char **)selection->types;
  return message;
}

static Jobbroker__Prune *make_prune(struct jb_arena *arena, const jobbroker_pruning *pruning) {
  JB_MAKE(Jobbroker__Prune, prune, message);
  message->type = (char *)pruning->type;
  message->has_older_than_ms = 1;
  message->older_than_ms = pruning->older_than_ms;
  JB_SET_UNLESS_ZERO(message, status, (Jobbroker__Status)pruning->status);
  return message;
}

/* The messages that are an id, a text, or nothing. */
#define JB_MAKE_OF_ID(Type, init)                                                          \
  static Jobbroker__##Type *make_##init(struct jb_arena *arena, const jobbroker_id *id) {  \
    JB_MAKE(Jobbroker__##Type, init, message);                                             \
    JB_SET_ID(message, id);                                                                \
    return message;                                                                        \
  }
#define JB_MAKE_OF_TEXT(Type, init, field)                                                 \
  static Jobbroker__##Type *make_##init(struct jb_arena *arena, const char *text) {        \
    JB_MAKE(Jobbroker__##Type, init, message);                                             \
    message->field = (char *)text;                                                         \
    return message;                                                                        \
  }
#define JB_MAKE_EMPTY(Type, init)                                                          \
  static Jobbroker__##Type *make_##init(struct jb_arena *arena) {                          \
    JB_MAKE(Jobbroker__##Type, init, message);                                             \
    return message;                                                                        \
  }
JB_MAKE_OF_ID(Get, get)
JB_MAKE_OF_ID(Cancel, cancel)
JB_MAKE_OF_ID(Retry, retry)
JB_MAKE_OF_ID(Delete, delete)
JB_MAKE_OF_ID(Position, position)
JB_MAKE_OF_TEXT(Pause, pause, type)
JB_MAKE_OF_TEXT(Resume, resume, type)
JB_MAKE_OF_TEXT(Backup, backup, path)
JB_MAKE_EMPTY(Ping, ping)
JB_MAKE_EMPTY(GetStats, get_stats)
JB_MAKE_EMPTY(ListWorkers, list_workers)

Jobbroker__Request *jb_message_make(struct jb_arena *arena, const jobbroker_request *request,
                                    struct jb_id_pool *ids) {
  JB_MAKE(Jobbroker__Request, request, message);
  message->has_id = 1;
  message->operation_case = (Jobbroker__Request__OperationCase)request->operation;
  void *member = NULL;
  switch (request->operation) {
    case JOBBROKER_PING: member = message->ping = make_ping(arena); break;
    case JOBBROKER_CREATE: member = message->create = make_create(arena, &request->create, ids); break;
    case JOBBROKER_GET: member = message->get = make_get(arena, &request->id); break;
    case JOBBROKER_LIST: member = message->list = make_list(arena, &request->list); break;
    case JOBBROKER_UPDATE: member = message->update = make_update(arena, &request->update); break;
    case JOBBROKER_COMPLETE_JOB: member = message->complete = make_complete(arena, &request->complete); break;
    case JOBBROKER_FAIL_JOB: member = message->fail = make_fail(arena, &request->fail); break;
    case JOBBROKER_RELEASE_JOB: member = message->release = make_release(arena, &request->release); break;
    case JOBBROKER_CANCEL: member = message->cancel = make_cancel(arena, &request->id); break;
    case JOBBROKER_RETRY: member = message->retry = make_retry(arena, &request->id); break;
    case JOBBROKER_DELETE: member = message->delete_ = make_delete(arena, &request->id); break;
    case JOBBROKER_CLAIM: member = message->claim = make_claim(arena, &request->claim); break;
    case JOBBROKER_REAP: member = message->reap = make_reap(arena, &request->reap); break;
    case JOBBROKER_POSITION: member = message->position = make_position(arena, &request->id); break;
    case JOBBROKER_WATCH: member = message->watch = make_watch(arena, &request->watch); break;
    case JOBBROKER_STATS: member = message->stats = make_get_stats(arena); break;
    case JOBBROKER_WORKERS: member = message->workers = make_list_workers(arena); break;
    case JOBBROKER_PAUSE: member = message->pause = make_pause(arena, request->type); break;
    case JOBBROKER_RESUME: member = message->resume = make_resume(arena, request->type); break;
    case JOBBROKER_PRUNE: member = message->prune = make_prune(arena, &request->prune); break;
    case JOBBROKER_BACKUP: member = message->backup = make_backup(arena, request->path); break;
  }
  return member ? message : NULL;
}

Jobbroker__Request *jb_message_hello(struct jb_arena *arena, const struct jb_hello *hello) {
  JB_MAKE(Jobbroker__Request, request, message);
  JB_MAKE(Jobbroker__Hello, hello, member);
  message->has_id = 1;
  message->operation_case = JOBBROKER__REQUEST__OPERATION_HELLO;
  message->hello = member;
  member->client = (char *)hello->client;
  member->worker_name = (char *)hello->worker_name;
  JB_SET_UNLESS_ZERO(member, protocol_version, hello->protocol_version);
  JB_SET_UNLESS_ZERO(member, read_only, hello->read_only);
  return message;
}

Jobbroker__Request *jb_message_unwatch(struct jb_arena *arena, uint64_t watch) {
  JB_MAKE(Jobbroker__Request, request, message);
  JB_MAKE(Jobbroker__Unwatch, unwatch, member);
  message->has_id = 1;
  message->operation_case = JOBBROKER__REQUEST__OPERATION_UNWATCH;
  message->unwatch = member;
  member->has_watch_id = 1;
  member->watch_id = watch;
  return message;
}

Jobbroker__Request *jb_message_withdraw(struct jb_arena *arena, uint64_t claim) {
  JB_MAKE(Jobbroker__Request, request, message);
  JB_MAKE(Jobbroker__Withdraw, withdraw, member);
  message->has_id = 1;
  message->operation_case = JOBBROKER__REQUEST__OPERATION_WITHDRAW;
  message->withdraw = member;
  member->has_claim_id = 1;
  member->claim_id = claim;
  return message;
}

bool jb_operation_is_known(jobbroker_operation operation) {
  return operation >= JOBBROKER_PING && operation <= JOBBROKER_BACKUP && (int)operation != JB_UNWATCH;
}

bool jb_is_repeatable(const Jobbroker__Request *message) {
  switch (message->operation_case) {
    /* The fence lets only the same holder through, and answers its repeat as the first time. Without a fence a repeat
     * meets whatever happened in between. */
    case JOBBROKER__REQUEST__OPERATION_UPDATE: return message->update->has_attempt;
    case JOBBROKER__REQUEST__OPERATION_COMPLETE: return message->complete->has_attempt;
    case JOBBROKER__REQUEST__OPERATION_FAIL: return message->fail->has_attempt;
    case JOBBROKER__REQUEST__OPERATION_RELEASE: return message->release->has_attempt;
    /* The job may have run and failed again: a second retry would run it once more. */
    case JOBBROKER__REQUEST__OPERATION_RETRY:
    /* The second time they would answer NOT_FOUND, a wrong count, or that the file exists. */
    case JOBBROKER__REQUEST__OPERATION_DELETE:
    case JOBBROKER__REQUEST__OPERATION_REAP:
    case JOBBROKER__REQUEST__OPERATION_PRUNE:
    case JOBBROKER__REQUEST__OPERATION_BACKUP:
    /* They mean something on the connection of their watch or claim only. */
    case JOBBROKER__REQUEST__OPERATION_UNWATCH:
    case JOBBROKER__REQUEST__OPERATION_WITHDRAW: return false;
    /* The others change nothing (the reads), name a state to be in (cancel, pause, resume), bring their ids (create), or
     * are given up with their connection (claim). */
    default: return true;
  }
}

bool jb_is_heartbeat(const Jobbroker__Request *message) {
  if (message->operation_case != JOBBROKER__REQUEST__OPERATION_UPDATE) return false;
  const Jobbroker__Update *update = message->update;
  return update->has_attempt && !update->has_status && !update->result && !update->error && !update->has_retry_count;
}
