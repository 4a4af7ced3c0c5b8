/* Requests: their way out, their answers, and what becomes of them when the connection is lost. */
#include <stdlib.h>
#include <string.h>

#include "session.h"

/* The broker counts no wait beyond ten years, and neither do we. */
#define JB_LONGEST_WAIT_MS UINT64_C(315360000000)

/* --------------------------------------------------------------------------------------------- lists of calls */

static void append(struct jb_calls *calls, struct jb_call *call) {
  call->next = NULL;
  if (calls->last) {
    calls->last->next = call;
  } else {
    calls->first = call;
  }
  calls->last = call;
}

/* Takes a call out; NULL: there is none of that id. */
static struct jb_call *take(struct jb_calls *calls, uint64_t id) {
  struct jb_call *before = NULL;
  for (struct jb_call *call = calls->first; call; before = call, call = call->next) {
    if (call->id != id) continue;
    if (before) {
      before->next = call->next;
    } else {
      calls->first = call->next;
    }
    if (calls->last == call) calls->last = before;
    return call;
  }
  return NULL;
}

static struct jb_call *find(const struct jb_calls *calls, uint64_t id) {
  struct jb_call *call = calls->first;
  while (call && call->id != id) call = call->next;
  return call;
}

static struct jb_calls take_all(struct jb_calls *calls) {
  struct jb_calls all = *calls;
  *calls = (struct jb_calls){0};
  return all;
}

static void free_call(struct jb_call *call) {
  jb_arena_free(&call->arena);
  free(call);
}

/* Hands an answer over. What the callee does may end the call, which must not be touched afterwards. */
static void tell(const struct jb_call *call, jobbroker_reply *reply) {
  if (call->callback) {
    call->callback(reply, call->context);
  } else {
    jobbroker_reply_free(reply);
  }
}

/* Ends a call that is in no list with its answer. */
static void resolve(struct jb_call *call, jobbroker_reply *reply) {
  jobbroker_callback *callback = call->callback;
  void *context = call->context;
  free_call(call);
  tell(&(struct jb_call){.callback = callback, .context = context}, reply);
}

/* Nobody wants the answer of a call any more. */
static void forget(struct jb_call *call) {
  call->forgotten = true;
  call->callback = NULL;
  call->deadline = JB_NEVER;
}

static bool is_watch(const struct jb_call *call) {
  return call->message->operation_case == JOBBROKER__REQUEST__OPERATION_WATCH;
}

static bool is_claim(const struct jb_call *call) {
  return call->message->operation_case == JOBBROKER__REQUEST__OPERATION_CLAIM;
}

/* What to tell a caller whose answer will not come. */
static jobbroker_reply *interruption(const struct jb_call *call, const char *reason) {
  return call->sent && !call->repeatable
             ? jb_reply_error(JOBBROKER_UNKNOWN_OUTCOME,
                              "%s; the request may have been carried out: read the job before repeating it", reason)
             : jb_reply_error(JOBBROKER_UNAVAILABLE, "%s; the request may be repeated", reason);
}

/* ------------------------------------------------------------------------------------------------- sending */

bool jb_transmit(jobbroker_client *client, Jobbroker__Request *message, uint64_t id) {
  message->id = id;
  size_t size = jobbroker__request__get_packed_size(message);
  if (!jb_buffer_reserve(&client->outgoing, JB_LENGTH_PREFIX + size)) {
    jb_lost(client, jb_reply_error(JOBBROKER_RESOURCE_EXHAUSTED, "this process is out of memory"));
    return false;
  }
  uint8_t *frame = client->outgoing.bytes + client->outgoing.end;
  jb_frame_prefix(frame, (uint32_t)size);
  jobbroker__request__pack(message, frame + JB_LENGTH_PREFIX);
  client->outgoing.end += JB_LENGTH_PREFIX + size;
  return true;
}

/* Sends a call that is in no list. */
static bool send_call(jobbroker_client *client, struct jb_call *call) {
  if (call->wait_ends != JB_NEVER && call->sent) {
    /* A claim that is sent again waits only for what is left of its time. */
    int64_t left = call->wait_ends - jb_now();
    call->message->claim->wait_ms = left > 0 ? (uint64_t)left : 0;
  }
  if (is_watch(call)) {
    append(&client->watches, call);
  } else {
    append(&client->sent, call);
    client->in_flight++;
  }
  call->sent = true;
  return jb_transmit(client, call->message, call->id);
}

