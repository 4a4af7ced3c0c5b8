#include "telling.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "adapter.h"

enum { NAMES = 16 };

static struct {
  jobbroker_id id;
  const char *name;
} names[NAMES];
static size_t name_count;

jobbroker_id named(const char *name) {
  jobbroker_id id = jobbroker_id_make();
  names[name_count].id = id;
  names[name_count++].name = name;
  return id;
}

const char *name_of(jobbroker_id id) {
  for (size_t i = 0; i < name_count; i++) {
    if (jobbroker_id_equal(names[i].id, id)) return names[i].name;
  }
  return "unknown";
}

void print_member(const char *key, const char *text) {
  if (!text) return;
  printf(",\"%s\":", key);
  print_text(stdout, text);
}

void print_job(const jobbroker_job *job, bool whole) {
  printf("{\"attempt\":%" PRIu32, job->attempt);
  print_member("error", job->error);
  printf(",\"lost_count\":%" PRIu32, job->lost_count);
  if (whole && job->metadata) printf(",\"metadata\":%s", job->metadata);
  print_member("name", name_of(job->id));
  printf(",\"priority\":%" PRId32 ",\"progress\":", job->priority);
  print_number(stdout, job->progress);
  if (whole && job->result) printf(",\"result\":%s", job->result);
  printf(",\"retry_count\":%" PRIu32, job->retry_count);
  print_member("stage", job->stage);
  print_member("status", jobbroker_status_name(job->status));
  print_member("type", job->type);
  print_member("worker", job->worker ? job->worker->name : NULL);
  printf("}");
}

void end_line(const char *step) {
  printf(",\"step\":\"%s\"}\n", step);
  fflush(stdout);
}

void tell_job(const char *step, const jobbroker_job *job, bool whole) {
  printf("{\"job\":");
  print_job(job, whole);
  end_line(step);
}

void tell_names(const char *step, const char *all) {
  printf("{\"names\":[%s]", all);
  end_line(step);
}

void add_name(char *all, size_t size, jobbroker_id id) {
  size_t used = strlen(all);
  snprintf(all + used, size - used, "%s\"%s\"", used ? "," : "", name_of(id));
}
