/* Heartbeats wait behind nothing else: a job whose lease ends is done twice. */
#include <string.h>

#include "fake.h"
#include "test.h"

static const jobbroker_request ping = {.operation = JOBBROKER_PING};

static jobbroker_request heartbeat(void) {
  jobbroker_request request = {.operation = JOBBROKER_UPDATE, .update = JOBBROKER_UPDATE_INIT};
  request.update.attempt = 1;
  request.update.progress = 50;
  request.update.stage = "at work";
  return request;
}

static void count(jobbroker_reply *reply, void *context) {
  ++*(int *)context;
  jobbroker_reply_free(reply);
}

/* A client that is connected, so that what it sends goes out at once, in its order. */
static jobbroker_client *connect_client(const char *socket) {
  jobbroker_client *client = open_client(socket);
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_connect(client, LIMIT_MS));
  return client;
}

static void send_request(jobbroker_client *client, const jobbroker_request *request, int *answers) {
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_send(client, request, LIMIT_MS, count, answers, NULL));
}

static void await_answers(jobbroker_client *client, const int *answers, int number) {
  while (*answers < number) CHECK_CODE(client, JOBBROKER_OK, jobbroker_wait(client, JOBBROKER_FOREVER));
}

/* The next requests are so many of this kind; they get no answer yet. */
static void expect(int connection, Jobbroker__Request__OperationCase operation, uint64_t *ids, int number) {
  for (int i = 0; i < number; i++) ids[i] = fake_expect(connection, operation);
}

static void answer(int connection, const uint64_t *ids, int number) {
  for (int i = 0; i < number; i++) fake_error(connection, ids[i], JOBBROKER__ERROR_CODE__INTERNAL);
}

/* ------------------------------------------------------------------------------------------- places kept for them */

/* Answers nothing before the heartbeats have come. An update that does more than a heartbeat has no place among them. */
static void keeps_places(int connection, int number) {
  (void)number;
  uint64_t pings[3], heartbeats[3], update;
  fake_welcome(connection, 4);
  expect(connection, JOBBROKER__REQUEST__OPERATION_PING, pings, 2);
  expect(connection, JOBBROKER__REQUEST__OPERATION_UPDATE, heartbeats, 2);
  answer(connection, heartbeats, 1);
  /* It stood in line behind the third ping and the update. */
  expect(connection, JOBBROKER__REQUEST__OPERATION_UPDATE, heartbeats + 2, 1);
  answer(connection, heartbeats + 1, 2);
  answer(connection, pings, 2);
  expect(connection, JOBBROKER__REQUEST__OPERATION_PING, pings + 2, 1);
  expect(connection, JOBBROKER__REQUEST__OPERATION_UPDATE, &update, 1);
  answer(connection, pings + 2, 1);
  answer(connection, &update, 1);
  CHECK(!fake_read(connection));
}

static void other_requests_leave_places_to_heartbeats(void) {
  struct fake fake;
  fake_start(&fake, keeps_places);
  jobbroker_client *client = connect_client(fake.socket);
  int answers = 0;
  for (int i = 0; i < 3; i++) send_request(client, &ping, &answers);
  jobbroker_request request = heartbeat();
  request.update.status = JOBBROKER_COMPLETE;
  send_request(client, &request, &answers);
  request = heartbeat();
  for (int i = 0; i < 3; i++) send_request(client, &request, &answers);
  await_answers(client, &answers, 7);
  jobbroker_free(client);
  fake_end(&fake);
}

/* What fits into 8 MiB, and the one that goes beyond them. */
enum { LARGE = 1000000, LARGE_IN_FLIGHT = 9 };

static void keeps_room(int connection, int number) {
  (void)number;
  uint64_t creates[LARGE_IN_FLIGHT + 1], beat;
  fake_welcome(connection, 128);
  expect(connection, JOBBROKER__REQUEST__OPERATION_CREATE, creates, LARGE_IN_FLIGHT);
  expect(connection, JOBBROKER__REQUEST__OPERATION_UPDATE, &beat, 1);
  answer(connection, creates, LARGE_IN_FLIGHT);
  expect(connection, JOBBROKER__REQUEST__OPERATION_CREATE, creates + LARGE_IN_FLIGHT, 1);
  answer(connection, creates + LARGE_IN_FLIGHT, 1);
  answer(connection, &beat, 1);
  CHECK(!fake_read(connection));
}

static void large_requests_leave_room_to_heartbeats(void) {
  struct fake fake;
  fake_start(&fake, keeps_room);
  jobbroker_client *client = connect_client(fake.socket);
  static char metadata[LARGE + 1];
  memset(metadata, ' ', LARGE);
  jobbroker_new_job job = JOBBROKER_NEW_JOB_INIT;
  job.type = "large";
  job.metadata = metadata;
  jobbroker_request create = {.operation = JOBBROKER_CREATE, .create = {&job, 1}}, beat = heartbeat();
  int answers = 0;
  for (int i = 0; i < LARGE_IN_FLIGHT + 1; i++) send_request(client, &create, &answers);
  send_request(client, &beat, &answers);
  await_answers(client, &answers, LARGE_IN_FLIGHT + 2);
  jobbroker_free(client);
  fake_end(&fake);
}

