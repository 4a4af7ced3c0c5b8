/* Messages as bytes: what is written and read is what protobuf-c writes and reads, and whatever comes does no harm (the
 * sanitizers watch). */
#include <string.h>

#include "clock.h"
#include "message.h"
#include "reply.h"
#include "test.h"
#include "wire.h"

static uint8_t *packed(const ProtobufCMessage *message, size_t *size) {
  *size = protobuf_c_message_get_packed_size(message);
  uint8_t *bytes = malloc(*size + 1);
  CHECK(bytes && protobuf_c_message_pack(message, bytes) == *size);
  return bytes;
}

/* What the library can read, and keeps whole, is what protobuf-c reads; returns whether there is such. */
static bool check_against_protobuf_c(const uint8_t *body, size_t count, const ProtobufCMessageDescriptor *descriptor) {
  struct jb_arena arena;
  jb_arena_init(&arena, NULL, 0, SIZE_MAX);
  struct jb_wire_report report;
  ProtobufCMessage *ours = jb_wire_read(body, count, descriptor, &arena, &report);
  bool is_whole = ours && !report.unknown_fields;
  if (is_whole) {
    ProtobufCMessage *theirs = protobuf_c_message_unpack(descriptor, NULL, count, body);
    CHECK(theirs);
    size_t size, their_size;
    uint8_t *bytes = packed(ours, &size), *their_bytes = packed(theirs, &their_size);
    CHECK(size == their_size && memcmp(bytes, their_bytes, size) == 0);
    free(bytes);
    free(their_bytes);
    protobuf_c_message_free_unpacked(theirs, NULL);
  }
  jb_arena_free(&arena);
  return is_whole;
}

static void check_written(const jobbroker_request *request) {
  struct jb_arena arena;
  jb_arena_init(&arena, NULL, 0, SIZE_MAX);
  Jobbroker__Request *message = jb_message_make(&arena, request, NULL);
  CHECK(message);
  message->id = UINT64_MAX - 7;
  size_t size;
  uint8_t *expected = packed(&message->base, &size), *bytes = malloc(size);
  CHECK(bytes && jb_request_write(message, NULL, 0) == size);
  CHECK(jb_request_write(message, bytes + size, size - 1) == size);
  CHECK(jb_request_write(message, bytes + size, size) == size);
  CHECK(memcmp(bytes, expected, size) == 0);
  CHECK(check_against_protobuf_c(bytes, size, &jobbroker__request__descriptor));
  free(bytes);
  free(expected);
  jb_arena_free(&arena);
}

static void requests_are_written_as_by_protobuf_c(void) {
  const char *types[] = {"a", "", "\xC3\xA4"};
  jobbroker_id ids[] = {jobbroker_id_make(), jobbroker_id_make()};
  jobbroker_new_job jobs[] = {JOBBROKER_NEW_JOB_INIT, JOBBROKER_NEW_JOB_INIT};
  char metadata[20001];
  memset(metadata, 'x', sizeof metadata);
  metadata[sizeof metadata - 1] = '\0';
  jobs[0].type = "ingest";
  jobs[0].metadata = metadata;
  jobs[0].unique_key = "";
  jobs[0].priority = INT32_MIN;
  jobs[0].max_retries = INT32_MAX;
  jobs[0].max_lost = 0;
  jobs[0].not_before = INT64_MAX;
  jobs[1].priority = 300;
  check_written(&(jobbroker_request){.operation = JOBBROKER_PING});
  check_written(&(jobbroker_request){.operation = JOBBROKER_CREATE, .create = {jobs, 2}});
  check_written(&(jobbroker_request){.operation = JOBBROKER_CREATE, .create = {NULL, 0}});
  check_written(&(jobbroker_request){.operation = JOBBROKER_WATCH, .watch = {ids, 2, types, 3}});
  check_written(&(jobbroker_request){.operation = JOBBROKER_CLAIM, .claim = {types, 3, 1, UINT64_MAX, 128}});
  jobbroker_update update = JOBBROKER_UPDATE_INIT;
  update.id = ids[0];
  update.status = JOBBROKER_FAILED;
  update.progress = 99.5;
  update.clear_stage = true;
  check_written(&(jobbroker_request){.operation = JOBBROKER_UPDATE, .update = update});
}

