/* How jobs end: the broker is told, again and again as long as that may help. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "utf8.h"
#include "work.h"

static enum jb_phase phase_of(struct jobbroker_task *task) {
  pthread_mutex_lock(&task->worker->mutex);
  enum jb_phase phase = task->phase;
  pthread_mutex_unlock(&task->worker->mutex);
  return phase;
}

static void set_phase(struct jobbroker_task *task, enum jb_phase phase) {
  pthread_mutex_lock(&task->worker->mutex);
  task->phase = phase;
  pthread_mutex_unlock(&task->worker->mutex);
}

/* The result is none that the broker takes: the job fails, for it would be refused again. */
static void refuse_result(struct jobbroker_task *task, const char *reason) {
  char *text = NULL;
  free(task->error);
  task->error = asprintf(&text, "the handler's result was refused: %s", reason) < 0 ? NULL : text;
  if (task->error) jb_text_clean(task->error, JB_ERROR_LIMIT);
  task->outcome = JOBBROKER_GIVE_UP;
  set_phase(task, JB_HANDLED);
}

static void not_taken(struct jobbroker_task *task, jobbroker_code code, const char *message) {
  struct jobbroker_worker *worker = task->worker;
  switch (code) {
    case JOBBROKER_UNAVAILABLE:
    case JOBBROKER_UNKNOWN_OUTCOME:
    case JOBBROKER_RESOURCE_EXHAUSTED:
    case JOBBROKER_INTERNAL:
      if (task->revoked || worker->cut_short) break;
      task->next_finish = jb_now() + jb_backoff(++task->finish_failures, &worker->random);
      set_phase(task, JB_HANDLED);
      return;
    case JOBBROKER_INVALID_ARGUMENT:
      if (task->outcome != JOBBROKER_DONE) break;
      refuse_result(task, message);
      return;
    default: break;
  }
  set_phase(task, JB_OVER);
}

static void answered(jobbroker_reply *reply, void *context) {
  struct jobbroker_task *task = context;
  jobbroker_code code = jobbroker_reply_code(reply);
  if (code == JOBBROKER_OK) {
    set_phase(task, JB_OVER);
  } else {
    not_taken(task, code, jobbroker_reply_message(reply));
  }
  jobbroker_reply_free(reply);
}

static void tell(struct jobbroker_task *task) {
  const jobbroker_job *job = task->job;
  jobbroker_request request = {.operation = JOBBROKER_RELEASE_JOB};
  jobbroker_outcome outcome = task->outcome;
  /* What was cut short has not failed. */
  if (task->cut_short && outcome != JOBBROKER_DONE) outcome = JOBBROKER_HAND_BACK;
  switch (outcome) {
    case JOBBROKER_DONE:
      request.operation = JOBBROKER_COMPLETE_JOB;
      request.complete = (jobbroker_completion){job->id, job->attempt, task->result};
      break;
    case JOBBROKER_TRY_AGAIN:
    case JOBBROKER_GIVE_UP:
      request.operation = JOBBROKER_FAIL_JOB;
      request.fail = (jobbroker_failure){job->id, job->attempt, task->error, outcome == JOBBROKER_TRY_AGAIN};
      break;
    case JOBBROKER_HAND_BACK:
    default: request.release = (jobbroker_return){job->id, job->attempt, 0};
  }
  set_phase(task, JB_FINISHING);
  jobbroker_client *client = task->worker->client;
  jobbroker_code code = jobbroker_send(client, &request, JB_ANSWER_MS, answered, task, &task->finish_ticket);
  if (code != JOBBROKER_OK) not_taken(task, code, jobbroker_error(client));
}

/* Frees a place. */
static void clear(struct jobbroker_task *task) {
  uint64_t wakes;
  if (read(task->cancel_fd, &wakes, sizeof wakes) < 0) wakes = 0;
  jobbroker_reply_free(task->claimed);
  free(task->result);
  free(task->error);
  task->claimed = NULL;
  task->job = NULL;
  task->result = task->error = NULL;
  task->finish_failures = 0;
  task->next_finish = 0;
  set_phase(task, JB_FREE);
}

int64_t jb_finish(struct jobbroker_worker *worker, int64_t now) {
  int64_t next = JB_NEVER;
  for (uint32_t i = 0; i < worker->concurrency; i++) {
    struct jobbroker_task *task = &worker->tasks[i];
    if (phase_of(task) == JB_HANDLED) {
      if (task->revoked) {
        set_phase(task, JB_OVER);
      } else if (task->next_finish <= now) {
        tell(task);
      }
    }
    if (phase_of(task) == JB_HANDLED && task->next_finish < next) next = task->next_finish;
    /* A heartbeat that is under way will still want to find its task. */
    if (phase_of(task) == JB_OVER && !task->beating) clear(task);
  }
  return next;
}

void jb_abandon(struct jobbroker_worker *worker) {
  for (uint32_t i = 0; i < worker->concurrency; i++) {
    struct jobbroker_task *task = &worker->tasks[i];
    enum jb_phase phase = phase_of(task);
    if (task->beating) jobbroker_forget(worker->client, task->beat_ticket);
    if (phase == JB_FINISHING) jobbroker_forget(worker->client, task->finish_ticket);
    if (phase == JB_FINISHING || phase == JB_HANDLED) set_phase(task, JB_OVER);
    task->beating = false;
  }
}
