/* The counters and the workers of a reply. */
#include "reply.h"

static jobbroker_code no_memory(struct jb_fault *fault) {
  *fault = (struct jb_fault){"reply", "finds no memory"};
  return JOBBROKER_RESOURCE_EXHAUSTED;
}

jobbroker_code jb_read_stats(jobbroker_reply *reply, const Jobbroker__Stats *message, struct jb_fault *fault) {
  struct jb_arena *arena = &reply->arena;
  jobbroker_stats_info *stats = jb_arena_take(arena, sizeof *stats);
  const jobbroker_type_stats **types = jb_arena_take_array(arena, message->n_types, sizeof *types);
  if (!stats || !types) return no_memory(fault);
  for (size_t i = 0; i < message->n_types; i++) {
    const Jobbroker__Stats__Type *type = message->types[i];
    jobbroker_type_stats *read = jb_arena_take(arena, sizeof *read);
    if (!read) return no_memory(fault);
    *read = (jobbroker_type_stats){
        .type = jb_text_or_empty(type->type),
        .pending = type->pending,
        .processing = type->processing,
        .complete = type->complete,
        .failed = type->failed,
        .cancelled = type->cancelled,
        .paused = type->paused,
    };
    types[i] = read;
  }
  *stats = (jobbroker_stats_info){
      .type_count = message->n_types,
      .types = types,
      .connections = message->connections,
      .waiting_claims = message->waiting_claims,
      .watches = message->watches,
      .commits = message->commits,
      .commands = message->commands,
      .uptime_ms = message->uptime_ms,
      .cpu_us = message->cpu_us,
      .resident_bytes = message->resident_bytes,
      .server = jb_text_or_empty(message->server),
      .store = jb_text_or_empty(message->store),
      .pid = message->pid,
  };
  reply->stats = stats;
  return JOBBROKER_OK;
}

static jobbroker_code read_held(struct jb_arena *arena, const Jobbroker__WorkerList__Worker *message,
                                jobbroker_worker_info *worker, struct jb_fault *fault) {
  const jobbroker_held **held = jb_arena_take_array(arena, message->n_holds, sizeof *held);
  if (!held) return no_memory(fault);
  for (size_t i = 0; i < message->n_holds; i++) {
    const Jobbroker__WorkerList__Held *hold = message->holds[i];
    jobbroker_held *read = jb_arena_take(arena, sizeof *read);
    if (!read) return no_memory(fault);
    jobbroker_code code = jb_read_id(hold->has_id, &hold->id, &read->id, "workers.holds.id", fault);
    if (code != JOBBROKER_OK) return code;
    read->attempt = hold->attempt;
    read->type = jb_text_or_empty(hold->type);
    held[i] = read;
  }
  worker->held = held;
  worker->held_count = message->n_holds;
  return JOBBROKER_OK;
}

static jobbroker_code read_worker(struct jb_arena *arena, const Jobbroker__WorkerList__Worker *message,
                                  const jobbroker_worker_info **worker, struct jb_fault *fault) {
  jobbroker_worker_info *read = jb_arena_take(arena, sizeof *read);
  if (!read) return no_memory(fault);
  read->holder.name = "";
  if (message->holder) {
    read->holder = (jobbroker_holder){jb_text_or_empty(message->holder->name), message->holder->pid,
                                      message->holder->uid};
  }
  read->client = jb_text_or_empty(message->client);
  read->connected_at = message->connected_at;
  read->waiting = message->waiting;
  read->waiting_type_count = message->n_waiting_types;
  read->waiting_types = (const char *const *)message->waiting_types;
  *worker = read;
  return read_held(arena, message, read, fault);
}

jobbroker_code jb_read_workers(jobbroker_reply *reply, const Jobbroker__WorkerList *message,
                               struct jb_fault *fault) {
  const jobbroker_worker_info **workers = jb_arena_take_array(&reply->arena, message->n_workers, sizeof *workers);
  if (!workers) return no_memory(fault);
  for (size_t i = 0; i < message->n_workers; i++) {
    jobbroker_code code = read_worker(&reply->arena, message->workers[i], &workers[i], fault);
    if (code != JOBBROKER_OK) return code;
  }
  reply->workers = workers;
  reply->worker_count = message->n_workers;
  return JOBBROKER_OK;
}
