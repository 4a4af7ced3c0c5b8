/* A client from within: client.c makes and ends it, connection.c has its connection, loop.c waits; its requests go out in
 * sending.c and come back in receiving.c, or do not (interruptions.c). */
#ifndef JB_SESSION_H
#define JB_SESSION_H

#include <sys/types.h>

#include "buffer.h"
#include "clock.h"
#include "jobbroker/client.h"
#include "message.h"
#include "reply.h"

enum {
  JB_HELLO_ID = 1,
  /* Requests in flight that a broker allows unless it says otherwise. */
  JB_IN_FLIGHT = 128,
  /* How long the broker may take to answer what it has no reason to let wait. */
  JB_PATIENCE_MS = 30000
};

enum jb_state {
  /* No connection; the next try is at `next_dial`. */
  JB_AWAY,
  /* Connected; the broker has not answered the hello. */
  JB_GREETING,
  JB_READY,
  /* The broker will not have this client; `ending` says why. */
  JB_ENDED
};

/* A request without an answer, or a watch. */
struct jb_call {
  struct jb_call *next;
  uint64_t id;
  Jobbroker__Request__OperationCase operation;
  /* Of a create: how many jobs it makes; of a claim: how many it takes at most. */
  size_t job_count;
  jobbroker_callback *callback;
  void *context;
  /* When it has waited too long. */
  int64_t deadline;
  /* Of a claim that may wait for a job: when it has waited long enough; otherwise JB_NEVER. */
  int64_t wait_ends;
  /* Of a claim that a closing broker refused: not to be sent before. */
  int64_t rests_until;
  bool repeatable;
  /* It keeps a claim alive, and goes before all that does not. */
  bool heartbeat;
  /* Whether it is sent and not answered. */
  bool sent;
  /* Of a claim: it is not to wait any longer. */
  bool withdrawn;
  /* Of a watch: whether its first answer has come. */
  bool open;
  /* Nobody wants the answer; it is still counted, and jobs that come with it are given back. */
  bool forgotten;
  /* The message, which is kept because it may have to be sent again. */
  size_t size;
  uint8_t body[];
};

/* Calls in order. */
struct jb_calls {
  struct jb_call *first;
  struct jb_call *last;
};

/* The one descriptor that stands for all that a client waits for. */
struct jb_loop {
  /* An epoll instance; -1 until somebody asks for it. */
  int descriptor;
  int timer;
  /* The socket that is in it, and for what. */
  int socket;
  uint32_t events;
  /* The moment that the timer is set to. */
  int64_t armed;
};

struct jobbroker_client {
  /* The process that made it. */
  pid_t owner;
  char *socket_path;
  char *client_name;
  char *worker_name;
  bool read_only;

  enum jb_state state;
  int fd;
  int64_t next_dial;
  int64_t greeting_ends;
  /* How long the socket lets a read wait, in milliseconds; 0: not set. */
  int64_t receive_timeout;
  /* Failures in a row, for the backoff. */
  int failures;
  uint64_t random;
  /* Why there is no connection. */
  jobbroker_reply *trouble;
  /* Why the broker is about to end the connection, when it said so. */
  jobbroker_reply *parting;
  /* Why the client has ended. */
  jobbroker_reply *ending;
  struct jb_buffer incoming;
  struct jb_buffer outgoing;

  /* Of new jobs that come without an id; may be NULL. */
  struct jb_id_pool *ids;
  uint64_t last_id;
  uint32_t max_in_flight;
  uint32_t in_flight;
  /* Claims among them that may wait for a job. */
  uint32_t waiting;
  /* Bytes of the requests in flight. */
  size_t unanswered;
  /* In line for a connection and a place among those in flight: heartbeats, and all else. */
  struct jb_calls heartbeats;
  struct jb_calls queue;
  struct jb_calls sent;
  struct jb_calls watches;

  /* Before this moment nothing is due. */
  int64_t wakes;
  /* Within jobbroker_process or jobbroker_free, where callbacks run: what is sent goes out at its end. */
  bool processing;
  /* Within the notice of a new connection: what is sent goes before what is in line. */
  bool renewing;
  jobbroker_notice_function *notice;
  void *notice_context;
  /* Of the last blocking call; NULL: it did not fail. */
  jobbroker_reply *error;
  struct jb_loop loop;
};

/* -------------------------------------------------------------------------------------------------- sending.c */

/* Sends what is in line, as far as the connection and its limit allow. */
void jb_send_queue(jobbroker_client *client);
/* Begins the watches anew. */
void jb_watches_again(jobbroker_client *client);
/* Puts a frame into what goes out next; false: no memory, and the connection is as good as lost, which the next read finds
 * out: no callback is called from here. */
bool jb_transmit(jobbroker_client *client, const uint8_t *body, size_t size);

/* ------------------------------------------------------------------------------------------------ receiving.c */

/* Takes a frame's body; false: the connection is gone. */
bool jb_receive(jobbroker_client *client, const uint8_t *body, size_t count);

/* -------------------------------------------------------------------------------------------- interruptions.c */

/* The connection is gone: what was under way goes back into line, or ends. Without `repeats` it all ends. */
void jb_calls_interrupted(jobbroker_client *client, jobbroker_reply *reason, bool repeats);
/* Ends what has waited too long, and says when the next one will have. */
int64_t jb_calls_expire(jobbroker_client *client, int64_t now);
/* Ends all calls. */
void jb_calls_end(jobbroker_client *client, jobbroker_reply *reason);

/* ----------------------------------------------------------------------------------------------- connection.c */

/* Connects, if it is time. */
void jb_dial(jobbroker_client *client, int64_t now);
/* Reads what has come and takes it. If nothing has, waits until this moment, or less; 0: not at all. */
void jb_read(jobbroker_client *client, int64_t until);
/* Writes what is to go out, as far as the socket takes it. */
void jb_write(jobbroker_client *client);
/* The first answer of a connection. Takes the reply. */
void jb_greeted(jobbroker_client *client, uint64_t id, jobbroker_reply *reply);
/* The connection is gone, or of no use. Takes the reason. */
void jb_lost(jobbroker_client *client, jobbroker_reply *reason);
/* The peer does not speak the protocol. What it was sent is not sent again: it would answer no better. */
void jb_violated(jobbroker_client *client, const char *what);
/* The broker will not have this client. Takes the reason. */
void jb_end(jobbroker_client *client, jobbroker_reply *reason);
void jb_close_socket(jobbroker_client *client);

/* ----------------------------------------------------------------------------------------------------- loop.c */

/* Something will be due at this moment. */
void jb_wake_at(jobbroker_client *client, int64_t moment);
/* Brings the descriptor up to date with what the client waits for. */
void jb_loop_update(jobbroker_client *client);
/* The socket is about to be closed. */
void jb_loop_forget_socket(jobbroker_client *client);
void jb_loop_free(jobbroker_client *client);

/* --------------------------------------------------------------------------------------------------- client.c */

jobbroker_reply *jb_no_broker(const char *socket_path, const char *reason);
/* Why a user must not connect to a socket in his directory in /tmp, where anybody may take a name that can be guessed; or
 * NULL. PERMISSION_DENIED: it is somebody else's. UNAVAILABLE: it is not there, and who makes it next is not known. */
jobbroker_reply *jb_objection(const char *socket_path, uid_t uid);
void jb_set_error(jobbroker_client *client, jobbroker_reply *error);
void jb_tell(jobbroker_client *client, const jobbroker_notice *notice);

#endif
