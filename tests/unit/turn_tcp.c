/* src/turn/tcp.c: RFC 6062, in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bug.h"
#include "turn_world.h"

enum { TCP = 6 << 24, UDP = 17 << 24, N = TURN_MAX_TCP + 2 };

#define PEER "198.51.100.9:7000"
#define PEER6 "[2001:db8:1::9]:7000"

/* What a test keeps of its connections. */
struct held {
	struct world *w;
	void *world_arg; /* the world's own, for its callbacks */
	void (*leg_closed)(void *arg, struct turn_session *s, enum turn_leg_id leg);
	void (*ended)(void *arg, struct turn_session *s, enum turn_end why);
	struct turn_tcp tcp[N];
	int why[N];	 /* the core gave it up for this; -1: it did not */
	unsigned n_ended;
	uint8_t answer[TURN_ANSWER_MAX]; /* the 447 of a timeout */
	size_t answer_len;
};

static void leg_closed(void *arg, struct turn_session *s, enum turn_leg_id leg)
{
	struct held *h = arg;

	h->leg_closed(h->world_arg, s, leg);
}

static void ended(void *arg, struct turn_session *s, enum turn_end why)
{
	struct held *h = arg;

	h->ended(h->world_arg, s, why);
}

static void tcp_ended(void *arg, struct turn_tcp *c, int why)
{
	struct held *h = arg;
	struct wr out = wr_init(h->answer, sizeof h->answer);

	h->why[c - h->tcp] = why;
	h->n_ended++;
	if (why != TURN_TCP_NO_ANSWER)
		return;
	assert_int_equal(turn_tcp_failed(&h->w->env, c, 447, &out), TURN_REPLY);
	h->answer_len = wr_len(&out);
}

static struct held *start(const char *conf)
{
	struct held *h = calloc(1, sizeof *h);
	struct world *w = world_new(conf);

	h->w = w;
	h->world_arg = w->env.arg;
	h->leg_closed = w->env.leg_closed;
	h->ended = w->env.ended;
	for (int i = 0; i < N; i++)
		h->why[i] = -1;
	w->transport = TURN_TCP;
	w->env.leg_closed = leg_closed;
	w->env.ended = ended;
	w->env.tcp_ended = tcp_ended;
	w->env.arg = h;
	return h;
}

static int setup(void **state)
{
	*state = start(WORLD_CONF "stale-nonce=0\n");
	return 0;
}

static int teardown(void **state)
{
	struct held *h = *state;

	world_free(h->w);
	free(h);
	return 0;
}

static struct world_client client(int port)
{
	struct world_client c = world_client("192.0.2.77:5000", "alice", "wonder");

	c.at.port = (uint16_t)port;
	return c;
}

static unsigned allocate(struct world *w, struct world_client *c, uint32_t protocol)
{
	world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
	stun_add_u32(&w->req, STUN_T_REQUESTED_TRANSPORT, protocol);
	return world_do(w, c);
}

/* A Connect, with tcp[i] for its memory. 0: it is under way. */
static unsigned do_connect(struct held *h, struct world_client *c, const char *peer, int i)
{
	unsigned code;

	h->w->begin = &h->tcp[i];
	world_begin(h->w, STUN_REQUEST, STUN_CONNECT);
	world_add_peer(h->w, peer);
	code = world_do(h->w, c);
	return h->w->begin ? code : 0;
}

static struct stun_msg decoded(const uint8_t *p, size_t len)
{
	struct stun_msg m;

	assert_int_equal(stun_decode(p, len, &m), OK);
	assert_int_equal(m.bad, 0);
	return m;
}

/* The connection stands: its CONNECTION-ID. */
static uint32_t connected(struct held *h, int i)
{
	uint8_t buf[TURN_ANSWER_MAX];
	struct wr out = wr_init(buf, sizeof buf);
	struct stun_msg m;

	assert_int_equal(turn_tcp_connected(&h->w->env, &h->tcp[i], &out), TURN_REPLY);
	m = decoded(buf, wr_len(&out));
	assert_int_equal(m.class, STUN_SUCCESS);
	assert_int_equal(m.method, STUN_CONNECT);
	assert_true(stun_has(&m, STUN_A_CONNECTION_ID) && m.integrity_off);
	return m.connection_id;
}

