/* Requests with callbacks, for programs with an event loop of their own. */
#include <poll.h>
#include <sys/socket.h>
#include <string.h>

#include "broker.h"
#include "fake.h"
#include "test.h"

static struct broker broker;

/* One turn of somebody's own loop: it knows only the descriptor. */
static void turn(jobbroker_client *client) {
  struct pollfd source = {.fd = jobbroker_fd(client), .events = POLLIN};
  CHECK(poll(&source, 1, LIMIT_MS) == 1);
  jobbroker_process(client);
}

static void many_requests_are_answered_each_once(void) {
  enum { COUNT = 1000 };
  static jobbroker_reply *replies[COUNT];
  static jobbroker_id ids[COUNT];
  jobbroker_client *client = open_client(broker.socket);
  jobbroker_new_job job = JOBBROKER_NEW_JOB_INIT;
  job.type = "many";
  for (size_t i = 0; i < COUNT; i++) {
    job.id = ids[i] = jobbroker_id_make();
    jobbroker_request request = {.operation = JOBBROKER_CREATE, .create = {&job, 1}};
    CHECK_CODE(client, JOBBROKER_OK, jobbroker_send(client, &request, LIMIT_MS, keep_reply, &replies[i], NULL));
  }
  int descriptor = jobbroker_fd(client);
  uint64_t sequence = 0;
  for (size_t i = 0; i < COUNT; i++) {
    while (!replies[i]) turn(client);
    CHECK(jobbroker_reply_code(replies[i]) == JOBBROKER_OK);
    const jobbroker_job *made = jobbroker_reply_job(replies[i], 0);
    CHECK(jobbroker_id_equal(made->id, ids[i]));
    /* Changes are made in the order in which they were sent. */
    CHECK(made->sequence > sequence);
    sequence = made->sequence;
    jobbroker_reply_free(replies[i]);
  }
  CHECK(jobbroker_fd(client) == descriptor);
  jobbroker_free(client);
}

static void the_descriptor_outlives_the_connection(void) {
  jobbroker_client *client = open_client(broker.socket);
  int descriptor = jobbroker_fd(client);
  for (int round = 0; round < 3; round++) {
    jobbroker_reply *reply = NULL;
    jobbroker_request ping = {.operation = JOBBROKER_PING};
    CHECK_CODE(client, JOBBROKER_OK, jobbroker_send(client, &ping, LIMIT_MS, keep_reply, &reply, NULL));
    while (!reply) turn(client);
    CHECK(jobbroker_reply_code(reply) == JOBBROKER_OK);
    jobbroker_reply_free(reply);
    CHECK(jobbroker_fd(client) == descriptor);
    broker_crash(&broker);
    broker_return(&broker);
  }
  jobbroker_free(client);
}

static void a_timeout_makes_the_descriptor_readable(void) {
  jobbroker_client *client = open_client("/tmp/there/is/no/broker");
  jobbroker_reply *reply = NULL;
  jobbroker_request ping = {.operation = JOBBROKER_PING};
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_send(client, &ping, 30, keep_reply, &reply, NULL));
  while (!reply) turn(client);
  CHECK(jobbroker_reply_code(reply) == JOBBROKER_UNAVAILABLE);
  jobbroker_reply_free(reply);
  jobbroker_free(client);
}

/* What a callback may do, and what not. */
struct chain {
  jobbroker_client *client;
  int left;
  jobbroker_code blocking, process;
};

static void next_link(jobbroker_reply *reply, void *context) {
  struct chain *chain = context;
  CHECK(jobbroker_reply_code(reply) == JOBBROKER_OK);
  jobbroker_reply_free(reply);
  chain->blocking = jobbroker_ping(chain->client, LIMIT_MS);
  chain->process = jobbroker_process(chain->client);
  jobbroker_request ping = {.operation = JOBBROKER_PING};
  if (--chain->left) jobbroker_send(chain->client, &ping, LIMIT_MS, next_link, chain, NULL);
}

static void a_callback_may_send_but_not_block(void) {
  jobbroker_client *client = open_client(broker.socket);
  struct chain chain = {.client = client, .left = 5};
  jobbroker_request ping = {.operation = JOBBROKER_PING};
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_send(client, &ping, LIMIT_MS, next_link, &chain, NULL));
  while (chain.left) turn(client);
  CHECK(chain.blocking == JOBBROKER_INVALID_ARGUMENT && chain.process == JOBBROKER_INVALID_ARGUMENT);
  jobbroker_free(client);
}

