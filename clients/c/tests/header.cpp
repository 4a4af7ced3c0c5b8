// The header as C++ sees it.
#include <jobbroker.h>

#include <cstring>

static jobbroker_outcome handle(jobbroker_task *task, void *) {
  return jobbroker_task_cancelled(task) ? JOBBROKER_HAND_BACK : JOBBROKER_DONE;
}

int main() {
  jobbroker_options options = {};
  options.socket_path = "/tmp/there/is/no/broker";
  jobbroker_client *client = jobbroker_new(&options);
  jobbroker_new_job job = JOBBROKER_NEW_JOB_INIT;
  job.type = "t";
  jobbroker_update update = JOBBROKER_UPDATE_INIT;
  update.id = jobbroker_id_make();
  jobbroker_request request = {};
  request.operation = JOBBROKER_UPDATE;
  request.update = update;
  bool right = jobbroker_create(client, &job, 1, nullptr) == JOBBROKER_UNAVAILABLE &&
               jobbroker_call(client, &request, 1, nullptr) == JOBBROKER_UNAVAILABLE;
  jobbroker_free(client);
  jobbroker_worker_free(jobbroker_worker_new(&options, nullptr, handle, nullptr));
  return right && std::strcmp(jobbroker_version(), JOBBROKER_VERSION) == 0 ? 0 : 1;
}