static unsigned do_bind(struct held *h, struct world_client *c, uint32_t id)
{
	world_begin(h->w, STUN_REQUEST, STUN_CONNECTION_BIND);
	stun_add_u32(&h->w->req, STUN_T_CONNECTION_ID, id);
	return world_do(h->w, c);
}

/* --- Allocate, s.5.1 --- */

static const struct {
	uint16_t type;
	uint32_t protocol;
	unsigned tcp, tls, udp, dtls, no_tcp, no_udp;
} allocates[] = {
	{ 0, TCP, 0, 0, 400, 400, 442, 0 },
	{ 0, UDP, 0, 0, 0, 0, 0, 403 },
	{ 0, 132u << 24, 442, 442, 442, 442, 442, 442 },
	{ STUN_T_DONT_FRAGMENT, TCP, 400, 400, 400, 400, 442, 400 },
	{ STUN_T_EVEN_PORT, TCP, 400, 400, 400, 400, 442, 400 },
	{ STUN_T_RESERVATION_TOKEN, TCP, 400, 400, 400, 400, 442, 400 },
};

static void try_allocate(struct world *w, size_t row, enum turn_transport t, unsigned expected)
{
	static const uint8_t value[8];
	struct world_client c = client(5000);
	uint16_t type = allocates[row].type;

	w->transport = t;
	world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
	stun_add_u32(&w->req, STUN_T_REQUESTED_TRANSPORT, allocates[row].protocol);
	if (type)
		stun_add(&w->req, type, value, type == STUN_T_EVEN_PORT ? 1 : type == STUN_T_DONT_FRAGMENT ? 0 : 8);
	if (world_do(w, &c) != expected)
		fail_msg("row %zu over %s: %u instead of %u", row, turn_transport_text(t), w->code, expected);
	if (w->code)
		return;
	assert_int_equal(world_session(w, &c)->tcp, allocates[row].protocol == TCP);
	assert_false(stun_has(&w->ans, STUN_A_RESERVATION_TOKEN));
	assert_int_equal(world_refresh(w, &c, 0), 0);
}

static void test_allocate(void **state)
{
	struct held *h = *state;
	struct world *no_tcp = world_new(WORLD_CONF "no-tcp-relay\n"), *no_udp = world_new(WORLD_CONF "no-udp-relay\n");

	for (size_t i = 0; i < ARRAY_LEN(allocates); i++) {
		try_allocate(h->w, i, TURN_TCP, allocates[i].tcp);
		try_allocate(h->w, i, TURN_TLS, allocates[i].tls);
		try_allocate(h->w, i, TURN_UDP, allocates[i].udp);
		try_allocate(h->w, i, TURN_DTLS, allocates[i].dtls);
		try_allocate(no_tcp, i, TURN_TCP, allocates[i].no_tcp);
		try_allocate(no_udp, i, TURN_TCP, allocates[i].no_udp);
	}
	world_free(no_tcp);
	world_free(no_udp);
}

/* --- Connect, s.5.2 --- */

static void test_connect_refused(void **state)
{
	struct held *h = *state;
	struct world_client c = client(5000), u = client(5001);

	assert_int_equal(do_connect(h, &c, PEER, 0), 437);
	assert_int_equal(allocate(h->w, &u, UDP), 0);
	assert_int_equal(do_connect(h, &u, PEER, 0), 403);
	assert_int_equal(allocate(h->w, &c, TCP), 0);
	world_begin(h->w, STUN_REQUEST, STUN_CONNECT);
	assert_int_equal(world_do(h->w, &c), 400);
	world_begin(h->w, STUN_REQUEST, STUN_CONNECT);
	stun_add(&h->w->req, STUN_T_XOR_PEER_ADDRESS, "\0\3\0\1abcd", 8);
	assert_int_equal(world_do(h->w, &c), 400);
	assert_int_equal(do_connect(h, &c, "192.168.0.1:1", 0), 403);
	assert_int_equal(do_connect(h, &c, "127.0.0.1:1", 0), 403);
	assert_int_equal(do_connect(h, &c, PEER6, 0), 443);
	assert_true(h->w->begin == &h->tcp[0]);
	assert_int_equal(h->n_ended, 0);
}

