/* Ids of a client's jobs. */
#ifndef JB_ID_H
#define JB_ID_H

#include "jobbroker/types.h"

/* Randomness for many ids, because to ask for it is a system call. After a fork it is gone in the child: no two processes
 * may make the same ids. */
struct jb_id_pool;

/* NULL: the system can't empty it in a child, or has no memory. */
struct jb_id_pool *jb_id_pool_new(void);
void jb_id_pool_free(struct jb_id_pool *pool);

/* As jobbroker_id_make; without a pool it is that. */
jobbroker_id jb_id_make(struct jb_id_pool *pool);

#endif
