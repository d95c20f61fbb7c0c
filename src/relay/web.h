/*
 * What reaches a port for TURN and is none: browsers and web sites. Requests are answered with a short page,
 * ACME's challenges with a redirection, or the connection goes to the web server behind. Called by conn.c
 * and front.c alone; one worker.
 */
#pragma once

#include "relay/conn.h"

enum { RELAY_WEB_LINGER_S = 5 }; /* for a client to take its page and close */

enum relay_web {
	RELAY_WEB_NONE,	 /* TURN: c->stage says so, the bytes are still to be read */
	RELAY_WEB_MORE,	 /* too little to tell: keep the bytes */
	RELAY_WEB_TAKEN, /* it was: the bytes are dealt with */
	RELAY_WEB_END,	 /* the connection is to be ended as an error */
};

/* Looks at the first bytes that a client says, decrypted if need be. */
enum relay_web relay_web_first(struct relay_conn *c, const uint8_t *p, size_t n);

/* Sends a TLS connection on to `to`, as it is. */
enum relay_web relay_web_pass(struct relay_conn *c, const struct addr *to);
