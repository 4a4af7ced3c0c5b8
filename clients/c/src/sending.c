/* The way of requests to the broker. */
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "calls.h"
#include "wire.h"

/* What the message of most requests takes, and what it takes written. */
enum { JB_MESSAGE_MEMORY = 512, JB_MESSAGE_SIZE = 1024 };

enum {
  /* Places among those in flight that are left to heartbeats: a broker that can't write just now answers them all the same,
   * and the lease of a job that it does not hear of ends meanwhile. */
  JB_PLACES_FOR_HEARTBEATS = 8,
  /* Claims may wait long, so they leave as many more to other requests. */
  JB_PLACES_FOR_OTHERS = 8,
  /* Heartbeats alone go while so much is unanswered: of twice as much the broker reads no further. */
  JB_MAX_UNANSWERED = 8 << 20
};

/* The broker counts no wait beyond ten years, and neither do we. */
#define JB_LONGEST_WAIT_MS UINT64_C(315360000000)

static bool no_memory(jobbroker_client *client) {
  jobbroker_reply_free(client->parting);
  client->parting = jb_reply_error(JOBBROKER_RESOURCE_EXHAUSTED, "this process is out of memory");
  shutdown(client->fd, SHUT_RDWR);
  return false;
}

bool jb_transmit(jobbroker_client *client, const uint8_t *body, size_t size) {
  if (!jb_buffer_reserve(&client->outgoing, JB_LENGTH_PREFIX + size)) return no_memory(client);
  uint8_t *frame = client->outgoing.bytes + client->outgoing.end;
  jb_frame_prefix(frame, (uint32_t)size);
  memcpy(frame + JB_LENGTH_PREFIX, body, size);
  client->outgoing.end += JB_LENGTH_PREFIX + size;
  return true;
}

/* A claim waits only for what is left of its time, whatever it spent in line or was sent for before: a smaller number, for
 * which there is room. One that can't be read is left to the broker to refuse. False: no memory. */
static bool shorten_wait(struct jb_call *call) {
  alignas(max_align_t) char memory[JB_MESSAGE_MEMORY] = {0};
  struct jb_arena arena;
  jb_arena_init(&arena, memory, sizeof memory, SIZE_MAX);
  struct jb_wire_report report;
  Jobbroker__Request *message =
      (Jobbroker__Request *)jb_wire_read(call->body, call->size, &jobbroker__request__descriptor, &arena, &report);
  if (message) {
    int64_t left = call->wait_ends - jb_now();
    message->claim->wait_ms = left > 0 ? (uint64_t)left : 0;
    size_t size = jb_request_write(message, NULL, 0);
    call->size = jb_request_write(message, call->body + size, size);
  }
  jb_arena_free(&arena);
  return report.verdict != JB_WIRE_NO_MEMORY;
}

bool jb_call_send(jobbroker_client *client, struct jb_call *call) {
  bool shortened = !jb_waits(call) || shorten_wait(call);
  if (jb_is_watch(call)) {
    jb_calls_append(&client->watches, call);
  } else {
    jb_calls_append(&client->sent, call);
    client->in_flight++;
    client->waiting += jb_waits(call);
    client->unanswered += call->size;
  }
  call->sent = true;
  return shortened ? jb_transmit(client, call->body, call->size) : no_memory(client);
}

/* How many of these places are left when so many are kept for others; of few, half. */
static uint32_t without(uint32_t kept, uint32_t places) { return places - (places / 2 < kept ? places / 2 : kept); }

static uint32_t ordinary_places(const jobbroker_client *client) {
  return without(JB_PLACES_FOR_HEARTBEATS, client->max_in_flight);
}

/* Whether there is room for others than heartbeats. */
static bool has_room(const jobbroker_client *client) {
  return client->in_flight < ordinary_places(client) && client->unanswered < JB_MAX_UNANSWERED;
}

static bool has_place(const jobbroker_client *client, const struct jb_call *call) {
  if (call->heartbeat) return client->in_flight < client->max_in_flight;
  return has_room(client) &&
         (!jb_waits(call) || client->waiting < without(JB_PLACES_FOR_OTHERS, ordinary_places(client)));
}

