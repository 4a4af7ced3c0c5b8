/* Requests without an answer, and lists of them. */
#include "calls.h"

#include <stdlib.h>

void jb_calls_append(struct jb_calls *calls, struct jb_call *call) {
  call->next = NULL;
  jb_calls_join(calls, (struct jb_calls){call, call});
}

void jb_calls_join(struct jb_calls *calls, struct jb_calls others) {
  if (!others.first) return;
  if (calls->last) {
    calls->last->next = others.first;
  } else {
    calls->first = others.first;
  }
  calls->last = others.last;
}

struct jb_call *jb_calls_take(struct jb_calls *calls, uint64_t id) {
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

struct jb_call *jb_calls_find(const struct jb_calls *calls, uint64_t id) {
  struct jb_call *call = calls->first;
  while (call && call->id != id) call = call->next;
  return call;
}

struct jb_call *jb_calls_take_first(struct jb_calls *calls) {
  return calls->first ? jb_calls_take(calls, calls->first->id) : NULL;
}

struct jb_calls jb_calls_take_all(struct jb_calls *calls) {
  struct jb_calls all = *calls;
  *calls = (struct jb_calls){0};
  return all;
}

void jb_calls_free(struct jb_calls *calls) {
  struct jb_call *call;
  while ((call = jb_calls_take_first(calls))) free(call);
}

void jb_call_tell(const struct jb_call *call, jobbroker_reply *reply) {
  if (call->callback) {
    call->callback(reply, call->context);
  } else {
    jobbroker_reply_free(reply);
  }
}

void jb_call_resolve(struct jb_call *call, jobbroker_reply *reply) {
  jobbroker_callback *callback = call->callback;
  void *context = call->context;
  free(call);
  jb_call_tell(&(struct jb_call){.callback = callback, .context = context}, reply);
}

void jb_call_forget(struct jb_call *call) {
  call->forgotten = true;
  call->callback = NULL;
  call->deadline = JB_NEVER;
}

bool jb_is_watch(const struct jb_call *call) {
  return call->operation == JOBBROKER__REQUEST__OPERATION_WATCH;
}

bool jb_is_claim(const struct jb_call *call) {
  return call->operation == JOBBROKER__REQUEST__OPERATION_CLAIM;
}

bool jb_waits(const struct jb_call *call) { return call->wait_ends != JB_NEVER; }

struct jb_calls *jb_line(jobbroker_client *client, const struct jb_call *call) {
  return call->heartbeat ? &client->heartbeats : &client->queue;
}
