/* Codes, statuses and ids. */
#ifndef JOBBROKER_TYPES_H
#define JOBBROKER_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define JOBBROKER_API __attribute__((visibility("default")))
#else
#define JOBBROKER_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The version of these headers. */
#define JOBBROKER_VERSION "1.0.0"

/* The version of the library that the program runs with: "1.0.0". A constant. */
JOBBROKER_API const char *jobbroker_version(void);

/* How a call ended. The values are those of the protocol; what each asks of the caller is in README.md. */
typedef enum jobbroker_code {
  JOBBROKER_OK = 0,
  /* The message names the field and what is allowed. */
  JOBBROKER_INVALID_ARGUMENT = 1,
  /* No such job, or watch. */
  JOBBROKER_NOT_FOUND = 2,
  /* The claim is no longer valid: stop working on the job. The error carries the job as it is. */
  JOBBROKER_STALE_CLAIM = 3,
  /* Too late: the job is finished. The error carries the job as it is. */
  JOBBROKER_JOB_FINISHED = 4,
  /* The id belongs to a job with other content, which the error carries; or the file exists. */
  JOBBROKER_ALREADY_EXISTS = 5,
  /* Not this user, or a read-only client. */
  JOBBROKER_PERMISSION_DENIED = 6,
  /* A limit, the disk, or this process's memory. */
  JOBBROKER_RESOURCE_EXHAUSTED = 7,
  /* No broker, or none in time. Nothing happened, or repeating the same call is safe. */
  JOBBROKER_UNAVAILABLE = 8,
  /* It may have happened, and repeating it could do it twice: read the job first. */
  JOBBROKER_UNKNOWN_OUTCOME = 9,
  /* The broker, or this library, does not know the operation, value or version. */
  JOBBROKER_UNSUPPORTED = 10,
  /* A fault of the broker, or of what answers in its place. */
  JOBBROKER_INTERNAL = 11
} jobbroker_code;

/* The code's name in the protocol: "STALE_CLAIM"; "OK" for JOBBROKER_OK. A constant. */
JOBBROKER_API const char *jobbroker_code_name(jobbroker_code code);

/* What a job is. */
typedef enum jobbroker_status {
  /* In requests: any, or unchanged. In a notice of revocation: the job is gone, or unknown. */
  JOBBROKER_STATUS_NONE = 0,
  JOBBROKER_PENDING = 1,
  JOBBROKER_PROCESSING = 2,
  JOBBROKER_COMPLETE = 3,
  JOBBROKER_FAILED = 4,
  JOBBROKER_CANCELLED = 5
} jobbroker_status;

/* The status's name: "PENDING"; "NONE" for JOBBROKER_STATUS_NONE. A constant. */
JOBBROKER_API const char *jobbroker_status_name(jobbroker_status status);

/* Why an attempt ended without success. */
typedef enum jobbroker_cause {
  JOBBROKER_CAUSE_FAILED = 1,
  JOBBROKER_CAUSE_LOST = 2,
  JOBBROKER_CAUSE_RELEASED = 3,
  JOBBROKER_CAUSE_CANCELLED = 4
} jobbroker_cause;

/* The cause's name: "LOST". A constant. */
JOBBROKER_API const char *jobbroker_cause_name(jobbroker_cause cause);

/* The id of a job: a UUID. All zero means "none". */
typedef struct jobbroker_id {
  uint8_t bytes[16];
} jobbroker_id;

/* The room that the text of an id takes, its NUL included. */
#define JOBBROKER_ID_TEXT_SIZE 37

/* Makes a new id: a UUID of version 7 (RFC 9562), which begins with the time and so sorts by it. */
JOBBROKER_API jobbroker_id jobbroker_id_make(void);

/* Reads an id: 32 hexadecimal digits of either case, with or without the four dashes. False, with `id` unchanged,
 * if the text is none. */
JOBBROKER_API bool jobbroker_id_parse(const char *text, jobbroker_id *id);

/* Writes an id in its usual form, lower case with dashes, and returns `text`. */
JOBBROKER_API char *jobbroker_id_format(jobbroker_id id, char text[JOBBROKER_ID_TEXT_SIZE]);

/* Whether two ids are the same. */
JOBBROKER_API bool jobbroker_id_equal(jobbroker_id one, jobbroker_id other);

/* Whether an id is "none". */
JOBBROKER_API bool jobbroker_id_is_none(jobbroker_id id);

#ifdef __cplusplus
}
#endif

#endif
