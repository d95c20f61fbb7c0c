/*
 * Requests that wait for an answer of the store: one copy of each, found again by the ticket of the question
 * and by whose request it is. A retransmission joins the one that waits. Bounded per worker and per source
 * prefix; one worker.
 */
#pragma once

#include "relay/ask.h"
#include "relay/relay.h"

enum {
	RELAY_PARK_MAX = 4096,	      /* of one worker */
	RELAY_PARK_PER_PREFIX = 1024, /* of one IPv4 address or IPv6 /64 */
	RELAY_PARK_BYTES = 2048,      /* of one request; a longer one is no honest one */
	RELAY_PARK_MS = 1000,	      /* the store answers before, and be it that it cannot */
};

struct relay_parked {
	struct hnode by_ticket, by_tuple;
	struct wheel_timer timer;
	struct relay_prefix *prefix;
	struct relay_path path; /* forgotten when the connection of it ends */
	struct turn_tuple tuple;
	uint64_t ticket; /* 0: does not wait */
	uint64_t session_id; /* LEASE: of the session to be */
	enum relay_ask_kind waits_for; /* KEY or LEASE */
	bool is_given;
	struct auth_given given; /* the answer for the key, when is_given */
	uint8_t txid[STUN_TXID_LEN];
	size_t len;
	uint8_t bytes[];
};

must_check enum err relay_park_new(struct relay *r);
/* Forgets all that wait. */
void relay_park_free(struct relay *r);

/* Does this very request wait already? */
bool relay_park_has(const struct relay *r, const struct turn_tuple *tuple,
		    const uint8_t txid[STUN_TXID_LEN]);

/* A copy of the request, which does not wait yet. NULL: there is no room for it. */
struct relay_parked *relay_park_copy(struct relay *r, const struct relay_path *path,
				     const struct turn_tx *tx);

/* Gives it a ticket: it waits for an answer to that from now on. */
uint64_t relay_park_wait(struct relay *r, struct relay_parked *p, enum relay_ask_kind what);

/* It waits no more; the caller has it again. */
void relay_park_wake(struct relay *r, struct relay_parked *p);

/* Wipes and frees one, waiting or not. NULL is fine. */
void relay_park_drop(struct relay *r, struct relay_parked *p);

/* The answer to a ticket: the request is handled again with what was learned (relay_request_again()). When
 * it is gone a lease is given back. */
void relay_park_answer(struct relay *r, const struct relay_answer *a);

/* The client of a connection has gone, and what it asked for. */
void relay_park_forget(struct relay *r, const struct turn_tuple *tuple);
