/* Claims that wait: how many at a time, and how long. */
#include "broker.h"
#include "fake.h"
#include "test.h"

static struct broker broker;

static const jobbroker_request claim = {.operation = JOBBROKER_CLAIM, .claim = {.wait_ms = LIMIT_MS}},
                               ping = {.operation = JOBBROKER_PING};

/* ------------------------------------------------------------------------------------------------------ how many */

static void count(jobbroker_reply *reply, void *context) {
  ++*(int *)context;
  jobbroker_reply_free(reply);
}

static void claims_that_wait_hold_up_nothing_else(void) {
  enum { CLAIMS = 200 };
  jobbroker_client *client = open_client(broker.socket);
  uint64_t tickets[CLAIMS];
  int answers = 0;
  for (int i = 0; i < CLAIMS; i++) {
    CHECK_CODE(client, JOBBROKER_OK, jobbroker_send(client, &claim, LIMIT_MS, count, &answers, &tickets[i]));
  }
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_ping(client, LIMIT_MS));
  CHECK(answers == 0);
  for (int i = 0; i < CLAIMS; i++) jobbroker_withdraw(client, tickets[i]);
  while (answers < CLAIMS) jobbroker_wait(client, JOBBROKER_FOREVER);
  jobbroker_free(client);
}

/* Three claims and a ping. */
struct sent {
  jobbroker_client *client;
  jobbroker_reply *replies[4];
};

static void send_all(struct sent *sent) {
  for (int i = 0; i < 4; i++) {
    CHECK_CODE(sent->client, JOBBROKER_OK,
               jobbroker_send(sent->client, i < 3 ? &claim : &ping, LIMIT_MS, keep_reply, &sent->replies[i], NULL));
  }
}

static void sends_all(const jobbroker_notice *notice, void *context) {
  if (notice->kind == JOBBROKER_NOTICE_CONNECTED) send_all(context);
}

static void end_all(struct sent *sent) {
  for (int i = 0; i < 4; i++) {
    await_reply(sent->client, &sent->replies[i]);
    CHECK(jobbroker_reply_code(sent->replies[i]) == JOBBROKER_OK);
    jobbroker_reply_free(sent->replies[i]);
  }
  jobbroker_free(sent->client);
}

/* Allows four requests in flight: one claim, one other, and two heartbeats. */
static void allows_four(int connection, int number) {
  (void)number;
  fake_welcome(connection, 4);
  uint64_t first = fake_expect(connection, JOBBROKER__REQUEST__OPERATION_CLAIM);
  fake_pong(connection, fake_expect(connection, JOBBROKER__REQUEST__OPERATION_PING));
  fake_claimed(connection, first, 0);
  for (int i = 0; i < 2; i++) {
    fake_claimed(connection, fake_expect(connection, JOBBROKER__REQUEST__OPERATION_CLAIM), 0);
  }
  CHECK(!fake_read(connection));
}

static void claims_that_wait_leave_places_to_other_requests(void) {
  struct fake fake;
  fake_start(&fake, allows_four);
  struct sent sent = {.client = open_client(fake.socket)};
  send_all(&sent);
  end_all(&sent);
  sent = (struct sent){.client = open_client(fake.socket)};
  jobbroker_on_notice(sent.client, sends_all, &sent);
  CHECK_CODE(sent.client, JOBBROKER_OK, jobbroker_connect(sent.client, LIMIT_MS));
  end_all(&sent);
  fake_end(&fake);
}

static void allows_one(int connection, int number) {
  (void)number;
  fake_welcome(connection, 1);
  for (int i = 0; i < 3; i++) {
    fake_claimed(connection, fake_expect(connection, JOBBROKER__REQUEST__OPERATION_CLAIM), 0);
  }
  fake_pong(connection, fake_expect(connection, JOBBROKER__REQUEST__OPERATION_PING));
  CHECK(!fake_read(connection));
}

static void a_claim_has_a_place_where_there_is_only_one(void) {
  struct fake fake;
  fake_start(&fake, allows_one);
  struct sent sent = {.client = open_client(fake.socket)};
  send_all(&sent);
  end_all(&sent);
  fake_end(&fake);
}

/* ------------------------------------------------------------------------------------------------------ how long */

/* Has no room for the first connection. Later a claim comes, with less than all its time. */
static void is_full_at_first(int connection, int number) {
  if (number == 1) {
    fake_error(connection, 0, JOBBROKER__ERROR_CODE__RESOURCE_EXHAUSTED);
    return;
  }
  fake_welcome(connection, 128);
  Jobbroker__Request *request = fake_read(connection);
  CHECK(request && request->operation_case == JOBBROKER__REQUEST__OPERATION_CLAIM);
  CHECK(request->claim->wait_ms < LIMIT_MS);
  fake_claimed(connection, request->id, 0);
  jobbroker__request__free_unpacked(request, NULL);
  CHECK(!fake_read(connection));
}

static void the_time_that_a_claim_spends_in_line_counts(void) {
  struct fake fake;
  fake_start(&fake, is_full_at_first);
  jobbroker_client *client = open_client(fake.socket);
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_claim(client, &claim.claim, LIMIT_MS, NULL));
  jobbroker_free(client);
  fake_end(&fake);
}

static void a_claim_that_can_not_be_read_is_refused_by_the_broker(void) {
  jobbroker_client *client = open_client(broker.socket);
  const char *type = "\xFF";
  jobbroker_claim_options options = {.types = &type, .type_count = 1, .wait_ms = LIMIT_MS};
  CHECK_CODE(client, JOBBROKER_INVALID_ARGUMENT, jobbroker_claim(client, &options, LIMIT_MS, NULL));
  CHECK_CONTAINS(jobbroker_error(client), "claim.types");
  jobbroker_free(client);
}

int main(void) {
  broker_start(&broker);
  RUN(claims_that_wait_hold_up_nothing_else);
  RUN(a_claim_that_can_not_be_read_is_refused_by_the_broker);
  broker_end(&broker);
  RUN(claims_that_wait_leave_places_to_other_requests);
  RUN(a_claim_has_a_place_where_there_is_only_one);
  RUN(the_time_that_a_claim_spends_in_line_counts);
  return 0;
}
