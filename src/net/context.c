#include "net/context.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/crypto.h"
#include "base/tick.h"
#include "net/cert.h"

enum {
	/* Some twenty records of a video packet each in one read(2); given back when they are
	 * used up. Less than a record of the greatest length would cost two reads for each of
	 * those. */
	READ_BUFFER = 32768,
	TICKET_LIFETIME_MAX = 604800 /* RFC 8446 s.4.6.1: seven days */
};

/* --- ALPN ------------------------------------------------------------------------ */

enum err net_context_alpn(struct net_context_alpn *out, const char *const *names, size_t n)
{
	struct net_context_alpn a = { 0 };
	uint8_t *at;

	for (size_t i = 0; i < n; i++) {
		BUG_ON(strlen(names[i]) - 1 >= UINT8_MAX); /* RFC 7301 s.3.1: 1 to 255 bytes */
		a.len += 1 + strlen(names[i]);
	}
	at = a.p = malloc(a.len + 1);
	if (!a.p)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(names[i]);

		*at++ = (uint8_t)len;
		memcpy(at, names[i], len);
		at += len;
	}
	*out = a;
	return OK;
}

/* RFC 7301 s.3.2 wants an alert when nothing is common. A client whose library always says
 * "http/1.1" is served all the same. */
static int on_alpn(SSL *ssl, const uint8_t **out, uint8_t *out_len, const uint8_t *in,
		   unsigned in_len, void *arg)
{
	const struct net_context_alpn *ours = arg;
	uint8_t *chosen;

	(void)ssl;
	if (SSL_select_next_proto(&chosen, out_len, ours->p, (unsigned)ours->len, in, in_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* --- tickets --------------------------------------------------------------------- */

static bool use_ticket_key(const struct net_tickets_key *k, const uint8_t *iv,
			   EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)k->mac,
						  sizeof k->mac),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->cipher, iv, encrypt) &&
	       EVP_MAC_CTX_set_params(mac, params);
}

/* Answers what OpenSSL wants of SSL_CTX_set_tlsext_ticket_key_evp_cb(): below 0 ends the
 * handshake, 0 goes on without the ticket, 1 takes it, 2 takes it and gives another. */
static int on_ticket(SSL *ssl, uint8_t *name, uint8_t *iv, EVP_CIPHER_CTX *cipher,
		     EVP_MAC_CTX *mac, int encrypt)
{
	struct net_tickets *tickets = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct net_tickets_key k = { 0 };
	bool found = true, good, current = true;

	if (encrypt) {
		net_tickets_current(tickets, tick_now(), &k);
		memcpy(name, k.name, sizeof k.name);
		good = RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1;
	} else {
		good = found = net_tickets_find(tickets, tick_now(), name, &k, &current);
	}
	good = good && use_ticket_key(&k, iv, cipher, mac, encrypt);
	crypto_wipe(&k, sizeof k);
	if (!found)
		return 0;
	if (!good)
		return -1;
	return current ? 1 : 2;
}

/* Without early data (OpenSSL's default) a ticket may be used twice: nothing can be replayed.
 * */
static bool set_tickets(SSL_CTX *ctx, struct net_tickets *tickets)
{
	int64_t lifetime_s;

	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	if (!tickets) {
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
		return SSL_CTX_set_num_tickets(ctx, 0);
	}
	lifetime_s = net_tickets_lifetime_s(tickets);
	if (lifetime_s > TICKET_LIFETIME_MAX)
		lifetime_s = TICKET_LIFETIME_MAX;
	SSL_CTX_set_timeout(ctx, (long)lifetime_s);
	SSL_CTX_set_app_data(ctx, tickets);
	/* OpenSSL would give two; each costs a record, and few clients come back */
	return SSL_CTX_set_num_tickets(ctx, 1) &&
	       SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
}

/* --- ciphers --------------------------------------------------------------------- */

/* The names of TLS 1.3's suites begin with TLS_; so do IANA's names of the older ones, all of
 * which have a WITH. */
static bool is_suite(const char *name, size_t len)
{
	return len > 4 && memcmp(name, "TLS_", 4) == 0 && !memmem(name, len, "_WITH_", 6);
}

/* Sorts a list of both kinds into two; each of these has room for the whole. */
static void split_ciphers(const char *list, char *suites, char *older)
{
	static const char separators[] = ":;, ";

	*suites = *older = '\0';
	for (list += strspn(list, separators); *list; list += strspn(list, separators)) {
		size_t len = strcspn(list, separators);
		char *to = is_suite(list, len) ? suites : older;

		if (*to)
			strcat(to, ":");
		strncat(to, list, len);
		list += len;
	}
}

/* Older ciphers alone leave TLS 1.3 as it is, which is how OpenSSL's own lists are meant.
 * Suites alone mean that nothing else is wanted. */
static enum err apply_ciphers(SSL_CTX *ctx, const struct net_context_options *o,
			      const char *suites, const char *older)
{
	const struct net_certfile_why *why = o->why;

	if (!*suites && !*older)
		return net_certfile_fail(
			why, ERR_CONF, "cipher-list is empty: name a cipher, or leave it out");
	if (*suites && !SSL_CTX_set_ciphersuites(ctx, suites))
		return net_certfile_fail(
			why, ERR_CONF, "cipher-list: OpenSSL has no TLS 1.3 suite of these: %s",
			suites);
	if (*older && !SSL_CTX_set_cipher_list(ctx, older))
		return net_certfile_fail(why, ERR_CONF,
					 "cipher-list: OpenSSL has no cipher of these: %s",
					 older);
	if (!*older && o->dtls)
		return net_certfile_fail(
			why, ERR_CONF,
			"cipher-list has suites of TLS 1.3 alone, and DTLS 1.2 "
			"knows none of them: name an older cipher too");
	if (!*suites && !o->dtls && o->all->min_version >= TLS1_3_VERSION)
		return net_certfile_fail(
			why, ERR_CONF,
			"cipher-list has no suite of TLS 1.3, and tls-min-version is 1.3: "
			"name one (TLS_...), or leave it out");
	if (!*older && !SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION))
		return net_certfile_fail(why, ERR_CRYPTO, "cipher-list: %s",
					 net_certfile_reason());
	/* who writes a list means its order, but a client without AES in hardware knows better
	 * */
	SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	return OK;
}

