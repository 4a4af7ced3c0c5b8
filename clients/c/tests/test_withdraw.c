/* Claims that are given up: they take no job any more, and one that was on its way is not lost. */
#include <pthread.h>
#include <semaphore.h>

#include "broker.h"
#include "fake.h"
#include "test.h"

static struct broker broker;

static const jobbroker_request claim = {.operation = JOBBROKER_CLAIM, .claim = {.wait_ms = LIMIT_MS}};

/* Sends a claim, which is with the broker when this returns; returns its ticket. */
static uint64_t block(jobbroker_client *client, jobbroker_reply **claimed) {
  uint64_t ticket;
  *claimed = NULL;
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_send(client, &claim, LIMIT_MS, keep_reply, claimed, &ticket));
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_ping(client, LIMIT_MS));
  return ticket;
}

/* Creates a job, which nobody may have claimed, and takes it. */
static void check_that_nobody_claims(jobbroker_client *client) {
  jobbroker_id id = create_job(client, "free");
  jobbroker_reply *reply;
  const jobbroker_job *job = get_job(client, id, &reply);
  CHECK(job->status == JOBBROKER_PENDING && job->attempt == 0);
  jobbroker_reply_free(reply);
  CHECK(claim_job(client, "free", NULL) == 1);
}

/* ---------------------------------------------------------------------------------------------- a real broker */

static void a_withdrawn_claim_is_answered_with_no_job(void) {
  jobbroker_client *client = open_client(broker.socket);
  jobbroker_reply *claimed;
  uint64_t ticket = block(client, &claimed);
  jobbroker_withdraw(client, ticket);
  jobbroker_withdraw(client, ticket);
  await_reply(client, &claimed);
  CHECK(jobbroker_reply_code(claimed) == JOBBROKER_OK && jobbroker_reply_job_count(claimed) == 0);
  jobbroker_reply_free(claimed);
  /* It is done with. */
  jobbroker_withdraw(client, ticket);
  check_that_nobody_claims(client);
  jobbroker_free(client);
}

static void a_forgotten_claim_takes_no_job(void) {
  jobbroker_client *client = open_client(broker.socket);
  jobbroker_reply *claimed;
  jobbroker_forget(client, block(client, &claimed));
  check_that_nobody_claims(client);
  CHECK(!claimed);
  jobbroker_free(client);
}

static jobbroker_outcome is_done(jobbroker_task *task, void *context) {
  (void)task;
  (void)context;
  return JOBBROKER_DONE;
}

static void *run(void *worker) {
  CHECK(jobbroker_worker_run(worker) == JOBBROKER_OK);
  return NULL;
}

static jobbroker_worker *start_worker(const char *socket, pthread_t *thread) {
  jobbroker_worker *worker = jobbroker_worker_new(&(jobbroker_options){.socket_path = socket}, NULL, is_done, NULL);
  CHECK(worker && pthread_create(thread, NULL, run, worker) == 0);
  return worker;
}

static void await_waiting_claim(jobbroker_client *client) {
  uint64_t waiting = 0;
  while (!waiting) {
    jobbroker_reply *reply;
    CHECK_CODE(client, JOBBROKER_OK, jobbroker_stats(client, LIMIT_MS, &reply));
    waiting = jobbroker_reply_stats(reply)->waiting_claims;
    jobbroker_reply_free(reply);
  }
}

static void a_worker_that_stops_leaves_no_claim_behind(void) {
  jobbroker_client *client = open_client(broker.socket);
  pthread_t thread;
  jobbroker_worker *worker = start_worker(broker.socket, &thread);
  await_waiting_claim(client);
  jobbroker_worker_stop(worker);
  pthread_join(thread, NULL);
  /* Its connection is still open. */
  check_that_nobody_claims(client);
  jobbroker_worker_free(worker);
  jobbroker_free(client);
}

static void a_job_that_comes_while_its_worker_stops_is_done_or_given_back(void) {
  jobbroker_client *client = open_client(broker.socket);
  for (int round = 0; round < 30; round++) {
    pthread_t thread;
    jobbroker_worker *worker = start_worker(broker.socket, &thread);
    await_waiting_claim(client);
    jobbroker_reply *created = NULL, *reply;
    jobbroker_new_job job = JOBBROKER_NEW_JOB_INIT;
    job.id = jobbroker_id_make();
    job.type = "racing";
    jobbroker_request create = {.operation = JOBBROKER_CREATE, .create = {&job, 1}};
    CHECK_CODE(client, JOBBROKER_OK, jobbroker_send(client, &create, LIMIT_MS, keep_reply, &created, NULL));
    jobbroker_worker_stop(worker);
    await_reply(client, &created);
    jobbroker_reply_free(created);
    pthread_join(thread, NULL);
    const jobbroker_job *now = get_job(client, job.id, &reply);
    CHECK(now->status != JOBBROKER_PROCESSING && now->lost_count == 0);
    jobbroker_reply_free(reply);
    CHECK_CODE(client, JOBBROKER_OK, jobbroker_cancel(client, job.id, LIMIT_MS, NULL));
    jobbroker_worker_free(worker);
  }
  jobbroker_free(client);
}

/* -------------------------------------------------------------------------------------------------- by script */

/* Reads the withdrawal of this claim; returns its id. */
static uint64_t expect_withdrawal(int connection, uint64_t claimed) {
  Jobbroker__Request *request = fake_read(connection);
  CHECK(request && request->operation_case == JOBBROKER__REQUEST__OPERATION_WITHDRAW);
  CHECK(request->withdraw->claim_id == claimed);
  uint64_t id = request->id;
  jobbroker__request__free_unpacked(request, NULL);
  return id;
}

