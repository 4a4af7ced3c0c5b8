/* What becomes of requests when their connection is lost. */
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker.h"
#include "fake.h"
#include "test.h"

static struct broker broker;

/* Who the library takes the user for; 0: who he is. */
static uid_t user;

uid_t __real_getuid(void);
uid_t __wrap_getuid(void);

uid_t __wrap_getuid(void) { return user ? user : __real_getuid(); }

/* ----------------------------------------------------------------------------------------- a real broker, killed */

static void a_create_outlives_a_crash(void) {
  jobbroker_client *client = open_client(broker.socket);
  jobbroker_id before = create_job(client, "survives");
  broker_crash(&broker);
  broker_return(&broker);
  jobbroker_id after = create_job(client, "survives");
  CHECK(status_of(client, before) == JOBBROKER_PENDING && status_of(client, after) == JOBBROKER_PENDING);
  jobbroker_free(client);
}

static void a_blocked_claim_outlives_a_crash(void) {
  jobbroker_client *worker = open_client(broker.socket), *producer = open_client(broker.socket);
  const char *type = "awaited";
  jobbroker_request request = {.operation = JOBBROKER_CLAIM};
  request.claim = (jobbroker_claim_options){.types = &type, .type_count = 1, .wait_ms = LIMIT_MS};
  jobbroker_reply *claimed = NULL;
  CHECK_CODE(worker, JOBBROKER_OK, jobbroker_send(worker, &request, LIMIT_MS, keep_reply, &claimed, NULL));
  CHECK_CODE(worker, JOBBROKER_OK, jobbroker_connect(worker, LIMIT_MS));
  broker_crash(&broker);
  broker_return(&broker);
  jobbroker_id id = create_job(producer, type);
  await_reply(worker, &claimed);
  CHECK(jobbroker_reply_job_count(claimed) == 1);
  CHECK(jobbroker_id_equal(jobbroker_reply_job(claimed, 0)->id, id));
  jobbroker_reply_free(claimed);
  jobbroker_free(worker);
  jobbroker_free(producer);
}

static void a_holder_that_heartbeats_after_a_crash_keeps_its_job(void) {
  jobbroker_client *client = open_client(broker.socket);
  jobbroker_id id = create_job(client, "kept");
  uint32_t attempt = claim_job(client, "kept", NULL);
  broker_crash(&broker);
  broker_return(&broker);
  jobbroker_update heartbeat = JOBBROKER_UPDATE_INIT;
  heartbeat.id = id;
  heartbeat.attempt = attempt;
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_change(client, &heartbeat, LIMIT_MS, NULL));
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_complete(client, id, attempt, NULL, LIMIT_MS, NULL));
  /* As if the reply had been lost. */
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_complete(client, id, attempt, NULL, LIMIT_MS, NULL));
  jobbroker_free(client);
}

/* ------------------------------------------------------------------------------------------- by script: sent again */

static uint8_t created_id[16];

/* Takes the create and goes; the second time it must be the same job. */
static void loses_a_create(int connection, int number) {
  fake_welcome(connection, 128);
  Jobbroker__Request *request = fake_read(connection);
  CHECK(request && request->operation_case == JOBBROKER__REQUEST__OPERATION_CREATE);
  Jobbroker__NewJob *job = request->create->jobs[0];
  CHECK(job->id.len == 16);
  if (number == 1) {
    memcpy(created_id, job->id.data, 16);
  } else {
    CHECK(memcmp(created_id, job->id.data, 16) == 0);
    fake_error(connection, request->id, JOBBROKER__ERROR_CODE__RESOURCE_EXHAUSTED);
    fake_serve_pings(connection);
  }
  jobbroker__request__free_unpacked(request, NULL);
}

static void a_lost_create_is_sent_again_as_the_same_job(void) {
  struct fake fake;
  fake_start(&fake, loses_a_create);
  jobbroker_client *client = open_client(fake.socket);
  jobbroker_new_job job = JOBBROKER_NEW_JOB_INIT;
  job.type = "t";
  CHECK_CODE(client, JOBBROKER_RESOURCE_EXHAUSTED, jobbroker_create(client, &job, LIMIT_MS, NULL));
  CHECK_TEXT(jobbroker_error(client), "by the script");
  jobbroker_free(client);
  fake_end(&fake);
}

static void loses_a_complete(int connection, int number) {
  fake_welcome(connection, 128);
  Jobbroker__Request *request = fake_read(connection);
  CHECK(request && request->operation_case == JOBBROKER__REQUEST__OPERATION_COMPLETE);
  CHECK(request->complete->attempt == 3);
  if (number == 2) {
    fake_job(connection, request->id, JOBBROKER__STATUS__COMPLETE);
    fake_serve_pings(connection);
  }
  jobbroker__request__free_unpacked(request, NULL);
}

