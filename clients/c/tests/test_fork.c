/* A child made by fork frees what its parent made, and the parent does not notice; nor is anything the parent's that the
 * child keeps. Under valgrind the child finds its
 * leaks, so nothing else is in memory when it is made. */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker.h"
#include "fake.h"
#include "session.h"
#include "test.h"

/* Frees the client in a child and returns its exit status: what `outcome` then is. */
static int free_in_child(jobbroker_client *client, const int *outcome) {
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    jobbroker_free(client);
    _exit(*outcome);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
  return WEXITSTATUS(status);
}

static void count_call(jobbroker_reply *reply, void *context) {
  ++*(int *)context;
  jobbroker_reply_free(reply);
}

/* Sooner than the client looks by itself, which the end of its patience with the hello makes it do. */
static void turn(jobbroker_client *client) {
  struct pollfd source = {.fd = jobbroker_fd(client), .events = POLLIN};
  CHECK(poll(&source, 1, JB_PATIENCE_MS / 3) == 1);
  jobbroker_process(client);
}

/* Sends a watch and awaits its snapshot, the first call. */
static void watch_type(jobbroker_client *client, const char *type, int *calls) {
  jobbroker_request watch = {.operation = JOBBROKER_WATCH, .watch = {NULL, 0, &type, 1}};
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_send(client, &watch, LIMIT_MS, count_call, calls, NULL));
  while (!*calls) turn(client);
}

static void a_child_that_frees_a_client_leaves_the_parent_its_events(void) {
  struct broker broker;
  broker_start(&broker);
  jobbroker_client *viewer = open_client(broker.socket);
  int calls = 0, nothing = 0;
  watch_type(viewer, "watched", &calls);
  CHECK(free_in_child(viewer, &nothing) == 0);
  jobbroker_client *producer = open_client(broker.socket);
  create_job(producer, "watched");
  while (calls < 2) turn(viewer);
  jobbroker_free(viewer);
  jobbroker_free(producer);
  broker_end(&broker);
}

static void a_child_that_frees_a_client_calls_nobody_back(void) {
  struct broker broker;
  broker_start(&broker);
  jobbroker_client *client = open_client(broker.socket);
  int calls = 0;
  watch_type(client, "watched", &calls);
  calls = 0;
  const char *type = "nobody makes it";
  jobbroker_request claim = {.operation = JOBBROKER_CLAIM, .claim = {&type, 1, 1, LIMIT_MS, 0}};
  jobbroker_send(client, &claim, LIMIT_MS, count_call, &calls, NULL);
  /* In line, behind as many as wait at a time. */
  for (int i = 0; i < JB_IN_FLIGHT; i++) jobbroker_send(client, &claim, LIMIT_MS, count_call, &calls, NULL);
  CHECK(client->sent.first && client->watches.first && client->queue.first);
  CHECK(free_in_child(client, &calls) == 0);
  jobbroker_free(client);
  broker_end(&broker);
}

/* Takes what has come; returns how much. */
static size_t drain(int connection) {
  static uint8_t bytes[64 << 10];
  size_t total = 0;
  ssize_t count;
  while ((count = recv(connection, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) total += (size_t)count;
  return total;
}

/* Keeps what it has inherited, until it is killed, or the test dies. */
static pid_t fork_idle_child(void) {
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) prctl(PR_SET_PDEATHSIG, SIGKILL);
  while (child == 0) pause();
  return child;
}

static void awaits_the_end(int connection, int number) {
  (void)number;
  fake_welcome(connection, JB_IN_FLIGHT);
  CHECK(!fake_read(connection));
}

static void a_child_that_lives_on_does_not_keep_the_connection_of_a_freed_client(void) {
  struct fake fake;
  fake_start(&fake, awaits_the_end);
  jobbroker_client *client = open_client(fake.socket);
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_connect(client, LIMIT_MS));
  pid_t child = fork_idle_child();
  jobbroker_free(client);
  /* It returns when the peer has seen the end. */
  fake_end(&fake);
  CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
}

static void a_child_that_frees_a_client_sends_nothing(void) {
  char path[] = "/tmp/jb-c-fork-XXXXXX";
  CHECK(mkdtemp(path));
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s/s", path);
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 1) == 0);
  jobbroker_client *client = open_client(address.sun_path);
  jobbroker_process(client);
  int connection = accept(listener, NULL, NULL);
  fake_welcome(connection, JB_IN_FLIGHT);
  /* More than the socket takes. */
  static char metadata[400 << 10];
  memset(metadata, ' ', sizeof metadata - 1);
  jobbroker_new_job job = JOBBROKER_NEW_JOB_INIT;
  job.type = "large";
  job.metadata = metadata;
  jobbroker_request create = {.operation = JOBBROKER_CREATE, .create = {&job, 1}};
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_send(client, &create, LIMIT_MS, NULL, NULL, NULL));
  jobbroker_process(client);
  CHECK(jb_buffer_count(&client->outgoing));
  size_t sent = drain(connection);
  int nothing = 0;
  CHECK(free_in_child(client, &nothing) == 0);
  CHECK(drain(connection) == 0);
  while (jb_buffer_count(&client->outgoing)) {
    jobbroker_process(client);
    sent += drain(connection);
  }
  CHECK(sent > sizeof metadata);
  jobbroker_free(client);
  close(connection);
  close(listener);
  unlink(address.sun_path);
  rmdir(path);
}

int main(void) {
  RUN(a_child_that_frees_a_client_leaves_the_parent_its_events);
  RUN(a_child_that_frees_a_client_calls_nobody_back);
  RUN(a_child_that_frees_a_client_sends_nothing);
  RUN(a_child_that_lives_on_does_not_keep_the_connection_of_a_freed_client);
  return 0;
}
