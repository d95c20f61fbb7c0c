#include "base/wheel.h"

/*
 * A timer lies in the slot of its moment, or in the slot at `done` if its moment is before
 * that. The slot at `done` is the one that the present is in: it has to be looked at again
 * until it is over, but not before `next`, so that most calls of wheel_advance() cost one
 * comparison.
 */

static struct list *slot_at(struct wheel *w, tick at)
{
	return &w->slot[at / WHEEL_SLOT_MS % WHEEL_SLOTS];
}

static tick slot_start(tick at)
{
	return at - at % WHEEL_SLOT_MS;
}

void wheel_init(struct wheel *w, tick now, void *arg)
{
	for (size_t i = 0; i < WHEEL_SLOTS; i++)
		list_init(&w->slot[i]);
	w->done = slot_start(now);
	w->next = w->done + WHEEL_SLOT_MS;
	w->n = 0;
	w->arg = arg;
}

void wheel_timer_init(struct wheel_timer *t, wheel_fn *fn)
{
	list_init(&t->node);
	t->at = 0;
	t->fn = fn;
}

void wheel_arm(struct wheel *w, struct wheel_timer *t, tick at)
{
	wheel_cancel(w, t);
	t->at = at;
	list_push(slot_at(w, tick_before(at, w->done) ? w->done : at), &t->node);
	if (tick_before(at, w->next))
		w->next = at;
	w->n++;
}

void wheel_cancel(struct wheel *w, struct wheel_timer *t)
{
	if (!wheel_armed(t))
		return;
	list_del(&t->node);
	w->n--;
}

/* Moves what is due out of a slot; gives the earliest moment that stays in it. */
static tick take_due(struct list *slot, struct list *due, tick now)
{
	struct list *node = slot->next;
	tick first = UINT64_MAX;

	while (node != slot) {
		struct wheel_timer *t = list_entry(node, struct wheel_timer, node);

		node = node->next;
		if (!tick_before(now, t->at)) {
			list_del(&t->node);
			list_push(due, &t->node);
		} else if (tick_before(t->at, first)) {
			first = t->at;
		}
	}
	return first;
}

/* The same for the `n` slots that end with the one at `last`; gives what stays in that one. */
static tick take_due_slots(struct wheel *w, tick last, tick n, struct list *due, tick now)
{
	tick first = UINT64_MAX;

	while (n-- > 0)
		first = take_due(slot_at(w, last - n * WHEEL_SLOT_MS), due, now);
	return first;
}

/* Collects all that is due and brings `done` and `next` up to now. */
static void collect(struct wheel *w, struct list *due, tick now)
{
	tick last = tick_before(now, w->done) ? w->done : slot_start(now);
	tick n_slots = (last - w->done) / WHEEL_SLOT_MS + 1;
	tick first = UINT64_MAX;

	if (n_slots > WHEEL_SLOTS)
		n_slots = WHEEL_SLOTS; /* one lap meets every timer, however long the gap was */
	if (w->n > 0)
		first = take_due_slots(w, last, n_slots, due, now);
	w->done = last;
	w->next = last + WHEEL_SLOT_MS;
	if (tick_before(first, w->next))
		w->next = first;
}

void wheel_advance(struct wheel *w, tick now)
{
	struct list due;

	if (tick_before(now, w->next))
		return;
	/* Collected before any of them runs: what a callback arms goes into a slot, and waits for
	 * the next call even if its moment is past. What it cancels leaves this list. */
	list_init(&due);
	collect(w, &due, now);
	while (!list_empty(&due)) {
		struct wheel_timer *t = list_entry(due.next, struct wheel_timer, node);

		wheel_cancel(w, t);
		t->fn(t, now, w->arg);
	}
}