static void a_lost_complete_is_sent_again_under_its_attempt(void) {
  struct fake fake;
  fake_start(&fake, loses_a_complete);
  jobbroker_client *client = open_client(fake.socket);
  jobbroker_reply *reply;
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_complete(client, jobbroker_id_make(), 3, "{}", LIMIT_MS, &reply));
  CHECK(jobbroker_reply_job(reply, 0)->status == JOBBROKER_COMPLETE);
  jobbroker_reply_free(reply);
  jobbroker_free(client);
  fake_end(&fake);
}

/* Takes one request and goes; later connections serve pings. */
static void loses_one(int connection, int number) {
  fake_welcome(connection, 128);
  if (number > 1) {
    fake_serve_pings(connection);
    return;
  }
  Jobbroker__Request *request = fake_read(connection);
  if (request) jobbroker__request__free_unpacked(request, NULL);
}

static void what_is_not_safe_to_repeat_is_not_repeated(void) {
  jobbroker_request requests[] = {
      {.operation = JOBBROKER_COMPLETE_JOB}, {.operation = JOBBROKER_FAIL_JOB}, {.operation = JOBBROKER_RELEASE_JOB},
      {.operation = JOBBROKER_UPDATE, .update = JOBBROKER_UPDATE_INIT}, {.operation = JOBBROKER_RETRY},
      {.operation = JOBBROKER_DELETE}, {.operation = JOBBROKER_REAP}, {.operation = JOBBROKER_PRUNE}};
  for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
    struct fake fake;
    fake_start(&fake, loses_one);
    jobbroker_client *client = open_client(fake.socket);
    CHECK_CODE(client, JOBBROKER_UNKNOWN_OUTCOME, jobbroker_call(client, &requests[i], LIMIT_MS, NULL));
    CHECK_CONTAINS(jobbroker_error(client), "read the job before repeating it");
    CHECK_CODE(client, JOBBROKER_OK, jobbroker_ping(client, LIMIT_MS));
    jobbroker_free(client);
    fake_end(&fake);
  }
}

static uint64_t first_wait;

static void refuses_then_loses_a_claim(int connection, int number) {
  fake_welcome(connection, 128);
  Jobbroker__Request *request = fake_read(connection);
  CHECK(request && request->operation_case == JOBBROKER__REQUEST__OPERATION_CLAIM);
  if (number == 1) {
    first_wait = request->claim->wait_ms;
    CHECK(first_wait <= LIMIT_MS);
    fake_error(connection, request->id, JOBBROKER__ERROR_CODE__UNAVAILABLE);
  } else {
    CHECK(request->claim->wait_ms < first_wait && request->claim->n_types == 2);
    CHECK(strcmp(request->claim->types[1], "b") == 0);
    fake_claimed(connection, request->id, 0);
    fake_serve_pings(connection);
  }
  jobbroker__request__free_unpacked(request, NULL);
}

static void a_claim_that_a_closing_broker_refuses_waits_for_the_next(void) {
  struct fake fake;
  fake_start(&fake, refuses_then_loses_a_claim);
  jobbroker_client *client = open_client(fake.socket);
  const char *types[] = {"a", "b"};
  jobbroker_claim_options options = {.types = types, .type_count = 2, .wait_ms = LIMIT_MS};
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_claim(client, &options, LIMIT_MS, NULL));
  jobbroker_free(client);
  fake_end(&fake);
}

/* ------------------------------------------------------------------------------------------------ the handshake */

static void refuses_for_good(int connection, int number) {
  (void)number;
  fake_error(connection, fake_expect(connection, JOBBROKER__REQUEST__OPERATION_HELLO),
             JOBBROKER__ERROR_CODE__UNSUPPORTED);
}

static void a_client_that_is_refused_for_good_stays_so(void) {
  struct fake fake;
  fake_start(&fake, refuses_for_good);
  jobbroker_client *client = open_client(fake.socket);
  CHECK_CODE(client, JOBBROKER_UNSUPPORTED, jobbroker_ping(client, LIMIT_MS));
  CHECK_CODE(client, JOBBROKER_UNSUPPORTED, jobbroker_ping(client, LIMIT_MS));
  CHECK_TEXT(jobbroker_error(client), "by the script");
  CHECK(jobbroker_process(client) == JOBBROKER_UNSUPPORTED);
  CHECK(jobbroker_wait(client, JOBBROKER_FOREVER) == JOBBROKER_UNSUPPORTED);
  jobbroker_free(client);
  fake_end(&fake);
}

static void speaks_version_2(int connection, int number) {
  (void)number;
  Jobbroker__Welcome welcome = JOBBROKER__WELCOME__INIT;
  Jobbroker__Response response = JOBBROKER__RESPONSE__INIT;
  welcome.has_protocol_version = 1;
  welcome.protocol_version = 2;
  response.id = fake_expect(connection, JOBBROKER__REQUEST__OPERATION_HELLO);
  response.reply_case = JOBBROKER__RESPONSE__REPLY_WELCOME;
  response.welcome = &welcome;
  fake_write(connection, &response);
}

