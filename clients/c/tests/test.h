/* What every test program has. A program runs its tests one after another and ends at the first that fails. */
#ifndef TEST_H
#define TEST_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "jobbroker.h"

/* How long anything may take before it counts as hanging. */
enum { LIMIT_MS = 60000 };

/* Ends the program unless the condition holds. */
#define CHECK(condition) \
  ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition, ""))

/* Ends the program unless the call returned this code. */
#define CHECK_CODE(client, expected, call)                                                                 \
  do {                                                                                                     \
    jobbroker_code code_ = (call);                                                                         \
    if (code_ != (expected)) {                                                                             \
      fprintf(stderr, "%s: %s\n", jobbroker_code_name(code_), jobbroker_error(client));                    \
      check_failed(__FILE__, __LINE__, #call, #expected);                                                  \
    }                                                                                                      \
  } while (0)

#define CHECK_TEXT(text, expected) check_text(__FILE__, __LINE__, text, expected)
#define CHECK_CONTAINS(text, part) check_contains(__FILE__, __LINE__, text, part)

_Noreturn void check_failed(const char *file, int line, const char *what, const char *detail);
void check_text(const char *file, int line, const char *text, const char *expected);
void check_contains(const char *file, int line, const char *text, const char *part);

/* Runs a test, under a time limit. */
#define RUN(test) run_test(#test, test)
void run_test(const char *name, void (*test)(void));

/* A client of this socket. */
jobbroker_client *open_client(const char *socket);

/* Creates a job of this type. */
jobbroker_id create_job(jobbroker_client *client, const char *type);

/* Claims a job of this type, which must be there or come, and returns its attempt. */
uint32_t claim_job(jobbroker_client *client, const char *type, jobbroker_id *id);

/* The job as it is now; the reply is the caller's. */
const jobbroker_job *get_job(jobbroker_client *client, jobbroker_id id, jobbroker_reply **reply);

jobbroker_status status_of(jobbroker_client *client, jobbroker_id id);

/* For jobbroker_send: puts the reply into a jobbroker_reply *, which must be NULL before. */
void keep_reply(jobbroker_reply *reply, void *context);

/* Waits until such a reply has come. */
void await_reply(jobbroker_client *client, jobbroker_reply **reply);

#endif
