#include "net/cookie.h"

#include <string.h>

#include "base/crypto.h"
#include "base/rd.h"

enum {
	HANDSHAKE = 22,	  /* the record's type, RFC 6347 s.4.1 */
	CLIENT_HELLO = 1, /* the message's, s.4.3.2 */
	VERIFY_REQUEST = 3,
	RANDOM_LEN = 32,
	SESSION_ID_MAX = 32,
	DTLS_MAJOR = 0xfe, /* versions count downwards from there */
	DTLS_1_0 = 0xfeff,
};

/* What a cookie stands for. */
struct claim {
	struct addr client, server;
	uint64_t hello; /* digest of version, random and session id */
	uint32_t time_s, zero;
};

_Static_assert(sizeof(struct claim) == 56, "claim must have no padding");

/* The parts of a hello that lie before and at its cookie. */
struct parsed {
	const uint8_t *sequence;
	struct str head, cookie; /* head: version, random, session id */
	uint16_t message_seq;
};

static uint32_t read_u24(struct rd *r)
{
	uint32_t high = rd_u8(r);

	return high << 16 | rd_u16(r);
}

/* version, random, session id, and the cookie behind them */
static bool parse_body(struct rd *body, struct parsed *out)
{
	const uint8_t *start = body->p;
	size_t id_len;

	if (rd_u8(body) != DTLS_MAJOR)
		return false;
	rd_u8(body);
	rd_take(body, RANDOM_LEN);
	id_len = rd_u8(body);
	rd_take(body, id_len);
	if (!rd_ok(body) || id_len > SESSION_ID_MAX)
		return false;
	out->head = (struct str){ (const char *)start, (size_t)(body->p - start) };
	out->cookie = rd_str(body, rd_u8(body));
	return rd_ok(body);
}

static bool parse(const void *p, size_t len, struct parsed *out)
{
	struct rd r = rd_init(p, len), record, body;
	uint32_t whole, offset, part;

	if (rd_u8(&r) != HANDSHAKE || rd_u8(&r) != DTLS_MAJOR)
		return false;
	rd_u8(&r);	     /* the minor version says little here: s.4.2.1 */
	if (rd_u16(&r) != 0) /* epoch: nothing is encrypted yet */
		return false;
	out->sequence = rd_take(&r, 6);
	record = rd_sub(&r, rd_u16(&r));
	if (rd_u8(&record) != CLIENT_HELLO)
		return false;
	whole = read_u24(&record);
	out->message_seq = rd_u16(&record);
	offset = read_u24(&record);
	part = read_u24(&record);
	body = rd_sub(&record, part);
	return rd_ok(&record) && offset == 0 && part <= whole && parse_body(&body, out);
}

/* s.4.2.1 would have cipher suites in it as well. They may be in a later fragment, which nobody keeps; the
 * random says enough of which hello it is. */
static void make(const struct net_cookie_maker *m, const struct parsed *h, uint32_t time_s,
		 uint8_t out[NET_COOKIE_LEN])
{
	const struct claim claim = {
		.client = m->client,
		.server = m->server,
		.hello = addr_siphash_mac(m->key, h->head.p, h->head.len),
		.time_s = time_s,
	};
	uint64_t mac = addr_siphash_mac(m->key, &claim, sizeof claim);

	wr_put16(out, (uint16_t)(time_s >> 16));
	wr_put16(out + 2, (uint16_t)time_s);
	memcpy(out + 4, &mac, sizeof mac);
}

static bool is_ours(const struct net_cookie_maker *m, const struct parsed *h, uint32_t now_s)
{
	struct rd r = rd_init(h->cookie.p, h->cookie.len);
	uint32_t time_s = rd_u32(&r);
	uint8_t want[NET_COOKIE_LEN];

	if (h->cookie.len != NET_COOKIE_LEN || now_s - time_s > NET_COOKIE_TTL_S)
		return false;
	make(m, h, time_s, want);
	return crypto_equal(want, h->cookie.p, NET_COOKIE_LEN);
}

enum net_cookie_kind net_cookie_judge(const struct net_cookie_maker *m, const void *p,
				      size_t len, struct net_cookie_hello *out)
{
	uint32_t now_s = (uint32_t)(m->now / 1000);
	struct parsed h;

	if (!parse(p, len, &h))
		return NET_COOKIE_NO_HELLO;
	memcpy(out->sequence, h.sequence, sizeof out->sequence);
	/* the hello that brings a cookie is the client's second message */
	if (h.message_seq == 1 && is_ours(m, &h, now_s)) {
		memcpy(out->cookie, h.cookie.p, NET_COOKIE_LEN);
		return NET_COOKIE_PROVEN;
	}
	make(m, &h, now_s, out->cookie);
	return NET_COOKIE_BARE;
}

static void put_u24(struct wr *w, uint32_t v)
{
	wr_u8(w, (uint8_t)(v >> 16));
	wr_u16(w, (uint16_t)v);
}

void net_cookie_request(const struct net_cookie_hello *h, struct wr *out)
{
	enum { BODY = 2 + 1 + NET_COOKIE_LEN, MESSAGE = 12 + BODY };

	wr_u8(out, HANDSHAKE);
	wr_u16(out, DTLS_1_0); /* s.4.2.1: whatever will be negotiated */
	wr_u16(out, 0);
	wr_bytes(out, h->sequence, sizeof h->sequence); /* s.4.2.1: MUST be the hello's */
	wr_u16(out, MESSAGE);
	wr_u8(out, VERIFY_REQUEST);
	put_u24(out, BODY);
	wr_u16(out, 0); /* the server's first message */
	put_u24(out, 0);
	put_u24(out, BODY);
	wr_u16(out, DTLS_1_0);
	wr_u8(out, NET_COOKIE_LEN);
	wr_bytes(out, h->cookie, NET_COOKIE_LEN);
}
