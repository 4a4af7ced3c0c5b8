/* Blocking calls against a real broker. */
#include <string.h>

#include "broker.h"
#include "test.h"

static struct broker broker;

static void a_create_sent_twice_is_one_job(void) {
  jobbroker_client *client = open_client(broker.socket);
  jobbroker_new_job job = JOBBROKER_NEW_JOB_INIT;
  job.id = jobbroker_id_make();
  job.type = "twice";
  jobbroker_reply *first, *again;
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_create(client, &job, LIMIT_MS, &first));
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_create(client, &job, LIMIT_MS, &again));
  CHECK(jobbroker_reply_created(first, 0) && !jobbroker_reply_created(again, 0));
  CHECK(jobbroker_reply_job(first, 0)->sequence == jobbroker_reply_job(again, 0)->sequence);
  CHECK(!jobbroker_reply_created(first, 1) && !jobbroker_reply_job(first, 1));
  jobbroker_reply_free(first);
  jobbroker_reply_free(again);
  jobbroker_free(client);
}

static void a_job_without_an_id_gets_one_from_the_library(void) {
  jobbroker_client *client = open_client(broker.socket);
  jobbroker_new_job job = JOBBROKER_NEW_JOB_INIT;
  job.type = "nameless";
  jobbroker_reply *reply;
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_create(client, &job, LIMIT_MS, &reply));
  CHECK(jobbroker_reply_job(reply, 0)->id.bytes[6] >> 4 == 7);
  jobbroker_reply_free(reply);
  jobbroker_free(client);
}

static void a_reply_outlives_its_client(void) {
  jobbroker_client *client = open_client(broker.socket);
  jobbroker_reply *reply;
  const jobbroker_job *job = get_job(client, create_job(client, "outlives"), &reply);
  jobbroker_free(client);
  CHECK_TEXT(job->type, "outlives");
  CHECK_TEXT(job->metadata, "{}");
  jobbroker_reply_free(reply);
}

static void the_largest_metadata_comes_back_unchanged(void) {
  enum { SIZE = 393216 };
  jobbroker_client *client = open_client(broker.socket);
  char *metadata = malloc(SIZE + 2);
  memset(metadata, 'x', SIZE);
  memcpy(metadata, "{\"n\":18446744073709551616,\"t\":\"🎧", 31);
  strcpy(metadata + SIZE - 2, "\"}");
  jobbroker_new_job job = JOBBROKER_NEW_JOB_INIT;
  job.id = jobbroker_id_make();
  job.type = "large";
  job.metadata = metadata;
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_create(client, &job, LIMIT_MS, NULL));
  jobbroker_reply *reply;
  CHECK_TEXT(get_job(client, job.id, &reply)->metadata, metadata);
  jobbroker_reply_free(reply);

  /* One byte more is for the broker to refuse; what does not fit into a frame, the library does. */
  strcpy(metadata + SIZE - 2, "x\"}");
  job.id = jobbroker_id_make();
  CHECK_CODE(client, JOBBROKER_INVALID_ARGUMENT, jobbroker_create(client, &job, LIMIT_MS, NULL));
  CHECK_CONTAINS(jobbroker_error(client), "metadata");
  jobbroker_new_job three[] = {job, job, job};
  CHECK_CODE(client, JOBBROKER_INVALID_ARGUMENT, jobbroker_create_all(client, three, 3, LIMIT_MS, NULL));
  CHECK_CONTAINS(jobbroker_error(client), "a frame holds at most");
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_ping(client, LIMIT_MS));
  CHECK_TEXT(jobbroker_error(client), "");
  free(metadata);
  jobbroker_free(client);
}

static void an_error_names_what_is_wrong_and_carries_the_job(void) {
  jobbroker_client *client = open_client(broker.socket);
  jobbroker_id id = create_job(client, "late");
  uint32_t attempt = claim_job(client, "late", NULL);
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_cancel(client, id, LIMIT_MS, NULL));
  jobbroker_reply *reply = (jobbroker_reply *)1;
  CHECK_CODE(client, JOBBROKER_STALE_CLAIM, jobbroker_complete(client, id, attempt, "{}", LIMIT_MS, &reply));
  CHECK(!reply);
  CHECK(jobbroker_error(client)[0]);
  CHECK(jobbroker_error_job(client)->status == JOBBROKER_CANCELLED);
  CHECK_CODE(client, JOBBROKER_NOT_FOUND, jobbroker_get(client, jobbroker_id_make(), LIMIT_MS, NULL));
  CHECK(!jobbroker_error_job(client));
  jobbroker_free(client);
}