/* -------------------------------------------------------------------------------------------------- reconnecting */

struct holder {
  jobbroker_client *client;
  int answers;
};

static void heartbeats_three(const jobbroker_notice *notice, void *context) {
  struct holder *holder = context;
  if (notice->kind != JOBBROKER_NOTICE_CONNECTED) return;
  jobbroker_request request = heartbeat();
  for (int i = 0; i < 3; i++) send_request(holder->client, &request, &holder->answers);
}

/* Allows two requests in flight. The first connection ends with a watch; on the next one it goes behind the heartbeats that
 * have places, and all else behind the one that has none. */
static void allows_two(int connection, int number) {
  uint64_t id;
  fake_welcome(connection, 2);
  for (int i = 0; i < 3; i++) {
    if (i == 2 && number == 2) expect(connection, JOBBROKER__REQUEST__OPERATION_WATCH, &id, 1);
    expect(connection, JOBBROKER__REQUEST__OPERATION_UPDATE, &id, 1);
    answer(connection, &id, 1);
  }
  if (number == 1) {
    expect(connection, JOBBROKER__REQUEST__OPERATION_WATCH, &id, 1);
    return;
  }
  for (int i = 0; i < 3; i++) {
    expect(connection, JOBBROKER__REQUEST__OPERATION_PING, &id, 1);
    answer(connection, &id, 1);
  }
  CHECK(!fake_read(connection));
}

static void heartbeats_of_a_new_connection_go_before_what_is_in_line(void) {
  struct fake fake;
  fake_start(&fake, allows_two);
  struct holder holder = {.client = open_client(fake.socket)};
  jobbroker_on_notice(holder.client, heartbeats_three, &holder);
  CHECK_CODE(holder.client, JOBBROKER_OK, jobbroker_connect(holder.client, LIMIT_MS));
  jobbroker_request watch = {.operation = JOBBROKER_WATCH};
  int events = 0;
  send_request(holder.client, &watch, &events);
  for (int i = 0; i < 3; i++) send_request(holder.client, &ping, &holder.answers);
  await_answers(holder.client, &holder.answers, 9);
  jobbroker_free(holder.client);
  fake_end(&fake);
}

/* Closes the first connection, and lets what was sent on it go unanswered. */
static void is_gone_at_first(int connection, int number) {
  uint64_t ids[2];
  fake_welcome(connection, number == 1 ? 2 : 1);
  if (number > 1) {
    for (int i = 0; i < 2; i++) {
      expect(connection, JOBBROKER__REQUEST__OPERATION_UPDATE, ids, 1);
      answer(connection, ids, 1);
    }
  }
  expect(connection, JOBBROKER__REQUEST__OPERATION_PING, ids, 1);
  if (number == 1) {
    expect(connection, JOBBROKER__REQUEST__OPERATION_UPDATE, ids, 1);
    return;
  }
  answer(connection, ids, 1);
  CHECK(!fake_read(connection));
}

static void heartbeats_that_are_sent_again_go_first(void) {
  struct fake fake;
  fake_start(&fake, is_gone_at_first);
  jobbroker_client *client = connect_client(fake.socket);
  jobbroker_request request = heartbeat();
  int answers = 0;
  send_request(client, &ping, &answers);
  for (int i = 0; i < 2; i++) send_request(client, &request, &answers);
  await_answers(client, &answers, 3);
  jobbroker_free(client);
  fake_end(&fake);
}

/* ----------------------------------------------------------------------------------------------- their way in line */

static void a_heartbeat_in_line_expires_is_forgotten_or_ends_with_the_client(void) {
  jobbroker_client *client = open_client("/tmp/there/is/no/broker");
  jobbroker_request request = heartbeat();
  jobbroker_reply *late = NULL, *ended = NULL, *forgotten = NULL;
  uint64_t ticket;
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_send(client, &request, 0, keep_reply, &late, NULL));
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_send(client, &request, LIMIT_MS, keep_reply, &forgotten, &ticket));
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_send(client, &request, LIMIT_MS, keep_reply, &ended, NULL));
  await_reply(client, &late);
  CHECK(jobbroker_reply_code(late) == JOBBROKER_UNAVAILABLE);
  jobbroker_forget(client, ticket);
  CHECK(!ended);
  jobbroker_free(client);
  CHECK(ended && jobbroker_reply_code(ended) == JOBBROKER_UNAVAILABLE);
  CHECK(!forgotten);
  jobbroker_reply_free(late);
  jobbroker_reply_free(ended);
}

int main(void) {
  RUN(other_requests_leave_places_to_heartbeats);
  RUN(large_requests_leave_room_to_heartbeats);
  RUN(heartbeats_of_a_new_connection_go_before_what_is_in_line);
  RUN(heartbeats_that_are_sent_again_go_first);
  RUN(a_heartbeat_in_line_expires_is_forgotten_or_ends_with_the_client);
  return 0;
}
