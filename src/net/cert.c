#include "net/cert.h"

#include <openssl/err.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/tick.h"
#include "net/certfile.h"
#include "net/context.h"
#include "net/sni.h"
#include "net/tls.h"

enum kind { KIND_RSA, KIND_ECDSA, KIND_EDDSA, N_KINDS };

/* Certificates of the same names, with keys of different kinds. */
struct site {
	SSL_CTX *ctx, *dtls; /* dtls: NULL when it is not served */
	size_t pair;	     /* its first, in net_cert_options */
	unsigned kinds;	     /* 1 << enum kind */
};

struct net_cert {
	atomic_uint refs;
	struct site *sites; /* [0] is for clients that name no other */
	size_t n_sites;
	struct net_sni_names *names; /* a site's, in the same place */
	struct net_sni sni;
	struct net_context_alpn alpn;
	BIO_METHOD *io;
	X509 *first; /* the staple tells of this certificate and of no other */
	struct net_certfile_staple staple;
	time_t expires;
};

/* What the steps of a load share. */
struct loading {
	const struct net_cert_options *o;
	const struct net_certfile_why *why;
	struct net_certfile_authorities ca;
	struct net_cert *c;
};

/* --- during a handshake ---------------------------------------------------------- */

static int on_server_name(SSL *ssl, int *alert, void *arg)
{
	const struct net_cert *c = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct site *s;
	size_t site;

	if (!name || !net_sni_find(&c->sni, name, &site))
		return SSL_TLSEXT_ERR_NOACK;
	s = &c->sites[site];
	if (!SSL_set_SSL_CTX(ssl, SSL_is_dtls(ssl) ? s->dtls : s->ctx)) {
		*alert = SSL_AD_INTERNAL_ERROR;
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	}
	return SSL_TLSEXT_ERR_OK;
}

static int on_status(SSL *ssl, void *arg)
{
	const struct net_cert *c = arg;
	const X509 *used = SSL_get_certificate(ssl);
	uint8_t *copy;

	if (!used || X509_cmp(used, c->first) != 0)
		return SSL_TLSEXT_ERR_NOACK;
	if (c->staple.until && tick_wall_s() >= c->staple.until)
		return SSL_TLSEXT_ERR_NOACK;
	copy = OPENSSL_memdup(c->staple.p, c->staple.len); /* OpenSSL frees it */
	if (!copy)
		return SSL_TLSEXT_ERR_NOACK;
	SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)c->staple.len);
	return SSL_TLSEXT_ERR_OK;
}

/* --- from pairs to sites --------------------------------------------------------- */

/* A certificate and its key, as read. */
struct identity {
	X509 *leaf;
	STACK_OF(X509) * chain;
	EVP_PKEY *key;
};

static enum kind kind_of(const EVP_PKEY *key)
{
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
	case EVP_PKEY_RSA_PSS:
		return KIND_RSA;
	case EVP_PKEY_EC:
		return KIND_ECDSA;
	case EVP_PKEY_ED25519:
		return KIND_EDDSA;
	default:
		return N_KINDS;
	}
}

static enum err read_identity(const struct loading *l, const struct net_cert_pair *p,
			      struct identity *id)
{
	enum err e = net_certfile_chain(p->cert, l->why, &id->leaf, &id->chain);

	if (e)
		return e;
	e = net_certfile_key(p->pkey, l->o->pkey_password, l->why, &id->key);
	if (e)
		return e;
	if (!X509_check_private_key(id->leaf, id->key))
		return net_certfile_fail(
			l->why, ERR_CONF,
			"%s is not the key of %s: give each cert the pkey it was made with",
			p->pkey, p->cert);
	if (kind_of(id->key) == N_KINDS)
		return net_certfile_fail(l->why, ERR_CONF,
					 "%s: the key is neither RSA nor ECDSA nor Ed25519",
					 p->pkey);
	return OK;
}

/* The place of the site of these names that has no such key yet, or a new one. Takes the names
 * over on success. */
static enum err find_place(const struct loading *l, struct net_sni_names *names, enum kind kind,
			   size_t *out)
{
	struct net_cert *c = l->c;
	struct net_context_options o = { l->o, &l->ca, &c->alpn, l->why, false };
	size_t i = 0;
	enum err e;

	while (i < c->n_sites &&
	       (!net_sni_same_names(&c->names[i], names) || c->sites[i].kinds & 1u << kind))
		i++;
	if (i < c->n_sites) {
		net_sni_free_names(names);
		*out = i;
		return OK;
	}
	e = net_context_new(&c->sites[i].ctx, &o);
	o.dtls = true;
	if (!e && l->o->dtls)
		e = net_context_new(&c->sites[i].dtls, &o);
	if (e) {
		SSL_CTX_free(c->sites[i].ctx);
		c->sites[i].ctx = NULL;
		return e;
	}
	c->names[i] = *names;
	c->n_sites++;
	*out = i;
	return OK;
}

static bool use_identity(const struct site *s, const struct identity *id)
{
	return SSL_CTX_use_cert_and_key(s->ctx, id->leaf, id->key, id->chain, 1) &&
	       (!s->dtls || SSL_CTX_use_cert_and_key(s->dtls, id->leaf, id->key, id->chain, 1));
}

static enum err note_expiry(const struct loading *l, size_t pair, const X509 *leaf)
{
	time_t end;

	if (!net_certfile_time(X509_get0_notAfter(leaf), &end))
		return net_certfile_fail(l->why, ERR_CONF, "%s: when it expires cannot be read",
					 l->o->pairs[pair].cert);
	if (pair == 0 || end < l->c->expires)
		l->c->expires = end;
	return OK;
}

