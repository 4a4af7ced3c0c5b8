/* The worker: its handlers, the claims that it keeps alive, and its end. */
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

#include "broker.h"
#include "test.h"
#include "work.h"

static struct broker broker;

/* How far the library's clock is ahead. */
static atomic_llong clock_ahead;

int64_t __real_jb_now(void);
int64_t __wrap_jb_now(void);

int64_t __wrap_jb_now(void) { return __real_jb_now() + clock_ahead; }

/* A worker on a thread of its own, and what its handler meets the test with. */
struct running {
  jobbroker_worker *worker;
  pthread_t thread;
  jobbroker_code code;
  /* Posted by the handler when it has begun, and by the test when it may go on. */
  sem_t begun, go;
  jobbroker_outcome outcome;
  const char *result;
  bool was_cancelled;
  jobbroker_code report;
};

static void *run(void *context) {
  struct running *running = context;
  running->code = jobbroker_worker_run(running->worker);
  return NULL;
}

static void begin(struct running *running, const char *type, uint32_t concurrency, uint64_t lease_ms,
                  jobbroker_handler *handler) {
  sem_init(&running->begun, 0, 0);
  sem_init(&running->go, 0, 0);
  jobbroker_options client = {.socket_path = broker.socket, .worker_name = "tested"};
  jobbroker_worker_options options = {
      .types = &type, .type_count = 1, .concurrency = concurrency, .lease_ms = lease_ms};
  running->worker = jobbroker_worker_new(&client, &options, handler, running);
  CHECK(running->worker);
  CHECK(pthread_create(&running->thread, NULL, run, running) == 0);
}

static void end(struct running *running, jobbroker_code expected) {
  jobbroker_worker_stop(running->worker);
  pthread_join(running->thread, NULL);
  CHECK(running->code == expected);
  jobbroker_worker_free(running->worker);
  sem_destroy(&running->begun);
  sem_destroy(&running->go);
}

/* Waits until a job is in this status. */
static void await_status(jobbroker_client *client, jobbroker_id id, jobbroker_status status) {
  while (status_of(client, id) != status) continue;
}

static jobbroker_outcome ends_at_once(jobbroker_task *task, void *context) {
  struct running *running = context;
  const jobbroker_job *job = jobbroker_task_job(task);
  CHECK_TEXT(job->worker->name, "tested");
  if (running->result) jobbroker_task_result(task, running->result);
  jobbroker_task_error(task, "%s of attempt %u", "trouble", job->attempt);
  return running->outcome;
}

