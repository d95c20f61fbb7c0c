/*
 * src/turn in simulated time: random clients, peers, retransmissions, strangers and jumps of the
 * clock, and after every step what the core does is compared with what the model (turn_model.h)
 * says of the RFC. SIM_SEED and SIM_STEPS choose one long run; a failure tells both.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/bug.h"
#include "turn_draw.h"
#include "turn_world.h"

enum {
	SEEDS = 4,
	STEPS = 10000,
	BUSY = 4, /* clients */
	STRANGER_MAX = 100, /* bytes: an answer to who did not authenticate */
	SLOT_MS = 250,
};

struct sim {
	struct world *w;
	struct model m;
	struct rng rng;
	struct world_client client[MODEL_CLIENTS];
	struct addr peer[DRAW_PEERS];
	/* the last request, to be sent again */
	struct model_ask last;
	int last_client;
	int64_t last_nonce; /* when the one in it was made; < 0: never */
	uint8_t last_wire[WORLD_WIRE_MAX];
	size_t last_len;
	unsigned long long seed;
	long step;
	unsigned long n_code[1000], n_data;
};

static bool one_in(struct sim *s, uint32_t n)
{
	return rng_below(&s->rng, n) == 0;
}

#define CHECK(s, cond)                                                                       \
	do {                                                                                 \
		if (!(cond))                                                                 \
			fail_msg("SIM_SEED=%llu SIM_STEPS=%ld: %s", (s)->seed, (s)->step + 1, #cond); \
	} while (0)

/* --- the cast --------------------------------------------------------------------------- */

static void add_cred(struct sim *s, int i, struct world_client c, const char *account, int64_t expires_s,
		     bool known)
{
	struct model_cred *cred = &s->m.cred[i];

	snprintf(cred->name, sizeof cred->name, "%s", c.user);
	snprintf(cred->password, sizeof cred->password, "%s", c.password);
	snprintf(cred->account, sizeof cred->account, "%s", account);
	cred->expires_s = expires_s;
	cred->known = known;
}

static void add_guest(struct sim *s, int i, const char *id, const char *secret, int ttl_s)
{
	add_cred(s, i, world_guest(s->w, "192.0.2.9:1", id, secret, ttl_s), id, WORLD_T0 + ttl_s, true);
}

static void begin(struct sim *s, unsigned long long seed)
{
	char text[64];

	memset(s, 0, sizeof *s);
	s->seed = seed;
	s->w = world_new(WORLD_CONF "unauthorized-ratelimit=off\nuser-quota=6\n");
	rng_init_seeded(&s->rng, seed);
	model_init(&s->m);
	add_cred(s, 0, world_client("192.0.2.9:1", "alice", "wonder"), "alice", 0, true);
	add_cred(s, 1, world_client("192.0.2.9:1", "bob", "builder"), "bob", 0, true);
	add_guest(s, 2, "carol", "north", 3000);
	add_guest(s, 3, "carol", "south", 300000000);
	add_guest(s, 4, "dave", "south", 20000);
	add_cred(s, 5, world_client("192.0.2.9:1", "mallory", "guess"), "none", 0, false);
	for (int i = 0; i < MODEL_CLIENTS; i++) {
		snprintf(text, sizeof text, i % 4 ? "192.0.2.%d:%d" : "[2001:db8:2::%d]:%d", 100 + i / 2,
			 5000 + i);
		s->client[i] = world_client(text, "", "");
	}
	for (size_t i = 0; i < DRAW_PEERS; i++)
		s->peer[i] = world_addr(draw_peer_text[i]);
	model_at(&s->m, s->w->env.now, s->w->env.auth.wall_s);
}

/* --- requests --------------------------------------------------------------------------- */

static void add_numbers(struct wr *w, const struct model_ask *a)
{
	if (a->transport > 0)
		stun_add_u32(w, STUN_T_REQUESTED_TRANSPORT, (uint32_t)a->transport << 24);
	if (a->lifetime >= 0)
		stun_add_u32(w, STUN_T_LIFETIME, (uint32_t)a->lifetime);
	if (a->family)
		stun_add_u32(w, STUN_T_REQUESTED_ADDRESS_FAMILY, (uint32_t)a->family << 24);
	if (a->additional)
		stun_add_u32(w, STUN_T_ADDITIONAL_ADDRESS_FAMILY, (uint32_t)a->additional << 24);
	if (a->number >= 0)
		stun_add_u32(w, STUN_T_CHANNEL_NUMBER, (uint32_t)a->number << 16);
	if (a->even)
		stun_add(w, STUN_T_EVEN_PORT, a->reserve ? "\x80" : "\0", 1);
	if (a->token)
		stun_add(w, STUN_T_RESERVATION_TOKEN, a->token_value, 8);
	if (a->unknown)
		stun_add_u32(w, 0x7ABC, 1);
}

static void write_request(struct sim *s, struct model_ask *a)
{
	static const uint8_t odd[8] = { 0, 3 };
	struct world *w = s->w;

	world_begin(w, STUN_REQUEST, a->method);
	memcpy(a->txid, w->body + 8, sizeof a->txid);
	add_numbers(&w->req, a);
	for (int i = 0; i < a->n_peers; i++)
		stun_add_xor_addr(&w->req, STUN_T_XOR_PEER_ADDRESS, &a->peer[i]);
	if (a->odd_peer)
		stun_add(&w->req, STUN_T_XOR_PEER_ADDRESS, odd, sizeof odd);
}

/* --- what must hold --------------------------------------------------------------------- */

/* The addresses that a success names: each must have been free, and all that was wanted come. */
static void check_opened(struct sim *s, int client, const struct model_ask *a)
{
	struct rd r = rd_init(s->w->raw + STUN_HEADER_LEN, s->w->raw_len - STUN_HEADER_LEN);

	while (rd_left(&r)) {
		uint16_t type = rd_u16(&r), len = rd_u16(&r);
		const uint8_t *v = rd_take(&r, (size_t)(len + 3) / 4 * 4);

		CHECK(s, v);
		if (type == STUN_T_XOR_RELAYED_ADDRESS)
			CHECK(s, model_opened(&s->m, client, a, v[1] == 2,
					      (v[2] << 8 | v[3]) ^ (STUN_COOKIE >> 16)));
	}
	CHECK(s, !s->m.want[0] && !s->m.want[1]);
	CHECK(s, stun_has(&s->w->ans, STUN_A_RESERVATION_TOKEN) == a->reserve);
	if (a->reserve)
		model_reserved(&s->m, client, (const uint8_t *)s->w->ans.reservation_token.p);
}

static void check_answer(struct sim *s, int client, const struct model_ask *a, unsigned expected)
{
	struct world *w = s->w;
	struct world_client who = s->client[client];

	s->n_code[w->code]++;
	if (w->code != expected)
		fail_msg("SIM_SEED=%llu SIM_STEPS=%ld: method %u: %u instead of %u", s->seed, s->step + 1,
			 a->method, w->code, expected);
	if (w->code == 401 || w->code == 438) {
		CHECK(s, stun_has(&w->ans, STUN_A_NONCE) && stun_has(&w->ans, STUN_A_REALM));
		CHECK(s, w->raw_len <= STRANGER_MAX && !w->ans.integrity_off);
		s->client[client].nonce_len = w->ans.nonce.len;
		memcpy(s->client[client].nonce, w->ans.nonce.p, w->ans.nonce.len);
		s->m.nonce_s[client] = s->m.wall_s;
		return;
	}
	snprintf(who.user, sizeof who.user, "%s", s->m.cred[a->cred].name);
	snprintf(who.password, sizeof who.password, "%s", s->m.cred[a->cred].password);
	CHECK(s, world_signed(w, &who));
	if (w->code == 0 && (a->method == STUN_ALLOCATE || a->method == STUN_REFRESH))
		CHECK(s, w->ans.lifetime_s == s->m.lifetime_s);
	if (s->m.opened && w->code == 0 && a->method == STUN_ALLOCATE)
		check_opened(s, client, a);
}

/* Each peer and each channel, both ways, for one client. */
static void check_data(struct sim *s, int client)
{
	const struct turn_session *t = world_session(s->w, &s->client[client]);
	struct turn_env *env = &s->w->env;
	struct turn_to_peer out;

	for (size_t i = 0; i < DRAW_PEERS; i++) {
		const struct stun_msg ind = { .present = STUN_BIT(XOR_PEER_ADDRESS) | STUN_BIT(DATA),
					      .peer = s->peer[i] };
		struct addr told;
		uint16_t channel = 0;
		int number;
		bool ok = model_data(&s->m, client, &s->peer[i], &number);

		CHECK(s, ok == (t && turn_route_send(env, t, &ind, &out) == TURN_ROUTE_OK));
		CHECK(s, !ok || addr_eq(&out.to, &s->peer[i]));
		CHECK(s, ok == (t && turn_route_peer(env, t, &s->peer[i], &channel, &told) == TURN_ROUTE_OK));
		CHECK(s, !ok || (channel == number && addr_eq(&told, &s->peer[i])));
		s->n_data += ok;
	}
	for (int i = 0; i < DRAW_NUMBERS; i++) {
		const struct addr *to = model_channel(&s->m, client, draw_numbers[i]);
		bool ok = t && turn_route_channel(t, (uint16_t)draw_numbers[i], env->now, &out) == TURN_ROUTE_OK;

		CHECK(s, ok == (to != NULL));
		CHECK(s, !ok || addr_eq(&out.to, to));
	}
}

struct count {
	unsigned sessions, legs, perms, chans;
};

static struct count count_model(struct sim *s)
{
	struct count n = { 0 };

	for (int i = 0; i < MODEL_CLIENTS; i++) {
		const struct model_session *ms = model_live(&s->m, i);

		if (!ms)
			continue;
		n.sessions++;
		n.legs += ms->leg[0].live + ms->leg[1].live;
		n.perms += (unsigned)ms->n_perms;
		n.chans += (unsigned)ms->n_chans;
		CHECK(s, world_session(s->w, &s->client[i]));
	}
	return n;
}

/* Nothing is missing that is not over. */
static void check_kept(struct sim *s)
{
	const struct turn_pools *p = &s->w->pools;
	struct count n = count_model(s);

	CHECK(s, s->w->n_sessions >= n.sessions && s->w->n_legs >= n.legs);
	CHECK(s, p->perms.n_used >= n.perms && p->chans.n_used >= n.chans);
	CHECK(s, world_ports_used(s->w) == s->w->n_legs);
	CHECK(s, s->w->wheel.n <= s->w->n_sessions + p->perms.n_used + p->chans.n_used);
}

/* Nothing is kept that is over, a slot of the wheel later; only a channel keeps its permission. */
static void check_gone(struct sim *s)
{
	const struct turn_pools *p = &s->w->pools;
	struct count n = count_model(s);

	world_pass(s->w, SLOT_MS);
	model_at(&s->m, s->w->env.now, s->w->env.auth.wall_s);
	CHECK(s, s->w->n_sessions <= n.sessions && s->w->n_legs <= n.legs);
	CHECK(s, p->chans.n_used <= n.chans && p->perms.n_used <= n.perms + n.chans);
}

/* --- what happens ----------------------------------------------------------------------- */

static void give(struct sim *s, int client, const struct model_ask *a, const void *p, size_t len)
{
	unsigned opened = s->w->n_opened, expected = model_ask(&s->m, client, a);

	world_give(s->w, &s->client[client].at, p, len);
	CHECK(s, s->w->code != 401 || s->w->n_opened == opened);
	check_answer(s, client, a, expected);
}

/* Does somebody else's session hold a port that is over, for the wheel is late? */
static bool others_lag(struct sim *s, int client)
{
	for (int i = 0; i < MODEL_CLIENTS; i++) {
		const struct turn_session *t = world_session(s->w, &s->client[i]);

		for (int leg = 0; leg < 2 && t && i != client; leg++)
			if (t->leg[leg].live != s->m.session[i].leg[leg].live)
				return true;
	}
	return false;
}

/* Ports and quotas come back when the wheel does, which may be a slot later. */
static void settle(struct sim *s, int client)
{
	while (others_lag(s, client)) {
		world_pass(s->w, SLOT_MS);
		model_at(&s->m, s->w->env.now, s->w->env.auth.wall_s);
	}
}

static void ask(struct sim *s, int client)
{
	struct world_client who = s->client[client];
	struct model_ask a;

	draw_request(&s->rng, &s->m, s->peer, client, &a);
	if (a.method == STUN_ALLOCATE)
		settle(s, client);
	write_request(s, &a);
	if (a.cred >= 0) {
		snprintf(who.user, sizeof who.user, "%s", s->m.cred[a.cred].name);
		snprintf(who.password, sizeof who.password, "%s%s", s->m.cred[a.cred].password,
			 a.wrong_password ? "?" : "");
		if (a.wrong_nonce && who.nonce_len)
			who.nonce[rng_below(&s->rng, (uint32_t)who.nonce_len)] ^= 1;
		world_sign(s->w, &who);
	} else {
		s->w->wire_len = wr_len(&s->w->req);
		memcpy(s->w->wire, s->w->body, s->w->wire_len);
	}
	s->last = a;
	s->last_client = client;
	s->last_nonce = s->m.nonce_s[client];
	s->last_len = s->w->wire_len;
	memcpy(s->last_wire, s->w->wire, s->last_len);
	give(s, client, &a, s->last_wire, s->last_len);
}

/* The request before, the same bytes: its nonce may have been replaced, but is as old. */
static void retransmit(struct sim *s)
{
	int64_t newest = s->m.nonce_s[s->last_client];

	if (!s->last_len)
		return;
	if (s->last.method == STUN_ALLOCATE)
		settle(s, s->last_client);
	s->m.nonce_s[s->last_client] = s->last_nonce;
	give(s, s->last_client, &s->last, s->last_wire, s->last_len);
	if (s->w->code != 401 && s->w->code != 438)
		s->m.nonce_s[s->last_client] = newest;
}

/* Damaged bytes are nobody's: no success, no state. (As Binding, it may still be answered.) */
static void damage(struct sim *s, int client)
{
	uint8_t *p = s->last_wire;
	unsigned opened = s->w->n_opened, live = s->w->n_sessions;
	struct stun_msg m;

	if (s->last.cred < 0 || !s->last_len)
		return;
	for (uint32_t n = 1 + rng_below(&s->rng, 3); n; n--)
		p[rng_below(&s->rng, (uint32_t)s->last_len)] ^= (uint8_t)(1 + rng_below(&s->rng, 255));
	world_give(s->w, &s->client[client].at, p, s->last_len);
	if (stun_decode(p, s->last_len, &m) || m.method != STUN_BINDING) {
		CHECK(s, s->w->code == WORLD_SILENCE || s->w->code == 401 || s->w->code == 400);
		CHECK(s, s->w->code == WORLD_SILENCE || s->w->raw_len <= STRANGER_MAX);
	}
	CHECK(s, s->w->n_opened == opened && s->w->n_sessions <= live);
	s->last_len = 0;
}

static void let_time_pass(struct sim *s)
{
	static const tick jumps[] = { 1, 10, 249, 250, 251, 1000, SEC(10), SEC(59), SEC(150), SEC(300),
				      SEC(600), SEC(3600) };
	tick now = s->w->env.now, end, by = jumps[rng_below(&s->rng, one_in(s, 20) ? ARRAY_LEN(jumps) : 9)];

	end = model_some_end(&s->m, (int)rng_below(&s->rng, MODEL_CLIENTS), rng_u32(&s->rng));
	if (end && one_in(s, 2)) /* to the very moment, or next to it */
		by = end - 1 + rng_below(&s->rng, 3) - now;
	if (now + by < now || by == 0)
		by = 1;
	(one_in(s, 3) ? world_hang : world_pass)(s->w, by);
	model_at(&s->m, s->w->env.now, s->w->env.auth.wall_s);
}

static void step(struct sim *s)
{
	/* a few are busy, so that much happens to one; the many use up quotas and ports */
	int client = (int)rng_below(&s->rng, one_in(s, 3) ? MODEL_CLIENTS : BUSY);

	switch (rng_below(&s->rng, 20)) {
	case 0:
	case 1:
	case 2:
		let_time_pass(s);
		break;
	case 3:
		retransmit(s);
		break;
	case 4:
		damage(s, client);
		break;
	default:
		ask(s, client);
	}
	check_data(s, client);
	check_data(s, (int)rng_below(&s->rng, MODEL_CLIENTS));
	check_kept(s);
	if (one_in(s, 50))
		check_gone(s);
}

static void end(struct sim *s)
{
	struct world *w = s->w;

	world_pass(w, SEC(3600) + SLOT_MS);
	CHECK(s, w->n_sessions == 0 && w->n_legs == 0 && world_ports_used(w) == 0);
	CHECK(s, w->wheel.n == 0 && w->pools.perms.n_used == 0 && w->pools.chans.n_used == 0);
	world_free(w);
}

static long number_from(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text && *text ? atol(text) : otherwise;
}

/* Each answer that the model knows must have come up, or nothing was tested. */
static void check_variety(const struct sim *s)
{
	static const unsigned codes[] = { 0, 400, 401, 403, 420, 437, 438, 440, 441, 442, 443, 486, 508 };

	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (!s->n_code[codes[i]])
			fail_msg("SIM_SEED=%llu: no %u in %d steps", s->seed, codes[i], STEPS);
	if (s->n_data < STEPS)
		fail_msg("SIM_SEED=%llu: only %lu datagrams passed", s->seed, s->n_data);
}

static void run(unsigned long long seed, long steps)
{
	struct sim *s = malloc(sizeof *s);

	assert_non_null(s);
	begin(s, seed);
	for (s->step = 0; s->step < steps; s->step++)
		step(s);
	end(s);
	if (steps >= STEPS)
		check_variety(s);
	free(s);
}

static void test_simulation(void **state)
{
	long seed = number_from("SIM_SEED", 0), steps = number_from("SIM_STEPS", STEPS);

	(void)state;
	if (seed) {
		run((unsigned long long)seed, steps);
		return;
	}
	for (unsigned long long i = 1; i <= SEEDS; i++)
		run(i, steps);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_simulation) };

	return cmocka_run_group_tests_name("turn_sim", tests, NULL, NULL);
}
