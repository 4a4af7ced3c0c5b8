/* How a worker ends when the broker does not take what it has to tell, or is not there. */
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "clock.h"
#include "fake.h"
#include "test.h"

/* A lease that asks for no heartbeat while a test runs, and a grace period that is over at once. */
enum { LONG_LEASE_MS = 604800000, NO_GRACE_MS = 1 };

/* The moment at which the library's clock stands still; 0: it goes. */
static atomic_llong stopped_clock;

int64_t __real_jb_now(void);
int64_t __wrap_jb_now(void);

int64_t __wrap_jb_now(void) {
  int64_t moment = stopped_clock;
  return moment ? moment : __real_jb_now();
}

/* A worker on a thread of its own. */
struct running {
  struct fake fake;
  jobbroker_worker *worker;
  pthread_t thread;
};

/* Posted by the script when it has come so far, and by the test when it may go on. */
static sem_t reached, go;

static void await(sem_t *semaphore) {
  while (sem_wait(semaphore) != 0) continue;
}

static void *run(void *worker) {
  CHECK(jobbroker_worker_run(worker) == JOBBROKER_OK);
  return NULL;
}

static void begin(struct running *running, fake_script *script, uint64_t grace_ms, jobbroker_handler *handler) {
  sem_init(&reached, 0, 0);
  sem_init(&go, 0, 0);
  fake_start(&running->fake, script);
  jobbroker_options client = {.socket_path = running->fake.socket};
  jobbroker_worker_options options = {.concurrency = FAKE_JOBS, .lease_ms = LONG_LEASE_MS, .grace_ms = grace_ms};
  running->worker = jobbroker_worker_new(&client, &options, handler, NULL);
  CHECK(running->worker);
  CHECK(pthread_create(&running->thread, NULL, run, running->worker) == 0);
}

static void end(struct running *running) {
  pthread_join(running->thread, NULL);
  stopped_clock = 0;
  jobbroker_worker_free(running->worker);
  fake_end(&running->fake);
  sem_destroy(&reached);
  sem_destroy(&go);
}

static jobbroker_outcome is_done(jobbroker_task *task, void *context) {
  (void)task;
  (void)context;
  return JOBBROKER_DONE;
}

static jobbroker_outcome waits_to_be_cancelled(jobbroker_task *task, void *context) {
  (void)context;
  CHECK(jobbroker_task_report(task, "waiting", 0) == JOBBROKER_OK);
  struct pollfd source = {.fd = jobbroker_task_fd(task), .events = POLLIN};
  while (poll(&source, 1, -1) != 1) continue;
  return JOBBROKER_TRY_AGAIN;
}

/* Reads the release of a job that fake_claimed has numbered so; returns its id. */
static uint64_t expect_release(int connection, uint8_t number) {
  Jobbroker__Request *request = fake_read(connection);
  CHECK(request && request->operation_case == JOBBROKER__REQUEST__OPERATION_RELEASE);
  CHECK(request->release->id.data[0] == number);
  uint64_t id = request->id;
  jobbroker__request__free_unpacked(request, NULL);
  return id;
}

/* Gives three jobs to who stops, and takes the first back at the second try only, the second never. */
static void takes_back_one_after_the_other(int connection, int number) {
  (void)number;
  fake_welcome(connection, 128);
  uint64_t claim = fake_expect(connection, JOBBROKER__REQUEST__OPERATION_CLAIM);
  sem_post(&reached);
  uint64_t withdrawal = fake_expect(connection, JOBBROKER__REQUEST__OPERATION_WITHDRAW);
  fake_claimed(connection, claim, 3);
  fake_done(connection, withdrawal);
  uint64_t releases[3];
  for (uint8_t i = 0; i < 3; i++) releases[i] = expect_release(connection, i + 1);
  fake_error(connection, releases[0], JOBBROKER__ERROR_CODE__INTERNAL);
  fake_error(connection, releases[1], JOBBROKER__ERROR_CODE__STALE_CLAIM);
  fake_job(connection, releases[2], JOBBROKER__STATUS__PENDING);
  fake_job(connection, expect_release(connection, 1), JOBBROKER__STATUS__PENDING);
  CHECK(!fake_read(connection));
}

static void all_jobs_that_still_come_are_given_back_though_one_is_not_taken(void) {
  struct running running;
  begin(&running, takes_back_one_after_the_other, 0, is_done);
  await(&reached);
  jobbroker_worker_stop(running.worker);
  end(&running);
}

