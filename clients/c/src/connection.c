/* Connecting, the handshake, and what a connection carries. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "session.h"
#include "wire.h"

enum { JB_READ_SIZE = 16 << 10, JB_READS_AT_A_TIME = 16 };

/* Tries again after a while. Takes the reason. */
static void dial_later(jobbroker_client *client, jobbroker_reply *reason) {
  jobbroker_reply_free(client->trouble);
  client->trouble = reason;
  client->failures++;
  client->next_dial = jb_now() + jb_backoff(client->failures, &client->random) + 1;
  jb_wake_at(client, client->next_dial);
}

/* ------------------------------------------------------------------------------------------------ beginning */

static void greet(jobbroker_client *client) {
  struct jb_hello hello = {JB_PROTOCOL_VERSION, client->client_name, client->worker_name, client->read_only};
  struct jb_arena arena;
  jb_arena_init(&arena, NULL, 0, SIZE_MAX);
  Jobbroker__Request *message = jb_message_hello(&arena, &hello);
  size_t size = 0;
  uint8_t *body = NULL;
  if (message) {
    message->id = JB_HELLO_ID;
    size = jb_request_write(message, NULL, 0);
    body = jb_arena_take(&arena, size);
  }
  client->state = JB_GREETING;
  client->greeting_ends = jb_now() + JB_PATIENCE_MS;
  jb_wake_at(client, client->greeting_ends);
  if (body) {
    jb_request_write(message, body + size, size);
    jb_transmit(client, body, size);
  } else {
    jb_lost(client, jb_reply_error(JOBBROKER_RESOURCE_EXHAUSTED, "this process is out of memory"));
  }
  jb_arena_free(&arena);
}

void jb_dial(jobbroker_client *client, int64_t now) {
  if (client->state != JB_AWAY) return;
  if (now < client->next_dial) {
    jb_wake_at(client, client->next_dial);
    return;
  }
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(client->socket_path) >= sizeof address.sun_path) {
    jb_end(client, jb_reply_error(JOBBROKER_INVALID_ARGUMENT, "the socket's path is too long for a socket: %s",
                                  client->socket_path));
    return;
  }
  strcpy(address.sun_path, client->socket_path);
  jobbroker_reply *objection = jb_objection(client->socket_path, getuid());
  if (objection) {
    objection->code == JOBBROKER_UNAVAILABLE ? dial_later(client, objection) : jb_end(client, objection);
    return;
  }
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  /* A Unix socket connects at once or not at all; EAGAIN means that more clients are at the door than it has room for.
   * Later only the read of jobbroker_wait blocks: all others say MSG_DONTWAIT. */
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0 || fcntl(fd, F_SETFL, 0) < 0) {
    dial_later(client, jb_no_broker(client->socket_path, strerror(errno)));
    if (fd >= 0) close(fd);
    return;
  }
  client->fd = fd;
  client->receive_timeout = 0;
  greet(client);
}

void jb_greeted(jobbroker_client *client, uint64_t id, jobbroker_reply *reply) {
  if (reply->code != JOBBROKER_OK) {
    bool passes = reply->code == JOBBROKER_UNAVAILABLE || reply->code == JOBBROKER_RESOURCE_EXHAUSTED;
    passes ? jb_lost(client, reply) : jb_end(client, reply);
    return;
  }
  if (id != JB_HELLO_ID || reply->response->reply_case != JOBBROKER__RESPONSE__REPLY_WELCOME) {
    jobbroker_reply_free(reply);
    jb_violated(client, "it does not answer the hello");
    return;
  }
  const Jobbroker__Welcome *welcome = reply->response->welcome;
  uint32_t version = welcome->protocol_version;
  client->max_in_flight = welcome->max_in_flight ? welcome->max_in_flight : 1;
  jobbroker_reply_free(reply);
  if (version != JB_PROTOCOL_VERSION) {
    jb_end(client, jb_reply_error(JOBBROKER_UNSUPPORTED,
                                  "the broker speaks version %u of the protocol, this library version %d", version,
                                  JB_PROTOCOL_VERSION));
    return;
  }
  client->state = JB_READY;
  jobbroker_reply_free(client->trouble);
  client->trouble = NULL;
  /* The claims come first: the broker gives away those that it does not hear of within its grace. */
  client->renewing = true;
  jb_tell(client, &(jobbroker_notice){.kind = JOBBROKER_NOTICE_CONNECTED, .reason = ""});
  client->renewing = false;
  jb_watches_again(client);
  jb_send_queue(client);
}

/* ---------------------------------------------------------------------------------------------- under way */

