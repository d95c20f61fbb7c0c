/*
 * Certificates and what else a TLS server is set up with: built whole from files by the control
 * thread, then read-only and shared by all workers, with a reference count. A new one replaces it
 * when files change; connections keep the one they began with.
 */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/err.h"
#include "net/tickets.h"

struct net_cert;

/* One certificate chain and its key, as files in PEM. */
struct net_cert_pair {
	const char *cert, *pkey;
};

struct net_cert_options {
	const struct net_cert_pair *pairs; /* the first is for clients that name no other */
	size_t n_pairs;
	const char *pkey_password; /* NULL: none */
	const char *
		cipher_list; /* NULL: OpenSSL's; TLS 1.3 suites and older ciphers mixed, as coturn has it */
	const char
		*ca_file; /* NULL; else clients must present a certificate that it verifies */
	const char *ocsp_file; /* NULL; else a DER OCSP response, stapled for the first pair */
	int min_version;       /* TLS1_2_VERSION or TLS1_3_VERSION; of TLS, not of DTLS */
	bool dtls;	       /* serve DTLS 1.2 with the same certificates */
	struct net_tickets
		*tickets;	 /* NULL: no session is resumed; else outlives the net_cert */
	const char *const *alpn; /* protocols in order of preference, e.g. "stun.turn" */
	size_t n_alpn;
};

/*
 * Reads everything. Pairs whose certificates name the same hosts and differ in their kind of key (RSA,
 * ECDSA, Ed25519) serve together; others are chosen by the client's SNI against the DNS names of each
 * certificate, wildcards of one label included. On failure *why (caller's buffer) says which file and
 * what is wrong with it, in one line: not found, not PEM, key does not match, expired (a warning is
 * enough: expired certificates load, see net_cert_expires()), wrong password.
 */
must_check enum err net_cert_load(struct net_cert **out, const struct net_cert_options *o,
				  char *why, size_t why_len);

struct net_cert *net_cert_hold(struct net_cert *c); /* any thread */
void net_cert_drop(struct net_cert *c);		    /* any thread; NULL is fine */

/* The context that connections start with. It points into c: who has a connection of it, holds c. */
SSL_CTX *net_cert_context(const struct net_cert *c);

/* The same for DTLS; NULL when it was not asked for. */
SSL_CTX *net_cert_dtls_context(const struct net_cert *c);

/* How connections of TLS read and write (net_tls_io_new()). It lives as long as c. */
BIO_METHOD *net_cert_io(const struct net_cert *c);

/* When the first of the certificates expires. */
time_t net_cert_expires(const struct net_cert *c);

/* When the OCSP response does: from then on nothing is stapled. 0: there is none, or it names no end. */
time_t net_cert_staple_expires(const struct net_cert *c);