static void a_job_ends_as_its_handler_says(void) {
  jobbroker_client *client = open_client(broker.socket);
  struct {
    jobbroker_outcome outcome;
    const char *result;
    jobbroker_status status;
    const char *error;
  } cases[] = {{JOBBROKER_DONE, NULL, JOBBROKER_COMPLETE, NULL},
               {JOBBROKER_DONE, "{\"ok\":true}", JOBBROKER_COMPLETE, NULL},
               {JOBBROKER_GIVE_UP, NULL, JOBBROKER_FAILED, "trouble of attempt 1"},
               {JOBBROKER_DONE, "no object", JOBBROKER_FAILED, "result was refused"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct running running = {.outcome = cases[i].outcome, .result = cases[i].result};
    begin(&running, "ends", 1, 0, ends_at_once);
    jobbroker_id id = create_job(client, "ends");
    await_status(client, id, cases[i].status);
    end(&running, JOBBROKER_OK);
    jobbroker_reply *reply;
    const jobbroker_job *job = get_job(client, id, &reply);
    if (cases[i].error) CHECK_CONTAINS(job->error, cases[i].error);
    if (cases[i].status == JOBBROKER_COMPLETE && cases[i].result) CHECK_TEXT(job->result, cases[i].result);
    jobbroker_reply_free(reply);
  }
  jobbroker_free(client);
}

static void a_job_to_be_tried_again_counts_a_retry(void) {
  jobbroker_client *client = open_client(broker.socket);
  struct running running = {.outcome = JOBBROKER_TRY_AGAIN};
  begin(&running, "again", 1, 0, ends_at_once);
  jobbroker_id id = create_job(client, "again");
  uint32_t retries = 0;
  while (!retries) {
    jobbroker_reply *reply;
    retries = get_job(client, id, &reply)->retry_count;
    jobbroker_reply_free(reply);
  }
  end(&running, JOBBROKER_OK);
  jobbroker_free(client);
}

/* Says what it does, and waits until it may go on. */
static jobbroker_outcome reports_and_waits(jobbroker_task *task, void *context) {
  struct running *running = context;
  CHECK(jobbroker_task_report(task, "dropped", 1) == JOBBROKER_OK);
  CHECK(jobbroker_task_report(task, "working 🎧", 42.5) == JOBBROKER_OK);
  CHECK(jobbroker_task_report(task, NULL, 101) == JOBBROKER_INVALID_ARGUMENT);
  CHECK(jobbroker_task_report(task, "\xFF", -1) == JOBBROKER_INVALID_ARGUMENT);
  sem_post(&running->begun);
  while (sem_wait(&running->go) != 0) continue;
  running->was_cancelled = jobbroker_task_cancelled(task);
  return running->outcome;
}

/* Waits until the broker knows the last of what it says. */
static void await_report(jobbroker_client *client, jobbroker_id id) {
  bool seen = false;
  while (!seen) {
    jobbroker_reply *reply;
    const jobbroker_job *job = get_job(client, id, &reply);
    seen = job->stage && strcmp(job->stage, "working 🎧") == 0 && job->progress == 42.5;
    jobbroker_reply_free(reply);
  }
}

static void reports_are_seen_while_the_handler_works(void) {
  jobbroker_client *client = open_client(broker.socket);
  struct running running = {.outcome = JOBBROKER_DONE};
  begin(&running, "reports", 1, 0, reports_and_waits);
  jobbroker_id id = create_job(client, "reports");
  await_report(client, id);
  sem_post(&running.go);
  await_status(client, id, JOBBROKER_COMPLETE);
  end(&running, JOBBROKER_OK);
  CHECK(!running.was_cancelled);
  jobbroker_free(client);
}

/* Counts the changes of a job that is being worked on for the first time. */
static void count_change(jobbroker_reply *reply, void *context) {
  if (jobbroker_reply_event(reply) == JOBBROKER_EVENT_CHANGED) {
    const jobbroker_job *job = jobbroker_reply_job(reply, 0);
    CHECK(job->status == JOBBROKER_PROCESSING && job->attempt == 1);
    ++*(int *)context;
  }
  jobbroker_reply_free(reply);
}

/* The lease is one that outlasts a standstill of the machine, so it is the worker's clock that moves on. */
static void a_heartbeat_every_third_of_its_lease_keeps_a_job(void) {
  enum { LEASE_MS = 30000 };
  jobbroker_client *client = open_client(broker.socket);
  struct running running = {.outcome = JOBBROKER_DONE};
  begin(&running, "long", 1, LEASE_MS, reports_and_waits);
  jobbroker_id id = create_job(client, "long");
  /* A report is a sign of life, too. */
  await_report(client, id);
  int changes = 0;
  uint64_t ticket;
  jobbroker_request watch = {.operation = JOBBROKER_WATCH, .watch = {.ids = &id, .id_count = 1}};
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_send(client, &watch, LIMIT_MS, count_change, &changes, &ticket));
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_ping(client, LIMIT_MS));
  for (int i = 0; i < 2; i++) {
    int before = changes;
    clock_ahead += LEASE_MS / 3;
    jb_worker_wake(running.worker);
    while (changes == before) jobbroker_wait(client, JOBBROKER_FOREVER);
  }
  /* The timers of the system go by their own clock, and would be late. */
  clock_ahead = 0;
  jobbroker_forget(client, ticket);
  sem_post(&running.go);
  await_status(client, id, JOBBROKER_COMPLETE);
  end(&running, JOBBROKER_OK);
  jobbroker_free(client);
}