static void what_is_unanswered_ends_with_the_client(void) {
  jobbroker_client *client = open_client(broker.socket);
  const char *type = "nobody makes it";
  jobbroker_request claim = {.operation = JOBBROKER_CLAIM, .claim = {&type, 1, 1, LIMIT_MS, 0}};
  jobbroker_request get = {.operation = JOBBROKER_GET}, removal = {.operation = JOBBROKER_DELETE};
  jobbroker_reply *claimed = NULL, *got = NULL, *removed = NULL;
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_connect(client, LIMIT_MS));
  jobbroker_send(client, &claim, LIMIT_MS, keep_reply, &claimed, NULL);
  jobbroker_send(client, &get, LIMIT_MS, keep_reply, &got, NULL);
  jobbroker_send(client, &removal, LIMIT_MS, keep_reply, &removed, NULL);
  jobbroker_free(client);
  CHECK(jobbroker_reply_code(claimed) == JOBBROKER_UNAVAILABLE && jobbroker_reply_code(got) == JOBBROKER_UNAVAILABLE);
  CHECK(jobbroker_reply_code(removed) == JOBBROKER_UNKNOWN_OUTCOME);
  CHECK_TEXT(jobbroker_reply_message(got), "the client was closed");
  jobbroker_reply_free(claimed);
  jobbroker_reply_free(got);
  jobbroker_reply_free(removed);
}

/* The last of what a watch told. */
struct seen {
  int snapshots, interruptions;
  size_t jobs;
  jobbroker_status status;
  jobbroker_id deleted;
  jobbroker_code code;
};

static void watched(jobbroker_reply *reply, void *context) {
  struct seen *seen = context;
  seen->code = jobbroker_reply_code(reply);
  switch (jobbroker_reply_event(reply)) {
    case JOBBROKER_EVENT_SNAPSHOT:
      seen->snapshots++;
      seen->jobs = jobbroker_reply_job_count(reply);
      CHECK(!jobbroker_reply_more(reply) && !jobbroker_reply_truncated(reply));
      break;
    case JOBBROKER_EVENT_CHANGED: seen->status = jobbroker_reply_job(reply, 0)->status; break;
    case JOBBROKER_EVENT_DELETED: seen->deleted = jobbroker_reply_deleted(reply); break;
    case JOBBROKER_EVENT_INTERRUPTED: seen->interruptions++; break;
    case JOBBROKER_EVENT_NONE: break;
  }
  jobbroker_reply_free(reply);
}

static void a_watch_goes_on_over_connections_until_it_is_forgotten(void) {
  jobbroker_client *viewer = open_client(broker.socket), *producer = open_client(broker.socket);
  const char *type = "watched";
  jobbroker_request watch = {.operation = JOBBROKER_WATCH, .watch = {NULL, 0, &type, 1}};
  struct seen seen = {0};
  uint64_t ticket;
  jobbroker_id id = create_job(producer, type);
  CHECK_CODE(viewer, JOBBROKER_OK, jobbroker_send(viewer, &watch, LIMIT_MS, watched, &seen, &ticket));
  while (!seen.snapshots) turn(viewer);
  CHECK(seen.jobs == 1);
  claim_job(producer, type, NULL);
  while (seen.status != JOBBROKER_PROCESSING) turn(viewer);
  broker_crash(&broker);
  broker_return(&broker);
  while (seen.snapshots < 2) turn(viewer);
  CHECK(seen.interruptions == 1 && seen.jobs == 1);
  CHECK_CODE(producer, JOBBROKER_OK, jobbroker_cancel(producer, id, LIMIT_MS, NULL));
  while (seen.status != JOBBROKER_CANCELLED) turn(viewer);
  CHECK_CODE(producer, JOBBROKER_OK, jobbroker_delete(producer, id, LIMIT_MS));
  while (!jobbroker_id_equal(seen.deleted, id)) turn(viewer);
  jobbroker_forget(viewer, ticket);
  CHECK_CODE(viewer, JOBBROKER_OK, jobbroker_ping(viewer, LIMIT_MS));
  struct seen before = seen;
  create_job(producer, type);
  CHECK_CODE(viewer, JOBBROKER_OK, jobbroker_ping(viewer, LIMIT_MS));
  CHECK(memcmp(&before, &seen, sizeof seen) == 0);
  jobbroker_free(viewer);
  CHECK(memcmp(&before, &seen, sizeof seen) == 0);
  jobbroker_free(producer);
}

static void a_watch_that_is_refused_says_so(void) {
  jobbroker_client *client = open_client(broker.socket);
  const char *type = "";
  jobbroker_request watch = {.operation = JOBBROKER_WATCH, .watch = {NULL, 0, &type, 1}};
  struct seen seen = {0};
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_send(client, &watch, LIMIT_MS, watched, &seen, NULL));
  while (seen.code == JOBBROKER_OK) turn(client);
  CHECK(seen.code == JOBBROKER_INVALID_ARGUMENT);
  jobbroker_free(client);
}

static void a_watch_that_is_refused_after_it_was_forgotten_does_no_harm(void) {
  jobbroker_client *client = open_client(broker.socket);
  const char *type = "";
  jobbroker_request watch = {.operation = JOBBROKER_WATCH, .watch = {NULL, 0, &type, 1}};
  struct seen seen = {0};
  uint64_t ticket;
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_connect(client, LIMIT_MS));
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_send(client, &watch, LIMIT_MS, watched, &seen, &ticket));
  jobbroker_forget(client, ticket);
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_ping(client, LIMIT_MS));
  CHECK(seen.code == JOBBROKER_OK);
  jobbroker_free(client);
}

