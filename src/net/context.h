/*
 * What all TLS connections, or all DTLS associations, have in common, whatever their certificate: versions, ciphers,
 * tickets, ALPN, whom clients are verified by. Only net/cert.c uses it.
 */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/certfile.h"

struct net_cert_options;

/* A list of protocols as on the wire: length, name, length, name. */
struct net_context_alpn {
	uint8_t *p;
	size_t len; /* 0: none is spoken of */
};

must_check enum err net_context_alpn(struct net_context_alpn *out, const char *const *names,
				     size_t n);

struct net_context_options {
	const struct net_cert_options *all;
	const struct net_certfile_authorities *ca; /* with zeros: clients show no certificate */
	const struct net_context_alpn *alpn;	   /* has to outlive the context */
	const struct net_certfile_why *why;
	bool dtls; /* DTLS 1.2; else TLS */
};

/* A server's context that lacks nothing but a certificate. */
must_check enum err net_context_new(SSL_CTX **out, const struct net_context_options *o);
