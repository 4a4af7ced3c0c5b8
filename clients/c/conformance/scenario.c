/* The scenario. What is not as expected ends the program with a word on stderr. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "adapter.h"
#include "telling.h"

#define METADATA \
  "{\"big\":9007199254740993,\"nested\":{\"list\":[1,null,true,\"x\"]},\"text\":\"žluťoučký 🎧 \\\"q\\\" \\\\\"}"

enum { LIMIT_MS = 30000 };

/* ---------------------------------------------------------------------------------------------- what is done */

static jobbroker_client *open_client(const char *socket, const char *name, bool read_only) {
  return jobbroker_new(&(jobbroker_options){.socket_path = socket, .worker_name = name, .read_only = read_only});
}

static void check(jobbroker_client *client, const char *step, jobbroker_code code) {
  if (code == JOBBROKER_OK) return;
  fprintf(stderr, "%s: %s: %s\n", step, jobbroker_code_name(code), jobbroker_error(client));
  exit(1);
}

static void refused(jobbroker_client *client, const char *step, jobbroker_code code) {
  printf("{\"code\":\"%s\"", jobbroker_code_name(code));
  if (jobbroker_error_job(client)) {
    printf(",\"job\":");
    print_job(jobbroker_error_job(client), false);
  }
  end_line(step);
}

/* The outcome of a call that changes one job, refused or not. */
static void changed(jobbroker_client *client, const char *step, jobbroker_code code, jobbroker_reply *reply) {
  if (code != JOBBROKER_OK) {
    refused(client, step, code);
    return;
  }
  tell_job(step, jobbroker_reply_job(reply, 0), false);
  jobbroker_reply_free(reply);
}

static void create(jobbroker_client *client, const char *step, const jobbroker_new_job *jobs, size_t count) {
  jobbroker_reply *reply;
  jobbroker_code code = jobbroker_create_all(client, jobs, count, LIMIT_MS, &reply);
  if (code != JOBBROKER_OK) {
    refused(client, step, code);
    return;
  }
  for (size_t i = 0; i < count; i++) {
    printf("{\"created\":%s,\"job\":", jobbroker_reply_created(reply, i) ? "true" : "false");
    print_job(jobbroker_reply_job(reply, i), false);
    end_line(step);
  }
  jobbroker_reply_free(reply);
}

static jobbroker_new_job new_job(jobbroker_id id, const char *type) {
  jobbroker_new_job job = JOBBROKER_NEW_JOB_INIT;
  job.id = id;
  job.type = type;
  return job;
}

static void tell_claimed(const char *step, jobbroker_reply *reply) {
  for (size_t i = 0; i < jobbroker_reply_job_count(reply); i++) tell_job(step, jobbroker_reply_job(reply, i), true);
  jobbroker_reply_free(reply);
}

static void claim(jobbroker_client *client, const char *step, const char *type, uint32_t count, uint64_t wait_ms,
                  uint64_t lease_ms) {
  jobbroker_reply *reply;
  jobbroker_claim_options options = {&type, type ? 1 : 0, count, wait_ms, lease_ms};
  check(client, step, jobbroker_claim(client, &options, LIMIT_MS, &reply));
  tell_claimed(step, reply);
}

static void complete(jobbroker_client *client, const char *step, jobbroker_id id, uint32_t attempt,
                     const char *result) {
  jobbroker_reply *reply;
  jobbroker_code code = jobbroker_complete(client, id, attempt, result, LIMIT_MS, &reply);
  changed(client, step, code, reply);
}

static void fail(jobbroker_client *client, const char *step, jobbroker_id id, const char *error, bool retryable) {
  jobbroker_reply *reply;
  jobbroker_code code = jobbroker_fail(client, id, 1, error, retryable, LIMIT_MS, &reply);
  changed(client, step, code, reply);
}

static void cancel(jobbroker_client *client, const char *step, jobbroker_id id) {
  jobbroker_reply *reply;
  jobbroker_code code = jobbroker_cancel(client, id, LIMIT_MS, &reply);
  changed(client, step, code, reply);
}

static void retry(jobbroker_client *client, const char *step, jobbroker_id id) {
  jobbroker_reply *reply;
  jobbroker_code code = jobbroker_retry(client, id, LIMIT_MS, &reply);
  changed(client, step, code, reply);
}

