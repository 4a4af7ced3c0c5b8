/* What Swift's Glibc module leaves out, and SQLite. */
#include <sqlite3.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
