/*
 * What single users have relayed, for metrics with users in their labels: as many users as the operator
 * allows for. A user gets a place with an allocation, and may lose it when it has none left and another
 * needs one; who finds none free is left out. Shared by the workers, which bring it up to date about once a
 * second and at a session's end: never on the path of a packet. Any thread.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "turn/session.h"

struct relay_perusers;
struct relay_peruser; /* a place */

/* For up to `max` users. ERR_NOMEM. */
must_check enum err relay_perusers_new(struct relay_perusers **out, size_t max);
void relay_perusers_free(struct relay_perusers *p); /* NULL is fine */

/* One more session of `user` in `realm`. NULL: there is no place for it. */
struct relay_peruser *relay_peruser_enter(struct relay_perusers *p, struct str realm, struct str user);
/* One less. */
void relay_peruser_leave(struct relay_perusers *p, struct relay_peruser *u);

/* More that a session relayed: to peers, to the client. */
void relay_peruser_add(struct relay_peruser *u, const struct turn_traffic *up, const struct turn_traffic *down);

/* What is known of one; `realm` and `user` are lent for the call. */
struct relay_peruser_row {
	struct str realm, user;
	uint64_t sessions;
	struct turn_traffic up, down;
};

/* Calls fn for each user that has a place. */
void relay_perusers_walk(struct relay_perusers *p, void (*fn)(void *arg, const struct relay_peruser_row *row),
			 void *arg);
