#include "utf8.h"

#include <stdbool.h>
#include <string.h>

/* The length of the character at the beginning; 0 if there is none. Table 3-7 of the Unicode Standard. */
static size_t character(const uint8_t *bytes, size_t count) {
  uint8_t first = bytes[0];
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (count < length) return 0;
  uint8_t lowest = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  uint8_t highest = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (bytes[1] < lowest || bytes[1] > highest) return 0;
  for (size_t i = 2; i < length; i++) {
    if ((bytes[i] & 0xC0) != 0x80) return 0;
  }
  return length;
}

/* Whether all is ASCII without NUL, as most text is. A byte is not, if it, or what is one less, has the highest bit. */
static bool is_plain(const uint8_t *bytes, size_t count) {
  const uint64_t ones = UINT64_C(0x0101010101010101);
  uint64_t suspects = 0, word;
  for (; count >= sizeof word; bytes += sizeof word, count -= sizeof word) {
    memcpy(&word, bytes, sizeof word);
    suspects |= word | (word - ones);
  }
  for (; count; bytes++, count--) suspects |= *bytes | ((uint64_t)*bytes - 1);
  return !(suspects & ones << 7);
}

enum jb_text jb_text_check(const uint8_t *bytes, size_t count) {
  if (is_plain(bytes, count)) return JB_TEXT_SOUND;
  if (memchr(bytes, 0, count)) return JB_TEXT_HOLDS_NUL;
  size_t offset = 0;
  while (offset < count) {
    /* Other text, too, is ASCII for long stretches: eight bytes at a time. */
    uint64_t word;
    if (count - offset >= sizeof word) {
      memcpy(&word, bytes + offset, sizeof word);
      if (!(word & UINT64_C(0x8080808080808080))) {
        offset += sizeof word;
        continue;
      }
    }
    size_t length = character(bytes + offset, count - offset);
    if (!length) return JB_TEXT_NOT_UTF8;
    offset += length;
  }
  return JB_TEXT_SOUND;
}

void jb_text_clean(char *text, size_t limit) {
  size_t count = strlen(text), offset = 0;
  while (offset < count) {
    size_t length = character((const uint8_t *)text + offset, count - offset);
    if (!length) {
      text[offset] = '?';
      length = 1;
    }
    if (offset + length > limit) break;
    offset += length;
  }
  text[offset] = '\0';
}