static void a_job_outlives_a_crash_of_the_broker(void) {
  jobbroker_client *client = open_client(broker.socket);
  struct running running = {.outcome = JOBBROKER_DONE};
  begin(&running, "crash", 1, 0, reports_and_waits);
  jobbroker_id id = create_job(client, "crash");
  while (sem_wait(&running.begun) != 0) continue;
  for (int i = 0; i < 2; i++) {
    broker_crash(&broker);
    broker_return(&broker);
  }
  sem_post(&running.go);
  await_status(client, id, JOBBROKER_COMPLETE);
  jobbroker_reply *reply;
  const jobbroker_job *job = get_job(client, id, &reply);
  CHECK(job->attempt == 1 && job->lost_count == 0);
  jobbroker_reply_free(reply);
  end(&running, JOBBROKER_OK);
  jobbroker_free(client);
}

/* Waits for the descriptor that tells it to end. */
static jobbroker_outcome waits_to_be_cancelled(jobbroker_task *task, void *context) {
  struct running *running = context;
  sem_post(&running->begun);
  struct pollfd source = {.fd = jobbroker_task_fd(task), .events = POLLIN};
  while (poll(&source, 1, -1) != 1) continue;
  running->was_cancelled = jobbroker_task_cancelled(task);
  running->report = jobbroker_task_report(task, "too late", 1);
  return running->outcome;
}

static void a_cancelled_job_is_taken_from_its_handler(void) {
  jobbroker_client *client = open_client(broker.socket);
  struct running running = {.outcome = JOBBROKER_DONE};
  begin(&running, "cancelled", 1, 0, waits_to_be_cancelled);
  for (int i = 0; i < 3; i++) {
    jobbroker_id id = create_job(client, "cancelled");
    while (sem_wait(&running.begun) != 0) continue;
    CHECK_CODE(client, JOBBROKER_OK, jobbroker_cancel(client, id, LIMIT_MS, NULL));
    CHECK(status_of(client, id) == JOBBROKER_CANCELLED);
  }
  end(&running, JOBBROKER_OK);
  CHECK(running.was_cancelled && running.report == JOBBROKER_STALE_CLAIM);
  jobbroker_free(client);
}

static void a_stop_lets_the_current_job_finish_and_takes_no_other(void) {
  jobbroker_client *client = open_client(broker.socket);
  struct running running = {.outcome = JOBBROKER_DONE};
  begin(&running, "stopped", 1, 0, reports_and_waits);
  jobbroker_id id = create_job(client, "stopped");
  while (sem_wait(&running.begun) != 0) continue;
  jobbroker_worker_stop(running.worker);
  jobbroker_id next = create_job(client, "stopped");
  sem_post(&running.go);
  pthread_join(running.thread, NULL);
  CHECK(running.code == JOBBROKER_OK && !running.was_cancelled);
  CHECK(status_of(client, id) == JOBBROKER_COMPLETE && status_of(client, next) == JOBBROKER_PENDING);
  jobbroker_worker_free(running.worker);
  jobbroker_free(client);
}

static void a_second_stop_gives_back_what_is_not_done(void) {
  jobbroker_client *client = open_client(broker.socket);
  struct running running = {.outcome = JOBBROKER_TRY_AGAIN};
  begin(&running, "cut short", 1, 0, waits_to_be_cancelled);
  jobbroker_id id = create_job(client, "cut short");
  while (sem_wait(&running.begun) != 0) continue;
  jobbroker_worker_stop(running.worker);
  end(&running, JOBBROKER_OK);
  CHECK(running.was_cancelled && running.report == JOBBROKER_OK);
  jobbroker_reply *reply;
  const jobbroker_job *job = get_job(client, id, &reply);
  CHECK(job->status == JOBBROKER_PENDING && job->retry_count == 0 && job->lost_count == 0);
  CHECK(job->history_count == 1 && job->history[0]->cause == JOBBROKER_CAUSE_RELEASED);
  jobbroker_reply_free(reply);
  jobbroker_free(client);
}

