/* RFC 8489 s.10: who is sent elsewhere, and where to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/bug.h"
#include "turn/redirect.h"
#include "turn_world.h"

#define ALTERNATES                                                                     \
	"alternate-server=198.18.0.1\nalternate-server=198.18.0.2:3500\n"                \
	"alternate-server=[2001:db8::1]:3501\ntls-alternate-server=198.18.0.3\n"        \
	"tls-alternate-server=2001:db8::3\nalternate-domain=other.example.org\n"       \
	"tcp-alternate-server=198.51.100.77\n"

static int setup(void **state)
{
	*state = world_new(WORLD_CONF ALTERNATES);
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

/* What an Allocate that authenticated as this client would get. */
static bool redirect(struct world *w, const char *from, enum turn_transport transport, uint64_t present,
		     const char *txid)
{
	struct stun_msg req = { .class = STUN_REQUEST, .method = STUN_ALLOCATE, .present = present };
	struct turn_tx tx = { .req = &req,
			      .tuple = { world_addr(from), w->server, transport },
			      .accepted = true };
	enum turn_verdict v = TURN_DROP;
	struct wr out = wr_init(w->raw, sizeof w->raw);
	bool sent;

	memcpy(req.txid, txid, STUN_TXID_LEN);
	tx.who.has_key = true;
	sent = turn_redirect(&w->env, &tx, &out, &v);
	assert_int_equal(v, sent ? TURN_REPLY : TURN_DROP);
	if (sent)
		assert_int_equal(stun_decode(w->raw, wr_len(&out), &w->ans), OK);
	turn_tx_fini(&tx);
	return sent;
}

static bool goes_to(const struct world *w, const char *address)
{
	struct addr a = world_addr(address);

	return addr_eq(&w->ans.alternate_server, &a);
}

static size_t count_attrs(const struct world *w, uint16_t type)
{
	struct rd r = rd_init(w->ans.raw, w->ans.raw_len);
	size_t n = 0;

	rd_take(&r, STUN_HEADER_LEN);
	while (rd_left(&r)) {
		uint16_t t = rd_u16(&r), len = rd_u16(&r);

		n += t == type;
		rd_take(&r, (len + 3u) & ~3u);
	}
	return n;
}

/* The first ALTERNATE-SERVER is of the client's family, the second of the other. */
static void test_families(void **state)
{
	struct world *w = *state;

	assert_true(redirect(w, "198.51.100.1:5", TURN_UDP, 0, "\0\0\0\0retransmit"));
	assert_int_equal(w->ans.error_code, 300);
	assert_true(goes_to(w, "198.18.0.1:3478"));
	assert_int_equal(count_attrs(w, STUN_T_ALTERNATE_SERVER), 2);
	assert_true(w->ans.integrity_off);
	assert_true(redirect(w, "[2001:db8::9]:5", TURN_UDP, 0, "\0\0\0\0retransmit"));
	assert_true(goes_to(w, "[2001:db8::1]:3501"));
	assert_int_equal(count_attrs(w, STUN_T_ALTERNATE_SERVER), 2);
	/* of a list without the client's family nothing is told */
	assert_true(redirect(w, "198.51.100.1:5", TURN_TCP, 0, "\0\0\0\0retransmit"));
	assert_int_equal(count_attrs(w, STUN_T_ALTERNATE_SERVER), 1);
	assert_false(redirect(w, "[2001:db8::9]:5", TURN_TCP, 0, "\0\0\0\0retransmit"));
}

/* Clients are spread by their transaction ids, and a retransmission goes where the first one went. */
static void test_spread(void **state)
{
	static const struct {
		const char *txid, *to;
	} row[] = {
		{ "\0\0\0\0--------", "198.18.0.1:3478" },
		{ "\0\0\0\1--------", "198.18.0.2:3500" },
		{ "\0\0\0\2--------", "198.18.0.1:3478" },
		{ "\xff\xff\xff\xff--------", "198.18.0.2:3500" },
		{ "\xff\xff\xff\xff--------", "198.18.0.2:3500" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		assert_true(redirect(w, "198.51.100.1:5", TURN_UDP, 0, row[i].txid));
		assert_true(goes_to(w, row[i].to));
	}
}

/* ALTERNATE-DOMAIN under TLS and DTLS, for who signs with SHA-256. */
static void test_domain(void **state)
{
	const uint64_t sha256 = STUN_BIT(MESSAGE_INTEGRITY_SHA256);
	struct world *w = *state;

	for (int transport = TURN_UDP; transport <= TURN_DTLS; transport++)
		for (int signs = 0; signs < 2; signs++) {
			bool tls = transport == TURN_TLS || transport == TURN_DTLS;

			assert_true(redirect(w, "198.51.100.1:5", (enum turn_transport)transport,
					     signs ? sha256 : 0, "\0\0\0\0--------"));
			assert_int_equal(stun_has(&w->ans, STUN_A_ALTERNATE_DOMAIN), signs && tls);
			assert_int_equal(goes_to(w, "198.18.0.3:5349"), tls);
		}
}

/* Who is a member of the list sends nobody away. */
static void test_member(void **state)
{
	struct world *w = *state;

	w->server = world_addr("198.18.0.2:3500");
	assert_false(redirect(w, "198.51.100.1:5", TURN_UDP, 0, "\0\0\0\0--------"));
	w->server = world_addr("198.18.0.2:3478");
	assert_true(redirect(w, "198.51.100.1:5", TURN_UDP, 0, "\0\0\0\0--------"));
}

/* s.14.8: 300 MUST only be sent to who has authenticated; others are challenged as ever. */
static void test_whole(void **state)
{
	struct world *w = *state;
	struct world_client c = world_client("198.51.100.1:5000", "alice", "wonder");

	world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
	assert_int_equal(world_ask_plain(w, &c), 401);
	assert_false(stun_has(&w->ans, STUN_A_ALTERNATE_SERVER));
	assert_int_equal(world_allocate(w, &c), 300);
	assert_true(world_signed(w, &c));
	assert_int_equal(world_refresh(w, &c, 600), 437);
}

static void test_no_auth(void **state)
{
	struct world *w = world_new(WORLD_HOSTS "no-auth\nalternate-server=198.18.0.1\n");
	struct world_client c = world_client("198.51.100.1:5000", "alice", "wonder");

	(void)state;
	world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
	stun_add_u32(&w->req, STUN_T_REQUESTED_TRANSPORT, (uint32_t)TURN_PROTO_UDP << 24);
	assert_int_equal(world_ask_plain(w, &c), 0);
	world_free(w);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_families), T(test_spread), T(test_domain),
		T(test_member),	  T(test_whole),  cmocka_unit_test(test_no_auth),
	};

	return cmocka_run_group_tests_name("turn_redirect", tests, NULL, NULL);
}