static bool resync_was_answered;

/* Tells a watch that it missed something: it must end and begin again, in this order. */
static void drops_events(int connection, int number) {
  (void)number;
  Jobbroker__Snapshot snapshot = JOBBROKER__SNAPSHOT__INIT;
  Jobbroker__Event event = JOBBROKER__EVENT__INIT;
  Jobbroker__Response response = JOBBROKER__RESPONSE__INIT;
  Jobbroker__Done done = JOBBROKER__DONE__INIT;
  fake_welcome(connection, 1);
  response.id = fake_expect(connection, JOBBROKER__REQUEST__OPERATION_WATCH);
  response.reply_case = JOBBROKER__RESPONSE__REPLY_SNAPSHOT;
  response.snapshot = &snapshot;
  fake_write(connection, &response);
  response.reply_case = JOBBROKER__RESPONSE__REPLY_EVENT;
  response.event = &event;
  event.change_case = JOBBROKER__EVENT__CHANGE_RESYNC;
  event.resync = 1;
  fake_write(connection, &response);
  uint64_t unwatch = fake_expect(connection, JOBBROKER__REQUEST__OPERATION_UNWATCH);
  response.id = fake_expect(connection, JOBBROKER__REQUEST__OPERATION_WATCH);
  Jobbroker__Response ended = JOBBROKER__RESPONSE__INIT;
  ended.id = unwatch;
  ended.reply_case = JOBBROKER__RESPONSE__REPLY_DONE;
  ended.done = &done;
  fake_write(connection, &ended);
  response.reply_case = JOBBROKER__RESPONSE__REPLY_SNAPSHOT;
  response.snapshot = &snapshot;
  fake_write(connection, &response);
  resync_was_answered = true;
  fake_serve_pings(connection);
}

static void a_watch_that_missed_something_begins_again(void) {
  struct fake fake;
  fake_start(&fake, drops_events);
  jobbroker_client *client = open_client(fake.socket);
  jobbroker_request watch = {.operation = JOBBROKER_WATCH};
  struct seen seen = {0};
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_send(client, &watch, LIMIT_MS, watched, &seen, NULL));
  while (seen.snapshots < 2) turn(client);
  CHECK(seen.interruptions == 1);
  jobbroker_free(client);
  fake_end(&fake);
  CHECK(resync_was_answered);
}

/* Allows one request at a time, and looks whether there is another. */
static void takes_one_at_a_time(int connection, int number) {
  (void)number;
  fake_welcome(connection, 1);
  for (int i = 0; i < 50; i++) {
    uint64_t id = fake_expect(connection, JOBBROKER__REQUEST__OPERATION_PING);
    char byte;
    CHECK(recv(connection, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0);
    Jobbroker__Pong pong = JOBBROKER__PONG__INIT;
    Jobbroker__Response response = JOBBROKER__RESPONSE__INIT;
    response.id = id;
    response.reply_case = JOBBROKER__RESPONSE__REPLY_PONG;
    response.pong = &pong;
    fake_write(connection, &response);
  }
}

static void no_more_requests_are_in_flight_than_the_broker_allows(void) {
  struct fake fake;
  fake_start(&fake, takes_one_at_a_time);
  jobbroker_client *client = open_client(fake.socket);
  jobbroker_reply *replies[50] = {NULL};
  jobbroker_request ping = {.operation = JOBBROKER_PING};
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_connect(client, LIMIT_MS));
  for (size_t i = 0; i < 50; i++) jobbroker_send(client, &ping, LIMIT_MS, keep_reply, &replies[i], NULL);
  for (size_t i = 0; i < 50; i++) {
    while (!replies[i]) turn(client);
    CHECK(jobbroker_reply_code(replies[i]) == JOBBROKER_OK);
    jobbroker_reply_free(replies[i]);
  }
  jobbroker_free(client);
  fake_end(&fake);
}

int main(void) {
  broker_start(&broker);
  RUN(many_requests_are_answered_each_once);
  RUN(the_descriptor_outlives_the_connection);
  RUN(a_timeout_makes_the_descriptor_readable);
  RUN(a_callback_may_send_but_not_block);
  RUN(what_is_unanswered_ends_with_the_client);
  RUN(a_watch_goes_on_over_connections_until_it_is_forgotten);
  RUN(a_watch_that_is_refused_says_so);
  RUN(a_watch_that_is_refused_after_it_was_forgotten_does_no_harm);
  broker_end(&broker);
  RUN(a_watch_that_missed_something_begins_again);
  RUN(no_more_requests_are_in_flight_than_the_broker_allows);
  return 0;
}