static void update(jobbroker_client *client, const char *step, jobbroker_id id, uint32_t attempt, double progress,
                   const char *stage, bool clear_stage) {
  jobbroker_reply *reply;
  jobbroker_update change = JOBBROKER_UPDATE_INIT;
  change.id = id;
  change.attempt = attempt;
  change.progress = progress;
  change.stage = stage;
  change.clear_stage = clear_stage;
  jobbroker_code code = jobbroker_change(client, &change, LIMIT_MS, &reply);
  changed(client, step, code, reply);
}

static void position(jobbroker_client *client, jobbroker_id id) {
  jobbroker_reply *reply;
  check(client, "position", jobbroker_position(client, id, LIMIT_MS, &reply));
  printf("{\"name\":\"%s\",\"position\":%" PRId64 ",\"position_in_type\":%" PRId64, name_of(id),
         jobbroker_reply_position(reply), jobbroker_reply_position_in_type(reply));
  end_line("position");
  jobbroker_reply_free(reply);
}

static void get(jobbroker_client *client, jobbroker_id id) {
  jobbroker_reply *reply;
  check(client, "get", jobbroker_get(client, id, LIMIT_MS, &reply));
  const jobbroker_job *job = jobbroker_reply_job(reply, 0);
  tell_job("get", job, true);
  for (size_t i = 0; i < job->history_count; i++) {
    const jobbroker_attempt *attempt = job->history[i];
    printf("{\"attempt\":%" PRIu32 ",\"cause\":\"%s\",\"name\":\"%s\",\"step\":\"history\"", attempt->attempt,
           jobbroker_cause_name(attempt->cause), name_of(id));
    print_member("worker", attempt->worker ? attempt->worker->name : NULL);
    printf("}\n");
  }
  fflush(stdout);
  jobbroker_reply_free(reply);
}

static void list(jobbroker_client *client, jobbroker_filter filter) {
  char all[512] = "";
  do {
    jobbroker_reply *reply;
    check(client, "list", jobbroker_list(client, &filter, LIMIT_MS, &reply));
    for (size_t i = 0; i < jobbroker_reply_job_count(reply); i++) {
      add_name(all, sizeof all, jobbroker_reply_job(reply, i)->id);
    }
    filter.cursor = jobbroker_reply_next_cursor(reply);
    jobbroker_reply_free(reply);
  } while (filter.cursor);
  tell_names("list", all);
}

static void stats(jobbroker_client *client, const char *type) {
  jobbroker_reply *reply;
  check(client, "stats", jobbroker_stats(client, LIMIT_MS, &reply));
  const jobbroker_stats_info *info = jobbroker_reply_stats(reply);
  for (size_t i = 0; i < info->type_count; i++) {
    const jobbroker_type_stats *of = info->types[i];
    if (strcmp(of->type, type) != 0) continue;
    printf("{\"cancelled\":%" PRIu64 ",\"complete\":%" PRIu64 ",\"failed\":%" PRIu64
           ",\"paused\":%s,\"pending\":%" PRIu64 ",\"processing\":%" PRIu64,
           of->cancelled, of->complete, of->failed, of->paused ? "true" : "false", of->pending, of->processing);
    end_line("stats");
  }
  jobbroker_reply_free(reply);
}

static uint64_t waiting_claims(jobbroker_client *client) {
  jobbroker_reply *reply;
  check(client, "stats", jobbroker_stats(client, LIMIT_MS, &reply));
  uint64_t count = jobbroker_reply_stats(reply)->waiting_claims;
  jobbroker_reply_free(reply);
  return count;
}

static void held_by(jobbroker_client *client, const char *worker) {
  char all[512] = "";
  jobbroker_reply *reply;
  check(client, "workers", jobbroker_workers(client, LIMIT_MS, &reply));
  for (size_t i = 0; i < jobbroker_reply_worker_count(reply); i++) {
    const jobbroker_worker_info *info = jobbroker_reply_worker(reply, i);
    if (strcmp(info->holder.name, worker) != 0) continue;
    for (size_t j = 0; j < info->held_count; j++) add_name(all, sizeof all, info->held[j]->id);
  }
  tell_names("workers", all);
  jobbroker_reply_free(reply);
}

static void count(jobbroker_client *client, const char *step, jobbroker_code code, jobbroker_reply *reply) {
  check(client, step, code);
  printf("{\"count\":%" PRIu64, jobbroker_reply_count(reply));
  end_line(step);
  jobbroker_reply_free(reply);
}

/* ------------------------------------------------------------------------------ what comes without being asked */

/* Tells the news of a watch as it is asked for: a queue between the callback and the script. */
struct news {
  jobbroker_reply *replies[64];
  size_t begin, end;
};

