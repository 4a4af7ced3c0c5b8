/* The lines of the scenario: jobs, under the names that the script gives them. */
#ifndef TELLING_H
#define TELLING_H

#include "jobbroker.h"

/* A new id, and the name under which its job is told of. */
jobbroker_id named(const char *name);
const char *name_of(jobbroker_id id);

/* Writes a member with a text, if there is one, and the comma before it. */
void print_member(const char *key, const char *text);

/* Writes a job, of which `whole` shows metadata and result as well. */
void print_job(const jobbroker_job *job, bool whole);

/* Ends a line with its last member. */
void end_line(const char *step);

void tell_job(const char *step, const jobbroker_job *job, bool whole);

/* Adds a job's name to those of a line, which tell_names writes. */
void add_name(char *all, size_t size, jobbroker_id id);
void tell_names(const char *step, const char *all);

#endif
