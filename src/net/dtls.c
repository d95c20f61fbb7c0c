#include "net/dtls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "net/cert.h"

enum { UDP_OVER_IPV6 = 48 }; /* bytes of headers, at most */

struct net_dtls_io {
	BIO_METHOD *method;
	net_dtls_send_fn *send;
};

struct net_dtls {
	SSL *ssl;
	struct net_cert *cert; /* held: its callbacks are asked during the handshake */
	const struct net_dtls_io *io;
	void *arg;
	const uint8_t *in; /* the datagram that is being read; lent */
	size_t in_len;	   /* 0: none */
	bool peeking;	   /* it stays when it is read */
	bool broken;	   /* after a fatal error nothing more may be said */
};

/* --- how OpenSSL reads and writes datagrams -------------------------------------- */

static int bio_write(BIO *b, const char *p, int len)
{
	const struct net_dtls *d = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	if (len > 0)
		d->io->send(d->arg, (const uint8_t *)p, (size_t)len);
	return len;
}

/* One call, one datagram: what does not fit is cut off, as recv(2) does. */
static int bio_read(BIO *b, char *p, int cap)
{
	struct net_dtls *d = BIO_get_data(b);
	size_t n = d->in_len;

	BIO_clear_retry_flags(b);
	if (cap <= 0)
		return 0;
	if (n == 0) {
		BIO_set_retry_read(b);
		return -1;
	}
	if (n > (size_t)cap)
		n = (size_t)cap;
	memcpy(p, d->in, n);
	if (!d->peeking)
		d->in_len = 0;
	return (int)n;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	struct net_dtls *d = BIO_get_data(b);

	(void)ptr;
	switch (cmd) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_DGRAM_SET_PEEK_MODE:
		d->peeking = num != 0;
		return 1;
	case BIO_CTRL_DGRAM_GET_MTU_OVERHEAD:
		return UDP_OVER_IPV6;
	default:
		return 0;
	}
}

enum err net_dtls_io_new(struct net_dtls_io **out, net_dtls_send_fn *send)
{
	struct net_dtls_io *io = calloc(1, sizeof *io);

	if (!io)
		return ERR_NOMEM;
	io->send = send;
	io->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "datagrams");
	if (!io->method || !BIO_meth_set_write(io->method, bio_write) ||
	    !BIO_meth_set_read(io->method, bio_read) ||
	    !BIO_meth_set_ctrl(io->method, bio_ctrl)) {
		net_dtls_io_free(io);
		return ERR_NOMEM;
	}
	*out = io;
	return OK;
}

void net_dtls_io_free(struct net_dtls_io *io)
{
	if (!io)
		return;
	BIO_meth_free(io->method);
	free(io);
}

/* --- associations ---------------------------------------------------------------- */

static enum net_tls_result outcome(struct net_dtls *d, int ret)
{
	switch (SSL_get_error(d->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return NET_TLS_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return NET_TLS_CLOSED;
	default:
		d->broken = true;
		return NET_TLS_FAILED;
	}
}

static enum err prepare(struct net_dtls *d, const struct net_cert *cert)
{
	SSL_CTX *ctx = net_cert_dtls_context(cert);
	BIO *b;

	if (!ctx)
		return ERR_CRYPTO;
	d->ssl = SSL_new(ctx);
	b = d->ssl ? BIO_new(d->io->method) : NULL;
	if (!b)
		return ERR_NOMEM;
	BIO_set_data(b, d);
	BIO_set_init(b, 1);
	SSL_set_bio(d->ssl, b, b);
	SSL_set_accept_state(d->ssl);
	return DTLS_set_link_mtu(d->ssl, NET_DTLS_MTU) ? OK : ERR_NOMEM;
}

/* Takes up the handshake behind the HelloVerifyRequest, which OpenSSL has not seen. */
static enum err skip_to_second_hello(struct net_dtls *d)
{
	BIO_ADDR *nobody = BIO_ADDR_new();
	int ret;

	if (!nobody)
		return ERR_NOMEM;
	ret = DTLSv1_listen(d->ssl, nobody);
	BIO_ADDR_free(nobody);
	return ret == 1 ? OK : ERR_MALFORMED;
}

enum err net_dtls_new(struct net_dtls **out, struct net_dtls_io *io, struct net_cert *cert,
		      void *arg, const uint8_t *hello, size_t len)
{
	struct net_dtls *d = calloc(1, sizeof *d);
	enum err e;
	int ret;

	if (!d)
		return ERR_NOMEM;
	d->cert = net_cert_hold(cert);
	d->io = io;
	d->arg = arg;
	ERR_clear_error();
	e = prepare(d, cert);
	if (e)
		goto free_it;
	net_dtls_feed(d, hello, len);
	e = skip_to_second_hello(d);
	if (e)
		goto free_it;
	net_dtls_feed(d, hello, len);
	ret = SSL_do_handshake(d->ssl);
	if (ret <= 0 && outcome(d, ret) != NET_TLS_AGAIN) {
		e = ERR_MALFORMED;
		goto free_it;
	}
	*out = d;
	return OK;

free_it:
	d->broken = true;
	net_dtls_free(d);
	return e;
}

void net_dtls_free(struct net_dtls *d)
{
	if (!d)
		return;
	if (!d->broken && SSL_is_init_finished(d->ssl))
		SSL_shutdown(d->ssl);
	SSL_free(d->ssl);
	net_cert_drop(d->cert);
	ERR_clear_error();
	free(d);
}

void net_dtls_feed(struct net_dtls *d, const uint8_t *p, size_t len)
{
	d->in = p;
	d->in_len = len;
}

enum net_tls_result net_dtls_read(struct net_dtls *d, void *p, size_t *n)
{
	int ret;

	ERR_clear_error();
	ret = SSL_read_ex(d->ssl, p, NET_TLS_RECORD, n);
	return ret > 0 ? NET_TLS_OK : outcome(d, ret);
}

enum net_tls_result net_dtls_write(struct net_dtls *d, const void *p, size_t n)
{
	size_t done;
	int ret;

	ERR_clear_error();
	ret = SSL_write_ex(d->ssl, p, n, &done);
	return ret > 0 ? NET_TLS_OK : outcome(d, ret);
}

int net_dtls_timer_ms(const struct net_dtls *d)
{
	struct timeval left;

	if (d->broken || !DTLSv1_get_timeout(d->ssl, &left))
		return NET_DTLS_NO_TIMER;
	return (int)(left.tv_sec * 1000 + (left.tv_usec + 999) / 1000);
}

enum net_tls_result net_dtls_timeout(struct net_dtls *d)
{
	ERR_clear_error();
	if (DTLSv1_handle_timeout(d->ssl) >= 0)
		return NET_TLS_OK;
	d->broken = true;
	return NET_TLS_FAILED;
}

bool net_dtls_is_open(const struct net_dtls *d)
{
	return SSL_is_init_finished(d->ssl);
}

const char *net_dtls_cipher(const struct net_dtls *d)
{
	return SSL_get_cipher_name(d->ssl);
}

const char *net_dtls_version(const struct net_dtls *d)
{
	return SSL_get_version(d->ssl);
}
