/* A client: one connection, made again whenever it is lost, and the requests that it carries. */
#ifndef JOBBROKER_CLIENT_H
#define JOBBROKER_CLIENT_H

#include <jobbroker/reply.h>
#include <jobbroker/request.h>
#include <jobbroker/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A client of one broker. */
typedef struct jobbroker_client jobbroker_client;

/* Who a client is; all zero will do. */
typedef struct jobbroker_options {
  /* The broker's socket; NULL: where this user's broker is (jobbroker_default_socket). */
  const char *socket_path;
  /* Program and version, for people; at most 256 bytes; NULL: this library's. */
  const char *client_name;
  /* The name under which claims are shown; at most 256 bytes; NULL: the program's name and process id. */
  const char *worker_name;
  /* Asks the broker to refuse this client every change. */
  bool read_only;
} jobbroker_options;

/* No time limit, as a timeout. */
#define JOBBROKER_FOREVER (-1)

/* Where this user's broker is: $JOBBROKER_SOCKET, otherwise the usual place. Free it with free(); NULL: no memory. */
JOBBROKER_API char *jobbroker_default_socket(void);

/* Makes a client. It connects with the first call that needs it. `options` may be NULL. NULL: no memory. */
JOBBROKER_API jobbroker_client *jobbroker_new(const jobbroker_options *options);

/* Ends a client. Requests without an answer are called back with UNAVAILABLE or UNKNOWN_OUTCOME. Not to be called from
 * a callback. Replies that came before stay valid. In a child made by fork it frees memory and descriptors only: nothing is
 * sent, nobody is called back, and the parent's client goes on. A child that lives on should free what it inherited: while it
 * has the socket, the broker does not notice that the parent has died, and the parent's jobs go back only when their leases
 * end. */
JOBBROKER_API void jobbroker_free(jobbroker_client *client);

/* Connects, trying again and again with growing pauses for as long as `timeout_ms`. Needed only by those who want to
 * know beforehand. UNAVAILABLE: no broker in time; other errors: the broker will not have this client. */
JOBBROKER_API jobbroker_code jobbroker_connect(jobbroker_client *client, int timeout_ms);

/* Why the last call that returned a code failed: what is wrong, and what to do; "" if it was a blocking call and did not
 * fail. Valid until the next call. */
JOBBROKER_API const char *jobbroker_error(const jobbroker_client *client);

/* The job that this error carries (STALE_CLAIM, JOB_FINISHED, ALREADY_EXISTS); NULL: none. Valid until the next call. */
JOBBROKER_API const jobbroker_job *jobbroker_error_job(const jobbroker_client *client);

/* ------------------------------------------------------------------ for programs with an event loop of their own
 *
 * Send requests with jobbroker_send; when jobbroker_fd can be read, call jobbroker_process, which calls back with the
 * answers. Neither ever waits. Callbacks run only within jobbroker_process, jobbroker_wait, jobbroker_free and the
 * blocking calls. In a callback everything may be called but these (they refuse with INVALID_ARGUMENT; free must not be
 * tried). */

/* Gets an answer. The reply is the callee's: free it with jobbroker_reply_free. */
typedef void jobbroker_callback(jobbroker_reply *reply, void *context);

/* Sends a request.
 *
 * The answer comes to `callback` (NULL: nobody wants it) exactly once; of a watch again and again, until it is called
 * with an error, or jobbroker_forget.
 *
 * A request waits for a connection and for a place among those in flight, 128 with most brokers, and while 8 MiB are in
 * flight. Heartbeats, which are updates with an `attempt` and at most `progress` and `stage`, don't wait for those 8 MiB; they
 * go before the others, and 8 places are kept for them. Claims that wait take all but 16 places at most, so that they hold up
 * nothing else. If its connection is lost and sending it again is safe,
 * it is sent again: create, claim, cancel, pause, resume, whatever only reads, and every change that has an `attempt`.
 * Otherwise it ends with UNKNOWN_OUTCOME.
 *
 * timeout_ms  how long to wait for the answer; of a claim, on top of its wait_ms; of a watch, for its first answer.
 *             Then the request ends with UNAVAILABLE or UNKNOWN_OUTCOME.
 * ticket      gets a number for jobbroker_forget; may be NULL.
 *
 * Fails, without calling back: INVALID_ARGUMENT for a request that is larger than a frame or of an unknown operation;
 * RESOURCE_EXHAUSTED for want of memory. `jobbroker_error` tells more. */
JOBBROKER_API jobbroker_code jobbroker_send(jobbroker_client *client, const jobbroker_request *request,
                                            int timeout_ms, jobbroker_callback *callback, void *context,
                                            uint64_t *ticket);

/* Ends a watch, or the interest in a request: its callback will not be called any more. A request that is on its way is
 * not called back by that; but a claim is withdrawn, and jobs that it still gets are given back at once. Without effect
 * on a ticket that is done with. */
JOBBROKER_API void jobbroker_forget(jobbroker_client *client, uint64_t ticket);

/* Ends the wait of a claim. Its callback gets the answer soon: OK, with no job unless one was just on its way, which is
 * yours then; or UNAVAILABLE if the claim is not with the broker, the connection is lost, or no answer comes within 30 s.
 * Without effect on other tickets. */
JOBBROKER_API void jobbroker_withdraw(jobbroker_client *client, uint64_t ticket);

/* A descriptor that can be read (POLLIN) when there is something for jobbroker_process to do, timeouts and
 * reconnecting included. It is the same for the life of the client, over all its connections, so ask for it once. It stays
 * readable while something is left to do, so wait for it level-triggered (not EPOLLET). Don't read from it, and don't close
 * it. -1: the system has no descriptors left. */
JOBBROKER_API int jobbroker_fd(jobbroker_client *client);

/* Does what can be done without waiting: connects, sends, receives, calls back. What it returns is not OK when the
 * client has ended for good, because the broker will not have it; all its requests have failed then. */
JOBBROKER_API jobbroker_code jobbroker_process(jobbroker_client *client);

/* Waits until there is something to do, a signal handler has run, or `timeout_ms` are over; then does as
 * jobbroker_process: for loops that wait for nothing else. It may return before that with nothing done, so call it in a
 * loop. */
JOBBROKER_API jobbroker_code jobbroker_wait(jobbroker_client *client, int timeout_ms);

/* What happens without having been asked for. */
typedef enum jobbroker_notice_kind {
  /* The broker said welcome. Heartbeat every job you hold, now: heartbeats sent from this notice go before all else. */
  JOBBROKER_NOTICE_CONNECTED = 1,
  /* The connection was lost; `reason` says why. */
  JOBBROKER_NOTICE_DISCONNECTED,
  /* A job was taken away from its holder, this client: stop working on it. */
  JOBBROKER_NOTICE_REVOKED
} jobbroker_notice_kind;

/* A notice. Valid while its function runs. */
typedef struct jobbroker_notice {
  jobbroker_notice_kind kind;
  /* Of a revocation: which job, under which claim. */
  jobbroker_id id;
  uint32_t attempt;
  /* Of a revocation: what the job is now. */
  jobbroker_status status;
  const char *reason;
} jobbroker_notice;

/* Is told of notices. The rules for callbacks hold. */
typedef void jobbroker_notice_function(const jobbroker_notice *notice, void *context);

/* Has notices told to `function`; NULL: to nobody. */
JOBBROKER_API void jobbroker_on_notice(jobbroker_client *client, jobbroker_notice_function *function,
                                       void *context);

#ifdef __cplusplus
}
#endif

#endif
