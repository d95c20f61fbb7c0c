/* A client with long-term credentials of realm "test", for tests of the relay: see relay_client.h. */
#pragma once

#include "auth/longterm.h"
#include "relay_client.h"

struct guest {
	struct client c;
	struct crypto *crypto;
	const char *user;
	uint8_t key[AUTH_KEY_LEN];
	char nonce[128];
	size_t nonce_len;
	uint8_t buf[CLIENT_MSG_MAX * 4]; /* the request as it was sent last */
	size_t len;
};

static inline void guest_open(struct guest *g, const struct addr *server, void (*pump)(void *), void *arg,
			      const char *user, const char *password)
{
	memset(g, 0, sizeof *g);
	client_open(&g->c, server, pump, arg);
	g->user = user;
	assert_int_equal(crypto_new(&g->crypto), OK);
	assert_int_equal(auth_longterm_key(g->crypto, str_of(user), STR_LIT("test"), str_of(password), g->key),
			 OK);
}

static inline void guest_close(struct guest *g)
{
	crypto_free(g->crypto);
	client_close(&g->c);
}

/* The signature goes behind what is there. */
static inline void guest_sign(struct guest *g, struct wr *w)
{
	stun_add_str(w, STUN_T_USERNAME, str_of(g->user));
	stun_add_str(w, STUN_T_REALM, STR_LIT("test"));
	stun_add(w, STUN_T_NONCE, g->nonce, g->nonce_len);
	assert_int_equal(stun_add_integrity(w, g->crypto, (struct str){ (char *)g->key, AUTH_KEY_LEN }), OK);
}

static inline struct wr guest_begin(struct guest *g, uint16_t method)
{
	struct wr w = wr_init(g->buf, sizeof g->buf);

	client_begin(&g->c, &w, STUN_REQUEST, method);
	return w;
}

/* An Allocate, or an empty request of another method, signed once there is a nonce. */
static inline void guest_write(struct guest *g, uint16_t method)
{
	struct wr w = guest_begin(g, method);

	if (method == STUN_ALLOCATE)
		stun_add_u32(&w, STUN_T_REQUESTED_TRANSPORT, 17u << 24);
	if (g->nonce_len)
		guest_sign(g, &w);
	assert_false(w.bad);
	g->len = wr_len(&w);
}

/* What was written last, once more or for the first time. */
static inline void guest_send(struct guest *g)
{
	client_send(&g->c, &g->c.server, g->buf, g->len);
}

/* The next answer: 0, or its error code. */
static inline unsigned guest_answer(struct guest *g)
{
	client_recv(&g->c);
	assert_int_equal(stun_decode(g->c.buf, g->c.len, &g->c.msg), OK);
	return g->c.msg.class == STUN_SUCCESS ? 0 : g->c.msg.error_code;
}

/* The first, unsigned Allocate, which brings the nonce. */
static inline void guest_greet(struct guest *g)
{
	guest_write(g, STUN_ALLOCATE);
	guest_send(g);
	assert_int_equal(guest_answer(g), 401);
	g->nonce_len = g->c.msg.nonce.len;
	memcpy(g->nonce, g->c.msg.nonce.p, g->nonce_len);
}

static inline unsigned guest_ask(struct guest *g, uint16_t method)
{
	guest_write(g, method);
	guest_send(g);
	return guest_answer(g);
}