/* The first call in line that may go now, taken out. */
static struct jb_call *next_in_line(jobbroker_client *client) {
  if (client->state != JB_READY || client->in_flight >= client->max_in_flight) return NULL;
  if (client->heartbeats.first) return jb_calls_take_first(&client->heartbeats);
  if (!has_room(client)) return NULL;
  struct jb_call *call = client->queue.first;
  while (call && (call->rests_until || !has_place(client, call))) call = call->next;
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

/* A call of this message; NULL: no memory. */
static struct jb_call *new_call(jobbroker_client *client, Jobbroker__Request *message) {
  if (!message) return NULL;
  message->id = client->last_id + 1;
  uint8_t body[JB_MESSAGE_SIZE], *end = body + sizeof body;
  size_t size = jb_request_write(message, end, sizeof body);
  struct jb_call *call = malloc(sizeof *call + size);
  if (!call) return NULL;
  *call = (struct jb_call){
      .id = ++client->last_id,
      .operation = message->operation_case,
      .deadline = JB_NEVER,
      .wait_ends = JB_NEVER,
      .repeatable = jb_is_repeatable(message),
      .heartbeat = jb_is_heartbeat(message),
      .size = size,
  };
  if (size <= sizeof body) {
    memcpy(call->body, end - size, size);
  } else {
    jb_request_write(message, call->body + size, size);
  }
  return call;
}

static jobbroker_code refuse(jobbroker_client *client, struct jb_call *call, jobbroker_reply *error) {
  jobbroker_code code = error->code;
  if (call) free(call);
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
  alignas(max_align_t) char memory[JB_MESSAGE_MEMORY] = {0};
  struct jb_arena arena;
  jb_arena_init(&arena, memory, sizeof memory, SIZE_MAX);
  struct jb_call *call = new_call(client, jb_message_make(&arena, request, client->ids));
  jb_arena_free(&arena);
  if (!call) {
    return refuse(client, NULL, jb_reply_error(JOBBROKER_RESOURCE_EXHAUSTED, "this process is out of memory"));
  }
  if (call->size > JB_MAX_FRAME) {
    return refuse(client, call,
                  jb_reply_error(JOBBROKER_INVALID_ARGUMENT,
                                 "the request takes %zu bytes; a frame holds at most %d. Send less at once",
                                 call->size, JB_MAX_FRAME));
  }
  call->callback = callback;
  call->context = context;
  if (request->operation == JOBBROKER_CREATE) call->job_count = request->create.job_count;
  if (request->operation == JOBBROKER_CLAIM) call->job_count = request->claim.max_jobs ? request->claim.max_jobs : 1;
  uint64_t wait = request->operation == JOBBROKER_CLAIM ? request->claim.wait_ms : 0;
  if (wait > JB_LONGEST_WAIT_MS) wait = JB_LONGEST_WAIT_MS;
  if (wait) call->wait_ends = jb_after(jb_now(), wait);
  if (timeout_ms >= 0) call->deadline = jb_after(jb_deadline(timeout_ms), wait);
  if (ticket) *ticket = call->id;
  jb_wake_at(client, call->deadline);
  /* Watches come after the notice, each once. */
  if (client->renewing && !jb_is_watch(call) && has_place(client, call)) {
    jb_call_send(client, call);
  } else {
    jb_calls_append(jb_line(client, call), call);
  }
  flush(client);
  return JOBBROKER_OK;
}

/* Sends what takes back another request. Nobody waits for its answer, and without memory for it that one goes on. */
static void take_back(jobbroker_client *client, Jobbroker__Request *make(struct jb_arena *, uint64_t), uint64_t id) {
  if (client->state != JB_READY) return;
  struct jb_arena arena;
  jb_arena_init(&arena, NULL, 0, SIZE_MAX);
  struct jb_call *call = new_call(client, make(&arena, id));
  jb_arena_free(&arena);
  if (!call) return;
  jb_call_send(client, call);
  flush(client);
}

void jb_unwatch(jobbroker_client *client, uint64_t id) { take_back(client, jb_message_unwatch, id); }

void jb_withdraw(jobbroker_client *client, struct jb_call *call) {
  if (call->withdrawn || !jb_waits(call)) return;
  call->withdrawn = true;
  take_back(client, jb_message_withdraw, call->id);
}

void jobbroker_withdraw(jobbroker_client *client, uint64_t ticket) {
  struct jb_call *sent = jb_calls_find(&client->sent, ticket);
  struct jb_call *call = sent ? sent : jb_calls_find(&client->queue, ticket);
  if (!call || !jb_is_claim(call)) return;
  int64_t end = jb_now() + (sent ? JB_PATIENCE_MS : 0);
  if (end < call->deadline) call->deadline = end;
  jb_wake_at(client, call->deadline);
  jb_loop_update(client);
  if (sent) jb_withdraw(client, call);
}

void jobbroker_forget(jobbroker_client *client, uint64_t ticket) {
  struct jb_call *call = jb_calls_take(&client->queue, ticket);
  if (!call) call = jb_calls_take(&client->heartbeats, ticket);
  if (!call && (call = jb_calls_take(&client->watches, ticket))) jb_unwatch(client, ticket);
  if (call) {
    free(call);
  } else if ((call = jb_calls_find(&client->sent, ticket))) {
    jb_call_forget(call);
    if (jb_is_claim(call)) jb_withdraw(client, call);
  }
}