static void another_version_is_unsupported(void) {
  struct fake fake;
  fake_start(&fake, speaks_version_2);
  jobbroker_client *client = open_client(fake.socket);
  CHECK_CODE(client, JOBBROKER_UNSUPPORTED, jobbroker_connect(client, LIMIT_MS));
  CHECK_CONTAINS(jobbroker_error(client), "version 2");
  jobbroker_free(client);
  fake_end(&fake);
}

static void is_full_at_first(int connection, int number) {
  if (number < 3) {
    /* A broker that has no room for another connection says so and closes, perhaps before it has read. */
    fake_error(connection, 0, JOBBROKER__ERROR_CODE__RESOURCE_EXHAUSTED);
    return;
  }
  fake_welcome(connection, 128);
  fake_serve_pings(connection);
}

static void a_full_broker_is_tried_again(void) {
  struct fake fake;
  fake_start(&fake, is_full_at_first);
  jobbroker_client *client = open_client(fake.socket);
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_ping(client, LIMIT_MS));
  jobbroker_free(client);
  fake_end(&fake);
}

static void answers_nothing(int connection, int number) {
  (void)number;
  fake_welcome(connection, 128);
  Jobbroker__Request *request;
  while ((request = fake_read(connection))) jobbroker__request__free_unpacked(request, NULL);
}

static void an_answer_that_does_not_come_ends_the_call(void) {
  struct fake fake;
  fake_start(&fake, answers_nothing);
  jobbroker_client *client = open_client(fake.socket);
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_connect(client, LIMIT_MS));
  CHECK_CODE(client, JOBBROKER_UNAVAILABLE, jobbroker_ping(client, 20));
  CHECK_CONTAINS(jobbroker_error(client), "no reply in time");
  CHECK_CODE(client, JOBBROKER_UNKNOWN_OUTCOME, jobbroker_delete(client, jobbroker_id_make(), 20));
  jobbroker_free(client);
  fake_end(&fake);
}

static void serves_pings(int connection, int number) {
  (void)number;
  fake_welcome(connection, 128);
  fake_serve_pings(connection);
}

static void a_broker_is_found_when_its_directory_in_tmp_comes(void) {
  /* Nobody's, so that no other test uses it. */
  user = 3200000000u + (uid_t)getpid();
  char directory[64], path[96], link[128];
  snprintf(directory, sizeof directory, "/tmp/jobbroker-%u", (unsigned)user);
  snprintf(path, sizeof path, "%s/jobbroker.sock", directory);
  jobbroker_client *client = open_client(path);
  /* It has tried once, however late the next call is. */
  CHECK(jobbroker_process(client) == JOBBROKER_OK);
  CHECK_CODE(client, JOBBROKER_UNAVAILABLE, jobbroker_connect(client, 20));
  CHECK_CONTAINS(jobbroker_error(client), "No such file or directory");
  if (__real_getuid() == 0) {
    struct fake fake;
    fake_start(&fake, serves_pings);
    char whole[] = "/tmp/jb-c-XXXXXX";
    CHECK(mkdtemp(whole));
    snprintf(link, sizeof link, "%s/jobbroker.sock", whole);
    CHECK(symlink(fake.socket, link) == 0 && chown(whole, user, (gid_t)-1) == 0);
    /* It comes with its owner. */
    CHECK(rename(whole, directory) == 0);
    CHECK_CODE(client, JOBBROKER_OK, jobbroker_ping(client, LIMIT_MS));
    jobbroker_free(client);
    fake_end(&fake);
    CHECK(unlink(path) == 0 && rmdir(directory) == 0);
  } else {
    jobbroker_free(client);
    puts("  (only root can give a directory to somebody else: that it is found was not tested)");
  }
  user = 0;
}

int main(void) {
  broker_start(&broker);
  RUN(a_create_outlives_a_crash);
  RUN(a_blocked_claim_outlives_a_crash);
  RUN(a_holder_that_heartbeats_after_a_crash_keeps_its_job);
  broker_end(&broker);
  RUN(a_lost_create_is_sent_again_as_the_same_job);
  RUN(a_lost_complete_is_sent_again_under_its_attempt);
  RUN(what_is_not_safe_to_repeat_is_not_repeated);
  RUN(a_claim_that_a_closing_broker_refuses_waits_for_the_next);
  RUN(a_client_that_is_refused_for_good_stays_so);
  RUN(another_version_is_unsupported);
  RUN(a_full_broker_is_tried_again);
  RUN(an_answer_that_does_not_come_ends_the_call);
  RUN(a_broker_is_found_when_its_directory_in_tmp_comes);
  return 0;
}