/* The first call in line that may go now, taken out. */
static struct jb_call *next_in_line(jobbroker_client *client) {
  if (client->state != JB_READY) return NULL;
  bool full = client->in_flight >= client->max_in_flight;
  for (struct jb_call *call = client->queue.first; call; call = call->next) {
    if (call->rests_until || (full && !is_watch(call))) continue;
    return take(&client->queue, call->id);
  }
  return NULL;
}

void jb_send_queue(jobbroker_client *client) {
  struct jb_call *call;
  while (client->queue.first && (call = next_in_line(client))) {
    if (!send_call(client, call)) return;
  }
}

void jb_watches_again(jobbroker_client *client) {
  struct jb_calls watches = take_all(&client->watches);
  for (struct jb_call *call = watches.first, *next; call; call = next) {
    next = call->next;
    if (client->state == JB_READY) {
      send_call(client, call);
    } else {
      append(&client->watches, call);
    }
  }
}

/* What was put together goes out now, unless the end of jobbroker_process will see to it. */
static void flush(jobbroker_client *client) {
  if (client->processing) return;
  jb_write(client);
  jb_loop_update(client);
}

/* Sends a new call, or puts it in line. */
static void submit(jobbroker_client *client, struct jb_call *call) {
  jb_wake_at(client, call->deadline);
  bool goes = client->state == JB_READY && (client->renewing || !client->queue.first) &&
              (client->in_flight < client->max_in_flight || is_watch(call));
  if (goes) {
    send_call(client, call);
  } else {
    append(&client->queue, call);
  }
  flush(client);
}

static struct jb_call *new_call(jobbroker_client *client) {
  struct jb_call *call = calloc(1, sizeof *call);
  if (!call) return NULL;
  call->id = ++client->last_id;
  call->deadline = call->wait_ends = JB_NEVER;
  jb_arena_init(&call->arena, 0, SIZE_MAX);
  return call;
}

static jobbroker_code refuse(jobbroker_client *client, struct jb_call *call, jobbroker_reply *error) {
  jobbroker_code code = error->code;
  if (call) free_call(call);
  jb_set_error(client, error);
  return code;
}

jobbroker_code jobbroker_send(jobbroker_client *client, const jobbroker_request *request, int timeout_ms,
                              jobbroker_callback *callback, void *context, uint64_t *ticket) {
  if (client->state == JB_ENDED) return refuse(client, NULL, jb_reply_share(client->ending));
  if (!jb_operation_is_known(request->operation)) {
    return refuse(client, NULL,
                  jb_reply_error(JOBBROKER_INVALID_ARGUMENT, "there is no operation %d", (int)request->operation));
  }
  struct jb_call *call = new_call(client);
  if (call) call->message = jb_message_make(&call->arena, request);
  if (!call || !call->message) {
    return refuse(client, call, jb_reply_error(JOBBROKER_RESOURCE_EXHAUSTED, "this process is out of memory"));
  }
  call->message->id = UINT64_MAX;
  size_t size = jobbroker__request__get_packed_size(call->message);
  if (size > JB_MAX_FRAME) {
    return refuse(client, call,
                  jb_reply_error(JOBBROKER_INVALID_ARGUMENT,
                                 "the request takes %zu bytes; a frame holds at most %d. Send less at once", size,
                                 JB_MAX_FRAME));
  }
  call->callback = callback;
  call->context = context;
  call->repeatable = jb_is_repeatable(call->message);
  uint64_t wait = request->operation == JOBBROKER_CLAIM ? request->claim.wait_ms : 0;
  if (wait > JB_LONGEST_WAIT_MS) wait = JB_LONGEST_WAIT_MS;
  if (wait) call->wait_ends = jb_after(jb_now(), wait);
  if (timeout_ms >= 0) call->deadline = jb_after(jb_deadline(timeout_ms), wait);
  if (ticket) *ticket = call->id;
  submit(client, call);
  return JOBBROKER_OK;
}

