#include <stdio.h>
#include <string.h>

#include "adapter.h"
#include "jobbroker.h"

/* One job is asked for with each line; see there for what the peer answers. */
int hostile(const char *socket) {
  jobbroker_client *client = jobbroker_new(&(jobbroker_options){.socket_path = socket});
  if (!client) return 1;
  char line[256];
  while (fgets(line, sizeof line, stdin)) {
    puts(jobbroker_code_name(jobbroker_get(client, jobbroker_id_make(), 30000, NULL)));
    fflush(stdout);
  }
  jobbroker_free(client);
  return 0;
}

int main(int count, char **arguments) {
  if (count == 2 && strcmp(arguments[1], "frames") == 0) return frames();
  if (count == 3 && strcmp(arguments[1], "hostile") == 0) return hostile(arguments[2]);
  if (count == 3 && strcmp(arguments[1], "scenario") == 0) return scenario(arguments[2]);
  fprintf(stderr, "usage: %s frames | hostile SOCKET | scenario SOCKET\n", arguments[0]);
  return 2;
}
