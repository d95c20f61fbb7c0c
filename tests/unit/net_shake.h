/* TLS handshakes between a net_cert and a client of OpenSSL's, in one thread, over memory. */
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "net_pki.h"

/* What the client asks for; zeros: OpenSSL's defaults. */
struct shake_client {
	const char *sni;
	int version; /* the only one it speaks */
	const char *sigalgs, *ciphers, *suites;
	const char *alpn; /* as on the wire */
	SSL_SESSION *session;
	X509 *cert;
	EVP_PKEY *key;
	bool asks_status;
};

/* What came of it. */
struct shake {
	bool done; /* on both sides, and a byte went across */
	int version;
	int server_reason, client_reason; /* of OpenSSL's errors, 0: none */
	bool resumed;
	int n_tickets;
	SSL_SESSION *session; /* to come back with; NULL: no ticket came */
	char cn[64], alpn[32], cipher[64];
	int n_chain;	   /* certificates shown */
	int n_authorities; /* of which one should have signed the client's */
	uint8_t staple[4096];
	size_t staple_len;
};

static inline int shake_on_session(SSL *ssl, SSL_SESSION *session)
{
	struct shake *s = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	if (!SSL_SESSION_has_ticket(session))
		return 0;
	s->n_tickets++;
	SSL_SESSION_free(s->session);
	s->session = session;
	return 1;
}

static inline SSL_CTX *shake_context(const struct shake_client *c, struct shake *s)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	assert_non_null(ctx);
	SSL_CTX_set_app_data(ctx, s);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, shake_on_session);
	/* level 0: OpenSSL's would not let it offer TLS 1.1 */
	assert_true(
		SSL_CTX_set_cipher_list(ctx, c->ciphers ? c->ciphers : "DEFAULT:@SECLEVEL=0"));
	assert_true(!c->suites || SSL_CTX_set_ciphersuites(ctx, c->suites));
	assert_true(SSL_CTX_set_min_proto_version(ctx, c->version ? c->version : TLS1_VERSION));
	assert_true(SSL_CTX_set_max_proto_version(ctx, c->version));
	assert_true(!c->sigalgs || SSL_CTX_set1_sigalgs_list(ctx, c->sigalgs));
	assert_true(!c->cert || SSL_CTX_use_cert_and_key(ctx, c->cert, c->key, NULL, 1));
	return ctx;
}

static inline SSL *shake_open_client(SSL_CTX *ctx, const struct shake_client *c)
{
	SSL *ssl = SSL_new(ctx);

	assert_non_null(ssl);
	SSL_set_connect_state(ssl);
	assert_true(!c->sni || SSL_set_tlsext_host_name(ssl, c->sni));
	assert_true(!c->session || SSL_set_session(ssl, c->session));
	assert_true(!c->asks_status || SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp));
	if (c->alpn)
		assert_int_equal(SSL_set_alpn_protos(ssl, (const uint8_t *)c->alpn,
						     (unsigned)strlen(c->alpn)),
				 0);
	return ssl;
}

/* Joins the two by memory; their engines own it. */
static inline void shake_join(SSL *a, SSL *b)
{
	BIO *x, *y;

	assert_true(BIO_new_bio_pair(&x, 65536, &y, 65536));
	SSL_set_bio(a, x, x);
	SSL_set_bio(b, y, y);
}

/* One side's turn. True when it is through; *reason is set when it failed. */
static inline bool shake_step(SSL *ssl, int *reason)
{
	int ret, what;

	ERR_clear_error();
	ret = SSL_do_handshake(ssl);
	if (ret == 1)
		return true;
	what = SSL_get_error(ssl, ret);
	if (what == SSL_ERROR_SSL && !*reason)
		*reason = ERR_GET_REASON(ERR_peek_error());
	return false;
}

/* A byte from the server: what it sent before, tickets and refusals, is read with it. */
static inline bool shake_say(SSL *server, SSL *client, int *reason)
{
	size_t n;
	char c = 0;

	ERR_clear_error();
	if (SSL_write_ex(server, "!", 1, &n) && SSL_read_ex(client, &c, 1, &n) && c == '!')
		return true;
	*reason = ERR_GET_REASON(ERR_peek_error());
	return false;
}

static inline void shake_note(SSL *client, struct shake *s)
{
	const uint8_t *p = NULL;
	unsigned n = 0;
	long len = SSL_get_tlsext_status_ocsp_resp(client, &p);
	X509 *leaf = SSL_get0_peer_certificate(client);

	/* of a ticket that replaces another in TLS 1.2 there is no call */
	if (!s->session && SSL_SESSION_has_ticket(SSL_get0_session(client)))
		s->session = SSL_get1_session(client);
	s->version = SSL_version(client);
	s->resumed = SSL_session_reused(client);
	snprintf(s->cipher, sizeof s->cipher, "%s", SSL_get_cipher_name(client));
	if (leaf)
		X509_NAME_get_text_by_NID(X509_get_subject_name(leaf), NID_commonName, s->cn,
					  sizeof s->cn);
	s->n_authorities = sk_X509_NAME_num(SSL_get0_peer_CA_list(client));
	s->n_chain = sk_X509_num(SSL_get_peer_cert_chain(client));
	if (len > 0 && len <= (long)sizeof s->staple) {
		s->staple_len = (size_t)len;
		memcpy(s->staple, p, s->staple_len);
	}
	SSL_get0_alpn_selected(client, &p, &n);
	snprintf(s->alpn, sizeof s->alpn, "%.*s", (int)n, (const char *)p);
}

static inline void shake_run(SSL *server, SSL *client, struct shake *s)
{
	bool client_done = false, server_done = false;

	for (int i = 0; i < 10 && !(client_done && server_done); i++) {
		client_done = shake_step(client, &s->client_reason);
		server_done = shake_step(server, &s->server_reason);
	}
	s->done = client_done && server_done && shake_say(server, client, &s->client_reason);
	if (s->done)
		shake_note(client, s);
}

static inline struct shake *shake(const struct net_cert *cert, const struct shake_client *c)
{
	struct shake *s = calloc(1, sizeof *s);
	SSL_CTX *ctx = shake_context(c, s);
	SSL *client = shake_open_client(ctx, c), *server = SSL_new(net_cert_context(cert));

	assert_non_null(server);
	SSL_set_accept_state(server);
	shake_join(server, client);
	shake_run(server, client, s);
	SSL_set_shutdown(client,
			 SSL_SENT_SHUTDOWN); /* else freeing it marks its session as bad */
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(ctx);
	return s;
}

static inline void shake_free(struct shake *s)
{
	SSL_SESSION_free(s->session);
	free(s);
}