/* Sends what nobody waits for. It matters too little to be told of for want of memory. */
static void send_unasked(jobbroker_client *client, const jobbroker_request *request) {
  jobbroker_send(client, request, JB_PATIENCE_MS, NULL, NULL, NULL);
}

/* Ends a watch at the broker: at once, even before what is in line, for another of the same id may follow. */
static void unwatch(jobbroker_client *client, uint64_t id) {
  if (client->state != JB_READY) return;
  struct jb_call *call = new_call(client);
  if (call) call->message = jb_message_unwatch(&call->arena, id);
  if (call && call->message) {
    send_call(client, call);
    flush(client);
  } else if (call) {
    free_call(call);
  }
}

void jobbroker_forget(jobbroker_client *client, uint64_t ticket) {
  struct jb_call *call = take(&client->queue, ticket);
  if (!call && (call = take(&client->watches, ticket))) unwatch(client, ticket);
  if (call) {
    free_call(call);
  } else if ((call = find(&client->sent, ticket))) {
    forget(call);
  }
}

/* ----------------------------------------------------------------------------------------------- receiving */

/* A closing broker refused this claim: it is tried again later, on this connection or the next. */
static void rest(jobbroker_client *client, struct jb_call *call) {
  client->failures++;
  call->rests_until = jb_now() + jb_backoff(client->failures, &client->random) + 1;
  jb_wake_at(client, call->rests_until);
  append(&client->queue, call);
}

/* Jobs came for a claim that nobody waits for any more. */
static void give_back(jobbroker_client *client, const jobbroker_reply *reply) {
  for (size_t i = 0; i < reply->job_count; i++) {
    jobbroker_request request = {.operation = JOBBROKER_RELEASE_JOB};
    request.release.id = reply->jobs[i]->id;
    request.release.attempt = reply->jobs[i]->attempt;
    send_unasked(client, &request);
  }
}

/* What a request of this kind is answered with, other than an error. */
static Jobbroker__Response__ReplyCase expected_reply(const Jobbroker__Request *message) {
  switch (message->operation_case) {
    case JOBBROKER__REQUEST__OPERATION_PING: return JOBBROKER__RESPONSE__REPLY_PONG;
    case JOBBROKER__REQUEST__OPERATION_CREATE: return JOBBROKER__RESPONSE__REPLY_CREATED;
    case JOBBROKER__REQUEST__OPERATION_LIST: return JOBBROKER__RESPONSE__REPLY_JOBS;
    case JOBBROKER__REQUEST__OPERATION_CLAIM: return JOBBROKER__RESPONSE__REPLY_CLAIMED;
    case JOBBROKER__REQUEST__OPERATION_REAP:
    case JOBBROKER__REQUEST__OPERATION_PRUNE: return JOBBROKER__RESPONSE__REPLY_COUNT;
    case JOBBROKER__REQUEST__OPERATION_POSITION: return JOBBROKER__RESPONSE__REPLY_POSITION;
    case JOBBROKER__REQUEST__OPERATION_STATS: return JOBBROKER__RESPONSE__REPLY_STATS;
    case JOBBROKER__REQUEST__OPERATION_WORKERS: return JOBBROKER__RESPONSE__REPLY_WORKERS;
    case JOBBROKER__REQUEST__OPERATION_DELETE:
    case JOBBROKER__REQUEST__OPERATION_UNWATCH:
    case JOBBROKER__REQUEST__OPERATION_PAUSE:
    case JOBBROKER__REQUEST__OPERATION_RESUME:
    case JOBBROKER__REQUEST__OPERATION_BACKUP: return JOBBROKER__RESPONSE__REPLY_DONE;
    default: return JOBBROKER__RESPONSE__REPLY_JOB;
  }
}

