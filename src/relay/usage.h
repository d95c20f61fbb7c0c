/*
 * Who relayed how much: each worker tells the store about once a second, in slices, what its sessions have
 * relayed since they were last told of; never on the path of a packet. What cannot be handed over stays in
 * the session and goes next time.
 */
#pragma once

#include "relay/relay.h"

enum {
	RELAY_USAGE_ROWS = 128,	  /* of one question */
	RELAY_USAGE_SLICE = 2048, /* sessions that are looked at in one tick */
	RELAY_USAGE_ROUNDS = 4,	  /* ticks for all of them, as far as slices go */
};

must_check enum err relay_usage_new(struct relay *r);
/* The sessions have ended. What is left is told. */
void relay_usage_free(struct relay *r);

/* Four times a second. */
void relay_usage_tick(struct relay *r);

/* A session has ended: the rest of what it relayed will be told. */
void relay_usage_end(struct relay *r, struct relay_session *s);
