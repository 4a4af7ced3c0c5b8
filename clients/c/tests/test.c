#include "test.h"

#include <string.h>
#include <unistd.h>

void check_failed(const char *file, int line, const char *what, const char *detail) {
  fprintf(stderr, "%s:%d: failed: %s %s\n", file, line, what, detail);
  /* Children are ended by the death of their parent. */
  _exit(1);
}

void check_text(const char *file, int line, const char *text, const char *expected) {
  if (!text || strcmp(text, expected) != 0) check_failed(file, line, expected, text ? text : "(none)");
}

void check_contains(const char *file, int line, const char *text, const char *part) {
  if (!text || !strstr(text, part)) check_failed(file, line, part, text ? text : "(none)");
}

void run_test(const char *name, void (*test)(void)) {
  printf("  %s\n", name);
  fflush(stdout);
  alarm(2 * LIMIT_MS / 1000);
  test();
  alarm(0);
}

jobbroker_client *open_client(const char *socket) {
  jobbroker_client *client = jobbroker_new(&(jobbroker_options){.socket_path = socket});
  CHECK(client);
  return client;
}

jobbroker_id create_job(jobbroker_client *client, const char *type) {
  jobbroker_new_job job = JOBBROKER_NEW_JOB_INIT;
  job.id = jobbroker_id_make();
  job.type = type;
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_create(client, &job, LIMIT_MS, NULL));
  return job.id;
}

uint32_t claim_job(jobbroker_client *client, const char *type, jobbroker_id *id) {
  jobbroker_reply *reply;
  jobbroker_claim_options options = {.types = &type, .type_count = 1, .wait_ms = LIMIT_MS};
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_claim(client, &options, LIMIT_MS, &reply));
  const jobbroker_job *job = jobbroker_reply_job(reply, 0);
  CHECK(job);
  if (id) *id = job->id;
  uint32_t attempt = job->attempt;
  jobbroker_reply_free(reply);
  return attempt;
}

const jobbroker_job *get_job(jobbroker_client *client, jobbroker_id id, jobbroker_reply **reply) {
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_get(client, id, LIMIT_MS, reply));
  return jobbroker_reply_job(*reply, 0);
}

jobbroker_status status_of(jobbroker_client *client, jobbroker_id id) {
  jobbroker_reply *reply;
  jobbroker_status status = get_job(client, id, &reply)->status;
  jobbroker_reply_free(reply);
  return status;
}

void keep_reply(jobbroker_reply *reply, void *context) {
  jobbroker_reply **kept = context;
  CHECK(!*kept);
  *kept = reply;
}

void await_reply(jobbroker_client *client, jobbroker_reply **reply) {
  while (!*reply) jobbroker_wait(client, JOBBROKER_FOREVER);
}
