/* A worker: takes jobs of one type, says what it does, and stops well on SIGTERM or Ctrl-C.
 *
 *   worker [TYPE]          on this user's broker, or that of $JOBBROKER_SOCKET
 */
#define _XOPEN_SOURCE 700

#include <jobbroker.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>

static jobbroker_worker *worker;

static void stop(int signal) {
  (void)signal;
  jobbroker_worker_stop(worker);
}

/* Stands for real work of so many milliseconds: waits, unless the job is taken away meanwhile. */
static bool work(jobbroker_task *task, int milliseconds) {
  struct pollfd cancelled = {.fd = jobbroker_task_fd(task), .events = POLLIN};
  return poll(&cancelled, 1, milliseconds) == 0;
}

static jobbroker_outcome handle(jobbroker_task *task, void *context) {
  static const char *const stages[] = {"downloading", "converting"};
  (void)context;
  const jobbroker_job *job = jobbroker_task_job(task);
  printf("attempt %u, metadata %s\n", job->attempt, job->metadata);
  for (int stage = 0; stage < 2; stage++) {
    for (int percent = 0; percent <= 100; percent += 25) {
      jobbroker_task_report(task, stages[stage], percent);
      if (work(task, 20)) continue;
      /* If the job was taken away, nobody reads this; if the worker can't wait, the job goes back unharmed. */
      jobbroker_task_error(task, "interrupted while %s", stages[stage]);
      return JOBBROKER_TRY_AGAIN;
    }
  }
  jobbroker_task_result(task, "{\"duration\":12.5}");
  return JOBBROKER_DONE;
}

int main(int count, char **arguments) {
  const char *type = count > 1 ? arguments[1] : "ingest";
  jobbroker_worker_options options = {.types = &type, .type_count = 1, .concurrency = 2};
  worker = jobbroker_worker_new(NULL, &options, handle, NULL);
  if (!worker) return 1;
  struct sigaction action = {.sa_handler = stop, .sa_flags = SA_RESTART};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  jobbroker_code code = jobbroker_worker_run(worker);
  if (code != JOBBROKER_OK) fprintf(stderr, "%s: %s\n", jobbroker_code_name(code), jobbroker_worker_error(worker));
  jobbroker_worker_free(worker);
  return code != JOBBROKER_OK;
}
