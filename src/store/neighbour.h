/*
 * The neighbour of the store thread: what blocks by nature, files of the disk, is done there, one chore after the
 * other, and comes back to the loop of whoever gave it. Who gives chores bounds how many.
 */
#pragma once

#include "net/loop.h"

struct store_neighbour;

/* Embedded in what it is for; the neighbour's until done() is called. */
struct store_chore {
	struct store_chore *next;
	void (*run)(struct store_chore *c);  /* on the neighbour: touches only what nobody else does meanwhile */
	void (*done)(struct store_chore *c); /* in the thread of the loop; the chore is the giver's again */
};

/* Starts the thread. ERR_NOMEM, ERR_SYS. */
must_check enum err store_neighbour_new(struct store_neighbour **out, struct net_loop *loop);

/* Does what was given, calls done() for all of it, and ends the thread. The loop turns no more. NULL is fine. */
void store_neighbour_free(struct store_neighbour *n);

/* The thread of the loop. */
void store_neighbour_give(struct store_neighbour *n, struct store_chore *c);
