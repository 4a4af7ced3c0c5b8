/* Checks of text. */
#ifndef JB_UTF8_H
#define JB_UTF8_H

#include <stddef.h>
#include <stdint.h>

enum jb_text { JB_TEXT_SOUND, JB_TEXT_HOLDS_NUL, JB_TEXT_NOT_UTF8 };

/* Whether bytes can be a `string` of the protocol: UTF-8 without NUL. */
enum jb_text jb_text_check(const uint8_t *bytes, size_t count);

/* Makes a text fit to be sent: what is not UTF-8 becomes '?', and what goes beyond `limit` bytes is cut off at the end
 * of a character. */
void jb_text_clean(char *text, size_t limit);

#endif
