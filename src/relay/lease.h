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
	bool owed;     /* it could not be asked, and counts it when it can */
	int64_t user_max, total_max; /* allocations on this node; 0: no limit */
	uint64_t max_bps;	     /* of the session; 0: no limit */
	uint64_t user_bps;	     /* of the user on this node; 0: no limit */
	enum conf_period period;
	unsigned code;	 /* refused: the error code, and why */
	const char *why;
};

/* Has a lease to be asked for? */
bool relay_lease_is_due(const struct relay *r, const struct turn_tx *tx);

/* The max-bps of a session under a snapshot, which may be NULL; 0: no limit. */
uint64_t relay_lease_max_bps(const struct relay *r, const struct conf_live *live, struct str realm);

/* When a credential was made at the earliest, seconds since 1970: one that says when it ends, and credential-max-ttl
 * how long before that it was made at most. A password (secret 0) is as good as made now: it is refused while a
 * revocation reaches into the future, and goes by being changed. */
int64_t relay_lease_made_s(const struct relay *r, uint64_t secret, int64_t expires_s);

/* Asks for the lease of session `id`. False: there is no room for the question. */
bool relay_lease_ask(struct relay *r, uint64_t ticket, uint64_t id, const struct turn_tx *tx);

/* The grant by the answer for a lease; by the configuration and the realm alone where `a` is NULL. */
void relay_lease_judge(const struct relay *r, const struct turn_tx *tx,
		       const struct relay_answer *a, struct relay_grant *out);

/* A user's session was let in without an answer: it counts as soon as the store can. False: there is no room. */
bool relay_lease_hold(struct relay *r, struct str realm, struct str user, const char *id);

/* The lease of a user's session, by its public id, is given back. */
void relay_lease_release(struct relay *r, struct str realm, struct str user, const char *id);
