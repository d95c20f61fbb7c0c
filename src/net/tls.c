#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "net/cert.h"

struct net_tls {
	SSL *ssl;
	struct net_cert
		*cert; /* held: its callbacks may be asked until the handshake is over */
	bool broken;   /* after a fatal error nothing more may be said */
};

enum err net_tls_new(struct net_tls **out, struct net_cert *cert, int fd)
{
	struct net_tls *t = calloc(1, sizeof *t);

	if (!t)
		return ERR_NOMEM;
	t->ssl = SSL_new(net_cert_context(cert));
	if (!t->ssl || !SSL_set_fd(t->ssl, fd)) {
		SSL_free(t->ssl);
		free(t);
		return ERR_NOMEM;
	}
	t->cert = net_cert_hold(cert);
	SSL_set_accept_state(t->ssl);
	*out = t;
	return OK;
}

void net_tls_free(struct net_tls *t)
{
	if (!t)
		return;
	if (!t->broken && SSL_is_init_finished(t->ssl))
		SSL_shutdown(t->ssl);
	SSL_free(t->ssl);
	net_cert_drop(t->cert);
	ERR_clear_error();
	free(t);
}

static enum net_tls_result outcome(struct net_tls *t, int ret)
{
	switch (SSL_get_error(t->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return NET_TLS_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return NET_TLS_CLOSED;
	default:
		t->broken = true;
		return NET_TLS_FAILED;
	}
}

enum net_tls_result net_tls_read(struct net_tls *t, void *p, size_t cap, size_t *n)
{
	int ret;

	ERR_clear_error();
	ret = SSL_read_ex(t->ssl, p, cap, n);
	return ret > 0 ? NET_TLS_OK : outcome(t, ret);
}

enum net_tls_result net_tls_write(struct net_tls *t, const void *p, size_t n)
{
	size_t done;
	int ret;

	ERR_clear_error();
	ret = SSL_write_ex(t->ssl, p, n, &done);
	return ret > 0 ? NET_TLS_OK : outcome(t, ret);
}

enum net_tls_result net_tls_say_end(struct net_tls *t)
{
	int ret;

	ERR_clear_error();
	ret = SSL_shutdown(t->ssl);
	return ret >= 0 ? NET_TLS_OK : outcome(t, ret);
}

bool net_tls_is_open(const struct net_tls *t)
{
	return SSL_is_init_finished(t->ssl);
}

bool net_tls_has_more(const struct net_tls *t)
{
	return SSL_has_pending(t->ssl);
}

struct str net_tls_alpn(const struct net_tls *t)
{
	const unsigned char *p = NULL;
	unsigned n = 0;

	SSL_get0_alpn_selected(t->ssl, &p, &n);
	return n ? (struct str){ (const char *)p, n } : STR_LIT("");
}

void net_tls_end_write(struct net_tls *t)
{
	ERR_clear_error();
	if (!t->broken && SSL_is_init_finished(t->ssl))
		SSL_shutdown(t->ssl);
}

const char *net_tls_version(const struct net_tls *t)
{
	return SSL_get_version(t->ssl);
}

const char *net_tls_cipher(const struct net_tls *t)
{
	return SSL_get_cipher_name(t->ssl);
}
