/* Keeps claims alive: heartbeats, reports, and the news that a claim is no longer valid. */
#include <string.h>

#include "work.h"

static bool is_empty(const struct jb_report *report) { return !report->has_stage && !report->has_progress; }

/* Puts an earlier report under a later one. */
static void put_under(struct jb_report *later, const struct jb_report *earlier) {
  if (!later->has_stage && earlier->has_stage) {
    later->has_stage = true;
    memcpy(later->stage, earlier->stage, sizeof later->stage);
  }
  if (!later->has_progress && earlier->has_progress) {
    later->has_progress = true;
    later->progress = earlier->progress;
  }
}

void jb_revoke(struct jobbroker_task *task) {
  pthread_mutex_lock(&task->worker->mutex);
  bool is_news = !task->revoked;
  task->revoked = true;
  pthread_mutex_unlock(&task->worker->mutex);
  if (is_news) jb_task_wake_handler(task);
}

static void answered(jobbroker_reply *reply, void *context) {
  struct jobbroker_task *task = context;
  task->beating = false;
  switch (jobbroker_reply_code(reply)) {
    /* The last three: what is wrong is the report, and it would be so again. */
    case JOBBROKER_OK:
    case JOBBROKER_INVALID_ARGUMENT:
    case JOBBROKER_UNSUPPORTED:
    case JOBBROKER_PERMISSION_DENIED: break;
    case JOBBROKER_STALE_CLAIM:
    case JOBBROKER_JOB_FINISHED:
    case JOBBROKER_NOT_FOUND: jb_revoke(task); break;
    default:
      /* It goes with the next heartbeat. */
      pthread_mutex_lock(&task->worker->mutex);
      put_under(&task->report, &task->underway);
      pthread_mutex_unlock(&task->worker->mutex);
      task->rests_until = jb_now() + JB_REST_MS;
  }
  jobbroker_reply_free(reply);
}

static void beat(struct jobbroker_task *task) {
  struct jobbroker_worker *worker = task->worker;
  pthread_mutex_lock(&worker->mutex);
  task->underway = task->report;
  task->report = (struct jb_report){0};
  pthread_mutex_unlock(&worker->mutex);

  jobbroker_request request = {.operation = JOBBROKER_UPDATE, .update = JOBBROKER_UPDATE_INIT};
  request.update.id = task->job->id;
  request.update.attempt = task->job->attempt;
  if (task->underway.has_progress) request.update.progress = task->underway.progress;
  if (task->underway.has_stage) {
    request.update.clear_stage = !task->underway.stage[0];
    request.update.stage = task->underway.stage[0] ? task->underway.stage : NULL;
  }
  task->beating = jobbroker_send(worker->client, &request, JB_ANSWER_MS, answered, task, &task->beat_ticket) ==
                  JOBBROKER_OK;
  /* A third of the lease: two heartbeats may be lost. */
  task->next_beat = jb_after(jb_now(), worker->lease_ms / 3);
}

static bool is_held(const struct jobbroker_task *task) {
  return task->phase != JB_FREE && task->phase != JB_OVER && !task->revoked;
}

int64_t jb_keep(struct jobbroker_worker *worker, int64_t now) {
  int64_t next = JB_NEVER;
  for (uint32_t i = 0; i < worker->concurrency; i++) {
    struct jobbroker_task *task = &worker->tasks[i];
    pthread_mutex_lock(&worker->mutex);
    bool held = is_held(task);
    /* After its handler there is nothing to report; the end says it all. */
    bool reports = task->phase == JB_RUNNING && !is_empty(&task->report);
    pthread_mutex_unlock(&worker->mutex);
    if (!held || task->beating) continue;
    if (task->rests_until > now) {
      if (task->rests_until < next) next = task->rests_until;
      continue;
    }
    if (reports || task->next_beat <= now) beat(task);
    if (!task->beating && task->next_beat < next) next = task->next_beat;
  }
  return next;
}

void jb_keep_all(struct jobbroker_worker *worker) {
  for (uint32_t i = 0; i < worker->concurrency; i++) {
    struct jobbroker_task *task = &worker->tasks[i];
    pthread_mutex_lock(&worker->mutex);
    bool held = is_held(task);
    pthread_mutex_unlock(&worker->mutex);
    if (held && !task->beating) beat(task);
  }
}
