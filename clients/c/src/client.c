#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calls.h"

char *jobbroker_default_socket(void) {
  const char *path = getenv("JOBBROKER_SOCKET");
  if (path && *path) return strdup(path);
  if (getuid() == 0) return strdup("/run/jobbroker/jobbroker.sock");
  char *result = NULL;
  const char *directory = getenv("XDG_RUNTIME_DIR");
  int length = directory && *directory == '/'
                   ? asprintf(&result, "%s/jobbroker/jobbroker.sock", directory)
                   : asprintf(&result, "/tmp/jobbroker-%u/jobbroker.sock", (unsigned)getuid());
  return length < 0 ? NULL : result;
}

jobbroker_reply *jb_no_broker(const char *socket_path, const char *reason) {
  return jb_reply_error(JOBBROKER_UNAVAILABLE,
                        "no broker answers at %s (%s); start one with: jobbrokerd --socket %s", socket_path, reason,
                        socket_path);
}

jobbroker_reply *jb_objection(const char *socket_path, uid_t uid) {
  char directory[64];
  struct stat status;
  int length = snprintf(directory, sizeof directory, "/tmp/jobbroker-%u", (unsigned)uid);
  if (strncmp(socket_path, directory, (size_t)length) != 0 || socket_path[length] != '/') return NULL;
  if (lstat(directory, &status) < 0) return jb_no_broker(socket_path, strerror(errno));
  if (status.st_uid == uid) return NULL;
  return jb_reply_error(JOBBROKER_PERMISSION_DENIED,
                        "%s belongs to another user (uid %u), so no broker of yours answers there; remove it, or set "
                        "JOBBROKER_SOCKET",
                        directory, (unsigned)status.st_uid);
}

static char *default_worker_name(void) {
  char *name = NULL;
  return asprintf(&name, "%s-%d", program_invocation_short_name, (int)getpid()) < 0 ? NULL : name;
}

jobbroker_client *jobbroker_new(const jobbroker_options *options) {
  static const jobbroker_options defaults;
  if (!options) options = &defaults;
  jobbroker_client *client = calloc(1, sizeof *client);
  if (!client) return NULL;
  client->owner = getpid();
  client->fd = client->loop.descriptor = client->loop.timer = client->loop.socket = -1;
  client->loop.armed = JB_NEVER;
  client->random = jb_seed();
  client->ids = jb_id_pool_new();
  client->last_id = JB_HELLO_ID;
  client->max_in_flight = JB_IN_FLIGHT;
  client->read_only = options->read_only;
  client->socket_path = options->socket_path ? strdup(options->socket_path) : jobbroker_default_socket();
  client->client_name = strdup(options->client_name ? options->client_name : "libjobbroker/" JOBBROKER_VERSION);
  client->worker_name = options->worker_name ? strdup(options->worker_name) : default_worker_name();
  if (client->socket_path && client->client_name && client->worker_name) return client;
  jobbroker_free(client);
  return NULL;
}

/* In a child made by fork. The connection and the epoll instance are one with the parent's: what is unsent is the parent's
 * to send, and a socket taken out of the instance would be so for the parent, too. */
static void let_go(jobbroker_client *client) {
  if (client->fd >= 0) close(client->fd);
  jb_calls_free(&client->sent);
  jb_calls_free(&client->watches);
  jb_calls_free(&client->heartbeats);
  jb_calls_free(&client->queue);
}

void jobbroker_free(jobbroker_client *client) {
  if (!client) return;
  if (client->owner == getpid()) {
    /* What a callback sends now is refused, as is what it must not call. */
    client->processing = true;
    jb_end(client, jb_reply_error(JOBBROKER_UNAVAILABLE, "the client was closed"));
  } else {
    let_go(client);
  }
  jb_loop_free(client);
  jb_id_pool_free(client->ids);
  jb_buffer_free(&client->incoming);
  jb_buffer_free(&client->outgoing);
  jobbroker_reply_free(client->trouble);
  jobbroker_reply_free(client->parting);
  jobbroker_reply_free(client->ending);
  jobbroker_reply_free(client->error);
  free(client->socket_path);
  free(client->client_name);
  free(client->worker_name);
  free(client);
}

const char *jobbroker_error(const jobbroker_client *client) { return client->error ? client->error->message : ""; }

const jobbroker_job *jobbroker_error_job(const jobbroker_client *client) {
  return client->error ? jobbroker_reply_job(client->error, 0) : NULL;
}

void jb_set_error(jobbroker_client *client, jobbroker_reply *error) {
  jobbroker_reply_free(client->error);
  client->error = error;
}

void jobbroker_on_notice(jobbroker_client *client, jobbroker_notice_function *function, void *context) {
  client->notice = function;
  client->notice_context = context;
}

void jb_tell(jobbroker_client *client, const jobbroker_notice *notice) {
  if (client->notice) client->notice(notice, client->notice_context);
}