/* A reply of another kind than the request asks for, or with another number of jobs, becomes an error. */
static jobbroker_reply *checked(const struct jb_call *call, jobbroker_reply *reply) {
  if (reply->code != JOBBROKER_OK) return reply;
  bool fits = reply->response->reply_case == expected_reply(call->message);
  if (fits && call->message->operation_case == JOBBROKER__REQUEST__OPERATION_CREATE) {
    fits = reply->job_count == call->message->create->n_jobs;
  } else if (fits && is_claim(call)) {
    const Jobbroker__Claim *claim = call->message->claim;
    fits = reply->job_count <= (claim->has_max_jobs ? claim->max_jobs : 1);
  }
  if (fits) return reply;
  jobbroker_reply_free(reply);
  return jb_reply_error(JOBBROKER_INTERNAL, "the broker's reply is not one to this request");
}

static void receive_answer(jobbroker_client *client, struct jb_call *call, jobbroker_reply *reply) {
  client->in_flight--;
  if (reply->code == JOBBROKER_OK) client->failures = 0;
  if (reply->code == JOBBROKER_UNAVAILABLE && is_claim(call) && !call->forgotten) {
    jobbroker_reply_free(reply);
    rest(client, call);
    return;
  }
  reply = checked(call, reply);
  if (call->forgotten && is_claim(call) && reply->code == JOBBROKER_OK) give_back(client, reply);
  resolve(call, reply);
}

static void receive_for_watch(jobbroker_client *client, struct jb_call *call, jobbroker_reply *reply) {
  if (reply->code == JOBBROKER_OK && reply->event == JOBBROKER_EVENT_NONE) {
    jobbroker_reply_free(reply);
    reply = jb_reply_error(JOBBROKER_INTERNAL, "the broker's reply is not one to a watch");
  }
  if (reply->code != JOBBROKER_OK) {
    take(&client->watches, call->id);
    /* If the error is not the broker's, it does not know that the watch has ended. */
    if (!reply->response) unwatch(client, call->id);
    resolve(call, reply);
    return;
  }
  client->failures = 0;
  call->open = true;
  call->deadline = JB_NEVER;
  if (reply->event == JOBBROKER_EVENT_INTERRUPTED) {
    unwatch(client, call->id);
    if (take(&client->watches, call->id)) send_call(client, call);
  }
  tell(call, reply);
}

/* What answers no request: notices, the last of a watch that has ended, and what should not be. */
static bool receive_unasked(jobbroker_client *client, uint64_t id, jobbroker_reply *reply) {
  const Jobbroker__Response *response = reply->response;
  if (id == 0 && reply->code != JOBBROKER_OK) {
    jobbroker_reply_free(client->parting);
    client->parting = reply;
    return true;
  }
  bool welcome = reply->event != JOBBROKER_EVENT_NONE;
  if (response && response->reply_case == JOBBROKER__RESPONSE__REPLY_REVOKED) {
    welcome = true;
    const Jobbroker__Revoked *revoked = response->revoked;
    jobbroker_notice notice = {
        .kind = JOBBROKER_NOTICE_REVOKED,
        .attempt = revoked->attempt,
        .status = revoked->status <= JOBBROKER__STATUS__CANCELLED ? (jobbroker_status)revoked->status
                                                                  : JOBBROKER_STATUS_NONE,
        .reason = jb_text_or_empty(revoked->reason),
    };
    memcpy(notice.id.bytes, revoked->id.data, sizeof notice.id.bytes);
    jb_tell(client, &notice);
  }
  jobbroker_reply_free(reply);
  if (!welcome) jb_violated(client, "it answers a request that nobody made");
  return welcome;
}

bool jb_receive(jobbroker_client *client, const uint8_t *body, size_t count) {
  uint64_t id;
  jobbroker_reply *reply;
  enum jb_reading reading = jb_reply_read(body, count, &id, &reply);
  if (reading == JB_READ_REFUSED && id == 0 && reply->code == JOBBROKER_RESOURCE_EXHAUSTED) {
    /* A notice for which there is no memory: the next connection begins with all that matters. */
    jb_lost(client, reply);
    return false;
  }
  if (reading == JB_READ_MALFORMED || (reading == JB_READ_REFUSED && id == 0)) {
    jb_violated(client, reply->message);
    jobbroker_reply_free(reply);
    return false;
  }
  if (client->state == JB_GREETING) {
    jb_greeted(client, id, reply);
    return client->fd >= 0;
  }
  struct jb_call *call = take(&client->sent, id);
  if (call) {
    receive_answer(client, call, reply);
  } else if ((call = find(&client->watches, id))) {
    receive_for_watch(client, call, reply);
  } else {
    return receive_unasked(client, id, reply);
  }
  return client->fd >= 0;
}

