#include "broker.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

/* Starts the program; returns the end of its standard output. */
static int spawn(struct broker *broker) {
  const char *program = getenv("JOBBROKERD");
  if (!program) check_failed(__FILE__, __LINE__, "JOBBROKERD is not set", "");
  int ends[2];
  CHECK(pipe2(ends, O_CLOEXEC) == 0);
  pid_t parent = getpid();
  broker->pid = fork();
  CHECK(broker->pid >= 0);
  if (broker->pid == 0) {
    /* A test that fails must leave no broker. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    int nothing = open("/dev/null", O_RDWR);
    dup2(nothing, STDIN_FILENO);
    dup2(ends[1], STDOUT_FILENO);
    dup2(nothing, STDERR_FILENO);
    execl(program, program, "--socket", broker->socket, "--db", broker->database, (char *)NULL);
    _exit(127);
  }
  close(ends[1]);
  return ends[0];
}

void broker_start(struct broker *broker) {
  strcpy(broker->folder, "/tmp/jb-c-XXXXXX");
  CHECK(mkdtemp(broker->folder));
  snprintf(broker->socket, sizeof broker->socket, "%s/s", broker->folder);
  snprintf(broker->database, sizeof broker->database, "%s/j.db", broker->folder);
  FILE *output = fdopen(spawn(broker), "r");
  char line[256] = "";
  if (!fgets(line, sizeof line, output)) line[0] = '\0';
  CHECK_CONTAINS(line, "ready ");
  fclose(output);
}

void broker_crash(struct broker *broker) {
  kill(broker->pid, SIGKILL);
  waitpid(broker->pid, NULL, 0);
}

void broker_return(struct broker *broker) { close(spawn(broker)); }

void broker_end(struct broker *broker) {
  broker_crash(broker);
  DIR *folder = opendir(broker->folder);
  for (struct dirent *entry; folder && (entry = readdir(folder));) {
    if (entry->d_name[0] != '.') unlinkat(dirfd(folder), entry->d_name, 0);
  }
  if (folder) closedir(folder);
  rmdir(broker->folder);
}