static void expect_release(int connection) {
  Jobbroker__Request *request = fake_read(connection);
  CHECK(request && request->operation_case == JOBBROKER__REQUEST__OPERATION_RELEASE);
  CHECK(request->release->attempt == FAKE_ATTEMPT);
  fake_job(connection, request->id, JOBBROKER__STATUS__PENDING);
  jobbroker__request__free_unpacked(request, NULL);
}

/* The claim waits too long, and its job has crossed the withdrawal. */
static void gives_a_job_too_late(int connection, int number) {
  (void)number;
  fake_welcome(connection, 128);
  uint64_t claimed = fake_expect(connection, JOBBROKER__REQUEST__OPERATION_CLAIM);
  uint64_t withdrawal = expect_withdrawal(connection, claimed);
  uint64_t ping = fake_expect(connection, JOBBROKER__REQUEST__OPERATION_PING);
  fake_claimed(connection, claimed, 1);
  fake_done(connection, withdrawal);
  expect_release(connection);
  fake_pong(connection, ping);
  CHECK(!fake_read(connection));
}

static void a_claim_that_waits_too_long_is_withdrawn(void) {
  struct fake fake;
  fake_start(&fake, gives_a_job_too_late);
  jobbroker_client *client = open_client(fake.socket);
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_connect(client, LIMIT_MS));
  jobbroker_claim_options options = {.wait_ms = 10};
  CHECK_CODE(client, JOBBROKER_UNAVAILABLE, jobbroker_claim(client, &options, 10, NULL));
  /* The script answers nothing before it has the job back. */
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_ping(client, LIMIT_MS));
  jobbroker_free(client);
  fake_end(&fake);
}

static sem_t blocked;

static void gives_a_job_to_who_stops(int connection, int number) {
  (void)number;
  fake_welcome(connection, 128);
  uint64_t claimed = fake_expect(connection, JOBBROKER__REQUEST__OPERATION_CLAIM);
  sem_post(&blocked);
  uint64_t withdrawal = expect_withdrawal(connection, claimed);
  fake_claimed(connection, claimed, 1);
  fake_done(connection, withdrawal);
  expect_release(connection);
  CHECK(!fake_read(connection));
}

static void a_worker_that_stops_gives_back_what_it_still_gets(void) {
  struct fake fake;
  pthread_t thread;
  sem_init(&blocked, 0, 0);
  fake_start(&fake, gives_a_job_to_who_stops);
  jobbroker_worker *worker = start_worker(fake.socket, &thread);
  while (sem_wait(&blocked) != 0) continue;
  jobbroker_worker_stop(worker);
  pthread_join(thread, NULL);
  jobbroker_worker_free(worker);
  fake_end(&fake);
  sem_destroy(&blocked);
}

/* Takes the withdrawal and goes; the next connection brings a ping and nothing else. */
static void loses_a_withdrawal(int connection, int number) {
  fake_welcome(connection, 128);
  if (number > 1) {
    fake_pong(connection, fake_expect(connection, JOBBROKER__REQUEST__OPERATION_PING));
    CHECK(!fake_read(connection));
    return;
  }
  expect_withdrawal(connection, fake_expect(connection, JOBBROKER__REQUEST__OPERATION_CLAIM));
}

static void a_withdrawn_claim_is_not_sent_again(void) {
  struct fake fake;
  fake_start(&fake, loses_a_withdrawal);
  jobbroker_client *client = open_client(fake.socket);
  jobbroker_reply *claimed = NULL;
  uint64_t ticket;
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_connect(client, LIMIT_MS));
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_send(client, &claim, LIMIT_MS, keep_reply, &claimed, &ticket));
  jobbroker_withdraw(client, ticket);
  await_reply(client, &claimed);
  CHECK(jobbroker_reply_code(claimed) == JOBBROKER_UNAVAILABLE);
  jobbroker_reply_free(claimed);
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_ping(client, LIMIT_MS));
  jobbroker_free(client);
  fake_end(&fake);
}

static void a_claim_that_is_withdrawn_before_it_was_sent_ends(void) {
  jobbroker_client *client = open_client("/tmp/there/is/no/broker");
  jobbroker_reply *claimed = NULL;
  uint64_t ticket;
  CHECK_CODE(client, JOBBROKER_OK,
             jobbroker_send(client, &claim, JOBBROKER_FOREVER, keep_reply, &claimed, &ticket));
  jobbroker_withdraw(client, ticket);
  CHECK(!claimed);
  await_reply(client, &claimed);
  CHECK(jobbroker_reply_code(claimed) == JOBBROKER_UNAVAILABLE);
  jobbroker_reply_free(claimed);
  jobbroker_free(client);
}

int main(void) {
  broker_start(&broker);
  RUN(a_withdrawn_claim_is_answered_with_no_job);
  RUN(a_forgotten_claim_takes_no_job);
  RUN(a_worker_that_stops_leaves_no_claim_behind);
  RUN(a_job_that_comes_while_its_worker_stops_is_done_or_given_back);
  broker_end(&broker);
  RUN(a_claim_that_waits_too_long_is_withdrawn);
  RUN(a_worker_that_stops_gives_back_what_it_still_gets);
  RUN(a_withdrawn_claim_is_not_sent_again);
  RUN(a_claim_that_is_withdrawn_before_it_was_sent_ends);
  return 0;
}
