/* Waiting: one descriptor that stands for the socket, whichever it is just now, and for the clock. */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "session.h"

void jb_wake_at(jobbroker_client *client, int64_t moment) {
  if (moment < client->wakes) client->wakes = moment;
}

/* ---------------------------------------------------------------------------------------------- descriptor */

static bool open_loop(struct jb_loop *loop) {
  loop->descriptor = epoll_create1(EPOLL_CLOEXEC);
  loop->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN};
  return loop->descriptor >= 0 && loop->timer >= 0 &&
         epoll_ctl(loop->descriptor, EPOLL_CTL_ADD, loop->timer, &event) == 0;
}

static void close_loop(struct jb_loop *loop) {
  if (loop->timer >= 0) close(loop->timer);
  if (loop->descriptor >= 0) close(loop->descriptor);
  *loop = (struct jb_loop){.descriptor = -1, .timer = -1, .socket = -1, .armed = JB_NEVER};
}

int jobbroker_fd(jobbroker_client *client) {
  if (client->loop.descriptor < 0 && !open_loop(&client->loop)) close_loop(&client->loop);
  jb_loop_update(client);
  return client->loop.descriptor;
}

static void arm(struct jb_loop *loop, int64_t moment) {
  if (moment == loop->armed) return;
  struct itimerspec time = {{0, 0}, {0, 0}};
  if (moment != JB_NEVER) {
    time.it_value.tv_sec = moment / 1000;
    /* All zero would disarm it. */
    time.it_value.tv_nsec = moment > 0 ? moment % 1000 * 1000000 : 1;
  }
  if (timerfd_settime(loop->timer, TFD_TIMER_ABSTIME, &time, NULL) == 0) loop->armed = moment;
}

void jb_loop_update(jobbroker_client *client) {
  struct jb_loop *loop = &client->loop;
  if (loop->descriptor < 0) return;
  if (client->fd >= 0) {
    uint32_t events = jb_buffer_count(&client->outgoing) ? EPOLLIN | EPOLLOUT : EPOLLIN;
    struct epoll_event event = {.events = events};
    int action = loop->socket < 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if ((loop->socket < 0 || loop->events != events) &&
        epoll_ctl(loop->descriptor, action, client->fd, &event) == 0) {
      loop->socket = client->fd;
      loop->events = events;
    }
  }
  arm(loop, client->wakes);
}

void jb_loop_forget_socket(jobbroker_client *client) {
  struct jb_loop *loop = &client->loop;
  if (loop->socket >= 0) epoll_ctl(loop->descriptor, EPOLL_CTL_DEL, loop->socket, NULL);
  loop->socket = -1;
}

void jb_loop_free(jobbroker_client *client) { close_loop(&client->loop); }

/* ----------------------------------------------------------------------------------------------- processing */

/* Does what the clock asks for, and finds out when it asks next. */
static void keep_time(jobbroker_client *client) {
  int64_t now = jb_now();
  if (now < client->wakes) return;
  client->wakes = JB_NEVER;
  if (client->state == JB_GREETING && now >= client->greeting_ends) {
    jb_lost(client, jb_reply_error(JOBBROKER_UNAVAILABLE, "the broker did not answer the hello"));
  }
  if (client->state == JB_GREETING) jb_wake_at(client, client->greeting_ends);
  jb_dial(client, now);
  jb_wake_at(client, jb_calls_expire(client, now));
}

/* Does what came of reading and of the time. */
static jobbroker_code settle(jobbroker_client *client) {
  jb_send_queue(client);
  jb_write(client);
  client->processing = false;
  jb_loop_update(client);
  if (client->state != JB_ENDED) return JOBBROKER_OK;
  jb_set_error(client, jb_reply_share(client->ending));
  return client->ending->code;
}

jobbroker_code jobbroker_process(jobbroker_client *client) {
  if (client->processing) return JOBBROKER_INVALID_ARGUMENT;
  client->processing = true;
  keep_time(client);
  jb_write(client);
  if (client->fd >= 0) jb_read(client, 0);
  return settle(client);
}

/* Waits in the read itself: one system call where poll and read are two. */
static jobbroker_code wait_for_reply(jobbroker_client *client, int64_t until) {
  client->processing = true;
  jb_read(client, until);
  keep_time(client);
  return settle(client);
}

jobbroker_code jobbroker_wait(jobbroker_client *client, int timeout_ms) {
  if (client->processing) return JOBBROKER_INVALID_ARGUMENT;
  if (client->state == JB_ENDED) return jobbroker_process(client);
  int64_t until = jb_deadline(timeout_ms);
  if (client->wakes < until) until = client->wakes;
  if (client->fd >= 0 && !jb_buffer_count(&client->outgoing)) return wait_for_reply(client, until);
  struct pollfd socket = {.fd = client->fd, .events = POLLIN | POLLOUT};
  /* poll(2) leaves a negative descriptor out. A signal is as good a reason to look as any. */
  poll(&socket, 1, jb_until(until));
  return jobbroker_process(client);
}
