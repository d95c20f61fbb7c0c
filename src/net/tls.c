#include "net/tls.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "net/cert.h"

struct net_tls {
	SSL *ssl;
	int fd;
	struct net_cert
		*cert; /* held: its callbacks may be asked until the handshake is over */
	bool broken;   /* after a fatal error nothing more may be said */
	bool at_end;   /* the descriptor has no more to read */
};

/* --- how OpenSSL reads and writes ------------------------------------------------- */

/* What a call that gave n came to, for OpenSSL: with `retry` to be made again later. */
static int settled(BIO *b, ssize_t n, int retry)
{
	BIO_clear_retry_flags(b);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_flags(b, retry | BIO_FLAGS_SHOULD_RETRY);
	return (int)n;
}

static int bio_write(BIO *b, const char *p, int len)
{
	const struct net_tls *t = BIO_get_data(b);

	return settled(b, send(t->fd, p, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL),
		       BIO_FLAGS_WRITE);
}

static int bio_read(BIO *b, char *p, int cap)
{
	struct net_tls *t = BIO_get_data(b);
	ssize_t n = recv(t->fd, p, (size_t)cap, MSG_DONTWAIT);

	t->at_end = n == 0;
	return settled(b, n, BIO_FLAGS_READ);
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	const struct net_tls *t = BIO_get_data(b);

	(void)num;
	(void)ptr;
	if (cmd == BIO_CTRL_EOF)
		return t->at_end;
	return cmd == BIO_CTRL_FLUSH; /* nothing is held back; nothing else is known here */
}

BIO_METHOD *net_tls_io_new(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "stream");

	if (m && BIO_meth_set_write(m, bio_write) && BIO_meth_set_read(m, bio_read) &&
	    BIO_meth_set_ctrl(m, bio_ctrl))
		return m;
	BIO_meth_free(m);
	return NULL;
}

/* --- connections ------------------------------------------------------------------ */

enum err net_tls_new(struct net_tls **out, struct net_cert *cert, int fd)
{
	struct net_tls *t = calloc(1, sizeof *t);
	BIO *b;

	if (!t)
		return ERR_NOMEM;
	t->ssl = SSL_new(net_cert_context(cert));
	b = BIO_new(net_cert_io(cert));
	if (!t->ssl || !b) {
		BIO_free(b);
		SSL_free(t->ssl);
		free(t);
		return ERR_NOMEM;
	}
	t->fd = fd;
	BIO_set_data(b, t);
	BIO_set_init(b, 1);
	SSL_set_bio(t->ssl, b, b);
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

/* SSL_get_error() takes an old one for the call's. There is hardly ever any, and asking is cheaper. */
static void forget_errors(void)
{
	if (ERR_peek_error())
		ERR_clear_error();
}

enum net_tls_result net_tls_read(struct net_tls *t, void *p, size_t cap, size_t *n)
{
	int ret;

	forget_errors();
	ret = SSL_read_ex(t->ssl, p, cap, n);
	return ret > 0 ? NET_TLS_OK : outcome(t, ret);
}

enum net_tls_result net_tls_write(struct net_tls *t, const void *p, size_t n)
{
	size_t done;
	int ret;

	forget_errors();
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
