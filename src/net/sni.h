/* Which certificate a client means: from the host names of certificates to the places they
 * have, by the name that the client gives (RFC 6066 s.3). Read-only once it is sorted. */
#pragma once

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* The host names of a certificate, in lower case, sorted, none twice. */
struct net_sni_names {
	char **p;
	size_t n;
};

/* The DNS names that `cert` is for; its common name counts where there are none. */
must_check enum err net_sni_names(const X509 *cert, struct net_sni_names *out);
void net_sni_free_names(struct net_sni_names *n); /* takes zeros too */

bool net_sni_same_names(const struct net_sni_names *a, const struct net_sni_names *b);

/* A name and where it leads. "*.example.org" stands for itself. */
struct net_sni_route {
	const char *name; /* borrowed */
	size_t place;
};

struct net_sni {
	struct net_sni_route *routes; /* by name */
	size_t n;
};

/* Place i is for names[i]; a name that several have leads to the first. The names stay the
 * caller's, and have to stay. */
must_check enum err net_sni_init(struct net_sni *s, const struct net_sni_names *names,
				 size_t n);
void net_sni_fini(struct net_sni *s);

/* The place for a client's name, case and a last dot aside: the name itself, else the one with
 * a star for its first label. False: none. */
bool net_sni_find(const struct net_sni *s, const char *name, size_t *place);

/* Is there any name that leads to `place`? */
bool net_sni_leads_to(const struct net_sni *s, size_t place);
