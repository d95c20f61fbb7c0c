/* What the caller of the protocol core must do next. */
#pragma once

enum turn_verdict {
	TURN_DROP,	 /* nothing to send */
	TURN_REPLY,	 /* `out` holds a response */
	TURN_WANT_KEY,	 /* keep the request, ask for the key of its user, and give it again with tx->given */
	TURN_WANT_RELAY, /* take a quota and open tx->want, then turn_alloc_done() or _fail() */
	TURN_WANT_CONNECT, /* RFC 6062: open TCP to tx->connect_to, then turn_tcp_begin() */
};