static void bad_text_is_refused_by_the_broker_and_harms_nobody(void) {
  jobbroker_client *client = open_client(broker.socket);
  jobbroker_new_job job = JOBBROKER_NEW_JOB_INIT;
  job.type = "caf\xE9";
  CHECK_CODE(client, JOBBROKER_INVALID_ARGUMENT, jobbroker_create(client, &job, LIMIT_MS, NULL));
  CHECK_CONTAINS(jobbroker_error(client), "type");
  job.type = NULL;
  CHECK_CODE(client, JOBBROKER_INVALID_ARGUMENT, jobbroker_create(client, &job, LIMIT_MS, NULL));
  CHECK_CODE(client, JOBBROKER_INVALID_ARGUMENT, jobbroker_create_all(client, NULL, 0, LIMIT_MS, NULL));
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_ping(client, LIMIT_MS));
  jobbroker_request nonsense = {.operation = (jobbroker_operation)99};
  CHECK_CODE(client, JOBBROKER_INVALID_ARGUMENT, jobbroker_call(client, &nonsense, LIMIT_MS, NULL));
  jobbroker_request watch = {.operation = JOBBROKER_WATCH};
  CHECK_CODE(client, JOBBROKER_INVALID_ARGUMENT, jobbroker_call(client, &watch, LIMIT_MS, NULL));
  jobbroker_free(client);
}

static void a_claim_without_a_job_comes_back_empty(void) {
  jobbroker_client *client = open_client(broker.socket);
  const char *type = "there is none";
  jobbroker_claim_options options = {.types = &type, .type_count = 1, .wait_ms = 1};
  jobbroker_reply *reply;
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_claim(client, &options, LIMIT_MS, &reply));
  CHECK(jobbroker_reply_job_count(reply) == 0);
  jobbroker_reply_free(reply);
  jobbroker_free(client);
}

static void a_backup_is_written_once(void) {
  jobbroker_client *client = open_client(broker.socket);
  char path[128];
  snprintf(path, sizeof path, "%s/copy.db", broker.folder);
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_backup(client, path, LIMIT_MS));
  CHECK_CODE(client, JOBBROKER_ALREADY_EXISTS, jobbroker_backup(client, path, LIMIT_MS));
  jobbroker_free(client);
}

static void without_a_broker_a_call_ends_in_time(void) {
  jobbroker_client *client = open_client("/tmp/there/is/no/broker");
  CHECK_CODE(client, JOBBROKER_UNAVAILABLE, jobbroker_ping(client, 20));
  CHECK_CONTAINS(jobbroker_error(client), "/tmp/there/is/no/broker (No such file or directory)");
  CHECK_CODE(client, JOBBROKER_UNAVAILABLE, jobbroker_connect(client, 0));
  CHECK_CODE(client, JOBBROKER_UNAVAILABLE, jobbroker_connect(client, 20));
  CHECK_CONTAINS(jobbroker_error(client), "no broker answers");
  jobbroker_free(client);
}

static void a_path_that_is_too_long_ends_the_client(void) {
  char path[200];
  memset(path, 'x', sizeof path);
  path[0] = '/';
  path[sizeof path - 1] = '\0';
  jobbroker_client *client = open_client(path);
  CHECK_CODE(client, JOBBROKER_INVALID_ARGUMENT, jobbroker_ping(client, JOBBROKER_FOREVER));
  CHECK_CODE(client, JOBBROKER_INVALID_ARGUMENT, jobbroker_connect(client, JOBBROKER_FOREVER));
  CHECK_CONTAINS(jobbroker_error(client), "too long");
  jobbroker_free(client);
  jobbroker_free(NULL);
  jobbroker_reply_free(NULL);
}

int main(void) {
  broker_start(&broker);
  RUN(a_create_sent_twice_is_one_job);
  RUN(a_job_without_an_id_gets_one_from_the_library);
  RUN(a_reply_outlives_its_client);
  RUN(the_largest_metadata_comes_back_unchanged);
  RUN(an_error_names_what_is_wrong_and_carries_the_job);
  RUN(bad_text_is_refused_by_the_broker_and_harms_nobody);
  RUN(a_claim_without_a_job_comes_back_empty);
  RUN(a_backup_is_written_once);
  RUN(without_a_broker_a_call_ends_in_time);
  RUN(a_path_that_is_too_long_ends_the_client);
  broker_end(&broker);
  return 0;
}