static jobbroker_outcome hands_back(jobbroker_task *task, void *context) {
  (void)task;
  struct running *running = context;
  jobbroker_worker_stop(running->worker);
  return JOBBROKER_HAND_BACK;
}

static void a_handler_may_hand_its_job_back_and_stop_the_worker(void) {
  jobbroker_client *client = open_client(broker.socket);
  struct running running = {0};
  jobbroker_id id = create_job(client, "handed back");
  begin(&running, "handed back", 1, 0, hands_back);
  pthread_join(running.thread, NULL);
  CHECK(running.code == JOBBROKER_OK);
  jobbroker_worker_free(running.worker);
  CHECK(status_of(client, id) == JOBBROKER_PENDING && claim_job(client, "handed back", NULL) == 2);
  jobbroker_free(client);
}

static pthread_barrier_t meeting;

static jobbroker_outcome meets_the_other(jobbroker_task *task, void *context) {
  (void)task;
  (void)context;
  pthread_barrier_wait(&meeting);
  return JOBBROKER_DONE;
}

static void jobs_are_worked_on_side_by_side(void) {
  jobbroker_client *client = open_client(broker.socket);
  struct running running = {0};
  pthread_barrier_init(&meeting, NULL, 3);
  begin(&running, "meeting", 3, 0, meets_the_other);
  jobbroker_id ids[9];
  for (size_t i = 0; i < 9; i++) ids[i] = create_job(client, "meeting");
  for (size_t i = 0; i < 9; i++) await_status(client, ids[i], JOBBROKER_COMPLETE);
  end(&running, JOBBROKER_OK);
  pthread_barrier_destroy(&meeting);
  jobbroker_free(client);
}

static void a_worker_that_can_not_claim_says_why(void) {
  struct running running = {0};
  begin(&running, "", 1, 0, ends_at_once);
  pthread_join(running.thread, NULL);
  CHECK(running.code == JOBBROKER_INVALID_ARGUMENT);
  CHECK_CONTAINS(jobbroker_worker_error(running.worker), "claim.types");
  jobbroker_worker_free(running.worker);
  CHECK(!jobbroker_worker_new(NULL, &(jobbroker_worker_options){.concurrency = 101}, ends_at_once, NULL));
}

static void a_worker_that_waits_for_a_broker_can_be_stopped(void) {
  struct running running = {0};
  jobbroker_options client = {.socket_path = "/tmp/there/is/no/broker"};
  running.worker = jobbroker_worker_new(&client, NULL, ends_at_once, NULL);
  CHECK(pthread_create(&running.thread, NULL, run, &running) == 0);
  jobbroker_worker_stop(running.worker);
  pthread_join(running.thread, NULL);
  CHECK(running.code == JOBBROKER_OK);
  jobbroker_worker_free(running.worker);
  jobbroker_worker_free(NULL);
}

int main(void) {
  broker_start(&broker);
  RUN(a_job_ends_as_its_handler_says);
  RUN(a_job_to_be_tried_again_counts_a_retry);
  RUN(reports_are_seen_while_the_handler_works);
  RUN(a_heartbeat_every_third_of_its_lease_keeps_a_job);
  RUN(a_job_outlives_a_crash_of_the_broker);
  RUN(a_cancelled_job_is_taken_from_its_handler);
  RUN(a_stop_lets_the_current_job_finish_and_takes_no_other);
  RUN(a_second_stop_gives_back_what_is_not_done);
  RUN(a_handler_may_hand_its_job_back_and_stop_the_worker);
  RUN(jobs_are_worked_on_side_by_side);
  RUN(a_worker_that_can_not_claim_says_why);
  RUN(a_worker_that_waits_for_a_broker_can_be_stopped);
  broker_end(&broker);
  return 0;
}
