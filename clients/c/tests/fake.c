#include "fake.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "buffer.h"
#include "test.h"

static void *serve(void *context) {
  struct fake *fake = context;
  int connection, number = 0;
  while ((connection = accept(fake->listener, NULL, NULL)) >= 0) {
    fake->script(connection, ++number);
    close(connection);
  }
  return NULL;
}

void fake_start(struct fake *fake, fake_script *script) {
  fake->script = script;
  strcpy(fake->folder, "/tmp/jb-c-XXXXXX");
  CHECK(mkdtemp(fake->folder));
  snprintf(fake->socket, sizeof fake->socket, "%s/s", fake->folder);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strcpy(address.sun_path, fake->socket);
  fake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(bind(fake->listener, (struct sockaddr *)&address, sizeof address) == 0);
  CHECK(listen(fake->listener, 16) == 0);
  CHECK(pthread_create(&fake->thread, NULL, serve, fake) == 0);
}

void fake_end(struct fake *fake) {
  shutdown(fake->listener, SHUT_RDWR);
  pthread_join(fake->thread, NULL);
  close(fake->listener);
  unlink(fake->socket);
  rmdir(fake->folder);
}

static bool read_whole(int connection, uint8_t *bytes, size_t count) {
  while (count) {
    ssize_t got = recv(connection, bytes, count, 0);
    if (got <= 0) return false;
    bytes += got;
    count -= (size_t)got;
  }
  return true;
}

Jobbroker__Request *fake_read(int connection) {
  uint8_t prefix[JB_LENGTH_PREFIX];
  if (!read_whole(connection, prefix, sizeof prefix)) return NULL;
  size_t length = (size_t)prefix[0] << 24 | (size_t)prefix[1] << 16 | (size_t)prefix[2] << 8 | prefix[3];
  uint8_t *body = malloc(length);
  Jobbroker__Request *request = NULL;
  if (read_whole(connection, body, length)) {
    request = jobbroker__request__unpack(NULL, length, body);
    CHECK(request);
  }
  free(body);
  return request;
}

uint64_t fake_expect(int connection, Jobbroker__Request__OperationCase operation) {
  Jobbroker__Request *request = fake_read(connection);
  CHECK(request);
  CHECK(request->operation_case == operation);
  uint64_t id = request->id;
  jobbroker__request__free_unpacked(request, NULL);
  return id;
}

void fake_write(int connection, Jobbroker__Response *response) {
  response->has_id = 1;
  size_t size = jobbroker__response__get_packed_size(response);
  uint8_t *frame = malloc(JB_LENGTH_PREFIX + size);
  jb_frame_prefix(frame, (uint32_t)size);
  jobbroker__response__pack(response, frame + JB_LENGTH_PREFIX);
  send(connection, frame, JB_LENGTH_PREFIX + size, MSG_NOSIGNAL);
  free(frame);
}

void fake_welcome(int connection, uint32_t max_in_flight) {
  Jobbroker__Welcome welcome = JOBBROKER__WELCOME__INIT;
  Jobbroker__Response response = JOBBROKER__RESPONSE__INIT;
  welcome.has_protocol_version = welcome.has_max_in_flight = 1;
  welcome.protocol_version = 1;
  welcome.max_in_flight = max_in_flight;
  response.id = fake_expect(connection, JOBBROKER__REQUEST__OPERATION_HELLO);
  response.reply_case = JOBBROKER__RESPONSE__REPLY_WELCOME;
  response.welcome = &welcome;
  fake_write(connection, &response);
}

void fake_job(int connection, uint64_t id, Jobbroker__Status status) {
  uint8_t bytes[16] = {1};
  Jobbroker__Job job = JOBBROKER__JOB__INIT;
  Jobbroker__Response response = JOBBROKER__RESPONSE__INIT;
  job.has_id = job.has_status = 1;
  job.id = (ProtobufCBinaryData){sizeof bytes, bytes};
  job.type = "t";
  job.status = status;
  response.id = id;
  response.reply_case = JOBBROKER__RESPONSE__REPLY_JOB;
  response.job = &job;
  fake_write(connection, &response);
}

void fake_claimed(int connection, uint64_t id, size_t count) {
  uint8_t bytes[FAKE_JOBS][16] = {0};
  Jobbroker__Job jobs[FAKE_JOBS], *pointers[FAKE_JOBS];
  Jobbroker__Claimed claimed = JOBBROKER__CLAIMED__INIT;
  Jobbroker__Response response = JOBBROKER__RESPONSE__INIT;
  CHECK(count <= FAKE_JOBS);
  for (size_t i = 0; i < count; i++) {
    bytes[i][0] = (uint8_t)(i + 1);
    jobbroker__job__init(&jobs[i]);
    jobs[i].has_id = jobs[i].has_status = jobs[i].has_attempt = 1;
    jobs[i].id = (ProtobufCBinaryData){sizeof bytes[i], bytes[i]};
    jobs[i].type = "t";
    jobs[i].status = JOBBROKER__STATUS__PROCESSING;
    jobs[i].attempt = FAKE_ATTEMPT;
    pointers[i] = &jobs[i];
  }
  claimed.n_jobs = count;
  claimed.jobs = pointers;
  response.id = id;
  response.reply_case = JOBBROKER__RESPONSE__REPLY_CLAIMED;
  response.claimed = &claimed;
  fake_write(connection, &response);
}

void fake_done(int connection, uint64_t id) {
  Jobbroker__Done done = JOBBROKER__DONE__INIT;
  Jobbroker__Response response = JOBBROKER__RESPONSE__INIT;
  response.id = id;
  response.reply_case = JOBBROKER__RESPONSE__REPLY_DONE;
  response.done = &done;
  fake_write(connection, &response);
}

void fake_error(int connection, uint64_t id, Jobbroker__ErrorCode code) {
  Jobbroker__Error error = JOBBROKER__ERROR__INIT;
  Jobbroker__Response response = JOBBROKER__RESPONSE__INIT;
  error.has_code = 1;
  error.code = code;
  error.message = "by the script";
  response.id = id;
  response.reply_case = JOBBROKER__RESPONSE__REPLY_ERROR;
  response.error = &error;
  fake_write(connection, &response);
}

void fake_pong(int connection, uint64_t id) {
  Jobbroker__Pong pong = JOBBROKER__PONG__INIT;
  Jobbroker__Response response = JOBBROKER__RESPONSE__INIT;
  response.id = id;
  response.reply_case = JOBBROKER__RESPONSE__REPLY_PONG;
  response.pong = &pong;
  fake_write(connection, &response);
}

void fake_serve_pings(int connection) {
  Jobbroker__Request *request;
  while ((request = fake_read(connection))) {
    fake_pong(connection, request->id);
    jobbroker__request__free_unpacked(request, NULL);
  }
}