static void heard(jobbroker_reply *reply, void *context) {
  struct news *news = context;
  if (jobbroker_reply_code(reply) != JOBBROKER_OK || news->end == sizeof news->replies / sizeof *news->replies) {
    jobbroker_reply_free(reply); /* The client was closed. */
    return;
  }
  news->replies[news->end++] = reply;
}

static jobbroker_reply *next_news(jobbroker_client *client, struct news *news) {
  while (news->begin == news->end) jobbroker_wait(client, JOBBROKER_FOREVER);
  return news->replies[news->begin++];
}

static void tell_event(jobbroker_client *client, struct news *news) {
  jobbroker_reply *reply = next_news(client, news);
  if (jobbroker_reply_event(reply) == JOBBROKER_EVENT_DELETED) {
    printf("{\"name\":\"%s\"", name_of(jobbroker_reply_deleted(reply)));
    end_line("deleted");
  } else {
    tell_job("event", jobbroker_reply_job(reply, 0), false);
  }
  jobbroker_reply_free(reply);
}

/* Reads a watch up to the next snapshot. */
static void tell_snapshot(jobbroker_client *client, struct news *news) {
  char all[512] = "";
  jobbroker_reply *reply = next_news(client, news);
  while (jobbroker_reply_event(reply) != JOBBROKER_EVENT_SNAPSHOT) {
    jobbroker_reply_free(reply);
    reply = next_news(client, news);
  }
  for (size_t i = 0; i < jobbroker_reply_job_count(reply); i++) {
    add_name(all, sizeof all, jobbroker_reply_job(reply, i)->id);
  }
  tell_names("snapshot", all);
  jobbroker_reply_free(reply);
}

struct revocation {
  jobbroker_id id;
  uint32_t attempt;
  bool seen;
  jobbroker_status status;
};

static void noticed(const jobbroker_notice *notice, void *context) {
  struct revocation *awaited = context;
  if (notice->kind != JOBBROKER_NOTICE_REVOKED || notice->attempt != awaited->attempt) return;
  if (!jobbroker_id_equal(notice->id, awaited->id)) return;
  awaited->seen = true;
  awaited->status = notice->status;
}

static void keep(jobbroker_reply *reply, void *context) { *(jobbroker_reply **)context = reply; }

/* ------------------------------------------------------------------------------------------------ the script */

