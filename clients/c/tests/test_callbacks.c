/* What callbacks do to other requests while several of them end at once. */
#include "clock.h"
#include "fake.h"
#include "test.h"

/* How far the library's clock is ahead. */
static int64_t clock_ahead;

int64_t __real_jb_now(void);
int64_t __wrap_jb_now(void);

int64_t __wrap_jb_now(void) { return __real_jb_now() + clock_ahead; }

/* More than no time, and much less than LIMIT_MS. */
enum { LATE_MS = 10 };

enum { MEMBERS = 6 };

struct group;

/* A request of a group. */
struct member {
  struct group *group;
  uint64_t ticket;
};

/* Requests that end together, whichever first: it forgets the others, which must not be called any more. */
struct group {
  jobbroker_client *client;
  struct member members[MEMBERS];
  size_t count;
  int calls;
  jobbroker_code code;
  /* Of jobbroker_process within the callback. */
  jobbroker_code process;
  /* The answer to a request that the callback sends. */
  jobbroker_reply *next;
};

static void forgets_the_others(jobbroker_reply *reply, void *context) {
  struct member *member = context;
  struct group *group = member->group;
  group->calls++;
  group->code = jobbroker_reply_code(reply);
  jobbroker_reply_free(reply);
  for (size_t i = 0; i < group->count; i++) {
    if (&group->members[i] != member) jobbroker_forget(group->client, group->members[i].ticket);
  }
  group->process = jobbroker_process(group->client);
  jobbroker_request ping = {.operation = JOBBROKER_PING};
  jobbroker_send(group->client, &ping, LIMIT_MS, keep_reply, &group->next, NULL);
}

static void join(struct group *group, const jobbroker_request *request, int timeout_ms) {
  struct member *member = &group->members[group->count++];
  member->group = group;
  CHECK_CODE(group->client, JOBBROKER_OK,
             jobbroker_send(group->client, request, timeout_ms, forgets_the_others, member, &member->ticket));
}

/* Waits until the first of a group is called, and until the request that it sends is answered. */
static void await_group(struct group *group) {
  while (!group->calls) jobbroker_wait(group->client, JOBBROKER_FOREVER);
  await_reply(group->client, &group->next);
  CHECK(jobbroker_reply_code(group->next) == JOBBROKER_OK);
  jobbroker_reply_free(group->next);
  CHECK(group->calls == 1 && group->process == JOBBROKER_INVALID_ARGUMENT);
}

static const jobbroker_request ping = {.operation = JOBBROKER_PING}, removal = {.operation = JOBBROKER_DELETE},
                               watch = {.operation = JOBBROKER_WATCH}, claim = {.operation = JOBBROKER_CLAIM};

/* Answers pings only, and nothing before a ping comes: what came before has been sent then. */
static void serves_pings(int connection, int number) {
  (void)number;
  fake_welcome(connection, 128);
  Jobbroker__Request *request;
  while ((request = fake_read(connection))) {
    if (request->operation_case == JOBBROKER__REQUEST__OPERATION_PING) fake_pong(connection, request->id);
    jobbroker__request__free_unpacked(request, NULL);
  }
}

static void requests_that_wait_too_long_in_line_end_one_by_one(void) {
  struct group group = {.client = open_client("/tmp/there/is/no/broker")};
  for (int i = 0; i < 3; i++) join(&group, &ping, 0);
  clock_ahead += LATE_MS;
  jobbroker_process(group.client);
  CHECK(group.calls == 1 && group.code == JOBBROKER_UNAVAILABLE && !group.next);
  jobbroker_free(group.client);
  CHECK(group.calls == 1 && jobbroker_reply_code(group.next) == JOBBROKER_UNAVAILABLE);
  jobbroker_reply_free(group.next);
}

static void requests_that_are_answered_too_late_end_one_by_one(void) {
  const jobbroker_request *kinds[] = {&removal, &watch, &claim};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    struct fake fake;
    fake_start(&fake, serves_pings);
    struct group group = {.client = open_client(fake.socket)};
    CHECK_CODE(group.client, JOBBROKER_OK, jobbroker_connect(group.client, LIMIT_MS));
    for (int k = 0; k < 3; k++) join(&group, kinds[i], 0);
    clock_ahead += LATE_MS;
    await_group(&group);
    CHECK(group.code == (kinds[i] == &removal ? JOBBROKER_UNKNOWN_OUTCOME : JOBBROKER_UNAVAILABLE));
    jobbroker_free(group.client);
    CHECK(group.calls == 1);
    fake_end(&fake);
  }
}

static void forgets_the_next(jobbroker_reply *reply, void *context) {
  struct member *member = context;
  struct group *group = member->group;
  group->calls++;
  jobbroker_reply_free(reply);
  if (member + 1 < group->members + group->count) jobbroker_forget(group->client, member[1].ticket);
}

/* Of requests that are late together each forgets the next: every second one ends. */
static void expect_every_second_to_end(jobbroker_client *client, const jobbroker_request *request) {
  struct group group = {.client = client, .count = MEMBERS};
  for (size_t i = 0; i < MEMBERS; i++) {
    struct member *member = &group.members[i];
    member->group = &group;
    CHECK_CODE(client, JOBBROKER_OK, jobbroker_send(client, request, 0, forgets_the_next, member, &member->ticket));
  }
  clock_ahead += LATE_MS;
  jobbroker_process(client);
  CHECK(group.calls == MEMBERS / 2);
  jobbroker_free(client);
  CHECK(group.calls == MEMBERS / 2);
}

