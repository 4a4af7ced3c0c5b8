/* What a client costs:
 *
 *   bench SOCKET create COUNT   the client's own processor time for a blocking create
 *   bench SOCKET wake COUNT     how long after the create's reply a worker blocked in a claim has the job
 */
#include <jobbroker.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LIMIT_MS = 30000 };

static double now(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int compare(const void *one, const void *other) {
  double difference = *(const double *)one - *(const double *)other;
  return (difference > 0) - (difference < 0);
}

static void tell(const char *what, double *samples, size_t count) {
  qsort(samples, count, sizeof *samples, compare);
  printf("%s: median %.1f µs, 90%% within %.1f µs, 99%% within %.1f µs (%zu samples)\n", what, samples[count / 2],
         samples[count * 9 / 10], samples[count * 99 / 100], count);
}

static void check(jobbroker_client *client, jobbroker_code code) {
  if (code == JOBBROKER_OK) return;
  fprintf(stderr, "bench: %s: %s\n", jobbroker_code_name(code), jobbroker_error(client));
  exit(1);
}

static jobbroker_new_job new_job(void) {
  /* As in jobctl bench: 256 bytes of metadata. */
  static char metadata[257];
  if (!metadata[0]) snprintf(metadata, sizeof metadata, "{\"text\":\"%0*d\"}", 245, 0);
  jobbroker_new_job job = JOBBROKER_NEW_JOB_INIT;
  job.id = jobbroker_id_make();
  job.type = "bench";
  job.metadata = metadata;
  return job;
}

static void measure_creates(const char *socket, double *samples, size_t count) {
  jobbroker_client *client = jobbroker_new(&(jobbroker_options){.socket_path = socket});
  check(client, jobbroker_connect(client, LIMIT_MS));
  for (size_t i = 0; i < count; i++) {
    jobbroker_reply *reply;
    double before = now(CLOCK_PROCESS_CPUTIME_ID);
    jobbroker_new_job job = new_job();
    check(client, jobbroker_create(client, &job, LIMIT_MS, &reply));
    jobbroker_reply_free(reply);
    samples[i] = now(CLOCK_PROCESS_CPUTIME_ID) - before;
  }
  jobbroker_free(client);
  tell("client CPU of a blocking create", samples, count);
}

/* The worker's side: claims job after job, and notes when it has each. */
struct claimer {
  jobbroker_client *client;
  pthread_barrier_t round;
  size_t count;
  double *at;
};

static void *claim_all(void *context) {
  struct claimer *claimer = context;
  for (size_t i = 0; i < claimer->count; i++) {
    jobbroker_reply *reply;
    jobbroker_claim_options options = {.wait_ms = LIMIT_MS};
    check(claimer->client, jobbroker_claim(claimer->client, &options, LIMIT_MS, &reply));
    claimer->at[i] = now(CLOCK_MONOTONIC);
    const jobbroker_job *job = jobbroker_reply_job(reply, 0);
    check(claimer->client, jobbroker_complete(claimer->client, job->id, job->attempt, NULL, LIMIT_MS, NULL));
    jobbroker_reply_free(reply);
    pthread_barrier_wait(&claimer->round);
  }
  return NULL;
}

static size_t waiting_claims(jobbroker_client *client) {
  jobbroker_reply *reply;
  check(client, jobbroker_stats(client, LIMIT_MS, &reply));
  size_t count = jobbroker_reply_stats(reply)->waiting_claims;
  jobbroker_reply_free(reply);
  return count;
}

static void measure_wakes(const char *socket, double *samples, size_t count) {
  jobbroker_client *client = jobbroker_new(&(jobbroker_options){.socket_path = socket});
  struct claimer claimer = {.client = jobbroker_new(&(jobbroker_options){.socket_path = socket}),
                            .count = count,
                            .at = calloc(count, sizeof(double))};
  pthread_t thread;
  pthread_barrier_init(&claimer.round, NULL, 2);
  if (!claimer.at || pthread_create(&thread, NULL, claim_all, &claimer) != 0) exit(1);
  for (size_t i = 0; i < count; i++) {
    while (waiting_claims(client) != 1) continue;
    jobbroker_new_job job = new_job();
    check(client, jobbroker_create(client, &job, LIMIT_MS, NULL));
    samples[i] = -now(CLOCK_MONOTONIC);
    pthread_barrier_wait(&claimer.round);
    samples[i] += claimer.at[i];
  }
  pthread_join(thread, NULL);
  pthread_barrier_destroy(&claimer.round);
  free(claimer.at);
  jobbroker_free(claimer.client);
  jobbroker_free(client);
  tell("a blocked claim has its job after the create's reply by", samples, count);
}

int main(int count, char **arguments) {
  size_t samples = count == 4 ? strtoul(arguments[3], NULL, 10) : 0;
  double *room = samples ? calloc(samples, sizeof *room) : NULL;
  if (room && strcmp(arguments[2], "create") == 0) {
    measure_creates(arguments[1], room, samples);
  } else if (room && strcmp(arguments[2], "wake") == 0) {
    measure_wakes(arguments[1], room, samples);
  } else {
    fprintf(stderr, "usage: %s SOCKET create|wake COUNT\n", arguments[0]);
    return 2;
  }
  free(room);
  return 0;
}