/* Takes nothing back. */
static void fails_a_release(int connection, int number) {
  (void)number;
  fake_welcome(connection, 128);
  fake_claimed(connection, fake_expect(connection, JOBBROKER__REQUEST__OPERATION_CLAIM), FAKE_JOBS);
  uint64_t updates[FAKE_JOBS];
  for (size_t i = 0; i < FAKE_JOBS; i++) updates[i] = fake_expect(connection, JOBBROKER__REQUEST__OPERATION_UPDATE);
  for (size_t i = 0; i < FAKE_JOBS; i++) fake_job(connection, updates[i], JOBBROKER__STATUS__PROCESSING);
  sem_post(&reached);
  uint64_t releases[FAKE_JOBS];
  for (size_t i = 0; i < FAKE_JOBS; i++) releases[i] = fake_expect(connection, JOBBROKER__REQUEST__OPERATION_RELEASE);
  for (size_t i = 0; i < FAKE_JOBS; i++) fake_error(connection, releases[i], JOBBROKER__ERROR_CODE__INTERNAL);
  CHECK(!fake_read(connection));
}

static void after_the_grace_period_the_broker_is_told_once(void) {
  struct running running;
  begin(&running, fails_a_release, NO_GRACE_MS, waits_to_be_cancelled);
  await(&reached);
  jobbroker_worker_stop(running.worker);
  end(&running);
}

/* Takes reports or endings and goes; the next connection comes no further than its hello. */
static void is_away(int connection, int number) {
  if (number == 1) {
    fake_welcome(connection, 128);
    fake_claimed(connection, fake_expect(connection, JOBBROKER__REQUEST__OPERATION_CLAIM), FAKE_JOBS);
    for (int i = 0; i < FAKE_JOBS; i++) jobbroker__request__free_unpacked(fake_read(connection), NULL);
    return;
  }
  fake_expect(connection, JOBBROKER__REQUEST__OPERATION_HELLO);
  sem_post(&reached);
  CHECK(!fake_read(connection));
}

static void a_second_stop_does_not_wait_for_a_broker_that_is_away(void) {
  jobbroker_handler *handlers[] = {is_done, waits_to_be_cancelled};
  for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++) {
    struct running running;
    begin(&running, is_away, 0, handlers[i]);
    await(&reached);
    /* What would wait for a time to pass does not end. */
    stopped_clock = __real_jb_now();
    jobbroker_worker_stop(running.worker);
    jobbroker_worker_stop(running.worker);
    end(&running);
  }
}

/* Gives a job to who has been told to stop twice. */
static void gives_a_job_late(int connection, int number) {
  (void)number;
  fake_welcome(connection, 128);
  uint64_t claim = fake_expect(connection, JOBBROKER__REQUEST__OPERATION_CLAIM);
  sem_post(&reached);
  uint64_t withdrawal = fake_expect(connection, JOBBROKER__REQUEST__OPERATION_WITHDRAW);
  await(&go);
  fake_claimed(connection, claim, 1);
  fake_done(connection, withdrawal);
  fake_job(connection, expect_release(connection, 1), JOBBROKER__STATUS__PENDING);
  CHECK(!fake_read(connection));
}

static void after_a_second_stop_a_job_that_still_comes_is_given_back(void) {
  struct running running;
  begin(&running, gives_a_job_late, 0, is_done);
  await(&reached);
  jobbroker_worker_stop(running.worker);
  jobbroker_worker_stop(running.worker);
  sem_post(&go);
  end(&running);
}

/* Does not answer the withdrawal, and says something else when its time is over. */
static void hangs(int connection, int number) {
  (void)number;
  fake_welcome(connection, 128);
  fake_expect(connection, JOBBROKER__REQUEST__OPERATION_CLAIM);
  sem_post(&reached);
  fake_expect(connection, JOBBROKER__REQUEST__OPERATION_WITHDRAW);
  sem_post(&reached);
  await(&go);
  fake_error(connection, 0, JOBBROKER__ERROR_CODE__INTERNAL);
  CHECK(!fake_read(connection));
}

static void a_claim_ends_though_its_withdrawal_is_not_answered(void) {
  struct running running;
  begin(&running, hangs, 0, is_done);
  await(&reached);
  jobbroker_worker_stop(running.worker);
  await(&reached);
  stopped_clock = __real_jb_now() + LIMIT_MS;
  sem_post(&go);
  end(&running);
}

int main(void) {
  RUN(all_jobs_that_still_come_are_given_back_though_one_is_not_taken);
  RUN(after_the_grace_period_the_broker_is_told_once);
  RUN(a_second_stop_does_not_wait_for_a_broker_that_is_away);
  RUN(after_a_second_stop_a_job_that_still_comes_is_given_back);
  RUN(a_claim_ends_though_its_withdrawal_is_not_answered);
  return 0;
}