/* Without a list: what OpenSSL would take, but AES-128 first in TLS 1.3, as browsers ask for it. The SHA-384
 * of AES-256's suite alone makes a handshake a twentieth dearer: processors have instructions for SHA-256. */
static enum err prefer_small(SSL_CTX *ctx, const struct net_certfile_why *why)
{
	static const char suites[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
				     "TLS_CHACHA20_POLY1305_SHA256";

	if (!SSL_CTX_set_ciphersuites(ctx, suites))
		return net_certfile_fail(why, ERR_CRYPTO, "TLS: %s", net_certfile_reason());
	SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	return OK;
}

static enum err set_ciphers(SSL_CTX *ctx, const struct net_context_options *o)
{
	const char *list = o->all->cipher_list;
	char *suites, *older;
	enum err e;

	if (!list)
		return o->dtls ? OK : prefer_small(ctx, o->why);
	suites = malloc(strlen(list) + 1);
	older = malloc(strlen(list) + 1);
	if (suites && older) {
		split_ciphers(list, suites, older);
		e = apply_ciphers(ctx, o, suites, older);
	} else {
		e = net_certfile_fail(o->why, ERR_NOMEM, "cipher-list: out of memory");
	}
	free(suites);
	free(older);
	return e;
}

/* --- clients, and OpenSSL's ways --------------------------------------------------- */

/* A session is resumed only where clients are verified as they were when it began: by the same
 * file, or not at all. */
static bool set_authorities(SSL_CTX *ctx, const struct net_certfile_authorities *ca)
{
	STACK_OF(X509_NAME) * names;

	if (!SSL_CTX_set_session_id_context(ctx, ca->digest, sizeof ca->digest))
		return false;
	if (!ca->store)
		return true;
	names = SSL_dup_CA_list(ca->names);
	if (!names)
		return false;
	SSL_CTX_set_client_CA_list(ctx, names);
	SSL_CTX_set1_cert_store(ctx, ca->store);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return true;
}

static void set_modes(SSL_CTX *ctx, bool dtls)
{
	/* that a client ends the connection without saying so is no error: many do */
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					 SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(ctx, 1);
	/* RFC 8489 s.6.2.3, RFC 7350 s.3: TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 MUST be there */
	SSL_CTX_set_dh_auto(ctx, 1);
	if (!dtls) /* a datagram is read whole anyway */
		SSL_CTX_set_default_read_buffer_len(ctx, READ_BUFFER);
}

/* --- DTLS ------------------------------------------------------------------------ */

/* net/cookie.h has proved the cookie of every hello that an association begins with. */
static int on_cookie(SSL *ssl, const uint8_t *cookie, unsigned len)
{
	(void)ssl;
	(void)cookie;
	(void)len;
	return 1;
}

/* OpenSSL makes none. */
static int on_cookie_wanted(SSL *ssl, uint8_t *cookie, unsigned *len)
{
	(void)ssl;
	(void)cookie;
	(void)len;
	return 0;
}

/* RFC 9147's version 1.3 OpenSSL 3 does not have, and RFC 8996 forbids 1.0. */
static bool set_versions(SSL_CTX *ctx, const struct net_context_options *o)
{
	if (!o->dtls)
		return SSL_CTX_set_min_proto_version(ctx, o->all->min_version);
	SSL_CTX_set_cookie_generate_cb(ctx, on_cookie_wanted);
	SSL_CTX_set_cookie_verify_cb(ctx, on_cookie);
	SSL_CTX_set_options(ctx, SSL_OP_NO_QUERY_MTU); /* net/dtls.h says what it is */
	return SSL_CTX_set_min_proto_version(ctx, DTLS1_2_VERSION) &&
	       SSL_CTX_set_max_proto_version(ctx, DTLS1_2_VERSION);
}

/* --- the whole ------------------------------------------------------------------- */

/* RFC 8489 s.6.2.3: suites with forward secrecy MUST be preferred. By default there are no others, so that the
 * client's order may decide, who knows best what is cheap for it. */
static const char forward_secret[] = "DEFAULT:!kRSA";

enum err net_context_new(SSL_CTX **out, const struct net_context_options *o)
{
	SSL_CTX *ctx = SSL_CTX_new(o->dtls ? DTLS_server_method() : TLS_server_method());
	enum err e;

	if (!ctx)
		return net_certfile_fail(o->why, ERR_CRYPTO, "TLS: %s", net_certfile_reason());
	set_modes(ctx, o->dtls);
	if (o->alpn->len)
		SSL_CTX_set_alpn_select_cb(ctx, on_alpn, (void *)o->alpn);
	if (set_versions(ctx, o) && set_tickets(ctx, o->all->tickets) &&
	    set_authorities(ctx, o->ca) && SSL_CTX_set_cipher_list(ctx, forward_secret))
		e = set_ciphers(ctx, o);
	else
		e = net_certfile_fail(o->why, ERR_CRYPTO, "TLS: %s", net_certfile_reason());
	if (e) {
		SSL_CTX_free(ctx);
		return e;
	}
	*out = ctx;
	return OK;
}
