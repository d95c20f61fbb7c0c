/*
 * libFuzzer target for src/stun/: any bytes as a STUN message and as ChannelData. What decodes is
 * walked, printed, checked, built again from its fields and decoded once more: the two must agree.
 *
 * The seeds in corpus/stun/ are written by seeds-stun (RFC 5769, RFC 8489 B.1, and the messages of a
 * typical TURN session); the words in stun.dict are the attribute headers, and values that count.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/bug.h"
#include "stun/chan.h"
#include "stun/demux.h"
#include "stun/msg.h"

enum { ROOM = STUN_HEADER_LEN + 65532 };

static bool good(const struct stun_msg *m, enum stun_attr a)
{
	return m->present >> a & 1 && !(m->bad >> a & 1);
}

static void try_chan(const uint8_t *data, size_t size)
{
	struct stun_chan c;

	if (size > 0 && stun_demux(data[0], false) == STUN_KIND_CHANNEL)
		BUG_ON(stun_demux(data[0], true) != STUN_KIND_CHANNEL);
	if (!stun_chan_decode(data, size, &c))
		return;
	BUG_ON(c.data.len + STUN_CHAN_HEADER_LEN > size);
	for (size_t i = 0; i < c.data.len; i++)
		BUG_ON(c.data.p[i] != (char)data[STUN_CHAN_HEADER_LEN + i]);
}

static void check_peers(const struct stun_msg *m)
{
	struct addr peer, first = { .family = ADDR_NONE };
	size_t off = 0, was = 0, n = 0;

	while (stun_peer_next(m, &off, &peer)) {
		BUG_ON(off <= was || off > m->raw_len);
		was = off;
		if (n++ == 0)
			first = peer;
	}
	BUG_ON((n > 0) != stun_has(m, STUN_A_XOR_PEER_ADDRESS));
	BUG_ON(!addr_eq(&first, &m->peer));
}

static void check_print(const struct stun_msg *m)
{
	char whole[4096], part[64];

	stun_print(m, whole, sizeof whole);
	for (const char *c = whole; *c; c++)
		BUG_ON(*c < 0x20 || *c > 0x7E);
	stun_print(m, part, sizeof part);
	BUG_ON(strncmp(part, whole, sizeof part - 1) != 0);
}

static void add_texts(struct wr *w, const struct stun_msg *m)
{
	const struct {
		enum stun_attr a;
		uint16_t type;
		const struct str *s;
	} row[] = {
		{ STUN_A_USERNAME, STUN_T_USERNAME, &m->username },
		{ STUN_A_REALM, STUN_T_REALM, &m->realm },
		{ STUN_A_NONCE, STUN_T_NONCE, &m->nonce },
		{ STUN_A_SOFTWARE, STUN_T_SOFTWARE, &m->software },
		{ STUN_A_ORIGIN, STUN_T_ORIGIN, &m->origin },
		{ STUN_A_DATA, STUN_T_DATA, &m->data },
		{ STUN_A_USERHASH, STUN_T_USERHASH, &m->userhash },
		{ STUN_A_PASSWORD_ALGORITHM, STUN_T_PASSWORD_ALGORITHM,
		  &m->password_algorithm },
		{ STUN_A_PASSWORD_ALGORITHMS, STUN_T_PASSWORD_ALGORITHMS,
		  &m->password_algorithms },
		{ STUN_A_ACCESS_TOKEN, STUN_T_ACCESS_TOKEN, &m->access_token },
		{ STUN_A_MOBILITY_TICKET, STUN_T_MOBILITY_TICKET, &m->mobility_ticket },
		{ STUN_A_RESERVATION_TOKEN, STUN_T_RESERVATION_TOKEN, &m->reservation_token },
	};

	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		if (good(m, row[i].a))
			stun_add_str(w, row[i].type, *row[i].s);
}

static void add_numbers(struct wr *w, const struct stun_msg *m)
{
	const uint8_t even = m->even_port_reserve ? 0x80 : 0;
	const struct {
		enum stun_attr a;
		uint16_t type;
		uint32_t v;
	} row[] = {
		{ STUN_A_LIFETIME, STUN_T_LIFETIME, m->lifetime_s },
		{ STUN_A_CONNECTION_ID, STUN_T_CONNECTION_ID, m->connection_id },
		{ STUN_A_CHANGE_REQUEST, STUN_T_CHANGE_REQUEST, m->change_request },
		{ STUN_A_CHANNEL_NUMBER, STUN_T_CHANNEL_NUMBER, (uint32_t)m->channel << 16 },
		{ STUN_A_RESPONSE_PORT, STUN_T_RESPONSE_PORT,
		  (uint32_t)m->response_port << 16 },
		{ STUN_A_REQUESTED_TRANSPORT, STUN_T_REQUESTED_TRANSPORT,
		  (uint32_t)m->transport << 24 },
		{ STUN_A_REQUESTED_ADDRESS_FAMILY, STUN_T_REQUESTED_ADDRESS_FAMILY,
		  (uint32_t)m->family << 24 },
		{ STUN_A_ADDITIONAL_ADDRESS_FAMILY, STUN_T_ADDITIONAL_ADDRESS_FAMILY,
		  (uint32_t)m->additional_family << 24 },
	};

	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		if (good(m, row[i].a))
			stun_add_u32(w, row[i].type, row[i].v);
	if (good(m, STUN_A_EVEN_PORT))
		stun_add(w, STUN_T_EVEN_PORT, &even, 1);
	if (good(m, STUN_A_DONT_FRAGMENT))
		stun_add(w, STUN_T_DONT_FRAGMENT, NULL, 0);
	if (good(m, STUN_A_ICMP))
		stun_add_icmp(w, (uint8_t)(m->icmp >> 8), (uint8_t)m->icmp, m->icmp_data);
	if (good(m, STUN_A_ERROR_CODE))
		stun_add_error(w, m->error_code, m->error_reason);
}

static void add_addrs(struct wr *w, const struct stun_msg *m)
{
	if (good(m, STUN_A_XOR_PEER_ADDRESS))
		stun_add_xor_addr(w, STUN_T_XOR_PEER_ADDRESS, &m->peer);
	if (good(m, STUN_A_XOR_MAPPED_ADDRESS))
		stun_add_xor_addr(w, STUN_T_XOR_MAPPED_ADDRESS, &m->xor_mapped);
	if (good(m, STUN_A_XOR_RELAYED_ADDRESS))
		stun_add_xor_addr(w, STUN_T_XOR_RELAYED_ADDRESS, &m->xor_relayed);
	if (good(m, STUN_A_MAPPED_ADDRESS))
		stun_add_addr(w, STUN_T_MAPPED_ADDRESS, &m->mapped);
	if (good(m, STUN_A_ALTERNATE_SERVER))
		stun_add_addr(w, STUN_T_ALTERNATE_SERVER, &m->alternate_server);
	if (good(m, STUN_A_RESPONSE_ORIGIN))
		stun_add_addr(w, STUN_T_RESPONSE_ORIGIN, &m->response_origin);
	if (good(m, STUN_A_OTHER_ADDRESS))
		stun_add_addr(w, STUN_T_OTHER_ADDRESS, &m->other_address);
}

static void rebuild(struct wr *w, const struct stun_msg *m)
{
	static uint16_t unknown[0x8000];

	stun_begin(w, m->class, m->method, m->txid);
	add_texts(w, m);
	add_numbers(w, m);
	add_addrs(w, m);
	size_t n = stun_unknown(m, unknown, ARRAY_LEN(unknown));
	BUG_ON(n > m->n_unknown || !n != !m->n_unknown);
	for (size_t i = 0; i < n; i++)
		stun_add(w, unknown[i], NULL, 0);
}

/* The fields agree where building them from each gives the same bytes. */
static void check_rebuilt(const struct stun_msg *m, struct crypto *c)
{
	const struct str key = STR_LIT("fuzz");
	uint8_t *first = malloc(ROOM), *second = malloc(ROOM);
	struct wr w, again;
	struct stun_msg m2;

	BUG_ON(!first || !second);
	w = wr_init(first, ROOM);
	rebuild(&w, m);
	BUG_ON(w.bad || stun_decode(first, wr_len(&w), &m2));
	BUG_ON(m2.bad || m2.method != m->method || m2.class != m->class);
	BUG_ON(m2.n_unknown > m->n_unknown);
	again = wr_init(second, ROOM);
	rebuild(&again, &m2);
	BUG_ON(wr_len(&w) != wr_len(&again) || memcmp(first, second, wr_len(&w)) != 0);
	if (stun_add_integrity(&w, c, key) == OK && stun_add_integrity256(&w, c, key) == OK) {
		stun_add_fingerprint(&w);
		BUG_ON(!w.bad && stun_decode(first, wr_len(&w), &m2));
		BUG_ON(!w.bad && !stun_integrity_ok(c, &m2, key));
		BUG_ON(!w.bad && !stun_integrity256_ok(c, &m2, key));
		BUG_ON(!w.bad && !stun_fingerprint_ok(&m2));
	}
	free(first);
	free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct crypto *c;
	struct stun_msg m;

	if (!c && crypto_new(&c))
		abort();
	try_chan(data, size);
	if (stun_decode(data, size, &m))
		return 0;
	/* RFC 7983 s.7 leaves STUN 0..3: methods from 0x100 never come past the demultiplexer */
	BUG_ON((stun_demux(data[0], false) == STUN_KIND_MSG) != (m.method < 0x100));
	BUG_ON(m.bad & ~m.present);
	stun_fingerprint_ok(&m);
	stun_integrity_ok(c, &m, STR_LIT("key"));
	stun_integrity256_ok(c, &m, STR_LIT("key"));
	check_peers(&m);
	check_print(&m);
	check_rebuilt(&m, c);
	return 0;
}
