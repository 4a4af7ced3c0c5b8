/* Requests as protobuf messages. */
#ifndef JB_MESSAGE_H
#define JB_MESSAGE_H

#include "arena.h"
#include "id.h"
#include "jobbroker.pb-c.h"
#include "jobbroker/request.h"

enum {
  JB_PROTOCOL_VERSION = 1,
  /* What the operations of the public header leave out, because the library makes them by itself. */
  JB_HELLO = 2,
  JB_UNWATCH = 18
};

/* The first request of a connection. */
struct jb_hello {
  uint32_t protocol_version;
  const char *client;
  const char *worker_name;
  bool read_only;
};

/* Each makes a message of what it is given, which must stay as long as the message: it points to texts and ids. NULL: no
 * memory, or an operation that there is none of. Jobs without an id get one, from the pool if there is one. */
Jobbroker__Request *jb_message_make(struct jb_arena *arena, const jobbroker_request *request, struct jb_id_pool *ids);
Jobbroker__Request *jb_message_hello(struct jb_arena *arena, const struct jb_hello *hello);
Jobbroker__Request *jb_message_unwatch(struct jb_arena *arena, uint64_t watch);
Jobbroker__Request *jb_message_withdraw(struct jb_arena *arena, uint64_t claim);

/* Whether there is an operation of this number. */
bool jb_operation_is_known(jobbroker_operation operation);

/* Whether sending a request again, when nobody knows whether the first one arrived, comes to the same as sending it
 * once. */
bool jb_is_repeatable(const Jobbroker__Request *message);

/* Whether it is an update that keeps a claim alive, and reports at most. */
bool jb_is_heartbeat(const Jobbroker__Request *message);

#endif
