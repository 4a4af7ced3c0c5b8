/* libjobbroker: the C client of JobBroker. This header includes all others.
 *
 * The rules that hold everywhere:
 *
 * - A client (and what came from it, unless said otherwise) is used by one thread at a time, which need not always be
 *   the same. A reply may be read by several threads at once, and freed by another than its client's, but not while the
 *   client is in use. Different clients do not know of each other; the library has no global state.
 * - No signal is raised: a broker that goes away is an error, not a SIGPIPE. No call changes how signals are handled, and
 *   an operation that one interrupts goes on waiting. Only jobbroker_worker_stop may be called from a signal handler.
 * - After fork, the child makes clients of its own. It may free what its parent made (but no running worker), and do
 *   nothing else with it: the connection is still the parent's. All descriptors are closed by exec.
 * - Texts are UTF-8 and end with NUL; times are Unix milliseconds; durations are milliseconds.
 * - What a function takes as `const` it copies if it needs it later; what it gives out as a pointer to non-const is
 *   the caller's to free with the function named there.
 * - NULL may be given to every function whose name ends in `_free`. Other pointers may be NULL where it is said.
 * - The structures that you fill in grow only with a new soname; begin with zeros, or with the `_INIT` of their name.
 */
#ifndef JOBBROKER_H
#define JOBBROKER_H

#include <jobbroker/client.h>
#include <jobbroker/operations.h>
#include <jobbroker/reply.h>
#include <jobbroker/request.h>
#include <jobbroker/types.h>
#include <jobbroker/worker.h>

#endif
