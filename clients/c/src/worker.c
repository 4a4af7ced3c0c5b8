#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "reply.h"
#include "work.h"

void jb_worker_wake(struct jobbroker_worker *worker) {
  /* An eventfd takes so small a number always. Signal handlers come here, so errno stays as it was. */
  int before = errno;
  uint64_t one = 1;
  if (write(worker->wake_fd, &one, sizeof one) < 0) errno = before;
  errno = before;
}

/* ------------------------------------------------------------------------------------- beginning and end */

static bool copy_types(struct jobbroker_worker *worker, const jobbroker_worker_options *options) {
  worker->types = calloc(options->type_count + 1, sizeof *worker->types);
  for (size_t i = 0; worker->types && i < options->type_count; i++) {
    worker->types[i] = strdup(options->types[i]);
    if (!worker->types[i]) return false;
    worker->type_count++;
  }
  return worker->types;
}

static bool make_tasks(struct jobbroker_worker *worker, uint32_t count) {
  worker->tasks = calloc(count, sizeof *worker->tasks);
  worker->threads = calloc(count, sizeof *worker->threads);
  if (!worker->tasks || !worker->threads) return false;
  for (uint32_t i = 0; i < count; i++) {
    worker->tasks[i].worker = worker;
    worker->tasks[i].cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (worker->tasks[i].cancel_fd < 0) return false;
    worker->concurrency++;
  }
  return true;
}

static void noticed(const jobbroker_notice *notice, void *context);

jobbroker_worker *jobbroker_worker_new(const jobbroker_options *client, const jobbroker_worker_options *options,
                                       jobbroker_handler *handler, void *context) {
  static const jobbroker_worker_options defaults;
  if (!options) options = &defaults;
  if (options->concurrency > JB_CONCURRENCY) return NULL;
  struct jobbroker_worker *worker = calloc(1, sizeof *worker);
  if (!worker) return NULL;
  worker->handler = handler;
  worker->context = context;
  worker->lease_ms = options->lease_ms ? options->lease_ms : JB_LEASE_MS;
  worker->grace_ms = options->grace_ms ? options->grace_ms : JB_GRACE_MS;
  worker->grace_ends = JB_NEVER;
  worker->random = jb_seed();
  pthread_mutex_init(&worker->mutex, NULL);
  pthread_cond_init(&worker->ready, NULL);
  worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  worker->client = jobbroker_new(client);
  bool made = worker->wake_fd >= 0 && worker->client && jobbroker_fd(worker->client) >= 0 &&
              copy_types(worker, options) && make_tasks(worker, options->concurrency ? options->concurrency : 1);
  if (!made) {
    jobbroker_worker_free(worker);
    return NULL;
  }
  jobbroker_on_notice(worker->client, noticed, worker);
  return worker;
}

void jobbroker_worker_free(jobbroker_worker *worker) {
  if (!worker) return;
  jobbroker_free(worker->client);
  for (uint32_t i = 0; i < worker->concurrency; i++) close(worker->tasks[i].cancel_fd);
  free(worker->tasks);
  free(worker->threads);
  for (size_t i = 0; i < worker->type_count; i++) free(worker->types[i]);
  free(worker->types);
  if (worker->wake_fd >= 0) close(worker->wake_fd);
  pthread_cond_destroy(&worker->ready);
  pthread_mutex_destroy(&worker->mutex);
  jobbroker_reply_free(worker->failure);
  free(worker);
}

const char *jobbroker_worker_error(const jobbroker_worker *worker) {
  return worker->failure ? worker->failure->message : "";
}

void jobbroker_worker_stop(jobbroker_worker *worker) {
  atomic_fetch_add(&worker->stops, 1);
  jb_worker_wake(worker);
}

/* ------------------------------------------------------------------------------------------------ claiming */

static void noticed(const jobbroker_notice *notice, void *context) {
  struct jobbroker_worker *worker = context;
  if (notice->kind != JOBBROKER_NOTICE_REVOKED) worker->connected = notice->kind == JOBBROKER_NOTICE_CONNECTED;
  if (notice->kind == JOBBROKER_NOTICE_CONNECTED) jb_keep_all(worker);
  if (notice->kind != JOBBROKER_NOTICE_REVOKED) return;
  for (uint32_t i = 0; i < worker->concurrency; i++) {
    struct jobbroker_task *task = &worker->tasks[i];
    if (task->job && task->job->attempt == notice->attempt && jobbroker_id_equal(task->job->id, notice->id)) {
      jb_revoke(task);
    }
  }
}

/* Puts a claimed job into a free place. There is one for each: no more jobs are claimed than there are places. */
static void start(struct jobbroker_worker *worker, jobbroker_reply *claimed, const jobbroker_job *job) {
  for (uint32_t i = 0; i < worker->concurrency; i++) {
    struct jobbroker_task *task = &worker->tasks[i];
    pthread_mutex_lock(&worker->mutex);
    bool is_free = task->phase == JB_FREE;
    if (is_free) {
      task->claimed = jb_reply_share(claimed);
      task->job = job;
      task->revoked = false;
      task->cut_short = false;
      task->report = (struct jb_report){0};
      task->next_beat = jb_after(jb_now(), worker->lease_ms / 3);
      task->rests_until = 0;
      /* What came while its claim was being taken back is given back. */
      task->outcome = JOBBROKER_HAND_BACK;
      task->phase = worker->stopping ? JB_HANDLED : JB_READY_TO_RUN;
      pthread_cond_signal(&worker->ready);
    }
    pthread_mutex_unlock(&worker->mutex);
    if (is_free) return;
  }
}

static void give_up(struct jobbroker_worker *worker, jobbroker_reply *failure) {
  jobbroker_reply_free(worker->failure);
  worker->failure = failure;
  jobbroker_worker_stop(worker);
}

