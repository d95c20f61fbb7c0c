/* The record of a session that has ended: one line of the log, and one for the store. */
#pragma once

#include "relay/ask.h"
#include "relay/relay.h"

enum { RELAY_RECORD_PEERS = 8 }; /* that are remembered of a session; of more it is only said that there were */

/* The peers that a client named. */
struct relay_peers {
	uint8_t n, cap;
	bool more;	  /* there were others, that are not here */
	struct addr ip[]; /* ports 0 */
};

/* Text as printed, as far as log-ip allows. */
struct relay_record {
	const char *id;
	struct str node, realm, user, client, transport, relayed, reason, peers;
	struct str drops; /* "why=n why=n" */
	int64_t opened_ms, closed_ms; /* since 1970 */
	struct turn_traffic rx, tx;
	uint64_t dropped;
};

/* Remembers the peers of a request that was granted. */
void relay_record_peers(struct relay_session *s, const struct stun_msg *req);

/* Writes and tells the record of a session that is ending. */
void relay_record_end(struct relay *r, const struct relay_session *s, enum turn_end why);