static enum err place_identity(const struct loading *l, size_t pair, const struct identity *id)
{
	const char *file = l->o->pairs[pair].cert;
	struct net_sni_names names;
	struct site *s;
	size_t place = 0;
	enum err e = net_sni_names(id->leaf, &names);

	if (e)
		return net_certfile_fail(l->why, e, "%s: out of memory", file);
	e = find_place(l, &names, kind_of(id->key), &place);
	if (e) {
		net_sni_free_names(&names);
		return e;
	}
	s = &l->c->sites[place];
	if (!s->kinds)
		s->pair = pair;
	s->kinds |= 1u << kind_of(id->key);
	if (!use_identity(s, id))
		return net_certfile_fail(l->why, ERR_CRYPTO, "%s: OpenSSL refuses it: %s", file,
					 net_certfile_reason());
	if (pair == 0 && X509_up_ref(id->leaf))
		l->c->first = id->leaf;
	return note_expiry(l, pair, id->leaf);
}

static enum err add_pair(const struct loading *l, size_t pair)
{
	struct identity id = { 0 };
	enum err e = read_identity(l, &l->o->pairs[pair], &id);

	if (!e)
		e = place_identity(l, pair, &id);
	X509_free(id.leaf);
	sk_X509_pop_free(id.chain, X509_free);
	EVP_PKEY_free(id.key);
	return e;
}

/* --- the whole ------------------------------------------------------------------- */

static void set_name_callback(struct net_cert *c, SSL_CTX *ctx)
{
	SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
	SSL_CTX_set_tlsext_servername_arg(ctx, c);
}

/* What is configured and could never be served is a mistake that should not wait to be found
 * out. */
static enum err set_names(const struct loading *l)
{
	struct net_cert *c = l->c;
	enum err e = net_sni_init(&c->sni, c->names, c->n_sites);

	if (e)
		return net_certfile_fail(l->why, e, "certificates: out of memory");
	for (size_t i = 1; i < c->n_sites; i++) {
		if (!net_sni_leads_to(&c->sni, i))
			return net_certfile_fail(
				l->why, ERR_CONF,
				"%s would never be used: it names no host that a cert "
				"before it does not; leave it out",
				l->o->pairs[c->sites[i].pair].cert);
	}
	set_name_callback(c, c->sites[0].ctx);
	if (c->sites[0].dtls)
		set_name_callback(c, c->sites[0].dtls);
	return OK;
}

static void set_staple_callback(struct net_cert *c, SSL_CTX *ctx)
{
	SSL_CTX_set_tlsext_status_cb(ctx, on_status);
	SSL_CTX_set_tlsext_status_arg(ctx, c);
}

static enum err set_staple(const struct loading *l)
{
	struct net_cert *c = l->c;
	enum err e;

	if (!l->o->ocsp_file)
		return OK;
	e = net_certfile_staple(l->o->ocsp_file, c->first, l->why, &c->staple);
	if (e)
		return e;
	set_staple_callback(c, c->sites[0].ctx);
	if (c->sites[0].dtls)
		set_staple_callback(c, c->sites[0].dtls);
	return OK;
}

static enum err load(struct loading *l)
{
	enum err e = OK;

	if (l->o->ca_file)
		e = net_certfile_authorities(l->o->ca_file, l->why, &l->ca);
	for (size_t i = 0; !e && i < l->o->n_pairs; i++)
		e = add_pair(l, i);
	if (!e)
		e = set_names(l);
	if (!e)
		e = set_staple(l);
	net_certfile_free_authorities(&l->ca);
	return e;
}

/* NULL: no memory. */
static struct net_cert *new_cert(const struct net_cert_options *o)
{
	struct net_cert *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	atomic_init(&c->refs, 1);
	c->sites = calloc(o->n_pairs, sizeof *c->sites);
	c->names = calloc(o->n_pairs, sizeof *c->names);
	c->io = net_tls_io_new();
	if (!c->sites || !c->names || !c->io ||
	    net_context_alpn(&c->alpn, o->alpn, o->n_alpn)) {
		net_cert_drop(c);
		return NULL;
	}
	return c;
}

enum err net_cert_load(struct net_cert **out, const struct net_cert_options *o, char *why,
		       size_t why_len)
{
	const struct net_certfile_why told = { why, why_len };
	struct loading l = { .o = o, .why = &told };
	enum err e;

	BUG_ON(o->n_pairs == 0);
	l.c = new_cert(o);
	if (!l.c)
		return net_certfile_fail(&told, ERR_NOMEM, "certificates: out of memory");
	ERR_clear_error();
	e = load(&l);
	ERR_clear_error();
	if (e) {
		net_cert_drop(l.c);
		return e;
	}
	*out = l.c;
	return OK;
}

struct net_cert *net_cert_hold(struct net_cert *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void net_cert_drop(struct net_cert *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < c->n_sites; i++) {
		SSL_CTX_free(c->sites[i].ctx);
		SSL_CTX_free(c->sites[i].dtls);
		net_sni_free_names(&c->names[i]);
	}
	net_sni_fini(&c->sni);
	X509_free(c->first);
	BIO_meth_free(c->io);
	free(c->sites);
	free(c->names);
	free(c->alpn.p);
	free(c->staple.p);
	free(c);
}

BIO_METHOD *net_cert_io(const struct net_cert *c)
{
	return c->io;
}

SSL_CTX *net_cert_context(const struct net_cert *c)
{
	return c->sites[0].ctx;
}

SSL_CTX *net_cert_dtls_context(const struct net_cert *c)
{
	return c->sites[0].dtls;
}

time_t net_cert_expires(const struct net_cert *c)
{
	return c->expires;
}

time_t net_cert_staple_expires(const struct net_cert *c)
{
	return c->staple.until;
}