static void test_connect_again(void **state)
{
	struct held *h = *state;
	struct world_client c = client(5000), data = client(6000);

	assert_int_equal(allocate(h->w, &c, TCP), 0);
	assert_int_equal(do_connect(h, &c, PEER, 0), 0);
	assert_int_equal(do_connect(h, &c, PEER, 1), 446); /* in progress */
	assert_int_equal(do_connect(h, &c, "198.51.100.9:7001", 1), 0);
	uint32_t id = connected(h, 0);
	assert_int_equal(do_connect(h, &c, PEER, 2), 446); /* pending */
	assert_int_equal(do_bind(h, &data, id), 0);
	assert_int_equal(do_connect(h, &c, PEER, 2), 446); /* active */
	turn_tcp_forget(&h->w->env, &h->tcp[0]);
	assert_int_equal(do_connect(h, &c, PEER, 2), 0);
	/* another allocation may have the same peer */
	struct world_client other = client(5001);
	assert_int_equal(allocate(h->w, &other, TCP), 0);
	assert_int_equal(do_connect(h, &other, PEER, 3), 0);
}

static void test_connect_times_out(void **state)
{
	struct held *h = *state;
	struct world_client c = client(5000);
	struct stun_msg m;

	assert_int_equal(allocate(h->w, &c, TCP), 0);
	assert_int_equal(do_connect(h, &c, PEER, 0), 0);
	world_pass(h->w, SEC(30) - 1);
	assert_int_equal(h->n_ended, 0);
	world_pass(h->w, 251);
	assert_int_equal(h->why[0], TURN_TCP_NO_ANSWER);
	m = decoded(h->answer, h->answer_len);
	assert_int_equal(m.class, STUN_ERROR);
	assert_int_equal(m.error_code, 447);
	assert_memory_equal(m.txid, h->tcp[0].txid, STUN_TXID_LEN);
	assert_true(m.integrity_off);
	assert_int_equal(do_connect(h, &c, PEER, 1), 0);
}

static void test_too_many(void **state)
{
	struct held *h = *state;
	struct world_client c = client(5000);
	uint8_t buf[TURN_ANSWER_MAX];
	struct wr out = wr_init(buf, sizeof buf);
	const struct addr from = world_addr("198.51.100.9:9");
	char peer[32];

	assert_int_equal(allocate(h->w, &c, TCP), 0);
	assert_int_equal(world_permit(h->w, &c, PEER), 0);
	for (int i = 0; i < TURN_MAX_TCP; i++) {
		snprintf(peer, sizeof peer, "198.51.100.9:%d", 1000 + i);
		assert_int_equal(do_connect(h, &c, peer, i), 0);
	}
	assert_int_equal(do_connect(h, &c, PEER, TURN_MAX_TCP), 508);
	assert_false(turn_tcp_incoming(&h->w->env, world_session(h->w, &c), &h->tcp[TURN_MAX_TCP], &from, &out));
}

/* --- ids --- */

static void test_ids(void **state)
{
	struct held *h = *state;
	struct world_client c = client(5000);
	uint32_t id[TURN_MAX_TCP], high = 0;
	char peer[32];

	h->w->conf->n_workers = 7;
	h->w->env.index = 5;
	assert_int_equal(allocate(h->w, &c, TCP), 0);
	for (int i = 0; i < TURN_MAX_TCP; i++) {
		snprintf(peer, sizeof peer, "198.51.100.9:%d", 1000 + i);
		assert_int_equal(do_connect(h, &c, peer, i), 0);
		id[i] = connected(h, i);
		assert_int_equal(turn_tcp_owner(id[i], 7), 5);
		for (int k = 0; k < i; k++)
			assert_int_not_equal(id[k], id[i]);
		high |= id[i] >> 28;
	}
	assert_int_equal(high, 15);
	h->w->conf->n_workers = 1;
	h->w->env.index = 0;
}

