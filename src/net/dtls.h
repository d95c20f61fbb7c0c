/*
 * DTLS 1.2 (RFC 6347), a server's side, over datagrams that the caller receives and sends. An
 * association begins with a hello whose cookie net/cookie.h has proved: before that there is
 * nothing to keep. One thread, but for struct net_cert, which is read-only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/tls.h"

enum {
	NET_DTLS_MTU =
		1280, /* of the path, headers included: a handshake passes where IPv6 does */
	NET_DTLS_OVERHEAD =
		13 + 64, /* of a record, at most: header, nonce or IV, MAC or tag, padding */
	NET_DTLS_DATAGRAM =
		NET_TLS_RECORD + NET_DTLS_OVERHEAD + 256, /* none that is sent is longer */
	NET_DTLS_NO_TIMER = -1,
};

struct net_dtls_io; /* what the associations of one worker have in common */
struct net_dtls;    /* one association */

/* Takes one datagram for the client; the memory is lent for the call. `arg` is the association's. */
typedef void net_dtls_send_fn(void *arg, const uint8_t *p, size_t len);

must_check enum err net_dtls_io_new(struct net_dtls_io **out, net_dtls_send_fn *send);
void net_dtls_io_free(struct net_dtls_io *io); /* after all of its associations; NULL is fine */

/*
 * Begins an association with the hello, and sends the server's first flight. ERR_MALFORMED: the client
 * cannot be served, and may have been told so by an alert; ERR_CRYPTO: `cert` has no DTLS; ERR_NOMEM.
 * On success it takes a reference on `cert`.
 */
must_check enum err net_dtls_new(struct net_dtls **out, struct net_dtls_io *io,
				 struct net_cert *cert, void *arg, const uint8_t *hello,
				 size_t len);

/* Says goodbye where there is somebody to say it to, and frees. NULL is fine. */
void net_dtls_free(struct net_dtls *d);

/* Offers a datagram, which is lent until the next net_dtls_read() that says NET_TLS_AGAIN. What is left of
 * an earlier one is forgotten. */
void net_dtls_feed(struct net_dtls *d, const uint8_t *p, size_t len);

/* The next record's payload, of at most NET_TLS_RECORD bytes, which is what p has room for; the handshake
 * goes on by itself. NET_TLS_AGAIN: the datagram is used up. What cannot be authenticated is passed over
 * in silence (RFC 6347 s.4.1.2.7). */
enum net_tls_result net_dtls_read(struct net_dtls *d, void *p, size_t *n);

/* Sends up to NET_TLS_RECORD bytes as one record in one datagram. The association must be open. */
enum net_tls_result net_dtls_write(struct net_dtls *d, const void *p, size_t n);

/* Milliseconds until net_dtls_timeout() is due; NET_DTLS_NO_TIMER: nothing waits for an answer. It
 * changes with every call of the others. The clock is OpenSSL's own, in wall time. */
int net_dtls_timer_ms(const struct net_dtls *d);

/* Sends the flight again that was not answered in time, if that time has come. NET_TLS_FAILED: too often. */
enum net_tls_result net_dtls_timeout(struct net_dtls *d);

/* True once the handshake is done; then also the cipher's name, for the log. */
bool net_dtls_is_open(const struct net_dtls *d);
const char *net_dtls_cipher(const struct net_dtls *d);
const char *net_dtls_version(const struct net_dtls *d);
