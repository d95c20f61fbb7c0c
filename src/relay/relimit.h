/*
 * Limits and revocations that change while sessions run: what the databases say of a user, and what a new snapshot
 * of them says of the realm. Each is a look at all sessions of the worker, and rare.
 */
#pragma once

#include "relay/relay.h"

/* A user's own limits. */
struct relay_relimit {
	struct str realm, user;
	int64_t max_bps; /* of all its sessions on this node, or CONF_LIVE_UNSET: the configuration's */
	bool has_period; /* else the configuration's */
	enum conf_period period;
};

/* The sessions of that user keep to them from now on. Not while a packet is being handled. */
void relay_relimit_user(struct relay *r, const struct relay_relimit *which);

/* There is a new snapshot (r->env.auth.live) instead of `old`: the realm's bandwidth holds for sessions that run,
 * and those whose credentials were revoked end. Not while a packet is being handled. */
void relay_relimit_live(struct relay *r, const struct conf_live *old);
