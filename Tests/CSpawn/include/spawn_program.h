#pragma once

#include <sys/types.h>

/// Starts a program, by posix_spawn(3). It has no open files but three, and no blocked or ignored signals.
///
/// @param files  Its standard input, output and error; /dev/null where one is negative.
/// @return its process id, or a negative errno(3).
pid_t spawn_program(const char *path, char *const arguments[], char *const environment[], const int files[3]);

/// A pipe whose ends no other program inherits: first the one to read from.
///
/// @return 0, or a negative errno(3).
int spawn_pipe(int ends[2]);
