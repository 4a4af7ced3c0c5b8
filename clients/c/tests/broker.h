/* A real broker, on a private socket and store. */
#ifndef BROKER_H
#define BROKER_H

#include <sys/types.h>

struct broker {
  char folder[64];
  char socket[96];
  char database[96];
  pid_t pid;
};

/* Starts a broker with an empty store; returns when it is ready. */
void broker_start(struct broker *broker);

/* Ends it as by a crash. */
void broker_crash(struct broker *broker);

/* Starts it again on the same socket and store, and does not wait until it is ready. */
void broker_return(struct broker *broker);

/* Ends it, and removes what it leaves. */
void broker_end(struct broker *broker);

#endif
