/*
 * Clients' DTLS associations (RFC 7350) on the UDP listeners: begun by a hello that brings our cookie
 * back, and nothing is kept before. One without an allocation is a stranger's: such are bounded in
 * number, per source prefix too, and in time. One worker owns an association from hello to end.
 */
#pragma once

#include "net/cert.h"
#include "relay/relay.h"

enum {
	RELAY_DTLS_STRANGERS = 4096, /* of one worker; the oldest goes for a new one */
	RELAY_DTLS_PER_PREFIX =
		512, /* strangers of one IPv4 address or IPv6 /64; more are refused */
	RELAY_DTLS_SHAKES = 8, /* steps of handshakes after which a turn reads no more from listeners */
	RELAY_DTLS_SLOTS =
		128 << 10, /* bytes of what is decrypted, or encrypted, and not sent yet */
};

/* Serves DTLS with these certificates; the reference becomes the worker's, but for when it fails. */
must_check enum err relay_dtls_new(struct relay *r, struct net_cert *cert);
/* Ends all associations. */
void relay_dtls_free(struct relay *r);

/* Certificates for associations that begin from now on; the reference becomes the worker's. */
void relay_dtls_set_cert(struct relay *r, struct net_cert *cert);

/* Once per loop turn: frees what ended. */
void relay_dtls_turn(struct relay *r);

/* A datagram whose first byte says DTLS (RFC 7983). `f` is of its 5-tuple, transport UDP. What comes of it
 * is sent by relay_forward_flush(). */
void relay_dtls_input(const struct relay_from *f, const uint8_t *p, size_t len);

/* Handshakes have had their share of this turn: other sockets come first. */
bool relay_dtls_is_busy(const struct relay *r);

/* Encrypts a message of n parts, and adds it to what relay_forward_flush() sends. A failure ends the
 * association at the end of this turn. */
void relay_dtls_send(struct relay_dtls *d, const struct iovec *parts, size_t n, struct net_mark mark,
		     struct relay_tally whose);

/* The session that the association had has ended: it is a stranger's again. */
void relay_dtls_session_ended(struct relay_dtls *d);

/* A request of the association that had waited has been handled: what came of it. */
void relay_dtls_resumed(struct relay_dtls *d);

/* "DTLSv1.2" and the name of the cipher. */
void relay_dtls_cipher(const struct relay_dtls *d, const char **version, const char **cipher);