void jb_write(jobbroker_client *client) {
  while (client->fd >= 0 && jb_buffer_count(&client->outgoing)) {
    ssize_t written = send(client->fd, client->outgoing.bytes + client->outgoing.begin,
                           jb_buffer_count(&client->outgoing), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (written >= 0) {
      jb_buffer_consume(&client->outgoing, (size_t)written);
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      /* What the broker still said may be worth reading; the read will find the end. */
      jb_buffer_clear(&client->outgoing);
    }
  }
}

/* Takes the whole frames that have come; returns how many bytes the next one wants, 0 when the connection is gone. */
static size_t take_frames(jobbroker_client *client) {
  for (;;) {
    const uint8_t *body;
    size_t length;
    switch (jb_frame_next(&client->incoming, &body, &length)) {
      case JB_FRAME_PARTIAL: return length;
      case JB_FRAME_REFUSED:
        jb_violated(client, length ? "it sends a frame that is too large" : "it sends a frame of length 0");
        return 0;
      case JB_FRAME_WHOLE:
        if (!jb_receive(client, body, length)) return 0;
    }
  }
}

/* Has reads wait until this moment or less. What was set before will do if it is half of what is left or more, and what
 * is set is less than all of it, so that it will do for the next reads, too: few need this system call. */
static bool set_receive_timeout(jobbroker_client *client, int64_t until) {
  int64_t left = until == JB_NEVER ? JB_PATIENCE_MS : until - jb_now();
  if (left <= 0) return false;
  if (left > JB_PATIENCE_MS) left = JB_PATIENCE_MS;
  if (client->receive_timeout > left / 2 && client->receive_timeout <= left) return true;
  left -= left / 4;
  struct timeval time = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};
  if (setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) != 0) return false;
  client->receive_timeout = left;
  return true;
}

void jb_read(jobbroker_client *client, int64_t until) {
  int flags = until > 0 && set_receive_timeout(client, until) ? 0 : MSG_DONTWAIT;
  size_t wanted = JB_READ_SIZE;
  for (int i = 0; i < JB_READS_AT_A_TIME && client->fd >= 0; i++) {
    struct jb_buffer *incoming = &client->incoming;
    size_t room = wanted > jb_buffer_count(incoming) ? wanted - jb_buffer_count(incoming) : 0;
    if (room < JB_READ_SIZE) room = JB_READ_SIZE;
    if (!jb_buffer_reserve(incoming, room)) {
      jb_lost(client, jb_reply_error(JOBBROKER_RESOURCE_EXHAUSTED, "this process is out of memory"));
      return;
    }
    room = incoming->capacity - incoming->end;
    ssize_t count = recv(client->fd, incoming->bytes + incoming->end, room, flags);
    flags = MSG_DONTWAIT;
    /* A signal is as good a reason to look as any. */
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (count <= 0) {
      jb_lost(client, jb_reply_error(JOBBROKER_UNAVAILABLE, "the connection was lost (%s)",
                                     count ? strerror(errno) : "the broker closed it"));
      return;
    }
    incoming->end += (size_t)count;
    wanted = take_frames(client);
    if ((size_t)count < room) return;
  }
}

/* ------------------------------------------------------------------------------------------------- endings */

void jb_close_socket(jobbroker_client *client) {
  if (client->fd < 0) return;
  jb_loop_forget_socket(client);
  /* A child made by fork may have the socket, too; the broker is to see the end all the same. */
  shutdown(client->fd, SHUT_RDWR);
  close(client->fd);
  client->fd = -1;
  jb_buffer_clear(&client->incoming);
  jb_buffer_clear(&client->outgoing);
}

/* Ends the connection for a reason, which it takes. */
static void lose(jobbroker_client *client, jobbroker_reply *reason, bool repeats) {
  bool greeting = client->state == JB_GREETING;
  if (client->parting) {
    jobbroker_reply *whole = jb_reply_error(reason->code, "%s: %s", reason->message, client->parting->message);
    jobbroker_reply_free(reason);
    jobbroker_reply_free(client->parting);
    client->parting = NULL;
    reason = whole;
  }
  jb_close_socket(client);
  client->state = JB_AWAY;
  if (greeting && repeats) {
    jobbroker_reply *whole = jb_no_broker(client->socket_path, reason->message);
    jobbroker_reply_free(reason);
    reason = whole;
  }
  dial_later(client, jb_reply_share(reason));
  if (!greeting) {
    jb_calls_interrupted(client, reason, repeats);
    jb_tell(client, &(jobbroker_notice){.kind = JOBBROKER_NOTICE_DISCONNECTED, .reason = reason->message});
  }
  jobbroker_reply_free(reason);
}

void jb_lost(jobbroker_client *client, jobbroker_reply *reason) { lose(client, reason, true); }

void jb_violated(jobbroker_client *client, const char *what) {
  lose(client,
       jb_reply_error(JOBBROKER_INTERNAL, "the peer at %s is not a broker, or out of step: %s", client->socket_path,
                      what),
       false);
}

void jb_end(jobbroker_client *client, jobbroker_reply *reason) {
  jb_write(client);
  jb_close_socket(client);
  client->state = JB_ENDED;
  jobbroker_reply_free(client->ending);
  client->ending = reason;
  jb_calls_end(client, reason);
}
