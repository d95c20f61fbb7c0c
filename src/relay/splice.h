/*
 * Connections between relayed TCP addresses and peers (RFC 6062): opened, accepted, held until a client's
 * data connection is bound to them, then spliced with it (relay/pipe.h). All of it belongs to the worker
 * that owns the session, and goes with it.
 */
#pragma once

#include "net/tls.h"
#include "relay/relay.h"
#include "turn/tcp.h"

must_check enum err relay_splices_new(struct relay *r);
/* The sessions must have ended. */
void relay_splices_free(struct relay *r);

/* Once per loop turn: frees what ended, goes on accepting. */
void relay_splices_turn(struct relay *r);

/* Begins the connection that TURN_WANT_CONNECT asks for; the client is answered later. Else the error code
 * to answer with. */
unsigned relay_splice_connect(struct relay *r, struct relay_session *s, struct turn_tx *tx);

/* A peer is at the relayed address; the argument is the struct relay_endpoint. */
void relay_splice_on_peer(int fd, void *arg);

/* The endpoint closes: nothing more is to be accepted there. */
void relay_splice_endpoint_closed(struct relay_endpoint *ep);

/* The client's data connection (with tls, or NULL) is bound to `c`, and has said n bytes already. It
 * becomes the splice's. */
void relay_splice_attach(struct relay *r, struct turn_tcp *c, int fd, struct net_tls *tls,
			 const uint8_t *p, size_t n);

/* The client's data connection was lost before that. */
void relay_splice_drop(struct relay *r, struct turn_tcp *c);

/* The callback of struct turn_env. */
void relay_splice_ended(void *arg, struct turn_tcp *c, int why);
