#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "utf8.h"
#include "work.h"

static struct jobbroker_task *next_ready(struct jobbroker_worker *worker) {
  for (uint32_t i = 0; i < worker->concurrency; i++) {
    if (worker->tasks[i].phase == JB_READY_TO_RUN) return &worker->tasks[i];
  }
  return NULL;
}

void *jb_handler_thread(void *context) {
  struct jobbroker_worker *worker = context;
  pthread_mutex_lock(&worker->mutex);
  while (!worker->quits) {
    struct jobbroker_task *task = next_ready(worker);
    if (!task) {
      pthread_cond_wait(&worker->ready, &worker->mutex);
      continue;
    }
    task->phase = JB_RUNNING;
    pthread_mutex_unlock(&worker->mutex);
    jobbroker_outcome outcome = worker->handler(task, worker->context);
    pthread_mutex_lock(&worker->mutex);
    task->outcome = outcome;
    task->phase = JB_HANDLED;
    jb_worker_wake(worker);
  }
  pthread_mutex_unlock(&worker->mutex);
  return NULL;
}

void jb_task_wake_handler(struct jobbroker_task *task) {
  /* An eventfd takes so small a number always. */
  uint64_t one = 1;
  if (write(task->cancel_fd, &one, sizeof one) < 0) return;
}

const jobbroker_job *jobbroker_task_job(const jobbroker_task *task) { return task->job; }

int jobbroker_task_fd(const jobbroker_task *task) { return task->cancel_fd; }

bool jobbroker_task_cancelled(jobbroker_task *task) {
  pthread_mutex_lock(&task->worker->mutex);
  bool cancelled = task->revoked || task->cut_short;
  pthread_mutex_unlock(&task->worker->mutex);
  return cancelled;
}

jobbroker_code jobbroker_task_report(jobbroker_task *task, const char *stage, double progress) {
  size_t length = stage ? strlen(stage) : 0;
  if (isnan(progress) || progress > 100 || length > JB_STAGE_LIMIT) return JOBBROKER_INVALID_ARGUMENT;
  if (stage && jb_text_check((const uint8_t *)stage, length) != JB_TEXT_SOUND) return JOBBROKER_INVALID_ARGUMENT;
  pthread_mutex_lock(&task->worker->mutex);
  jobbroker_code code = task->revoked ? JOBBROKER_STALE_CLAIM : JOBBROKER_OK;
  if (code == JOBBROKER_OK && stage) {
    task->report.has_stage = true;
    memcpy(task->report.stage, stage, length + 1);
  }
  if (code == JOBBROKER_OK && progress >= 0) {
    task->report.has_progress = true;
    task->report.progress = progress;
  }
  pthread_mutex_unlock(&task->worker->mutex);
  if (code == JOBBROKER_OK) jb_worker_wake(task->worker);
  return code;
}

static jobbroker_code set(jobbroker_task *task, char **field, char *text) {
  if (!text) return JOBBROKER_RESOURCE_EXHAUSTED;
  pthread_mutex_lock(&task->worker->mutex);
  free(*field);
  *field = text;
  pthread_mutex_unlock(&task->worker->mutex);
  return JOBBROKER_OK;
}

jobbroker_code jobbroker_task_result(jobbroker_task *task, const char *result) {
  return set(task, &task->result, strdup(result));
}

jobbroker_code jobbroker_task_error(jobbroker_task *task, const char *format, ...) {
  char *text = NULL;
  va_list arguments;
  va_start(arguments, format);
  if (vasprintf(&text, format, arguments) < 0) text = NULL;
  va_end(arguments);
  if (text) jb_text_clean(text, JB_ERROR_LIMIT);
  return set(task, &task->error, text);
}
