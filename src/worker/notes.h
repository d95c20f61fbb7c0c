/* What a worker tells control of: sessions that open and end, and answers to lists. The worker's thread. */
#pragma once

#include "worker/worker.h"

/* Begins or stops to tell of sessions. */
void worker_notes_watch(struct worker *w, bool on);

/* A question of control's, which the worker owns from now on. */
void worker_notes_ask(struct worker *w, struct relay_listing *l);

/* Goes on with what was asked. True: there is more to do in the next turn. */
bool worker_notes_turn(struct worker *w);
