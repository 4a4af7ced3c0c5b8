#include "jobbroker/types.h"

const char *jobbroker_version(void) { return JOBBROKER_VERSION; }

const char *jobbroker_code_name(jobbroker_code code) {
  switch (code) {
    case JOBBROKER_OK: return "OK";
    case JOBBROKER_INVALID_ARGUMENT: return "INVALID_ARGUMENT";
    case JOBBROKER_NOT_FOUND: return "NOT_FOUND";
    case JOBBROKER_STALE_CLAIM: return "STALE_CLAIM";
    case JOBBROKER_JOB_FINISHED: return "JOB_FINISHED";
    case JOBBROKER_ALREADY_EXISTS: return "ALREADY_EXISTS";
    case JOBBROKER_PERMISSION_DENIED: return "PERMISSION_DENIED";
    case JOBBROKER_RESOURCE_EXHAUSTED: return "RESOURCE_EXHAUSTED";
    case JOBBROKER_UNAVAILABLE: return "UNAVAILABLE";
    case JOBBROKER_UNKNOWN_OUTCOME: return "UNKNOWN_OUTCOME";
    case JOBBROKER_UNSUPPORTED: return "UNSUPPORTED";
    case JOBBROKER_INTERNAL: return "INTERNAL";
  }
  return "INTERNAL";
}

const char *jobbroker_status_name(jobbroker_status status) {
  switch (status) {
    case JOBBROKER_STATUS_NONE: return "NONE";
    case JOBBROKER_PENDING: return "PENDING";
    case JOBBROKER_PROCESSING: return "PROCESSING";
    case JOBBROKER_COMPLETE: return "COMPLETE";
    case JOBBROKER_FAILED: return "FAILED";
    case JOBBROKER_CANCELLED: return "CANCELLED";
  }
  return "NONE";
}

const char *jobbroker_cause_name(jobbroker_cause cause) {
  switch (cause) {
    case JOBBROKER_CAUSE_FAILED: return "FAILED";
    case JOBBROKER_CAUSE_LOST: return "LOST";
    case JOBBROKER_CAUSE_RELEASED: return "RELEASED";
    case JOBBROKER_CAUSE_CANCELLED: return "CANCELLED";
  }
  return "LOST";
}
