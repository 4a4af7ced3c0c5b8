/* The adapter that proto/vectors/conformance/README.md describes. */
#ifndef ADAPTER_H
#define ADAPTER_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdio.h>

#include "jobbroker.pb-c.h"
#include "message.h"

/* Each is a mode of the adapter: its exit status. */
int frames(void);
int hostile(const char *socket);
int scenario(const char *socket);

/* Prints a message in the JSON form of proto/vectors/README.md. */
void print_message(FILE *file, const ProtobufCMessage *message);

/* Prints a text as a JSON string. */
void print_text(FILE *file, const char *text);

/* Prints a number, without a fraction if it is whole. */
void print_number(FILE *file, double number);

/* Has the library make again what a message says, in the arena; NULL: the library can't say it. */
Jobbroker__Request *say_again(struct jb_arena *arena, const Jobbroker__Request *message);

#endif
