/* Answers, and what else the broker says. */
#include <string.h>

#include "calls.h"

/* A closing broker refused this claim: it is tried again later, on this connection or the next. */
static void rest(jobbroker_client *client, struct jb_call *call) {
  client->failures++;
  call->rests_until = jb_now() + jb_backoff(client->failures, &client->random) + 1;
  jb_wake_at(client, call->rests_until);
  jb_calls_append(&client->queue, call);
}

/* Jobs came for a claim that nobody waits for any more. */
static void give_back(jobbroker_client *client, const jobbroker_reply *reply) {
  for (size_t i = 0; i < reply->job_count; i++) {
    jobbroker_request request = {.operation = JOBBROKER_RELEASE_JOB};
    request.release.id = reply->jobs[i]->id;
    request.release.attempt = reply->jobs[i]->attempt;
    /* Want of memory would matter too little to be told of: the lease will end. */
    jobbroker_send(client, &request, JB_PATIENCE_MS, NULL, NULL, NULL);
  }
}

/* What a request of this kind is answered with, other than an error. */
static Jobbroker__Response__ReplyCase expected_reply(Jobbroker__Request__OperationCase operation) {
  switch (operation) {
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
    case JOBBROKER__REQUEST__OPERATION_WITHDRAW:
    case JOBBROKER__REQUEST__OPERATION_PAUSE:
    case JOBBROKER__REQUEST__OPERATION_RESUME:
    case JOBBROKER__REQUEST__OPERATION_BACKUP: return JOBBROKER__RESPONSE__REPLY_DONE;
    default: return JOBBROKER__RESPONSE__REPLY_JOB;
  }
}

/* A reply of another kind than the request asks for, or with another number of jobs, becomes an error. */
static jobbroker_reply *checked(const struct jb_call *call, jobbroker_reply *reply) {
  if (reply->code != JOBBROKER_OK) return reply;
  bool fits = reply->response->reply_case == expected_reply(call->operation);
  if (call->operation == JOBBROKER__REQUEST__OPERATION_CREATE) fits = fits && reply->job_count == call->job_count;
  if (jb_is_claim(call)) fits = fits && reply->job_count <= call->job_count;
  if (fits) return reply;
  jobbroker_reply_free(reply);
  return jb_reply_error(JOBBROKER_INTERNAL, "the broker's reply is not one to this request");
}

static void receive_answer(jobbroker_client *client, struct jb_call *call, jobbroker_reply *reply) {
  client->in_flight--;
  client->waiting -= jb_waits(call);
  client->unanswered -= call->size;
  if (reply->code == JOBBROKER_OK) client->failures = 0;
  if (reply->code == JOBBROKER_UNAVAILABLE && jb_is_claim(call) && !call->forgotten && !call->withdrawn) {
    jobbroker_reply_free(reply);
    rest(client, call);
    return;
  }
  reply = checked(call, reply);
  if (call->forgotten && jb_is_claim(call) && reply->code == JOBBROKER_OK) give_back(client, reply);
  jb_call_resolve(call, reply);
}

static void receive_for_watch(jobbroker_client *client, struct jb_call *call, jobbroker_reply *reply) {
  if (reply->code == JOBBROKER_OK && reply->event == JOBBROKER_EVENT_NONE) {
    jobbroker_reply_free(reply);
    reply = jb_reply_error(JOBBROKER_INTERNAL, "the broker's reply is not one to a watch");
  }
  if (reply->code != JOBBROKER_OK) {
    jb_calls_take(&client->watches, call->id);
    /* If the error is not the broker's, it does not know that the watch has ended. */
    if (!reply->response) jb_unwatch(client, call->id);
    jb_call_resolve(call, reply);
    return;
  }
  client->failures = 0;
  call->open = true;
  call->deadline = JB_NEVER;
  if (reply->event == JOBBROKER_EVENT_INTERRUPTED) {
    jb_unwatch(client, call->id);
    if (jb_calls_take(&client->watches, call->id)) jb_call_send(client, call);
  }
  jb_call_tell(call, reply);
}

/* What answers no request: notices, the last of a watch that has ended, and what should not be. */
static bool receive_unasked(jobbroker_client *client, uint64_t id, jobbroker_reply *reply) {
  const Jobbroker__Response *response = reply->response;
  if (id == 0 && reply->code != JOBBROKER_OK) {
    jobbroker_reply_free(client->parting);
    client->parting = reply;
    return true;
  }
  /* A watch that has been forgotten may still be refused. */
  bool welcome = reply->event != JOBBROKER_EVENT_NONE || (reply->code != JOBBROKER_OK && id <= client->last_id);
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

/* Whether what could not be read for want of memory must not just be left out: a notice, or the jobs of a claim. The next
 * connection begins with all that matters, and jobs that nobody knows of go back with this one. */
static bool is_missed(const jobbroker_client *client, uint64_t id) {
  const struct jb_call *call = jb_calls_find(&client->sent, id);
  return id == 0 || (call && jb_is_claim(call));
}

bool jb_receive(jobbroker_client *client, const uint8_t *body, size_t count) {
  uint64_t id;
  jobbroker_reply *reply;
  enum jb_reading reading = jb_reply_read(body, count, &id, &reply);
  if (reading == JB_READ_REFUSED && reply->code == JOBBROKER_RESOURCE_EXHAUSTED && is_missed(client, id)) {
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
  struct jb_call *call = jb_calls_take(&client->sent, id);
  if (call) {
    receive_answer(client, call, reply);
  } else if ((call = jb_calls_find(&client->watches, id))) {
    receive_for_watch(client, call, reply);
  } else {
    return receive_unasked(client, id, reply);
  }
  return client->fd >= 0;
}
