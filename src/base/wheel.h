/*
 * Timer wheel: 4096 slots of 250 ms; timers are embedded in what they belong to. Arming and
 * cancelling are O(1) and cannot fail; a timer beyond one lap stays in its slot for another.
 * The wheel only gives memory back and ends things: whoever needs an exact moment compares with
 * the time itself. One thread.
 */
#pragma once

#include "base/list.h"
#include "base/tick.h"

enum { WHEEL_SLOT_MS = 250, WHEEL_SLOTS = 4096 };

struct wheel_timer;
/* Runs once, disarmed already; may arm it again, may free its object. */
typedef void wheel_fn(struct wheel_timer *t, tick now, void *arg);

struct wheel_timer {
	struct list node; /* in a slot, or alone */
	tick at;
	wheel_fn *fn;
};

struct wheel {
	struct list slot[WHEEL_SLOTS];
	tick done; /* all timers before this moment (a multiple of the slot) have run */
	tick next; /* none is due before this moment; at most one slot after `done` */
	size_t n;  /* armed */
	void *arg; /* given to every callback */
};

void wheel_init(struct wheel *w, tick now, void *arg);

/* Prepares a timer, disarmed. */
void wheel_timer_init(struct wheel_timer *t, wheel_fn *fn);

/* Runs fn at the first wheel_advance() at or after `at`; re-arms an armed timer. */
void wheel_arm(struct wheel *w, struct wheel_timer *t, tick at);

/* Harmless when it is not armed. */
void wheel_cancel(struct wheel *w, struct wheel_timer *t);

static inline bool wheel_armed(const struct wheel_timer *t)
{
	return !list_empty(&t->node);
}

/* Runs every timer with at <= now; never one before its moment, none later than the next
 * call that is a slot after it. Timers armed by callbacks for a moment already past run at the
 * next call. */
void wheel_advance(struct wheel *w, tick now);
