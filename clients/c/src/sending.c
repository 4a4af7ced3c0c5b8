/* The way of requests to the broker. */
#include <stdlib.h>
#include <sys/socket.h>

#include "calls.h"

/* The broker counts no wait beyond ten years, and neither do we. */
#define JB_LONGEST_WAIT_MS UINT64_C(315360000000)

bool jb_transmit(jobbroker_client *client, const Jobbroker__Request *message, size_t size) {
  if (!jb_buffer_reserve(&client->outgoing, JB_LENGTH_PREFIX + size)) {
    jobbroker_reply_free(client->parting);
    client->parting = jb_reply_error(JOBBROKER_RESOURCE_EXHAUSTED, "this process is out of memory");
    shutdown(client->fd, SHUT_RDWR);
    return false;
  }
  uint8_t *frame = client->outgoing.bytes + client->outgoing.end;
  jb_frame_prefix(frame, (uint32_t)size);
  jobbroker__request__pack(message, frame + JB_LENGTH_PREFIX);
  client->outgoing.end += JB_LENGTH_PREFIX + size;
  return true;
}

bool jb_call_send(jobbroker_client *client, struct jb_call *call) {
  if (call->wait_ends != JB_NEVER && call->sent) {
    /* A claim that is sent again waits only for what is left of its time. */
    int64_t left = call->wait_ends - jb_now();
    call->message->claim->wait_ms = left > 0 ? (uint64_t)left : 0;
    call->size = jobbroker__request__get_packed_size(call->message);
  }
  if (jb_is_watch(call)) {
    jb_calls_append(&client->watches, call);
  } else {
    jb_calls_append(&client->sent, call);
    client->in_flight++;
  }
  call->sent = true;
  return jb_transmit(client, call->message, call->size);
}

/* The first call in line that may go now, taken out. */
static struct jb_call *next_in_line(jobbroker_client *client) {
  if (client->state != JB_READY || client->in_flight >= client->max_in_flight) return NULL;
  struct jb_call *call = client->queue.first;
  while (call && call->rests_until) call = call->next;
  return call ? jb_calls_take(&client->queue, call->id) : NULL;
}

void jb_send_queue(jobbroker_client *client) {
  struct jb_call *call;
  while ((call = next_in_line(client))) {
    if (!jb_call_send(client, call)) return;
  }
}

void jb_watches_again(jobbroker_client *client) {
  struct jb_calls watches = jb_calls_take_all(&client->watches);
  for (struct jb_call *call = watches.first, *next; call; call = next) {
    next = call->next;
    if (client->state == JB_READY) {
      jb_call_send(client, call);
    } else {
      jb_calls_append(&client->watches, call);
    }
  }
}

/* What can go goes out now, unless the end of jobbroker_process will see to it. */
static void flush(jobbroker_client *client) {
  if (client->processing) return;
  client->processing = true;
  jb_send_queue(client);
  jb_write(client);
  client->processing = false;
  jb_loop_update(client);
}

static struct jb_call *new_call(jobbroker_client *client) {
  struct jb_call *call = calloc(1, sizeof *call);
  if (!call) return NULL;
  call->id = ++client->last_id;
  call->deadline = call->wait_ends = JB_NEVER;
  jb_arena_init(&call->arena, 0, SIZE_MAX);
  return call;
}

/* Gives a call its message, if there was memory for it. */
static bool set_message(struct jb_call *call, Jobbroker__Request *message) {
  if (!message) return false;
  message->id = call->id;
  call->message = message;
  call->size = jobbroker__request__get_packed_size(message);
  call->repeatable = jb_is_repeatable(message);
  return true;
}

static jobbroker_code refuse(jobbroker_client *client, struct jb_call *call, jobbroker_reply *error) {
  jobbroker_code code = error->code;
  if (call) jb_call_free(call);
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
  if (!call || !set_message(call, jb_message_make(&call->arena, request))) {
    return refuse(client, call, jb_reply_error(JOBBROKER_RESOURCE_EXHAUSTED, "this process is out of memory"));
  }
  if (call->size > JB_MAX_FRAME) {
    return refuse(client, call,
                  jb_reply_error(JOBBROKER_INVALID_ARGUMENT,
                                 "the request takes %zu bytes; a frame holds at most %d. Send less at once",
                                 call->size, JB_MAX_FRAME));
  }
  call->callback = callback;
  call->context = context;
  uint64_t wait = request->operation == JOBBROKER_CLAIM ? request->claim.wait_ms : 0;
  if (wait > JB_LONGEST_WAIT_MS) wait = JB_LONGEST_WAIT_MS;
  if (wait) call->wait_ends = jb_after(jb_now(), wait);
  if (timeout_ms >= 0) call->deadline = jb_after(jb_deadline(timeout_ms), wait);
  if (ticket) *ticket = call->id;
  jb_wake_at(client, call->deadline);
  if (client->renewing && client->in_flight < client->max_in_flight) {
    jb_call_send(client, call);
  } else {
    jb_calls_append(&client->queue, call);
  }
  flush(client);
  return JOBBROKER_OK;
}

/* Sends what takes back another request. Nobody waits for its answer, and without memory for it that one goes on. */
static void take_back(jobbroker_client *client, Jobbroker__Request *make(struct jb_arena *, uint64_t), uint64_t id) {
  if (client->state != JB_READY) return;
  struct jb_call *call = new_call(client);
  if (call && set_message(call, make(&call->arena, id))) {
    jb_call_send(client, call);
    flush(client);
  } else if (call) {
    jb_call_free(call);
  }
}

void jb_unwatch(jobbroker_client *client, uint64_t id) { take_back(client, jb_message_unwatch, id); }

void jb_withdraw(jobbroker_client *client, struct jb_call *call) {
  if (call->withdrawn || call->wait_ends == JB_NEVER) return;
  call->withdrawn = true;
  take_back(client, jb_message_withdraw, call->id);
}

void jobbroker_withdraw(jobbroker_client *client, uint64_t ticket) {
  struct jb_call *call = jb_calls_find(&client->sent, ticket);
  if (call) {
    if (jb_is_claim(call)) jb_withdraw(client, call);
  } else if ((call = jb_calls_find(&client->queue, ticket)) && jb_is_claim(call)) {
    call->deadline = jb_now();
    jb_wake_at(client, call->deadline);
    jb_loop_update(client);
  }
}

void jobbroker_forget(jobbroker_client *client, uint64_t ticket) {
  struct jb_call *call = jb_calls_take(&client->queue, ticket);
  if (!call && (call = jb_calls_take(&client->watches, ticket))) jb_unwatch(client, ticket);
  if (call) {
    jb_call_free(call);
  } else if ((call = jb_calls_find(&client->sent, ticket))) {
    jb_call_forget(call);
    if (jb_is_claim(call)) jb_withdraw(client, call);
  }
}
