/* A producer: creates a job and follows it to its end.
 *
 *   produce TYPE METADATA  on this user's broker, or that of $JOBBROKER_SOCKET
 */
#include <jobbroker.h>
#include <stdio.h>

static bool is_finished(const jobbroker_job *job) {
  return job->status == JOBBROKER_COMPLETE || job->status == JOBBROKER_FAILED || job->status == JOBBROKER_CANCELLED;
}

/* Shows the job as it is now; `context` says whether that was the last of it. A watch of one job tells of no other, so
 * that a snapshot without a job says that it is deleted. */
static void show(jobbroker_reply *reply, void *context) {
  const jobbroker_job *job = jobbroker_reply_job(reply, 0);
  jobbroker_event event = jobbroker_reply_event(reply);
  if (jobbroker_reply_code(reply) != JOBBROKER_OK) {
    fprintf(stderr, "%s\n", jobbroker_reply_message(reply));
    *(bool *)context = true;
  } else if (job) {
    printf("%s %s %g%% %s\n", jobbroker_status_name(job->status), job->stage ? job->stage : "-", job->progress,
           job->result ? job->result : job->error ? job->error : "");
    *(bool *)context = is_finished(job);
  } else if (event == JOBBROKER_EVENT_DELETED || event == JOBBROKER_EVENT_SNAPSHOT) {
    printf("deleted\n");
    *(bool *)context = true;
  }
  jobbroker_reply_free(reply);
}

int main(int count, char **arguments) {
  if (count != 3) {
    fprintf(stderr, "usage: %s TYPE METADATA\n", arguments[0]);
    return 2;
  }
  jobbroker_client *client = jobbroker_new(NULL);
  if (!client) return 1;
  jobbroker_new_job job = JOBBROKER_NEW_JOB_INIT;
  job.id = jobbroker_id_make();
  job.type = arguments[1];
  job.metadata = arguments[2];
  bool over = false;
  jobbroker_request watch = {.operation = JOBBROKER_WATCH, .watch = {.ids = &job.id, .id_count = 1}};
  jobbroker_code code = jobbroker_create(client, &job, 30000, NULL);
  uint64_t ticket;
  if (code == JOBBROKER_OK) code = jobbroker_send(client, &watch, 30000, show, &over, &ticket);
  while (code == JOBBROKER_OK && !over) code = jobbroker_wait(client, JOBBROKER_FOREVER);
  if (code == JOBBROKER_OK) jobbroker_forget(client, ticket);
  if (code != JOBBROKER_OK) fprintf(stderr, "%s: %s\n", jobbroker_code_name(code), jobbroker_error(client));
  jobbroker_free(client);
  return code != JOBBROKER_OK;
}
