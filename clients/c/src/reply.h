/* Replies, from the bytes of a frame or made here. */
#ifndef JB_REPLY_H
#define JB_REPLY_H

#include <stdalign.h>

#include "arena.h"
#include "jobbroker.pb-c.h"
#include "jobbroker/reply.h"

struct jobbroker_reply {
  /* How many owners it has; 0: it is a constant. */
  unsigned references;
  jobbroker_code code;
  const char *message;
  struct jb_arena arena;
  /* What the broker sent; NULL when the reply was made here. */
  const Jobbroker__Response *response;
  jobbroker_event event;
  size_t job_count;
  const jobbroker_job *const *jobs;
  const jobbroker_stats_info *stats;
  size_t worker_count;
  const jobbroker_worker_info *const *workers;
  /* What the arena begins with. */
  alignas(max_align_t) char memory[];
};

enum jb_reading {
  /* The reply is what the broker said. */
  JB_READ_REPLY,
  /* The answer can't be understood; the reply is an error in its place, and the connection goes on. */
  JB_READ_REFUSED,
  /* These are no bytes of a broker; the reply is an error that says why. */
  JB_READ_MALFORMED
};

/* Reads the body of a frame. `id` gets the id of the request that it answers, as far as it can be read. */
enum jb_reading jb_reply_read(const uint8_t *body, size_t count, uint64_t *id, jobbroker_reply **reply);

/* Makes an error. Never fails: without memory it is the error that says so. */
jobbroker_reply *jb_reply_error(jobbroker_code code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The reply of an interruption that the broker did not tell of. */
jobbroker_reply *jb_reply_interrupted(void);

/* Adds an owner. */
jobbroker_reply *jb_reply_share(jobbroker_reply *reply);

/* --- reply_jobs.c, reply_parts.c: the parts of a reply, made of their messages. 0, or a code and why in `fault`. --- */

/* Why a message was refused. */
struct jb_fault {
  const char *field;
  const char *reason;
};

/* A code, or JOBBROKER_OK. */
jobbroker_code jb_read_id(protobuf_c_boolean has, const ProtobufCBinaryData *bytes, jobbroker_id *id,
                          const char *field, struct jb_fault *fault);
jobbroker_code jb_read_jobs(jobbroker_reply *reply, size_t count, Jobbroker__Job *const *messages,
                            struct jb_fault *fault);
jobbroker_code jb_read_created(jobbroker_reply *reply, const Jobbroker__Created *message, struct jb_fault *fault);
jobbroker_code jb_read_stats(jobbroker_reply *reply, const Jobbroker__Stats *message, struct jb_fault *fault);
jobbroker_code jb_read_workers(jobbroker_reply *reply, const Jobbroker__WorkerList *message,
                               struct jb_fault *fault);
/* `text`, or "". */
const char *jb_text_or_empty(const char *text);

#endif
