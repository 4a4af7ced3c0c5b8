/* Every single allocation fails once: no crash, no leak, no hang, and an error that says so. */
#include <stdatomic.h>

#include "broker.h"
#include "test.h"

/* Which allocation is to fail, counted down by all threads; from 0 on none does. */
static atomic_long countdown;
static atomic_ulong failures;

static bool fails(void) {
  if (atomic_fetch_sub(&countdown, 1) != 1) return false;
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
  for (long which = 1;; which++) {
    unsigned long before = failures;
    countdown = which;
    do_everything();
    countdown = 0;
    if (failures == before) break;
  }
  CHECK(failures > 20);
  do_everything();
}

static jobbroker_outcome stops(jobbroker_task *task, void *context) {
  jobbroker_worker **worker = context;
  jobbroker_task_report(task, "stopping", 50);
  jobbroker_task_error(task, "%s", "no memory for the result");
  jobbroker_code code = jobbroker_task_result(task, "{\"a\":1}");
  jobbroker_worker_stop(*worker);
  return code == JOBBROKER_OK ? JOBBROKER_DONE : JOBBROKER_TRY_AGAIN;
}

static void a_worker_without_memory_is_not_made(void) {
  const char *types[] = {"a", "b"};
  jobbroker_worker_options options = {.types = types, .type_count = 2, .concurrency = 2};
  for (long which = 1;; which++) {
    unsigned long before = failures;
    countdown = which;
    jobbroker_worker *worker = jobbroker_worker_new(NULL, &options, stops, NULL);
    countdown = 0;
    CHECK(!worker == (failures > before));
    jobbroker_worker_free(worker);
    if (worker) break;
  }
}

/* Runs a worker on one job until it stops, an allocation failing; returns what has become of the job. */
static jobbroker_status work_on_one(jobbroker_client *client, uint64_t lease_ms, long which) {
  const char *type = "worked on";
  jobbroker_options options = {.socket_path = broker.socket};
  jobbroker_worker_options work = {.types = &type, .type_count = 1, .lease_ms = lease_ms};
  jobbroker_id id = create_job(client, type);
  jobbroker_worker *worker;
  worker = jobbroker_worker_new(&options, &work, stops, &worker);
  CHECK(worker);
  countdown = which;
  jobbroker_code code = jobbroker_worker_run(worker);
  countdown = 0;
  CHECK(code == JOBBROKER_OK || code == JOBBROKER_RESOURCE_EXHAUSTED);
  CHECK((code == JOBBROKER_OK) == !jobbroker_worker_error(worker)[0]);
  jobbroker_worker_free(worker);
  jobbroker_status status = status_of(client, id);
  CHECK_CODE(client, JOBBROKER_OK, jobbroker_cancel(client, id, LIMIT_MS, NULL));
  return status;
}

static void a_worker_survives_want_of_memory_or_says_so(void) {
  jobbroker_client *client = open_client(broker.socket);
  unsigned long before;
  /* A claim whose reply finds no memory is lost, and its job comes again when the lease has ended, which is soon. So
   * with memory enough a job may be lost, too, on a machine that stands still for a while. */
  long which = 1;
  do {
    before = failures;
    work_on_one(client, 300, which++);
  } while (failures > before);
  CHECK(work_on_one(client, 0, 0) == JOBBROKER_COMPLETE);
  jobbroker_free(client);
}

int main(void) {
  broker_start(&broker);
  RUN(an_allocation_that_fails_does_no_harm);
  RUN(a_worker_without_memory_is_not_made);
  RUN(a_worker_survives_want_of_memory_or_says_so);
  broker_end(&broker);
  return 0;
}
