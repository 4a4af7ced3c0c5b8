/* What becomes of requests whose answer does not come: the connection was lost, the time is over, the client ends.
 *
 * A callback may forget any other request, one that ends with its own among them. So they stay in the client's lists, where
 * jobbroker_forget finds them, until their turn comes. */
#include "calls.h"

/* What to tell a caller whose answer will not come. */
static jobbroker_reply *interruption(const struct jb_call *call, const char *reason) {
  return call->sent && !call->repeatable
             ? jb_reply_error(JOBBROKER_UNKNOWN_OUTCOME,
                              "%s; the request may have been carried out: read the job before repeating it", reason)
             : jb_reply_error(JOBBROKER_UNAVAILABLE, "%s; the request may be repeated", reason);
}

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
    jb_call_tell(watch, jb_reply_interrupted());
    watch = next_open_watch(client, id);
  }
}

void jb_calls_interrupted(jobbroker_client *client, jobbroker_reply *reason, bool repeats) {
  struct jb_calls sent = jb_calls_take_all(&client->sent), queue = jb_calls_take_all(&client->queue);
  struct jb_calls heartbeats = jb_calls_take_all(&client->heartbeats);
  client->in_flight = client->waiting = 0;
  client->unanswered = 0;
  for (struct jb_call *call = sent.first, *next; call; call = next) {
    next = call->next;
    bool again = repeats && call->repeatable && !call->forgotten && !call->withdrawn;
    jb_calls_append(again ? jb_line(client, call) : &client->sent, call);
  }
  jb_calls_join(&client->heartbeats, heartbeats);
  jb_calls_join(&client->queue, queue);
  tell_watches(client);
  /* Without a connection none is added. */
  struct jb_call *call;
  while ((call = jb_calls_take_first(&client->sent))) {
    jobbroker_reply *error = interruption(call, reason->message);
    if (!repeats && error->code == JOBBROKER_UNAVAILABLE) {
      jobbroker_reply_free(error);
      error = jb_reply_error(JOBBROKER_INTERNAL, "%s", reason->message);
    }
    jb_call_resolve(call, error);
  }
}

/* The first call that has waited too long, taken out; NULL: there is none. */
static struct jb_call *take_late(struct jb_calls *calls, int64_t now) {
  struct jb_call *call = calls->first;
  while (call && call->deadline > now) call = call->next;
  return call ? jb_calls_take(calls, call->id) : NULL;
}

/* Ends the calls of a list that have waited too long; returns when the next one will have. */
static int64_t expire(jobbroker_client *client, struct jb_calls *calls, int64_t now) {
  int64_t earliest = JB_NEVER;
  struct jb_calls all = jb_calls_take_all(calls), others = {0};
  for (struct jb_call *call = all.first, *next; call; call = next) {
    next = call->next;
    if (call->rests_until && call->rests_until <= now) call->rests_until = 0;
    if (call->deadline <= now) {
      jb_calls_append(calls, call);
      continue;
    }
    jb_calls_append(&others, call);
    if (call->deadline < earliest) earliest = call->deadline;
    if (call->rests_until && call->rests_until < earliest) earliest = call->rests_until;
  }
  /* The late ones are in front now, so that each is found at once, however long the line. Only those in flight that a
   * callback forgets stay there, late no more: fewer than the broker allows, mostly 128. */
  jb_calls_join(calls, others);
  struct jb_call *call;
  while ((call = take_late(calls, now))) {
    const char *reason = client->state == JB_READY || !client->trouble ? "no reply in time" : client->trouble->message;
    jobbroker_reply *error = interruption(call, reason);
    if (calls == &client->sent) {
      /* Its answer may still come, and is counted then. */
      struct jb_call caller = *call;
      jb_call_forget(call);
      jb_calls_append(calls, call);
      if (jb_is_claim(call)) jb_withdraw(client, call);
      jb_call_tell(&caller, error);
      continue;
    }
    if (calls == &client->watches) jb_unwatch(client, call->id);
    jb_call_resolve(call, error);
  }
  return earliest;
}

int64_t jb_calls_expire(jobbroker_client *client, int64_t now) {
  struct jb_calls *lists[] = {&client->heartbeats, &client->queue, &client->sent, &client->watches};
  int64_t earliest = JB_NEVER;
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
    int64_t next = expire(client, lists[i], now);
    if (next < earliest) earliest = next;
  }
  return earliest;
}

void jb_calls_end(jobbroker_client *client, jobbroker_reply *reason) {
  struct jb_calls *lists[] = {&client->sent, &client->watches, &client->heartbeats, &client->queue};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
    struct jb_call *call;
    while ((call = jb_calls_take_first(lists[i]))) {
      jobbroker_reply *error = interruption(call, reason->message);
      if (error->code == JOBBROKER_UNAVAILABLE) {
        jobbroker_reply_free(error);
        error = jb_reply_share(reason);
      }
      jb_call_resolve(call, error);
    }
  }
}
