/*
 * A worker's questions to the store: each becomes a job of its own memory, handed over at once or refused;
 * what must not be lost and finds no room waits here, in order, for the next tick.
 */
#pragma once

#include "relay/relay.h"
#include "store/store.h"

enum { WORKER_ASK_WAITING = 65536 }; /* jobs of one worker; more are lost, and counted */

struct worker_outbox {
	struct store_job *first, *last;
	size_t n;
};

struct worker;

/* The function of struct relay_asker; arg is the struct worker. */
bool worker_ask(void *arg, const struct relay_ask *q);

/* An answer has come: the job is freed. */
void worker_ask_answer(struct worker *w, struct store_job *job);

/* … and nobody reads it any more, for the worker is ending: a lease in it is given back. */
void worker_ask_return(struct worker *w, struct store_job *job);

/* Offers again what waits. On each tick. */
void worker_ask_tick(struct worker *w);

/* The last of it: waits a little for the store to make room; what does not fit then is lost, and counted. The
 * control thread. */
void worker_ask_finish(struct worker *w);