/* --- from peers, s.5.3 --- */

static bool incoming(struct held *h, const struct world_client *c, const char *from, int i, uint32_t *id)
{
	uint8_t buf[TURN_ANSWER_MAX];
	struct wr out = wr_init(buf, sizeof buf);
	const struct addr a = world_addr(from);
	struct stun_msg m;

	if (!turn_tcp_incoming(&h->w->env, world_session(h->w, c), &h->tcp[i], &a, &out))
		return false;
	m = decoded(buf, wr_len(&out));
	assert_int_equal(m.class, STUN_INDICATION);
	assert_int_equal(m.method, STUN_CONNECTION_ATTEMPT);
	assert_true(stun_has(&m, STUN_A_CONNECTION_ID));
	assert_true(addr_eq(&m.peer, &a));
	*id = m.connection_id;
	return true;
}

static void test_incoming(void **state)
{
	struct held *h = *state;
	struct world_client c = client(5000), data = client(6000);
	uint32_t id;

	assert_int_equal(allocate(h->w, &c, TCP), 0);
	assert_false(incoming(h, &c, PEER, 0, &id));
	assert_int_equal(world_permit(h->w, &c, "198.51.100.9:1"), 0); /* the port does not matter */
	assert_false(incoming(h, &c, "198.51.100.8:7000", 0, &id));
	assert_true(incoming(h, &c, PEER, 0, &id));
	assert_int_equal(do_connect(h, &c, PEER, 1), 446);
	assert_int_equal(do_bind(h, &data, id), 0);
	assert_true(h->w->bound == &h->tcp[0]);
	world_pass(h->w, SEC(300));
	assert_false(incoming(h, &c, "198.51.100.9:7001", 1, &id)); /* the permission is over */
	assert_int_equal(h->n_ended, 0);			    /* but not what it let in */
}

static void test_not_bound(void **state)
{
	struct held *h = *state;
	struct world_client c = client(5000), data = client(6000);
	uint32_t in, out;

	assert_int_equal(allocate(h->w, &c, TCP), 0);
	assert_int_equal(world_permit(h->w, &c, PEER), 0);
	assert_true(incoming(h, &c, PEER, 0, &in));
	assert_int_equal(do_connect(h, &c, "198.51.100.9:1", 1), 0);
	world_pass(h->w, SEC(29)); /* connecting takes none of the time to bind */
	out = connected(h, 1);
	world_hang(h->w, SEC(1));
	assert_int_equal(do_bind(h, &data, in), 400); /* exact, though the wheel has not come by */
	world_pass(h->w, 250);
	assert_int_equal(h->why[0], TURN_TCP_NOT_BOUND);
	world_pass(h->w, SEC(28));
	assert_int_equal(h->why[1], -1);
	world_pass(h->w, SEC(1));
	assert_int_equal(h->why[1], TURN_TCP_NOT_BOUND);
	assert_int_equal(do_bind(h, &data, out), 400);
}

/* --- ConnectionBind, s.5.4 --- */

