/*
 * What a client's TCP connection begins with, before any TURN: a balancer's PROXY header, then TLS or not.
 * Called by conn.c alone, which counts, logs and ends; one worker.
 */
#pragma once

#include "relay/conn.h"

enum relay_front {
	RELAY_FRONT_GO,	  /* this step is done: c->stage is the next */
	RELAY_FRONT_WAIT, /* for more bytes */
	RELAY_FRONT_END,  /* the connection is of no use: *why is set */
};

/* Takes the header off a connection from a balancer: the tuple becomes what the header says. */
enum relay_front relay_front_proxy(struct relay_conn *c, enum relay_conn_why *why);

/* Looks at the first byte: TLS is begun, or not. */
enum relay_front relay_front_first(struct relay_conn *c, enum relay_conn_why *why);