/* ------------------------------------------------------------------------------------------------- endings */

/* The open watch of the lowest id above this one; NULL: there is none. */
static const struct jb_call *next_open_watch(const jobbroker_client *client, uint64_t id) {
  const struct jb_call *next = NULL;
  for (const struct jb_call *call = client->watches.first; call; call = call->next) {
    if (call->open && call->id > id && (!next || call->id < next->id)) next = call;
  }
  return next;
}

/* Tells the watches that they will miss something. A callback may end any of them, so each is looked up anew. */
static void tell_watches(jobbroker_client *client) {
  const struct jb_call *watch = next_open_watch(client, 0);
  while (watch) {
    uint64_t id = watch->id;
    tell(watch, jb_reply_interrupted());
    watch = next_open_watch(client, id);
  }
}

void jb_calls_interrupted(jobbroker_client *client, jobbroker_reply *reason, bool repeats) {
  struct jb_calls sent = take_all(&client->sent), queue = take_all(&client->queue), ended = {0};
  client->in_flight = 0;
  for (struct jb_call *call = sent.first, *next; call; call = next) {
    next = call->next;
    bool again = repeats && call->repeatable && !call->forgotten;
    append(again ? &client->queue : &ended, call);
  }
  for (struct jb_call *call = queue.first, *next; call; call = next) {
    next = call->next;
    append(&client->queue, call);
  }
  tell_watches(client);
  for (struct jb_call *call = ended.first, *next; call; call = next) {
    next = call->next;
    jobbroker_reply *error = interruption(call, reason->message);
    if (!repeats && error->code == JOBBROKER_UNAVAILABLE) {
      jobbroker_reply_free(error);
      error = jb_reply_error(JOBBROKER_INTERNAL, "%s", reason->message);
    }
    resolve(call, error);
  }
}

/* Ends the calls of a list that have waited too long; returns when the next one will have. */
static int64_t expire(jobbroker_client *client, struct jb_calls *calls, int64_t now) {
  int64_t earliest = JB_NEVER;
  struct jb_calls all = take_all(calls), late = {0};
  for (struct jb_call *call = all.first, *next; call; call = next) {
    next = call->next;
    if (call->rests_until && call->rests_until <= now) call->rests_until = 0;
    if (call->deadline <= now) {
      append(&late, call);
      continue;
    }
    append(calls, call);
    if (call->deadline < earliest) earliest = call->deadline;
    if (call->rests_until && call->rests_until < earliest) earliest = call->rests_until;
  }
  for (struct jb_call *call = late.first, *next; call; call = next) {
    next = call->next;
    const char *reason = client->state == JB_READY || !client->trouble ? "no reply in time" : client->trouble->message;
    jobbroker_reply *error = interruption(call, reason);
    if (calls == &client->sent) {
      /* Its answer may still come, and is counted then. */
      struct jb_call caller = *call;
      forget(call);
      append(calls, call);
      tell(&caller, error);
      continue;
    }
    if (calls == &client->watches) unwatch(client, call->id);
    resolve(call, error);
  }
  return earliest;
}

int64_t jb_calls_expire(jobbroker_client *client, int64_t now) {
  int64_t earliest = expire(client, &client->queue, now), other = expire(client, &client->sent, now);
  if (other < earliest) earliest = other;
  other = expire(client, &client->watches, now);
  return other < earliest ? other : earliest;
}

void jb_calls_end(jobbroker_client *client, jobbroker_reply *reason) {
  struct jb_calls lists[] = {take_all(&client->sent), take_all(&client->watches), take_all(&client->queue)};
  client->in_flight = 0;
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
    for (struct jb_call *call = lists[i].first, *next; call; call = next) {
      next = call->next;
      jobbroker_reply *error = interruption(call, reason->message);
      if (error->code == JOBBROKER_UNAVAILABLE) {
        jobbroker_reply_free(error);
        error = jb_reply_share(reason);
      }
      resolve(call, error);
    }
  }
}