static void test_bind(void **state)
{
	struct held *h = *state;
	struct world_client c = client(5000), data = client(6000), bob = client(6001);
	uint32_t id;

	bob = world_client("192.0.2.77:6001", "bob", "builder");
	assert_int_equal(allocate(h->w, &c, TCP), 0);
	assert_int_equal(do_connect(h, &c, PEER, 0), 0);
	assert_int_equal(do_bind(h, &data, 0), 400);
	id = connected(h, 0);
	world_begin(h->w, STUN_REQUEST, STUN_CONNECTION_BIND);
	assert_int_equal(world_do(h->w, &data), 400);
	assert_int_equal(do_bind(h, &data, id + 1), 400);
	assert_int_equal(do_bind(h, &c, id), 400); /* the control connection */
	assert_int_equal(do_bind(h, &bob, id), 441);
	h->w->transport = TURN_UDP;
	assert_int_equal(do_bind(h, &data, id), 400);
	h->w->transport = TURN_DTLS;
	assert_int_equal(do_bind(h, &data, id), 400);
	h->w->transport = TURN_TLS;
	world_begin(h->w, STUN_REQUEST, STUN_CONNECTION_BIND);
	stun_add_u32(&h->w->req, STUN_T_CONNECTION_ID, id);
	assert_int_equal(world_ask_plain(h->w, &data), 401);
	assert_null(h->w->bound);
	assert_int_equal(do_bind(h, &data, id), 0);
	assert_true(h->w->bound == &h->tcp[0]);
	assert_true(world_signed(h->w, &data));
	assert_int_equal(do_bind(h, &data, id), 400); /* only once */
	world_pass(h->w, SEC(60));
	assert_int_equal(h->n_ended, 0);
}

/* A credential that expires leaves a running allocation its data connections. */
static void test_bind_after_expiry(void **state)
{
	struct held *h = *state;
	struct world_client c = world_guest(h->w, "192.0.2.77:5000", "carol", "north", 60), data = c;
	uint32_t id;

	data.at.port = 6000;
	assert_int_equal(allocate(h->w, &c, TCP), 0);
	world_pass(h->w, SEC(100));
	assert_int_equal(do_connect(h, &c, PEER, 0), 0);
	id = connected(h, 0);
	assert_int_equal(do_bind(h, &data, id ^ 1), 401);
	assert_int_equal(do_bind(h, &data, id), 0);
}

/* --- the end, s.5.5 --- */

static void test_ends_with_session(void **state)
{
	struct held *h = *state;
	struct world_client c = client(5000), data = client(6000);

	assert_int_equal(allocate(h->w, &c, TCP), 0);
	assert_int_equal(do_connect(h, &c, PEER, 0), 0);
	assert_int_equal(do_connect(h, &c, "198.51.100.9:1", 1), 0);
	assert_int_equal(do_connect(h, &c, "198.51.100.9:2", 2), 0);
	connected(h, 1);
	assert_int_equal(do_bind(h, &data, connected(h, 2)), 0);
	assert_int_equal(world_refresh(h->w, &c, 0), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(h->why[i], TURN_TCP_SESSION);
	world_pass(h->w, SEC(60));
	assert_int_equal(h->n_ended, 3);
}

static void test_ends_with_lifetime(void **state)
{
	struct held *h = *state;
	struct world_client c = client(5000), data = client(6000);
	uint32_t id;

	assert_int_equal(allocate(h->w, &c, TCP), 0);
	world_pass(h->w, SEC(590));
	assert_int_equal(do_connect(h, &c, PEER, 0), 0);
	id = connected(h, 0);
	world_hang(h->w, SEC(10));
	assert_int_equal(do_bind(h, &data, id), 400); /* the allocation's time is over */
	world_pass(h->w, 250);
	assert_int_equal(h->why[0], TURN_TCP_SESSION);
}

/* What is UDP's has no place in a TCP allocation. */
static void test_no_datagrams(void **state)
{
	struct held *h = *state;
	struct world_client c = client(5000);

	assert_int_equal(allocate(h->w, &c, TCP), 0);
	assert_int_equal(world_permit(h->w, &c, PEER), 0);
	assert_int_equal(world_send(h->w, &c, PEER), TURN_ROUTE_INVALID);
	assert_int_equal(world_bind(h->w, &c, 0x4000, PEER), 403);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(test_allocate),
		T(test_connect_refused),
		T(test_connect_again),
		T(test_connect_times_out),
		T(test_too_many),
		T(test_ids),
		T(test_incoming),
		T(test_not_bound),
		T(test_bind),
		T(test_bind_after_expiry),
		T(test_ends_with_session),
		T(test_ends_with_lifetime),
		T(test_no_datagrams),
	};

	return cmocka_run_group_tests_name("turn_tcp", tests, NULL, NULL);
}
