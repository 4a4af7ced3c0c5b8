/* The examples, where the test of the whole build does not lead them. */
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker.h"
#include "test.h"

static struct broker broker;
/* Where the programs are: this one, and the examples. */
static const char *folder;

/* Starts the producer of a job of this type. */
static pid_t produce(const char *type) {
  char program[256];
  snprintf(program, sizeof program, "%s/example_produce", folder);
  pid_t parent = getpid(), child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    /* A test that fails must leave no producer. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    setenv("JOBBROKER_SOCKET", broker.socket, 1);
    dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
    execl(program, program, type, "{}", (char *)NULL);
    _exit(127);
  }
  return child;
}

/* Waits until somebody watches, and returns the job of this type, which is there then. */
static jobbroker_id watched_job(jobbroker_client *client, const char *type) {
  for (uint64_t watches = 0; !watches; usleep(1000)) {
    jobbroker_reply *reply;
    CHECK_CODE(client, JOBBROKER_OK, jobbroker_stats(client, LIMIT_MS, &reply));
    watches = jobbroker_reply_stats(reply)->watches;
    jobbroker_reply_free(reply);
  }
  jobbroker_reply *reply;
  jobbroker_filter filter = {.type = type};
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_list(client, &filter, LIMIT_MS, &reply));
  CHECK(jobbroker_reply_job_count(reply) == 1);
  jobbroker_id id = jobbroker_reply_job(reply, 0)->id;
  jobbroker_reply_free(reply);
  return id;
}

static void check_ends(pid_t producer) {
  int status;
  CHECK(waitpid(producer, &status, 0) == producer);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_producer_ends_when_its_job_is_deleted(void) {
  jobbroker_client *client = open_client(broker.socket);
  pid_t producer = produce("deleted");
  jobbroker_id id = watched_job(client, "deleted");
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_delete(client, id, LIMIT_MS));
  check_ends(producer);
  jobbroker_free(client);
}

static void a_producer_ends_when_its_job_is_deleted_while_the_broker_is_away_from_it(void) {
  jobbroker_client *client = open_client(broker.socket);
  pid_t producer = produce("missed");
  jobbroker_id id = watched_job(client, "missed");
  jobbroker_free(client);
  CHECK(kill(producer, SIGSTOP) == 0);
  broker_crash(&broker);
  broker_return(&broker);
  client = open_client(broker.socket);
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_delete(client, id, LIMIT_MS));
  CHECK(kill(producer, SIGCONT) == 0);
  check_ends(producer);
  jobbroker_free(client);
}

int main(int count, char **arguments) {
  (void)count;
  folder = dirname(arguments[0]);
  broker_start(&broker);
  RUN(a_producer_ends_when_its_job_is_deleted);
  RUN(a_producer_ends_when_its_job_is_deleted_while_the_broker_is_away_from_it);
  broker_end(&broker);
  return 0;
}
