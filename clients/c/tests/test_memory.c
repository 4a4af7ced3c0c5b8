/* Every single allocation fails once: no crash, no leak, no hang, and an error that says so. */
#include <string.h>

#include "broker.h"
#include "test.h"

/* Which allocation is to fail, counted down; 0: none. */
static unsigned long countdown;
static unsigned long failures;

static bool fails(void) {
  if (!countdown || --countdown) return false;
  failures++;
  return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size) { return fails() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t count, size_t size) { return fails() ? NULL : __real_calloc(count, size); }
void *__wrap_realloc(void *memory, size_t size) { return fails() ? NULL : __real_realloc(memory, size); }
char *__wrap_strdup(const char *text) { return fails() ? NULL : __real_strdup(text); }

static struct broker broker;

static void ignore(jobbroker_reply *reply, void *context) {
  (void)context;
  jobbroker_reply_free(reply);
}

/* What came before may have failed, so the broker may answer all sorts; but nobody broke a rule. */
static void check_code(jobbroker_code code) {
  CHECK(code != JOBBROKER_INTERNAL && code != JOBBROKER_INVALID_ARGUMENT && code != JOBBROKER_UNSUPPORTED);
}

static void do_everything(void) {
  jobbroker_options options = {.socket_path = broker.socket};
  jobbroker_client *client = jobbroker_new(&options);
  if (!client) return;
  const char *types[] = {"a", "b"};
  jobbroker_request watch = {.operation = JOBBROKER_WATCH, .watch = {NULL, 0, types, 2}};
  check_code(jobbroker_send(client, &watch, LIMIT_MS, ignore, NULL, NULL));
  jobbroker_new_job job = JOBBROKER_NEW_JOB_INIT;
  job.id = jobbroker_id_make();
  job.type = "a";
  job.metadata = "{\"a\":1}";
  check_code(jobbroker_create(client, &job, LIMIT_MS, NULL));
  check_code(jobbroker_fail(client, job.id, 1, "x", false, LIMIT_MS, NULL));
  jobbroker_claim_options claim = {.types = types, .type_count = 2, .max_jobs = 2};
  jobbroker_reply *reply;
  check_code(jobbroker_claim(client, &claim, LIMIT_MS, &reply));
  jobbroker_reply_free(reply);
  check_code(jobbroker_stats(client, LIMIT_MS, NULL));
  check_code(jobbroker_cancel(client, job.id, LIMIT_MS, NULL));
  jobbroker_free(client);
}

static void an_allocation_that_fails_does_no_harm(void) {
  for (unsigned long which = 1;; which++) {
    unsigned long before = failures;
    countdown = which;
    do_everything();
    countdown = 0;
    if (failures == before) break;
  }
  CHECK(failures > 30);
  do_everything();
}

static jobbroker_outcome stops(jobbroker_task *task, void *context) {
  (void)task;
  (void)context;
  return JOBBROKER_DONE;
}

static void a_worker_without_memory_is_not_made(void) {
  const char *types[] = {"a", "b"};
  jobbroker_worker_options options = {.types = types, .type_count = 2, .concurrency = 2};
  for (unsigned long which = 1;; which++) {
    unsigned long before = failures;
    countdown = which;
    jobbroker_worker *worker = jobbroker_worker_new(NULL, &options, stops, NULL);
    countdown = 0;
    CHECK(!worker == (failures > before));
    jobbroker_worker_free(worker);
    if (worker) break;
  }
}

int main(void) {
  broker_start(&broker);
  RUN(an_allocation_that_fails_does_no_harm);
  RUN(a_worker_without_memory_is_not_made);
  broker_end(&broker);
  return 0;
}
