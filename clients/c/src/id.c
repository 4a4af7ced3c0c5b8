#include "id.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>

#include "clock.h"

enum {
  /* Bytes of an id that are random, but for six bits. */
  JB_RANDOM = 10,
  /* The kernel gives up to 256 bytes at once, or none. */
  JB_POOL = 256 / JB_RANDOM * JB_RANDOM
};

struct jb_id_pool {
  size_t left;
  uint8_t bytes[JB_POOL];
};

static jobbroker_id with_time(const uint8_t random[JB_RANDOM]) {
  jobbroker_id id;
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  uint64_t milliseconds = (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
  for (int i = 0; i < 6; i++) id.bytes[i] = (uint8_t)(milliseconds >> (40 - 8 * i));
  memcpy(id.bytes + 6, random, JB_RANDOM);
  id.bytes[6] = (uint8_t)(0x70 | (id.bytes[6] & 0x0F));
  id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3F));
  return id;
}

jobbroker_id jobbroker_id_make(void) {
  uint8_t random[JB_RANDOM];
  if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
    /* So early in the life of the machine that it has no randomness, or a kernel without it. */
    uint64_t halves[2] = {jb_seed(), jb_seed() * UINT64_C(0x9E3779B97F4A7C15)};
    memcpy(random, halves, sizeof random);
  }
  return with_time(random);
}

struct jb_id_pool *jb_id_pool_new(void) {
  void *page = mmap(NULL, sizeof(struct jb_id_pool), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return NULL;
  if (madvise(page, sizeof(struct jb_id_pool), MADV_WIPEONFORK) == 0) return page;
  jb_id_pool_free(page);
  return NULL;
}

void jb_id_pool_free(struct jb_id_pool *pool) {
  if (pool) munmap(pool, sizeof *pool);
}

jobbroker_id jb_id_make(struct jb_id_pool *pool) {
  if (!pool) return jobbroker_id_make();
  if (!pool->left) {
    if (getrandom(pool->bytes, JB_POOL, 0) != JB_POOL) return jobbroker_id_make();
    pool->left = JB_POOL;
  }
  pool->left -= JB_RANDOM;
  return with_time(pool->bytes + pool->left);
}

static int digit(char character) {
  if (character >= '0' && character <= '9') return character - '0';
  if (character >= 'a' && character <= 'f') return character - 'a' + 10;
  if (character >= 'A' && character <= 'F') return character - 'A' + 10;
  return -1;
}

/* Whether a dash of the usual form follows so many bytes. */
static bool dash_follows(size_t bytes) { return bytes == 4 || bytes == 6 || bytes == 8 || bytes == 10; }

bool jobbroker_id_parse(const char *text, jobbroker_id *id) {
  jobbroker_id parsed;
  bool dashed = strlen(text) == JOBBROKER_ID_TEXT_SIZE - 1;
  if (!dashed && strlen(text) != 32) return false;
  for (size_t i = 0; i < sizeof parsed.bytes; i++) {
    if (dashed && dash_follows(i) && *text++ != '-') return false;
    int high = digit(text[0]), low = high < 0 ? -1 : digit(text[1]);
    if (low < 0) return false;
    parsed.bytes[i] = (uint8_t)(high << 4 | low);
    text += 2;
  }
  *id = parsed;
  return true;
}

char *jobbroker_id_format(jobbroker_id id, char text[JOBBROKER_ID_TEXT_SIZE]) {
  char *end = text;
  for (size_t i = 0; i < sizeof id.bytes; i++) {
    if (dash_follows(i)) *end++ = '-';
    *end++ = "0123456789abcdef"[id.bytes[i] >> 4];
    *end++ = "0123456789abcdef"[id.bytes[i] & 0x0F];
  }
  *end = '\0';
  return text;
}

bool jobbroker_id_equal(jobbroker_id one, jobbroker_id other) {
  return memcmp(one.bytes, other.bytes, sizeof one.bytes) == 0;
}

bool jobbroker_id_is_none(jobbroker_id id) { return jobbroker_id_equal(id, (jobbroker_id){{0}}); }