/* Bytes of a sound reply, changed at random: whatever they are, nothing breaks (the sanitizers watch), and what can be read
 * is what protobuf-c reads. */
static void damaged_replies_do_no_harm(void) {
  static const uint8_t sound[] =
      "\x08\x07\x42\x38\x0A\x36\x0A\x10\x01\x93\xA5\xF0\xC2\x00\x7A\xBC\x8D\xEF\x01\x23\x45\x67\x89\xAB\x12\x06ingest"
      "\x18\x02\x2A\x02st\x32\x02{}\x8A\x01\x05\x0A\x01w\x10\x05\xBA\x01\x04\x08\x01\x28\x02\xC0\x01\x01";
  uint64_t random = 42;
  unsigned read_well = 0;
  for (int round = 0; round < 50000; round++) {
    uint8_t body[sizeof sound - 1];
    size_t count = sizeof body;
    memcpy(body, sound, count);
    for (int change = 0; change < round % 4; change++) {
      jb_backoff(1, &random);
      body[random % count] = (uint8_t)(random >> 32);
    }
    if (round % 7 == 6) count = random % count;
    uint64_t id;
    jobbroker_reply *reply;
    read_well += jb_reply_read(body, count, &id, &reply) == JB_READ_REPLY;
    for (size_t i = 0; i < jobbroker_reply_job_count(reply); i++) {
      CHECK(strlen(jobbroker_reply_job(reply, i)->type) <= sizeof sound);
    }
    jobbroker_reply_free(reply);
    check_against_protobuf_c(body, count, &jobbroker__response__descriptor);
  }
  CHECK(read_well > 5000);
}

/* ------------------------------------------------------------------------------------- messages made by hand
 *
 * From their last byte to their first, as the library writes them: each of these puts something before what is there, and
 * returns where it begins. */

static uint8_t room[1 << 20];
static uint8_t *const room_end = room + sizeof room;

static uint8_t *varint_before(uint8_t *end, uint64_t value) {
  uint8_t digits[10];
  size_t count = 0;
  for (; value > 0x7F; value >>= 7) digits[count++] = (uint8_t)(value | 0x80);
  digits[count++] = (uint8_t)value;
  return memcpy(end - count, digits, count);
}

static uint8_t *tag_before(uint8_t *end, uint32_t number, unsigned wire_type) {
  return varint_before(end, number << 3 | wire_type);
}

/* The tag and the length that make a field of what is between two places. */
static uint8_t *enclosed(uint8_t *begin, const uint8_t *end, uint32_t number) {
  return tag_before(varint_before(begin, (uint64_t)(end - begin)), number, JB_WIRE_BYTES);
}

/* So many elements of each repeated field, all empty. */
static uint8_t *elements_before(uint8_t *end, const ProtobufCMessageDescriptor *descriptor, size_t count) {
  for (unsigned i = 0; i < descriptor->n_fields; i++) {
    const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
    if (field->label != PROTOBUF_C_LABEL_REPEATED) continue;
    for (size_t j = 0; j < count; j++) end = enclosed(end, end, field->id);
  }
  return end;
}

/* A field and those around it. */
struct path {
  const struct path *outer;
  const ProtobufCFieldDescriptor *field;
};

static void check_twice(const struct path *path) {
  const ProtobufCFieldDescriptor *field = path->field;
  /* Many in the second one: they would need more room than the first one made. */
  uint8_t *second = elements_before(room_end, field->descriptor, 4000);
  second = enclosed(second, room_end, field->id);
  uint8_t *begin = enclosed(elements_before(second, field->descriptor, 1), second, field->id);
  for (const struct path *outer = path->outer; outer; outer = outer->outer) {
    begin = enclosed(begin, room_end, outer->field->id);
  }
  struct jb_arena arena;
  jb_arena_init(&arena, NULL, 0, SIZE_MAX);
  struct jb_wire_report report;
  size_t count = (size_t)(room_end - begin);
  CHECK(!jb_wire_read(begin, count, &jobbroker__response__descriptor, &arena, &report));
  CHECK(report.verdict == JB_WIRE_BAD_FIELD);
  char fault[80];
  snprintf(fault, sizeof fault, "%s occurs twice", field->name);
  CHECK_CONTAINS(report.fault, fault);
  jb_arena_free(&arena);
}

