/* The parts that need no broker. */
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "buffer.h"
#include "clock.h"
#include "reply.h"
#include "session.h"
#include "test.h"
#include "utf8.h"

/* By the clock that the ids are made with: time() may lag behind it by a tick. */
static uint64_t wall_clock_milliseconds(void) {
  struct timespec time;
  CHECK(clock_gettime(CLOCK_REALTIME, &time) == 0);
  return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static void ids_are_version_7_and_sort_by_time(void) {
  uint64_t before = wall_clock_milliseconds();
  jobbroker_id one = jobbroker_id_make(), other = jobbroker_id_make();
  CHECK(one.bytes[6] >> 4 == 7 && one.bytes[8] >> 6 == 2);
  CHECK(!jobbroker_id_equal(one, other));
  CHECK(memcmp(one.bytes, other.bytes, 6) <= 0);
  uint64_t milliseconds = 0;
  for (int i = 0; i < 6; i++) milliseconds = milliseconds << 8 | one.bytes[i];
  CHECK(before <= milliseconds && milliseconds <= wall_clock_milliseconds());
}

static void ids_from_a_pool_are_unlike_one_another_and_those_of_a_forked_child(void) {
  struct jb_id_pool *pool = jb_id_pool_new();
  CHECK(pool);
  jobbroker_id ids[103];
  /* More than one filling; then the parent's next, and the child's. */
  for (size_t i = 0; i < 101; i++) ids[i] = jb_id_make(pool);
  int ends[2];
  CHECK(pipe(ends) == 0);
  pid_t child = fork();
  ids[101] = jb_id_make(pool);
  if (child == 0) _exit(write(ends[1], &ids[101], sizeof ids[101]) == sizeof ids[101] ? 0 : 1);
  CHECK(child > 0 && read(ends[0], &ids[102], sizeof ids[102]) == sizeof ids[102]);
  CHECK(waitpid(child, NULL, 0) == child);
  close(ends[0]);
  close(ends[1]);
  for (size_t i = 0; i < 103; i++) {
    CHECK(ids[i].bytes[6] >> 4 == 7 && ids[i].bytes[8] >> 6 == 2);
    for (size_t j = 0; j < i; j++) CHECK(memcmp(ids[i].bytes + 6, ids[j].bytes + 6, 10) != 0);
  }
  jb_id_pool_free(pool);
}

static void ids_are_read_as_they_are_written(void) {
  jobbroker_id id = jobbroker_id_make(), read;
  char text[JOBBROKER_ID_TEXT_SIZE];
  CHECK(strlen(jobbroker_id_format(id, text)) == 36);
  CHECK(jobbroker_id_parse(text, &read) && jobbroker_id_equal(id, read));
  CHECK(jobbroker_id_parse("0193A5F0C2007ABC8DEF0123456789AB", &read));
  CHECK_TEXT(jobbroker_id_format(read, text), "0193a5f0-c200-7abc-8def-0123456789ab");
  const char *bad[] = {"", "0193a5f0", "0193a5f0-c200-7abc-8def-0123456789a", "0193a5f0_c200_7abc_8def_0123456789ab",
                       "0193a5f0c2007abc8def0123456789ag", "0193a5f0c2007abc8def0123456789ab0"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(!jobbroker_id_parse(bad[i], &read));
  CHECK(jobbroker_id_is_none((jobbroker_id){{0}}) && !jobbroker_id_is_none(id));
}

static enum jb_text checked(const char *text, size_t count) { return jb_text_check((const uint8_t *)text, count); }

static void text_is_utf8_without_nul(void) {
  CHECK(checked("", 0) == JB_TEXT_SOUND);
  CHECK(checked("plain text of more than eight bytes", 35) == JB_TEXT_SOUND);
  CHECK(checked("ž\xF0\x9F\x8E\xA7\xEF\xBF\xBF\xF4\x8F\xBF\xBF", 13) == JB_TEXT_SOUND);
  CHECK(checked("a\0b", 3) == JB_TEXT_HOLDS_NUL);
  const char *bad[] = {"\x80",         "\xC0\xAF",         "\xE0\x80\xAF",     "\xED\xA0\x80",
                       "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "12345678\xF0\x9F\x8E", "\xC3"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(checked(bad[i], strlen(bad[i])) == JB_TEXT_NOT_UTF8);
}

static void text_is_made_fit_to_be_sent(void) {
  char bad[] = "a\xFF" "b\xC3", split[] = "ab🎧", whole[] = "ab🎧";
  jb_text_clean(bad, 100);
  CHECK_TEXT(bad, "a?b?");
  jb_text_clean(split, 5);
  CHECK_TEXT(split, "ab");
  jb_text_clean(whole, 6);
  CHECK_TEXT(whole, "ab🎧");
}

static void an_arena_is_zeroed_and_bounded(void) {
  struct jb_arena arena;
  jb_arena_init(&arena, NULL, 0, 100000);
  CHECK(jb_arena_take(&arena, 0));
  unsigned char *pieces[90];
  for (size_t i = 0; i < 90; i++) {
    pieces[i] = jb_arena_take(&arena, 1000);
    CHECK(pieces[i] && (uintptr_t)pieces[i] % 16 == 0);
    for (size_t j = 0; j < 1000; j++) CHECK(pieces[i][j] == 0);
    memset(pieces[i], 0xAA, 1000);
  }
  CHECK(!arena.exhausted);
  CHECK(!jb_arena_take(&arena, 10001) && arena.exhausted);
  CHECK(!jb_arena_take_array(&arena, SIZE_MAX / 2, 4));
  CHECK(!jb_arena_take(&arena, SIZE_MAX));
  jb_arena_free(&arena);
}

static void the_backoff_grows_to_its_limit(void) {
  uint64_t random = 1;
  for (int failures = 1; failures < 40; failures++) {
    int64_t ceiling = failures < 8 ? INT64_C(50) << (failures - 1) : 5000, longest = 0;
    if (ceiling > 5000) ceiling = 5000;
    for (int i = 0; i < 200; i++) {
      int64_t delay = jb_backoff(failures, &random);
      CHECK(delay >= 0 && delay <= ceiling);
      if (delay > longest) longest = delay;
    }
    CHECK(longest > ceiling / 2);
  }
}

/* A frame full of the smallest messages would take a hundred times its size. */
static void a_reply_that_takes_too_much_memory_is_refused(void) {
  size_t entries = 300000, count = 0;
  uint8_t *body = malloc(JB_MAX_FRAME);
  uint8_t head[] = {0x08, 0x07, 0x3A, 0, 0, 0};
  memcpy(body, head, sizeof head);
  size_t length = 2 * entries;
  for (int i = 0; i < 3; i++) body[3 + i] = (uint8_t)((length >> (7 * i) & 0x7F) | (i < 2 ? 0x80 : 0));
  count = sizeof head;
  for (size_t i = 0; i < entries; i++) {
    body[count++] = 0x0A;
    body[count++] = 0x00;
  }
  uint64_t id;
  jobbroker_reply *reply;
  CHECK(jb_reply_read(body, count, &id, &reply) == JB_READ_REFUSED);
  CHECK(id == 7 && jobbroker_reply_code(reply) == JOBBROKER_INTERNAL);
  CHECK_CONTAINS(jobbroker_reply_message(reply), "64 MiB");
  jobbroker_reply_free(reply);
  free(body);
}

static bool is_truncated(const char *body) {
  uint64_t id;
  jobbroker_reply *reply;
  CHECK(jb_reply_read((const uint8_t *)body, strlen(body), &id, &reply) == JB_READ_REPLY);
  bool truncated = jobbroker_reply_truncated(reply);
  jobbroker_reply_free(reply);
  return truncated;
}

static void a_reply_says_when_it_leaves_something_out(void) {
  /* A snapshot, counters and workers: truncated, and not. */
  CHECK(is_truncated("\x08\x07\x5A\x02\x18\x01") && !is_truncated("\x08\x07\x5A\x02\x10\x01"));
  CHECK(is_truncated("\x08\x07\x72\x02\x68\x01") && !is_truncated("\x08\x07\x72\x02\x60\x01"));
  CHECK(is_truncated("\x08\x07\x7A\x02\x10\x01") && !is_truncated("\x08\x07\x7A\x04\x0A\x02\x20\x01"));
}

static void the_socket_is_where_the_environment_says(void) {
  setenv("JOBBROKER_SOCKET", "/tmp/x y", 1);
  char *path = jobbroker_default_socket();
  CHECK_TEXT(path, "/tmp/x y");
  free(path);
  setenv("JOBBROKER_SOCKET", "", 1);
  path = jobbroker_default_socket();
  CHECK_CONTAINS(path, "/jobbroker.sock");
  free(path);
  unsetenv("JOBBROKER_SOCKET");
}

static void a_directory_in_tmp_that_is_missing_or_somebody_elses_is_refused(void) {
  /* A user that is not this one, nor that of another run. */
  uid_t uid = 3100000000u + (uid_t)getpid();
  char directory[64], path[80];
  snprintf(directory, sizeof directory, "/tmp/jobbroker-%u", (unsigned)uid);
  snprintf(path, sizeof path, "%s/jobbroker.sock", directory);
  jobbroker_reply *objection = jb_objection(path, uid);
  CHECK(objection && jobbroker_reply_code(objection) == JOBBROKER_UNAVAILABLE);
  CHECK_CONTAINS(jobbroker_reply_message(objection), "No such file or directory");
  jobbroker_reply_free(objection);
  CHECK(mkdir(directory, 0700) == 0);
  objection = jb_objection(path, uid);
  CHECK(objection && jobbroker_reply_code(objection) == JOBBROKER_PERMISSION_DENIED);
  CHECK_CONTAINS(jobbroker_reply_message(objection), "belongs to another user");
  jobbroker_reply_free(objection);
  CHECK(!jb_objection(path, getuid())); /* It is not his directory. */
  CHECK(rmdir(directory) == 0);
}

int main(void) {
  RUN(ids_are_version_7_and_sort_by_time);
  RUN(ids_from_a_pool_are_unlike_one_another_and_those_of_a_forked_child);
  RUN(ids_are_read_as_they_are_written);
  RUN(text_is_utf8_without_nul);
  RUN(text_is_made_fit_to_be_sent);
  RUN(an_arena_is_zeroed_and_bounded);
  RUN(the_backoff_grows_to_its_limit);
  RUN(a_reply_that_takes_too_much_memory_is_refused);
  RUN(a_reply_says_when_it_leaves_something_out);
  RUN(the_socket_is_where_the_environment_says);
  RUN(a_directory_in_tmp_that_is_missing_or_somebody_elses_is_refused);
  return 0;
}
