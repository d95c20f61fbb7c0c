/*
 * The files a TLS server is made of: certificates, keys, authorities, an OCSP response. Each is
 * read whole, checked, and told about in one line when it is not what was asked for. Control
 * thread.
 */
#pragma once

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/err.h"

/* Where a failure is told, one line. */
struct net_certfile_why {
	char *p;
	size_t len;
};

enum { NET_CERTFILE_DIGEST = 32 };

/* Whom client certificates are verified by. */
struct net_certfile_authorities {
	X509_STORE *store;
	/* told to clients, so that they know which to present */
	struct stack_st_X509_NAME *names;
	uint8_t digest[NET_CERTFILE_DIGEST]; /* of the file: another file, another digest */
};

struct net_certfile_staple {
	uint8_t *p;
	size_t len;
	time_t until; /* not good any more from then; 0: it names no end */
};

/* Writes the line and returns e. */
__attribute__((format(printf, 3, 4))) enum err
net_certfile_fail(const struct net_certfile_why *why, enum err e, const char *format, ...);

/* What OpenSSL says went wrong last; never NULL. */
const char *net_certfile_reason(void);

/* The first certificate of a PEM file, and those after it. Both are the caller's. */
must_check enum err net_certfile_chain(const char *path, const struct net_certfile_why *why,
				       X509 **leaf, struct stack_st_X509 **chain);

/* The private key of a PEM file, the caller's. password may be NULL; no copy of it, or of the
 * file, is left behind. */
must_check enum err net_certfile_key(const char *path, const char *password,
				     const struct net_certfile_why *why, EVP_PKEY **key);

/* All certificates of a PEM file. To be freed with the function below it, which takes zeros
 * too. */
must_check enum err net_certfile_authorities(const char *path,
					     const struct net_certfile_why *why,
					     struct net_certfile_authorities *out);
void net_certfile_free_authorities(struct net_certfile_authorities *a);

/* An OCSP response in DER that tells of `cert`. p is the caller's to free(). */
must_check enum err net_certfile_staple(const char *path, X509 *cert,
					const struct net_certfile_why *why,
					struct net_certfile_staple *out);

/* False when it is no time at all. */
bool net_certfile_time(const ASN1_TIME *at, time_t *out);