static void claimed(jobbroker_reply *reply, void *context) {
  struct jobbroker_worker *worker = context;
  worker->claiming = false;
  switch (jobbroker_reply_code(reply)) {
    case JOBBROKER_OK:
      worker->claim_failures = 0;
      for (size_t i = 0; i < jobbroker_reply_job_count(reply); i++) {
        start(worker, reply, jobbroker_reply_job(reply, i));
      }
      break;
    case JOBBROKER_INVALID_ARGUMENT:
    case JOBBROKER_PERMISSION_DENIED:
    case JOBBROKER_UNSUPPORTED: give_up(worker, reply); return;
    default: worker->next_claim = jb_now() + jb_backoff(++worker->claim_failures, &worker->random);
  }
  jobbroker_reply_free(reply);
}

static uint32_t free_places(struct jobbroker_worker *worker) {
  uint32_t count = 0;
  pthread_mutex_lock(&worker->mutex);
  for (uint32_t i = 0; i < worker->concurrency; i++) count += worker->tasks[i].phase == JB_FREE;
  pthread_mutex_unlock(&worker->mutex);
  return count;
}

/* Claims as many jobs as there are free places; returns when to try again. */
static int64_t claim(struct jobbroker_worker *worker, int64_t now) {
  uint32_t places = free_places(worker);
  if (worker->claiming || worker->stopping || !places) return JB_NEVER;
  if (worker->next_claim > now) return worker->next_claim;
  jobbroker_request request = {.operation = JOBBROKER_CLAIM};
  request.claim = (jobbroker_claim_options){.types = (const char *const *)worker->types,
                                            .type_count = worker->type_count,
                                            .max_jobs = places,
                                            .wait_ms = JB_CLAIM_WAIT_MS,
                                            .lease_ms = worker->lease_ms};
  jobbroker_code code =
      jobbroker_send(worker->client, &request, JOBBROKER_FOREVER, claimed, worker, &worker->claim_ticket);
  worker->claiming = code == JOBBROKER_OK;
  if (!worker->claiming) give_up(worker, jb_reply_error(code, "%s", jobbroker_error(worker->client)));
  return JB_NEVER;
}

/* ------------------------------------------------------------------------------------------------- running */

static void cut_short(struct jobbroker_worker *worker) {
  for (uint32_t i = 0; i < worker->concurrency; i++) {
    struct jobbroker_task *task = &worker->tasks[i];
    pthread_mutex_lock(&worker->mutex);
    bool is_news = (task->phase == JB_READY_TO_RUN || task->phase == JB_RUNNING) && !task->cut_short;
    if (is_news) task->cut_short = true;
    pthread_mutex_unlock(&worker->mutex);
    if (is_news) jb_task_wake_handler(task);
  }
  worker->cut_short = true;
  worker->grace_ends = JB_NEVER;
}

/* Does what a stop asks for; returns when there is more to do. */
static int64_t stop(struct jobbroker_worker *worker, int64_t now) {
  int stops = atomic_load(&worker->stops);
  if (!stops) return JB_NEVER;
  if (!worker->stopping) {
    worker->stopping = true;
    worker->grace_ends = jb_after(now, worker->grace_ms);
    if (worker->claiming) jobbroker_withdraw(worker->client, worker->claim_ticket);
  }
  if (stops > 1 || worker->failure || worker->grace_ends <= now) cut_short(worker);
  /* Who is told to stop twice does not wait for a broker that is not there. */
  if (stops > 1 && !worker->connected) jb_abandon(worker);
  return worker->grace_ends;
}

static void wait_for_news(struct jobbroker_worker *worker, int64_t until) {
  struct pollfd sources[] = {{.fd = jobbroker_fd(worker->client), .events = POLLIN},
                             {.fd = worker->wake_fd, .events = POLLIN}};
  poll(sources, 2, jb_until(until));
  uint64_t wakes;
  if (sources[1].revents && read(worker->wake_fd, &wakes, sizeof wakes) < 0) wakes = 0;
}

static int64_t earlier(int64_t one, int64_t other) { return one < other ? one : other; }

static void work(struct jobbroker_worker *worker) {
  for (;;) {
    jobbroker_code code = jobbroker_process(worker->client);
    if (code != JOBBROKER_OK && !worker->failure) {
      give_up(worker, jb_reply_error(code, "%s", jobbroker_error(worker->client)));
    }
    int64_t now = jb_now();
    int64_t until = stop(worker, now);
    until = earlier(until, jb_finish(worker, now));
    until = earlier(until, jb_keep(worker, now));
    until = earlier(until, claim(worker, now));
    if (worker->stopping && !worker->claiming && free_places(worker) == worker->concurrency) return;
    wait_for_news(worker, until);
  }
}

static void quit(struct jobbroker_worker *worker, uint32_t threads) {
  pthread_mutex_lock(&worker->mutex);
  worker->quits = true;
  pthread_cond_broadcast(&worker->ready);
  pthread_mutex_unlock(&worker->mutex);
  for (uint32_t i = 0; i < threads; i++) pthread_join(worker->threads[i], NULL);
}

jobbroker_code jobbroker_worker_run(jobbroker_worker *worker) {
  uint32_t threads = 0;
  while (threads < worker->concurrency &&
         pthread_create(&worker->threads[threads], NULL, jb_handler_thread, worker) == 0) {
    threads++;
  }
  if (threads == worker->concurrency) {
    work(worker);
  } else {
    give_up(worker, jb_reply_error(JOBBROKER_RESOURCE_EXHAUSTED, "the system has no thread left"));
  }
  quit(worker, threads);
  return worker->failure ? jobbroker_reply_code(worker->failure) : JOBBROKER_OK;
}
