/* What a client costs:
 *
 *   bench SOCKET create COUNT   the client's own processor time for a blocking create, in batches, each beside a batch of
 *                               bare round trips of as many bytes: send, recv, and a peer that only answers, as late as
 *                               the broker did, for who sleeps longer finds colder caches. They are the floor.
 *   bench SOCKET wake COUNT     how long after the create's reply a worker blocked in a claim has the job
 */
#include <jobbroker.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT_MS = 30000, BATCH = 100 };

/* Bytes of a create's frame and of its reply's, as they are with new_job. */
enum { REQUEST_SIZE = 296, REPLY_SIZE = 82 };

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
  job.type = "bench";
  job.metadata = metadata;
  return job;
}

/* What any client pays the kernel for a request, and for a reply that comes after a time. */
static void round_trip(int peer, double microseconds) {
  char bytes[REQUEST_SIZE] = {0};
  memcpy(bytes, &microseconds, sizeof microseconds);
  if (send(peer, bytes, REQUEST_SIZE, 0) == REQUEST_SIZE && recv(peer, bytes, REPLY_SIZE, 0) == REPLY_SIZE) return;
  perror("bench: round trip");
  exit(1);
}

static void answer(int peer) {
  char bytes[REQUEST_SIZE];
  while (recv(peer, bytes, REQUEST_SIZE, MSG_WAITALL) == REQUEST_SIZE) {
    double microseconds;
    memcpy(&microseconds, bytes, sizeof microseconds);
    long nanoseconds = (long)(microseconds * 1000);
    nanosleep(&(struct timespec){nanoseconds / 1000000000, nanoseconds % 1000000000}, NULL);
    send(peer, bytes, REPLY_SIZE, MSG_NOSIGNAL);
  }
}

/* A process of its own that answers round trips, and ends with the descriptor that is returned. */
static int start_answering(void) {
  int ends[2];
  pid_t child = socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 ? fork() : -1;
  if (child < 0) {
    perror("bench: peer");
    exit(1);
  }
  close(ends[child == 0 ? 0 : 1]);
  if (child != 0) return ends[0];
  answer(ends[1]);
  _exit(0);
}

static void create(jobbroker_client *client) {
  jobbroker_reply *reply;
  jobbroker_new_job job = new_job();
  check(client, jobbroker_create(client, &job, LIMIT_MS, &reply));
  jobbroker_reply_free(reply);
}

/* Reading the processor's clock is a system call, too: once a batch it does not count. */
static void measure_creates(const char *socket, double *samples, size_t count) {
  size_t batches = count / BATCH;
  double *floors = samples + batches;
  int peer = start_answering();
  jobbroker_client *client = jobbroker_new(&(jobbroker_options){.socket_path = socket});
  check(client, jobbroker_connect(client, LIMIT_MS));
  for (size_t batch = 0; batch < batches; batch++) {
    double begun = now(CLOCK_MONOTONIC), before = now(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < BATCH; i++) create(client);
    double between = now(CLOCK_PROCESS_CPUTIME_ID), delay = (now(CLOCK_MONOTONIC) - begun) / (double)BATCH;
    for (int i = 0; i < BATCH; i++) round_trip(peer, delay);
    samples[batch] = (between - before) / (double)BATCH;
    floors[batch] = (now(CLOCK_PROCESS_CPUTIME_ID) - between) / (double)BATCH;
  }
  jobbroker_free(client);
  close(peer);
  tell("client CPU of a blocking create", samples, batches);
  tell("client CPU of a bare round trip", floors, batches);
  double median = samples[batches / 2], floor = floors[batches / 2];
  printf("the client's own part: %.1f µs (a create costs %.2f bare round trips)\n", median - floor, median / floor);
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
  if (room && samples >= BATCH && strcmp(arguments[2], "create") == 0) {
    measure_creates(arguments[1], room, samples);
  } else if (room && strcmp(arguments[2], "wake") == 0) {
    measure_wakes(arguments[1], room, samples);
  } else {
    fprintf(stderr, "usage: %s SOCKET create|wake COUNT (creates: 100 or more)\n", arguments[0]);
    return 2;
  }
  free(room);
  return 0;
}
