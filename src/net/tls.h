/* TLS as a filter on a connection: OpenSSL's libssl is named in net/tls.c and net/cert.c only. One
 * thread, but for struct net_cert, which is read-only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

enum { NET_TLS_RECORD = 16384 }; /* most that one record holds */

struct net_cert; /* certificates and settings, net/cert.h */
struct bio_method_st;
struct net_tls;	 /* one connection */

/* How OpenSSL reads and writes a connection's descriptor: send(2) and recv(2) cost less than the write(2) and
 * read(2) of its own. The caller's, for BIO_meth_free(); NULL: no memory. */
struct bio_method_st *net_tls_io_new(void);

/* A server's side on a connected descriptor, which stays the caller's. Takes a reference on `cert`. */
must_check enum err net_tls_new(struct net_tls **out, struct net_cert *cert, int fd);

/* Says goodbye where that needs no waiting, and frees. NULL is fine. */
void net_tls_free(struct net_tls *t);

enum net_tls_result {
	NET_TLS_OK,
	NET_TLS_AGAIN, /* not now: when the descriptor is readable (or writable, after a write) */
	NET_TLS_CLOSED,
	NET_TLS_FAILED,
};

/* Reads up to cap bytes; the handshake goes on by itself. *n is set on NET_TLS_OK. */
enum net_tls_result net_tls_read(struct net_tls *t, void *p, size_t cap, size_t *n);

/* Writes up to NET_TLS_RECORD bytes as one record, all or nothing. After NET_TLS_AGAIN the same bytes
 * must be offered again. */
enum net_tls_result net_tls_write(struct net_tls *t, const void *p, size_t n);

/* Says that nothing more will be written; reading goes on. NET_TLS_AGAIN: not said yet, once more when
 * the descriptor is writable. */
enum net_tls_result net_tls_say_end(struct net_tls *t);

/* True once the handshake is done. */
bool net_tls_is_open(const struct net_tls *t);

/* "TLSv1.3" and the cipher's name, once it is. */
const char *net_tls_version(const struct net_tls *t);
const char *net_tls_cipher(const struct net_tls *t);

/* The protocol that was agreed on (RFC 7301), or "". Borrowed from t. */
struct str net_tls_alpn(const struct net_tls *t);

/* Says that nothing more is written; reading goes on. */
void net_tls_end_write(struct net_tls *t);

/* True when decrypted bytes wait that the descriptor will not tell of. */
bool net_tls_has_more(const struct net_tls *t);