static void a_request_that_is_forgotten_holds_up_none_that_is_late_with_it(void) {
  expect_every_second_to_end(open_client("/tmp/there/is/no/broker"), &ping);
  const jobbroker_request *kinds[] = {&removal, &watch, &claim};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    struct fake fake;
    fake_start(&fake, serves_pings);
    jobbroker_client *client = open_client(fake.socket);
    CHECK_CODE(client, JOBBROKER_OK, jobbroker_connect(client, LIMIT_MS));
    expect_every_second_to_end(client, kinds[i]);
    fake_end(&fake);
  }
}

/* Takes two requests and goes; later connections serve pings. */
static void loses_two(int connection, int number) {
  if (number > 1) {
    serves_pings(connection, number);
    return;
  }
  fake_welcome(connection, 128);
  for (int i = 0; i < 2; i++) fake_expect(connection, JOBBROKER__REQUEST__OPERATION_DELETE);
}

static void requests_that_are_lost_with_their_connection_end_one_by_one(void) {
  struct fake fake;
  fake_start(&fake, loses_two);
  struct group group = {.client = open_client(fake.socket)};
  CHECK_CODE(group.client, JOBBROKER_OK, jobbroker_connect(group.client, LIMIT_MS));
  for (int i = 0; i < 2; i++) join(&group, &removal, LIMIT_MS);
  await_group(&group);
  CHECK(group.code == JOBBROKER_UNKNOWN_OUTCOME);
  jobbroker_free(group.client);
  CHECK(group.calls == 1);
  fake_end(&fake);
}

/* Allows so few in flight that some stay in line. */
static void answers_nothing(int connection, int number) {
  (void)number;
  fake_welcome(connection, 2);
  Jobbroker__Request *request;
  while ((request = fake_read(connection))) jobbroker__request__free_unpacked(request, NULL);
}

static void requests_that_end_with_their_client_end_one_by_one(void) {
  struct fake fake;
  fake_start(&fake, answers_nothing);
  struct group group = {.client = open_client(fake.socket)};
  CHECK_CODE(group.client, JOBBROKER_OK, jobbroker_connect(group.client, LIMIT_MS));
  const jobbroker_request *kinds[MEMBERS] = {&watch, &watch, &claim, &removal, &removal, &claim};
  for (size_t i = 0; i < MEMBERS; i++) join(&group, kinds[i], LIMIT_MS);
  jobbroker_free(group.client);
  CHECK(group.calls == 1 && group.process == JOBBROKER_INVALID_ARGUMENT && !group.next);
  fake_end(&fake);
}

/* ------------------------------------------------------------------------------------------------ new connections */

struct viewer {
  jobbroker_client *client;
  int snapshots, errors;
};

static void watched(jobbroker_reply *reply, void *context) {
  struct viewer *viewer = context;
  viewer->snapshots += jobbroker_reply_event(reply) == JOBBROKER_EVENT_SNAPSHOT;
  viewer->errors += jobbroker_reply_code(reply) != JOBBROKER_OK;
  jobbroker_reply_free(reply);
}

static void watches(const jobbroker_notice *notice, void *context) {
  struct viewer *viewer = context;
  if (notice->kind != JOBBROKER_NOTICE_CONNECTED) return;
  CHECK_CODE(viewer->client, JOBBROKER_OK,
             jobbroker_send(viewer->client, &watch, LIMIT_MS, watched, viewer, NULL));
}

/* After one watch comes a ping, not the watch again. */
static void takes_one_watch(int connection, int number) {
  (void)number;
  Jobbroker__Snapshot snapshot = JOBBROKER__SNAPSHOT__INIT;
  Jobbroker__Response response = JOBBROKER__RESPONSE__INIT;
  fake_welcome(connection, 128);
  response.id = fake_expect(connection, JOBBROKER__REQUEST__OPERATION_WATCH);
  response.reply_case = JOBBROKER__RESPONSE__REPLY_SNAPSHOT;
  response.snapshot = &snapshot;
  fake_write(connection, &response);
  fake_pong(connection, fake_expect(connection, JOBBROKER__REQUEST__OPERATION_PING));
  CHECK(!fake_read(connection));
}

static void a_watch_that_is_made_on_connecting_is_sent_once(void) {
  struct fake fake;
  fake_start(&fake, takes_one_watch);
  struct viewer viewer = {.client = open_client(fake.socket)};
  jobbroker_on_notice(viewer.client, watches, &viewer);
  CHECK_CODE(viewer.client, JOBBROKER_OK, jobbroker_connect(viewer.client, LIMIT_MS));
  CHECK_CODE(viewer.client, JOBBROKER_OK, jobbroker_ping(viewer.client, LIMIT_MS));
  CHECK(viewer.snapshots == 1 && viewer.errors == 0);
  jobbroker_free(viewer.client);
  fake_end(&fake);
}

int main(void) {
  RUN(requests_that_wait_too_long_in_line_end_one_by_one);
  RUN(requests_that_are_answered_too_late_end_one_by_one);
  RUN(a_request_that_is_forgotten_holds_up_none_that_is_late_with_it);
  RUN(requests_that_are_lost_with_their_connection_end_one_by_one);
  RUN(requests_that_end_with_their_client_end_one_by_one);
  RUN(a_watch_that_is_made_on_connecting_is_sent_once);
  return 0;
}
