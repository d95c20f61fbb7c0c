/*
 * What one allocation may: the limits in force for its user, and the lease that counts it over all nodes
 * (design: Redis). Limits of the user go before the realm's, and those before the configuration's.
 */
#pragma once

#include "relay/ask.h"
#include "relay/relay.h"

/* What a session is granted before it is opened. */
struct relay_grant {
	uint64_t id;   /* the session's, when it has a lease; else it gets one */
	bool has_id;
	bool leased;   /* the store counts it: to be given back */
	int64_t user_max, total_max; /* allocations on this node; 0: no limit */
	uint64_t max_bps;	     /* of the session; 0: no limit */
	uint64_t user_bps;	     /* of the user on this node; 0: no limit */
	enum relay_period period;
	unsigned code;	 /* refused: the error code, and why */
	const char *why;
};

/* Has a lease to be asked for? */
bool relay_lease_is_due(const struct relay *r, const struct turn_tx *tx);

/* Asks for the lease of session `id`. False: there is no room for the question. */
bool relay_lease_ask(struct relay *r, uint64_t ticket, uint64_t id, const struct turn_tx *tx);

/* The grant by the answer for a lease; by the configuration and the realm alone where `a` is NULL. */
void relay_lease_judge(const struct relay *r, const struct turn_tx *tx,
		       const struct relay_answer *a, struct relay_grant *out);

/* The lease of a user's session, by its public id, is given back. */
void relay_lease_release(struct relay *r, struct str user, const char *id);

/* The name of the period that a moment (seconds since 1970) is in: "2026-11", "2026-11-20". */
void relay_lease_period(enum relay_period p, int64_t wall_s, char out[RELAY_ASK_PERIOD_LEN]);