/* Checks every message that a message can hold once, and what those hold. */
static void check_twice_within(const struct path *outer, const ProtobufCMessageDescriptor *descriptor) {
  for (unsigned i = 0; i < descriptor->n_fields; i++) {
    struct path path = {outer, &descriptor->fields[i]};
    if (path.field->type != PROTOBUF_C_TYPE_MESSAGE) continue;
    if (path.field->label != PROTOBUF_C_LABEL_REPEATED) check_twice(&path);
    check_twice_within(&path, path.field->descriptor);
  }
}

static void a_message_that_occurs_twice_is_refused(void) {
  check_twice_within(NULL, &jobbroker__response__descriptor);
}

/* As in the broker, which of a oneof takes the last. */
static void of_several_replies_the_last_counts(void) {
  const ProtobufCMessageDescriptor *response = &jobbroker__response__descriptor;
  const ProtobufCFieldDescriptor *jobs = protobuf_c_message_descriptor_get_field_by_name(response, "jobs");
  const ProtobufCFieldDescriptor *pong = protobuf_c_message_descriptor_get_field_by_name(response, "pong");
  uint8_t *begin = enclosed(elements_before(room_end, jobs->descriptor, 4000), room_end, jobs->id);
  begin = enclosed(begin, begin, pong->id);
  begin = enclosed(elements_before(begin, jobs->descriptor, 1), begin, jobs->id);
  size_t count = (size_t)(room_end - begin);
  struct jb_arena arena;
  jb_arena_init(&arena, NULL, 0, SIZE_MAX);
  struct jb_wire_report report;
  Jobbroker__Response *read = (Jobbroker__Response *)jb_wire_read(begin, count, response, &arena, &report);
  CHECK(read && read->reply_case == JOBBROKER__RESPONSE__REPLY_JOBS && read->jobs->n_jobs == 4000);
  jb_arena_free(&arena);
  CHECK(check_against_protobuf_c(begin, count, response));
}

static uint64_t random_below(uint64_t limit) {
  static uint64_t random = 42;
  jb_backoff(1, &random);
  return (random >> 16) % limit;
}

/* Of any length. */
static uint64_t random_number(void) { return UINT64_MAX >> random_below(64); }

static uint8_t *random_field_before(uint8_t *end, const ProtobufCFieldDescriptor *field);

/* Fields of a message in any order, any of them as often as it comes. */
static uint8_t *random_fields_before(uint8_t *end, const ProtobufCMessageDescriptor *descriptor) {
  for (uint64_t left = descriptor->n_fields ? random_below(6) : 0; left; left--) {
    end = random_field_before(end, &descriptor->fields[random_below(descriptor->n_fields)]);
  }
  return end;
}

static uint8_t *random_field_before(uint8_t *end, const ProtobufCFieldDescriptor *field) {
  unsigned wire_type = jb_shape(field->type).wire_type;
  /* Now and then another one than the schema says. */
  if (!random_below(1000)) wire_type = JB_WIRE_VARINT;
  if (wire_type == JB_WIRE_VARINT) return tag_before(varint_before(end, random_number()), field->id, wire_type);
  if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
    return enclosed(random_fields_before(end, field->descriptor), end, field->id);
  }
  size_t size = wire_type == JB_WIRE_FIXED64 ? 8 : random_below(20);
  uint8_t *begin = memset(end - size, 'x', size);
  return wire_type == JB_WIRE_FIXED64 ? tag_before(begin, field->id, wire_type) : enclosed(begin, end, field->id);
}

static void fields_in_any_order_and_number_do_no_harm(void) {
  unsigned read_well = 0;
  for (int round = 0; round < 20000; round++) {
    uint8_t *begin = random_fields_before(room_end, &jobbroker__response__descriptor);
    size_t count = (size_t)(room_end - begin);
    uint64_t id;
    jobbroker_reply *reply;
    jb_reply_read(begin, count, &id, &reply);
    jobbroker_reply_free(reply);
    read_well += check_against_protobuf_c(begin, count, &jobbroker__response__descriptor);
  }
  CHECK(read_well > 5000);
}

int main(void) {
  RUN(requests_are_written_as_by_protobuf_c);
  RUN(damaged_replies_do_no_harm);
  RUN(a_message_that_occurs_twice_is_refused);
  RUN(of_several_replies_the_last_counts);
  RUN(fields_in_any_order_and_number_do_no_harm);
  return 0;
}
