#include "store/redis_tls.h"

#include <stdio.h>
#include <stdlib.h>

#ifdef HAVE_HIREDIS_SSL

#include <arpa/inet.h>
#include <hiredis/async.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

struct store_redis_tls {
	SSL_CTX *ctx;
	const struct store_redis_conninfo *ci;
};

bool store_redis_tls_is_built(void)
{
	return true;
}

static enum err fail(const char *what, const char *file, char *why, size_t why_len)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	snprintf(why, why_len, "TLS: %s%s%.120s: %s", what, file[0] ? " " : "", file, reason ? reason : "failed");
	ERR_clear_error();
	return ERR_CONF;
}

static enum err load(SSL_CTX *ctx, const struct store_redis_conninfo *ci, char *why, size_t why_len)
{
	const char *file = ci->ca[0] ? ci->ca : NULL, *dir = ci->ca_path[0] ? ci->ca_path : NULL;

	if (!SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION))
		return fail("version", "", why, why_len);
	if ((file || dir) ? !SSL_CTX_load_verify_locations(ctx, file, dir) : !SSL_CTX_set_default_verify_paths(ctx))
		return fail("ca", file ? file : dir ? dir : "", why, why_len);
	if (ci->cert[0] && SSL_CTX_use_certificate_chain_file(ctx, ci->cert) != 1)
		return fail("cert", ci->cert, why, why_len);
	if (ci->pkey[0] && SSL_CTX_use_PrivateKey_file(ctx, ci->pkey, SSL_FILETYPE_PEM) != 1)
		return fail("tls-key", ci->pkey, why, why_len);
	SSL_CTX_set_verify(ctx, ci->no_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	return OK;
}

enum err store_redis_tls_new(struct store_redis_tls **out, const struct store_redis_conninfo *ci, char *why,
			     size_t why_len)
{
	struct store_redis_tls *t;
	enum err e = OK;

	*out = NULL;
	if (!ci->tls)
		return OK;
	t = calloc(1, sizeof *t);
	if (!t)
		return ERR_NOMEM;
	t->ci = ci;
	t->ctx = SSL_CTX_new(TLS_client_method());
	e = t->ctx ? load(t->ctx, ci, why, why_len) : ERR_NOMEM;
	if (e) {
		store_redis_tls_free(t);
		return e;
	}
	*out = t;
	return OK;
}

void store_redis_tls_free(struct store_redis_tls *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->ctx);
	free(t);
}

/* Whose certificate it has to be; an address is no name to ask for (RFC 6066 s.3). */
static bool expect(SSL *ssl, const struct store_redis_conninfo *ci, const char *host)
{
	const char *name = ci->server_name[0] ? ci->server_name : host;
	unsigned char ip[16];
	bool numeric = inet_pton(AF_INET, name, ip) == 1 || inet_pton(AF_INET6, name, ip) == 1;

	if (!numeric && SSL_set_tlsext_host_name(ssl, name) != 1)
		return false;
	if (ci->no_verify)
		return true;
	return numeric ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1 :
			 SSL_set1_host(ssl, name) == 1;
}

enum err store_redis_tls_begin(struct store_redis_tls *t, struct redisAsyncContext *ac, const char *host, char *why,
			       size_t why_len)
{
	SSL *ssl = SSL_new(t->ctx);

	if (!ssl || !expect(ssl, t->ci, host)) {
		SSL_free(ssl);
		snprintf(why, why_len, "TLS: no memory");
		return ERR_SYS;
	}
	/* hiredis takes `ssl` and frees it with the connection, but not where this fails */
	if (redisInitiateSSL(&ac->c, ssl) != REDIS_OK) {
		SSL_free(ssl);
		snprintf(why, why_len, "TLS: %.120s", ac->c.errstr[0] ? ac->c.errstr : "the handshake failed");
		return ERR_SYS;
	}
	return OK;
}

#else

bool store_redis_tls_is_built(void)
{
	return false;
}

/* store_redis_conninfo_parse() has refused it before. */
enum err store_redis_tls_new(struct store_redis_tls **out, const struct store_redis_conninfo *ci, char *why,
			     size_t why_len)
{
	(void)why;
	(void)why_len;
	*out = NULL;
	return ci->tls ? ERR_UNSUPPORTED : OK;
}

void store_redis_tls_free(struct store_redis_tls *t)
{
	(void)t;
}

enum err store_redis_tls_begin(struct store_redis_tls *t, struct redisAsyncContext *ac, const char *host, char *why,
			       size_t why_len)
{
	(void)t;
	(void)ac;
	(void)host;
	snprintf(why, why_len, "TLS is not built in");
	return ERR_UNSUPPORTED;
}

#endif
