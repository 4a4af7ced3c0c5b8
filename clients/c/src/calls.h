/* Requests without an answer, and what is done with them. */
#ifndef JB_CALLS_H
#define JB_CALLS_H

#include "session.h"

/* ---------------------------------------------------------------------------------------------------- calls.c */

void jb_calls_append(struct jb_calls *calls, struct jb_call *call);
void jb_calls_join(struct jb_calls *calls, struct jb_calls others);
/* Takes a call out; NULL: there is none of that id. */
struct jb_call *jb_calls_take(struct jb_calls *calls, uint64_t id);
struct jb_call *jb_calls_find(const struct jb_calls *calls, uint64_t id);
/* NULL: there is none. */
struct jb_call *jb_calls_take_first(struct jb_calls *calls);
/* None of them may be called back before it is in a list of the client's again, where jobbroker_forget looks for it. */
struct jb_calls jb_calls_take_all(struct jb_calls *calls);

/* Ends all calls of a list without an answer. */
void jb_calls_free(struct jb_calls *calls);

/* Hands an answer over. What the callee does may end the call, which must not be touched afterwards. */
void jb_call_tell(const struct jb_call *call, jobbroker_reply *reply);
/* Ends a call that is in no list with its answer. */
void jb_call_resolve(struct jb_call *call, jobbroker_reply *reply);
/* Nobody wants the answer of a call any more. */
void jb_call_forget(struct jb_call *call);
bool jb_is_watch(const struct jb_call *call);
bool jb_is_claim(const struct jb_call *call);
/* Whether it is a claim that waits for a job. */
bool jb_waits(const struct jb_call *call);
/* Where it waits for its turn. */
struct jb_calls *jb_line(jobbroker_client *client, const struct jb_call *call);

/* -------------------------------------------------------------------------------------------------- sending.c */

/* Sends a call that is in no list; false: no memory, and the connection is as good as lost. */
bool jb_call_send(jobbroker_client *client, struct jb_call *call);
/* Ends a watch at the broker: at once, even before what is in line, for another of the same id may follow. */
void jb_unwatch(jobbroker_client *client, uint64_t id);
/* Ends the wait of a claim that has been sent, so that it takes no job for nobody. */
void jb_withdraw(jobbroker_client *client, struct jb_call *call);

#endif