int scenario(const char *socket) {
  jobbroker_client *producer = open_client(socket, "producer", false), *holder = open_client(socket, "holder", false);
  jobbroker_client *rival = open_client(socket, "rival", false), *waiter = open_client(socket, "waiter", false);
  jobbroker_client *looker = open_client(socket, "looker", true);
  struct news news = {.begin = 0};
  jobbroker_reply *reply;

  jobbroker_id first = named("first");
  jobbroker_new_job job = new_job(first, "ingest");
  job.metadata = METADATA;
  create(producer, "create", &job, 1);
  create(producer, "create again", &job, 1);
  job.metadata = "{}";
  create(producer, "create other content", &job, 1);

  jobbroker_id second = named("second"), urgent = named("urgent"), last = named("last");
  jobbroker_new_job batch[] = {new_job(second, "preview"), new_job(urgent, "ingest"), new_job(last, "save")};
  batch[1].priority = 7;
  batch[1].max_retries = 0;
  batch[1].unique_key = "album:1";
  batch[2].priority = -7;
  create(producer, "create batch", batch, 3);
  job = new_job(jobbroker_id_make(), "ingest");
  job.unique_key = "album:1";
  create(producer, "unique key", &job, 1);
  job = new_job(jobbroker_id_make(), "");
  create(producer, "bad type", &job, 1);
  update(producer, "bad progress", first, 0, 101, NULL, false);
  refused(producer, "get unknown", jobbroker_get(producer, jobbroker_id_make(), LIMIT_MS, &reply));
  cancel(producer, "cancel unknown", jobbroker_id_make());
  jobbroker_id placed[] = {first, second, urgent, last, jobbroker_id_make()};
  for (size_t i = 0; i < sizeof placed / sizeof *placed; i++) position(producer, placed[i]);
  job = new_job(jobbroker_id_make(), "ingest");
  create(looker, "read only", &job, 1);

  const char *preview = "preview";
  check(producer, "pause", jobbroker_pause(producer, preview, LIMIT_MS));
  check(holder, "claim paused", jobbroker_claim(holder, &(jobbroker_claim_options){&preview, 1, 0, 0, 0}, LIMIT_MS, &reply));
  printf("{\"jobs\":%zu", jobbroker_reply_job_count(reply));
  end_line("claim paused");
  jobbroker_reply_free(reply);
  check(producer, "resume", jobbroker_resume(producer, preview, LIMIT_MS));

  jobbroker_request watch = {.operation = JOBBROKER_WATCH, .watch = {&first, 1, NULL, 0}};
  check(producer, "watch", jobbroker_send(producer, &watch, LIMIT_MS, heard, &news, NULL));
  tell_snapshot(producer, &news);
  struct revocation revocation = {.id = first, .attempt = 1};
  jobbroker_on_notice(holder, noticed, &revocation);
  claim(holder, "claim", NULL, 2, 0, 0);
  tell_event(producer, &news);
  update(holder, "report", first, 1, 12.5, "downloading 🎧", false);
  tell_event(producer, &news);
  update(holder, "clear stage", first, 1, 0, NULL, true);
  tell_event(producer, &news);

  claim(holder, "claim short", preview, 1, 0, 10);
  claim(rival, "claim lost", preview, 1, 30000, 0);
  complete(holder, "late completion", second, 1, "{\"late\":true}");
  complete(rival, "complete", second, 2, "{\"ok\":true}");
  complete(rival, "complete again", second, 2, "{\"ok\":true}");
  complete(producer, "complete finished", second, 0, NULL);

  fail(holder, "fail", urgent, "no such file: ä.wav", true);
  retry(producer, "retry", urgent);
  retry(producer, "retry pending", urgent);
  claim(holder, "claim", "ingest", 1, 0, 0);
  jobbroker_code code = jobbroker_release(holder, urgent, 2, 0, LIMIT_MS, &reply);
  changed(holder, "release", code, reply);
  claim(holder, "claim", "save", 1, 0, 0);
  fail(holder, "fail retryable", last, "busy", true);

  cancel(producer, "cancel", last);
  cancel(producer, "cancel", first);
  while (!revocation.seen) jobbroker_wait(holder, JOBBROKER_FOREVER);
  printf("{\"attempt\":%" PRIu32 ",\"name\":\"%s\",\"status\":\"%s\"", revocation.attempt, name_of(revocation.id),
         jobbroker_status_name(revocation.status));
  end_line("revoked");
  tell_event(producer, &news);
  complete(holder, "complete cancelled", first, 1, NULL);
  cancel(producer, "cancel again", first);

  get(producer, first);
  get(producer, second);
  list(producer, (jobbroker_filter){.limit = 3});
  list(producer, (jobbroker_filter){.status = JOBBROKER_COMPLETE, .type = preview});
  stats(producer, "ingest");
  claim(holder, "claim", "ingest", 1, 0, 0);
  held_by(producer, "holder");

  const char *late_type = "late";
  jobbroker_reply *late_claim = NULL;
  jobbroker_request wait = {.operation = JOBBROKER_CLAIM, .claim = {&late_type, 1, 1, 60000, 0}};
  check(waiter, "claim", jobbroker_send(waiter, &wait, LIMIT_MS, keep, &late_claim, NULL));
  check(waiter, "claim", jobbroker_connect(waiter, LIMIT_MS));
  while (waiting_claims(producer) != 1) continue;
  printf("{\"step\":\"restart\"}\n");
  fflush(stdout);
  char line[64];
  if (!fgets(line, sizeof line, stdin)) return 1;

  update(holder, "kept", urgent, 3, 80, NULL, false);
  jobbroker_id late = named("late");
  job = new_job(late, late_type);
  create(producer, "create", &job, 1);
  while (!late_claim) jobbroker_wait(waiter, JOBBROKER_FOREVER);
  check(waiter, "claim survived", jobbroker_reply_code(late_claim));
  tell_claimed("claim survived", late_claim);
  tell_snapshot(producer, &news);
  complete(holder, "complete", urgent, 3, "{}");
  fail(waiter, "fail", late, "gone", false);
  check(producer, "delete", jobbroker_delete(producer, first, LIMIT_MS));
  tell_event(producer, &news);
  list(producer, (jobbroker_filter){.limit = 0});
  code = jobbroker_reap(producer, 0, NULL, LIMIT_MS, &reply);
  count(producer, "reap", code, reply);
  code = jobbroker_prune(producer, &(jobbroker_pruning){.older_than_ms = 0}, LIMIT_MS, &reply);
  count(producer, "prune", code, reply);

  jobbroker_client *clients[] = {producer, holder, rival, waiter, looker};
  for (size_t i = 0; i < sizeof clients / sizeof *clients; i++) jobbroker_free(clients[i]);
  while (news.begin < news.end) jobbroker_reply_free(news.replies[news.begin++]);
  return 0;
}
