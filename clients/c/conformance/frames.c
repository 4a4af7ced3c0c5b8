/* The codec on the vectors: lines in, lines out. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "adapter.h"
#include "buffer.h"
#include "reply.h"
#include "wire.h"

static void print_hex(const uint8_t *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) printf("%02x", bytes[i]);
}

/* Turns hexadecimal text into bytes, in place; returns how many. */
static size_t unhex(char *text) {
  size_t count = strlen(text) / 2;
  for (size_t i = 0; i < count; i++) {
    char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};
    text[i] = (char)strtoul(pair, NULL, 16);
  }
  return count;
}

static void request(const uint8_t *frame, size_t count) {
  Jobbroker__Request *message =
      jobbroker__request__unpack(NULL, count - JB_LENGTH_PREFIX, frame + JB_LENGTH_PREFIX);
  struct jb_arena arena;
  jb_arena_init(&arena, NULL, 0, SIZE_MAX);
  Jobbroker__Request *again = message ? say_again(&arena, message) : NULL;
  if (again) {
    size_t size = jb_request_write(again, NULL, 0);
    uint8_t *bytes = malloc(JB_LENGTH_PREFIX + size);
    jb_frame_prefix(bytes, (uint32_t)size);
    jb_request_write(again, bytes + JB_LENGTH_PREFIX + size, size);
    print_hex(bytes, JB_LENGTH_PREFIX + size);
    free(bytes);
  } else {
    printf("refused");
  }
  jb_arena_free(&arena);
  if (message) jobbroker__request__free_unpacked(message, NULL);
}

static void response(const uint8_t *frame, size_t count) {
  uint64_t id;
  jobbroker_reply *reply;
  switch (jb_reply_read(frame + JB_LENGTH_PREFIX, count - JB_LENGTH_PREFIX, &id, &reply)) {
    case JB_READ_REPLY: print_message(stdout, &reply->response->base); break;
    case JB_READ_REFUSED: printf("{\"fatal\":false,\"id\":%" PRIu64 "}", id); break;
    case JB_READ_MALFORMED: printf("{\"fatal\":true}"); break;
  }
  jobbroker_reply_free(reply);
}

static void stream(const uint8_t *bytes, size_t count) {
  struct jb_buffer buffer = {0};
  const char *separator = "";
  bool refused = false;
  printf("{\"bodies\":[");
  for (size_t i = 0; i < count && !refused; i++) {
    if (!jb_buffer_reserve(&buffer, 1)) abort();
    buffer.bytes[buffer.end++] = bytes[i];
    const uint8_t *body;
    size_t length;
    enum jb_frame frame;
    while ((frame = jb_frame_next(&buffer, &body, &length)) == JB_FRAME_WHOLE) {
      printf("%s\"", separator);
      print_hex(body, length);
      printf("\"");
      separator = ",";
    }
    refused = frame == JB_FRAME_REFUSED;
  }
  bool partial = !refused && jb_buffer_count(&buffer);
  printf("],\"partial\":%s,\"refused\":%s}", partial ? "true" : "false", refused ? "true" : "false");
  jb_buffer_free(&buffer);
}

int frames(void) {
  char *line = NULL;
  size_t capacity = 0;
  while (getline(&line, &capacity, stdin) > 0) {
    line[strcspn(line, "\n")] = '\0';
    char *rest = line, *kind = strsep(&rest, " ");
    /* The message as JSON may follow; the frame says the same. */
    char *hex = rest ? strsep(&rest, " ") : kind + strlen(kind);
    size_t count = unhex(hex);
    if (strcmp(kind, "request") == 0) {
      request((const uint8_t *)hex, count);
    } else if (strcmp(kind, "response") == 0) {
      response((const uint8_t *)hex, count);
    } else {
      stream((const uint8_t *)hex, count);
    }
    putchar('\n');
    fflush(stdout);
  }
  free(line);
  return 0;
}
