/* libjobbroker: the C client of JobBroker. This header includes all others.
 *
 * The rules that hold everywhere:
 *
 * - A client (and what came from it, unless said otherwise) is used by one thread at a time. Different clients
 *   do not know of each other; the library has no global state.
 * - Texts are UTF-8 and end with NUL; times are Unix milliseconds; durations are milliseconds.
 * - What a function takes as `const` it copies if it needs it later; what it gives out as a pointer to non-const is
 *   the caller's to free with the function named there.
 * - NULL may be given to every function whose name ends in `_free`.
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
