/*
 * Session ticket keys: random, a new one every `rotate_s` seconds, the two before it still
 * accepted; shared by all workers and by one net_cert after the other. Any thread. Time is
 * given in, and the keys follow the latest `now` that anybody brought.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/tick.h"

enum { NET_TICKETS_NAME = 16, NET_TICKETS_SECRET = 32 };

struct net_tickets;

/* A copy of one key; whom it was given to wipes it. */
struct net_tickets_key {
	uint8_t name[NET_TICKETS_NAME]; /* stands in the ticket, in the clear */
	uint8_t cipher[NET_TICKETS_SECRET];
	uint8_t mac[NET_TICKETS_SECRET];
};

must_check enum err net_tickets_new(struct net_tickets **out, int64_t rotate_s);
void net_tickets_free(
	struct net_tickets *t); /* no connection may be left; wipes the keys; NULL is fine */

/* The key that tickets are made with now. */
void net_tickets_current(struct net_tickets *t, tick now, struct net_tickets_key *out);

/* The key of that name. False: there is none, or no longer; out is untouched. *is_current: no
 * newer one has come since. */
bool net_tickets_find(struct net_tickets *t, tick now, const uint8_t name[NET_TICKETS_NAME],
		      struct net_tickets_key *out, bool *is_current);

/* For how long, in seconds, any ticket is accepted at least: those made last thing before a
 * rotation. */
int64_t net_tickets_lifetime_s(const struct net_tickets *t);
