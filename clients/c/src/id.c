#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "clock.h"
#include "jobbroker/types.h"

jobbroker_id jobbroker_id_make(void) {
  jobbroker_id id;
  if (getrandom(id.bytes, sizeof id.bytes, 0) != (ssize_t)sizeof id.bytes) {
    /* So early in the life of the machine that it has no randomness, or a kernel without it. */
    uint64_t halves[2] = {jb_seed(), jb_seed() * UINT64_C(0x9E3779B97F4A7C15)};
    memcpy(id.bytes, halves, sizeof id.bytes);
  }
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  uint64_t milliseconds = (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
  for (int i = 0; i < 6; i++) id.bytes[i] = (uint8_t)(milliseconds >> (40 - 8 * i));
  id.bytes[6] = (uint8_t)(0x70 | (id.bytes[6] & 0x0F));
  id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3F));
  return id;
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
