/* Relayed ports: no port twice, none lost, rest is a preference, reservations are for one. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bug.h"
#include "base/rng.h"

/* The source itself, with a rival who takes the port that is about to be taken. */
static uint32_t rival_below(struct rng *r, uint32_t n);

#define rng_below rival_below
#include "relay/port.c"
#undef rng_below

enum { REST = RELAY_REST_MS };

static struct {
	struct relay_ports *p;
	size_t word;
	unsigned n_wins; /* that many more times the rival is faster */
} rival;

/* Of several ports in a word the lowest one is drawn, by both. */
static uint32_t rival_below(struct rng *r, uint32_t n)
{
	_Atomic uint64_t *claimed;

	if (n == 1 || !rival.n_wins)
		return rng_below(r, n);
	rival.n_wins--;
	claimed = &rival.p->ports[0].claimed[rival.word];
	atomic_fetch_or(claimed, *claimed + 1); /* the lowest zero becomes one */
	return 0;
}

static struct addr ip(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse_ip(str_of(text), &a), OK);
	return a;
}

static struct relay_ports *ports_new(uint16_t min, uint16_t max, struct rng *rng)
{
	const struct addr at = ip("192.0.2.1");
	struct relay_ports *p = NULL;

	rng_init_seeded(rng, 7);
	assert_int_equal(relay_ports_new(&p, &at, 1, min, max, 0), OK);
	return p;
}

static void every_port_once_and_then_none(void **state)
{
	static const struct {
		uint16_t min, max;
	} ranges[] = { { 1024, 1024 }, { 50000, 50063 }, { 49999, 50129 }, { 65535, 65535 }, { 1, 65535 } };
	struct rng rng;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		struct relay_ports *p = ports_new(ranges[i].min, ranges[i].max, &rng);
		size_t n = ranges[i].max - ranges[i].min + 1u;
		bool *seen = calloc(65536, sizeof *seen);

		for (size_t k = 0; k < n; k++) {
			uint16_t port = relay_ports_claim(p, 0, RELAY_PORT_ANY, &rng, 0);

			assert_in_range(port, ranges[i].min, ranges[i].max);
			assert_false(seen[port]);
			seen[port] = true;
		}
		assert_int_equal(relay_ports_used(p), n);
		assert_int_equal(relay_ports_claim(p, 0, RELAY_PORT_ANY, &rng, 0), 0);
		for (size_t port = ranges[i].min; port <= ranges[i].max; port++)
			relay_ports_release(p, 0, (uint16_t)port, 0);
		assert_int_equal(relay_ports_used(p), 0);
		free(seen);
		relay_ports_free(p);
	}
}

/* 256 of 16384 ports: nearly as many low as high ones, and hardly ever two neighbours in a row. */
static void draws_follow_no_order(void **state)
{
	struct rng rng;
	struct relay_ports *p = ports_new(49152, 65535, &rng);
	unsigned low = 0, neighbours = 0;
	uint16_t last = 0;

	(void)state;
	for (int i = 0; i < 256; i++) {
		uint16_t port = relay_ports_claim(p, 0, RELAY_PORT_ANY, &rng, 0);

		low += port < 49152 + 8192;
		neighbours += abs(port - last) == 1;
		last = port;
	}
	assert_in_range(low, 80, 176); /* six deviations around the half */
	assert_in_range(neighbours, 0, 3);
	relay_ports_free(p);
}

static void even_ports_are_even(void **state)
{
	struct rng rng;
	struct relay_ports *p = ports_new(50001, 50010, &rng);

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(relay_ports_claim(p, 0, RELAY_PORT_EVEN, &rng, 0) % 2, 0);
	assert_int_equal(relay_ports_claim(p, 0, RELAY_PORT_EVEN, &rng, 0), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(relay_ports_claim(p, 0, RELAY_PORT_ANY, &rng, 0) % 2, 1);
	relay_ports_free(p);
}

/* 50001 to 50130: 50001 and 50130 have no partner in the range; a pair never leaves it. */
static void pairs_are_an_even_port_and_the_next(void **state)
{
	struct rng rng;
	struct relay_ports *p = ports_new(50001, 50130, &rng);
	bool seen[65536] = { false };
	uint16_t a, b;

	(void)state;
	for (int i = 0; i < 64; i++) {
		uint16_t even = relay_ports_claim(p, 0, RELAY_PORT_PAIR, &rng, 0);

		assert_int_equal(even % 2, 0);
		assert_in_range(even, 50002, 50128);
		assert_false(seen[even]);
		seen[even] = true;
	}
	assert_int_equal(relay_ports_used(p), 128);
	assert_int_equal(relay_ports_claim(p, 0, RELAY_PORT_PAIR, &rng, 0), 0);
	a = relay_ports_claim(p, 0, RELAY_PORT_ANY, &rng, 0);
	b = relay_ports_claim(p, 0, RELAY_PORT_ANY, &rng, 0);
	assert_true((a == 50001 && b == 50130) || (a == 50130 && b == 50001));
	assert_int_equal(relay_ports_claim(p, 0, RELAY_PORT_ANY, &rng, 0), 0);

	relay_ports_release(p, 0, 50011, 0); /* one half is no pair */
	assert_int_equal(relay_ports_claim(p, 0, RELAY_PORT_PAIR, &rng, 0), 0);
	relay_ports_release(p, 0, 50010, 0);
	assert_int_equal(relay_ports_claim(p, 0, RELAY_PORT_PAIR, &rng, 0), 50010);
	relay_ports_free(p);
}

/* 50000 is freed, others of a second address come and go every `step`; at `now` all the others are
 * freed too: is 50000 the one that is drawn? */
static bool has_rested(tick freed, tick step, tick now)
{
	const struct addr ips[] = { ip("192.0.2.1"), ip("192.0.2.2") };
	struct relay_ports *p = NULL;
	struct rng rng;
	bool drawn;

	rng_init_seeded(&rng, 7);
	assert_int_equal(relay_ports_new(&p, ips, 2, 50000, 50100, 0), OK);
	for (int i = 0; i <= 100; i++)
		relay_ports_claim(p, 0, RELAY_PORT_ANY, &rng, 0);
	relay_ports_release(p, 0, 50000, freed);
	for (tick t = freed + step; step && t < now; t += step)
		relay_ports_release(p, 1, relay_ports_claim(p, 1, RELAY_PORT_ANY, &rng, t), t);
	for (uint16_t port = 50001; port <= 50100; port++)
		relay_ports_release(p, 0, port, now);
	drawn = relay_ports_claim(p, 0, RELAY_PORT_ANY, &rng, now) == 50000;
	relay_ports_free(p);
	return drawn;
}

static void a_freed_port_has_rested_after_twice_the_time(void **state)
{
	static const struct {
		tick freed, step, now;
	} rows[] = {
		{ 0, 100, 2 * REST },
		{ 10, 100, 10 + 2 * REST },
		{ REST - 1, 100, 3 * REST },
		{ 10, 0, 10 + 2 * REST },
		{ 10, 0, 100 * REST }, /* nobody asked for long: it rested all the while */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!has_rested(rows[i].freed, rows[i].step, rows[i].now))
			fail_msg("row %zu: still resting", i);
}

static void a_resting_port_waits_while_others_are_free(void **state)
{
	struct rng rng;
	struct relay_ports *p = ports_new(50000, 50099, &rng);
	uint16_t freed = relay_ports_claim(p, 0, RELAY_PORT_ANY, &rng, 5);

	(void)state;
	relay_ports_release(p, 0, freed, 5);
	for (int i = 0; i < 99; i++) /* up to the last moment of the shortest rest */
		assert_int_not_equal(relay_ports_claim(p, 0, RELAY_PORT_ANY, &rng, 5 + (tick)REST * (tick)i / 99),
				     freed);
	assert_int_equal(relay_ports_claim(p, 0, RELAY_PORT_ANY, &rng, 5 + REST), freed);
	relay_ports_free(p);
}

static void rest_is_given_up_before_failing(void **state)
{
	static const enum relay_port_kind kinds[] = { RELAY_PORT_ANY, RELAY_PORT_EVEN, RELAY_PORT_PAIR };
	struct rng rng;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct relay_ports *p = ports_new(50000, 50001, &rng);

		for (int round = 0; round < 5; round++) {
			uint16_t port = relay_ports_claim(p, 0, kinds[i], &rng, 0);

			assert_int_not_equal(port, 0);
			relay_ports_release(p, 0, port, 0);
			if (kinds[i] == RELAY_PORT_PAIR)
				relay_ports_release(p, 0, (uint16_t)(port + 1), 0);
		}
		relay_ports_free(p);
	}
}

/* Once all were found resting the search for fresh ones is skipped; not for ever. */
static void fresh_ports_are_preferred_again_after_scarcity(void **state)
{
	struct rng rng;
	struct relay_ports *p = ports_new(50000, 50099, &rng);
	bool seen[65536] = { false };
	tick now = 3 * REST;

	(void)state;
	for (int i = 0; i < 100; i++)
		relay_ports_claim(p, 0, RELAY_PORT_ANY, &rng, 0);
	assert_int_equal(relay_ports_claim(p, 0, RELAY_PORT_ANY, &rng, 0), 0);
	for (uint16_t port = 50000; port < 50100; port++)
		relay_ports_release(p, 0, port, 0);
	for (int i = 0; i < 100; i++) {
		uint16_t port = relay_ports_claim(p, 0, RELAY_PORT_ANY, &rng, now);

		assert_int_not_equal(port, 0);
		assert_false(seen[port]); /* what was freed just now rests */
		seen[port] = true;
		relay_ports_release(p, 0, port, now);
	}
	relay_ports_free(p);
}

static void token_of(struct relay_ports *p, uint16_t port, tick until, struct rng *rng,
		     uint8_t token[RELAY_TOKEN_LEN])
{
	assert_int_equal(relay_ports_reserve(p, 0, port, until, rng, token), OK);
}

static void a_token_is_redeemed_once_and_in_time(void **state)
{
	uint8_t token[RELAY_TOKEN_LEN], other[RELAY_TOKEN_LEN] = { 0 };
	struct rng rng;
	struct relay_ports *p = ports_new(50000, 50009, &rng);
	uint16_t even = relay_ports_claim(p, 0, RELAY_PORT_PAIR, &rng, 0), port = 0;
	size_t where = 9;

	(void)state;
	token_of(p, (uint16_t)(even + 1), SEC(60), &rng, token);
	assert_false(relay_ports_redeem(p, other, 0, &where, &port));
	assert_false(relay_ports_redeem(p, token, SEC(60), &where, &port)); /* at its end: over */
	assert_int_equal(where, 9);
	assert_true(relay_ports_redeem(p, token, SEC(60) - 1, &where, &port));
	assert_int_equal(where, 0);
	assert_int_equal(port, even + 1);
	assert_false(relay_ports_redeem(p, token, SEC(60) - 1, &where, &port));
	relay_ports_expire(p, SEC(61)); /* it belongs to who came */
	assert_int_equal(relay_ports_used(p), 2);
	relay_ports_free(p);
}

static void reservations_that_nobody_came_for_expire(void **state)
{
	uint8_t early[RELAY_TOKEN_LEN], late[RELAY_TOKEN_LEN];
	struct rng rng;
	struct relay_ports *p = ports_new(50000, 50009, &rng);
	uint16_t a = relay_ports_claim(p, 0, RELAY_PORT_ANY, &rng, 0);
	uint16_t b = relay_ports_claim(p, 0, RELAY_PORT_ANY, &rng, 0), port;
	size_t where;

	(void)state;
	token_of(p, a, SEC(30), &rng, early);
	token_of(p, b, SEC(60), &rng, late);
	relay_ports_expire(p, SEC(30) - 1);
	assert_int_equal(relay_ports_used(p), 2);
	relay_ports_expire(p, SEC(30));
	assert_int_equal(relay_ports_used(p), 1);
	assert_false(relay_ports_redeem(p, early, 0, &where, &port));
	assert_true(relay_ports_redeem(p, late, SEC(30), &where, &port));
	assert_int_equal(port, b);
	relay_ports_free(p);
}

static void reservations_are_bounded(void **state)
{
	uint8_t token[RELAY_TOKEN_LEN];
	struct rng rng;
	struct relay_ports *p = ports_new(50000, 60000, &rng);

	(void)state;
	for (size_t i = 0; i < p->max_reserved; i++)
		token_of(p, relay_ports_claim(p, 0, RELAY_PORT_ANY, &rng, 0), SEC(60), &rng, token);
	assert_int_equal(relay_ports_reserve(p, 0, 60000, SEC(60), &rng, token), ERR_FULL);
	relay_ports_expire(p, SEC(60));
	assert_int_equal(relay_ports_used(p), 0);
	relay_ports_claim(p, 0, RELAY_PORT_ANY, &rng, SEC(60));
	relay_ports_free(p);
}

/* What the packet path asks before it sends to an own address. */
static void only_a_bound_port_is_live(void **state)
{
	const struct addr ips[] = { ip("192.0.2.1"), ip("2001:db8::1") };
	struct relay_ports *p = NULL;
	struct addr at = ips[1];
	struct rng rng;

	(void)state;
	rng_init_seeded(&rng, 7);
	assert_int_equal(relay_ports_new(&p, ips, 2, 50000, 50001, 0), OK);
	at.port = relay_ports_claim(p, 1, RELAY_PORT_PAIR, &rng, 0);
	assert_int_equal(at.port, 50000);
	assert_false(relay_ports_live(p, &at)); /* claimed, and perhaps another process's */
	relay_ports_bound(p, 1, at.port, true);
	assert_true(relay_ports_live(p, &at));
	at.port++;
	assert_false(relay_ports_live(p, &at)); /* the other half, which is only reserved */
	at.port--;
	memcpy(at.ip, ips[0].ip, sizeof at.ip);
	at.family = ADDR_V4;
	assert_false(relay_ports_live(p, &at)); /* the same port of another address */
	at = ip("198.51.100.1");
	at.port = 50000;
	assert_false(relay_ports_live(p, &at)); /* not ours at all */
	at = ips[1];
	at.port = 50000;
	relay_ports_bound(p, 1, at.port, false);
	assert_false(relay_ports_live(p, &at));
	relay_ports_bound(p, 1, at.port, true);
	relay_ports_release(p, 1, at.port, 0);
	assert_false(relay_ports_live(p, &at));
	assert_int_equal(relay_ports_claim(p, 1, RELAY_PORT_EVEN, &rng, 0), 50000);
	assert_false(relay_ports_live(p, &at)); /* nothing is left of its first life */
	relay_ports_free(p);
}

/* UDP and TCP ports of one number are claimed together; only the one that is served may be reached. */
static void tcp_is_no_udp(void **state)
{
	const struct addr ips[] = { ip("192.0.2.1") };
	struct relay_ports *p;
	struct addr at = ips[0];
	struct rng rng;

	(void)state;
	rng_init_seeded(&rng, 1);
	assert_int_equal(relay_ports_new(&p, ips, 1, 50000, 50000, 0), OK);
	at.port = relay_ports_claim(p, 0, RELAY_PORT_ANY, &rng, 0);
	assert_false(relay_ports_accepts(p, &at));
	relay_ports_listening(p, 0, at.port, true);
	assert_true(relay_ports_accepts(p, &at));
	assert_false(relay_ports_live(p, &at));
	at.port++;
	assert_false(relay_ports_accepts(p, &at));
	at.port--;
	relay_ports_release(p, 0, at.port, 0);
	assert_false(relay_ports_accepts(p, &at));
	at.port = relay_ports_claim(p, 0, RELAY_PORT_ANY, &rng, 0);
	relay_ports_bound(p, 0, at.port, true);
	assert_false(relay_ports_accepts(p, &at));
	relay_ports_bound(p, 0, at.port, false);
	relay_ports_release(p, 0, at.port, 0);
	relay_ports_free(p);
}

/* --- four threads --- */

enum { N_THREADS = 4, N_ROUNDS = 20000, MIN = 50000, N_PORTS = 200, HOLD = 30 };

struct claimer {
	pthread_t thread;
	struct relay_ports *p;
	_Atomic unsigned *owner; /* by port: 0 nobody, else thread + 1 */
	struct rng rng;
	unsigned id;
	uint16_t held[N_PORTS * 2];
	size_t n;
	unsigned n_claims;
	bool twice, foreign; /* a port that somebody had; one that was not ours to give back */
	bool early;	     /* refused while a port was free */
};

static void own(struct claimer *c, uint16_t port)
{
	if (atomic_exchange(&c->owner[port], c->id + 1))
		c->twice = true;
	c->held[c->n++] = port;
	c->n_claims++;
}

static void give_one(struct claimer *c, tick now)
{
	size_t i = rng_below(&c->rng, (uint32_t)c->n);
	uint16_t port = c->held[i];

	c->held[i] = c->held[--c->n];
	if (atomic_exchange(&c->owner[port], 0u) != c->id + 1)
		c->foreign = true;
	relay_ports_release(c->p, 0, port, now);
}

static void claim_one(struct claimer *c, enum relay_port_kind kind, tick now)
{
	uint16_t port = relay_ports_claim(c->p, 0, kind, &c->rng, now);

	if (!port)
		return;
	own(c, port);
	if (kind == RELAY_PORT_PAIR)
		own(c, (uint16_t)(port + 1));
}

/* The clock runs fast, so that ports rest, wake, and become scarce all the time. */
static void *come_and_go(void *arg)
{
	struct claimer *c = arg;

	for (unsigned i = 0; i < N_ROUNDS; i++) {
		tick now = (tick)i * 20;

		if (c->n < HOLD)
			claim_one(c, (enum relay_port_kind)rng_below(&c->rng, 3), now);
		if (c->n && rng_below(&c->rng, 2))
			give_one(c, now);
	}
	return NULL;
}

static void *take_all(void *arg)
{
	struct claimer *c = arg;
	uint16_t port;

	while ((port = relay_ports_claim(c->p, 0, RELAY_PORT_ANY, &c->rng, 0)))
		own(c, port);
	c->early = relay_ports_used(c->p) != N_PORTS;
	return NULL;
}

static void run(struct claimer c[N_THREADS], struct relay_ports *p, _Atomic unsigned *owner,
		void *(*fn)(void *))
{
	for (unsigned i = 0; i < N_THREADS; i++) {
		memset(&c[i], 0, sizeof c[i]);
		c[i].p = p;
		c[i].owner = owner;
		c[i].id = i;
		rng_init_seeded(&c[i].rng, i + 1);
		assert_int_equal(pthread_create(&c[i].thread, NULL, fn, &c[i]), 0);
	}
	for (unsigned i = 0; i < N_THREADS; i++) {
		assert_int_equal(pthread_join(c[i].thread, NULL), 0);
		assert_false(c[i].twice);
		assert_false(c[i].foreign);
		assert_false(c[i].early);
	}
}

static void threads_share_without_doubling_or_losing(void **state)
{
	_Atomic unsigned *owner = calloc(65536, sizeof *owner);
	struct claimer c[N_THREADS];
	struct rng rng;
	struct relay_ports *p = ports_new(MIN, MIN + N_PORTS - 1, &rng);
	size_t held = 0;

	(void)state;
	run(c, p, owner, come_and_go);
	for (unsigned i = 0; i < N_THREADS; i++) {
		held += c[i].n;
		/* of some 15,000 each: 80 or more ports were always free, so hardly one was refused */
		assert_in_range(c[i].n_claims, N_ROUNDS / 4, N_ROUNDS);
	}
	assert_int_equal(relay_ports_used(p), held);
	for (unsigned i = 0; i < N_THREADS; i++)
		while (c[i].n)
			give_one(&c[i], 0);
	assert_int_equal(relay_ports_used(p), 0);
	for (int i = 0; i < N_PORTS; i++)
		assert_int_not_equal(relay_ports_claim(p, 0, RELAY_PORT_ANY, &rng, 0), 0);
	relay_ports_free(p);
	free(owner);
}

/* Nobody is refused while a port is free: the threads between them get exactly all. */
static void threads_use_the_range_up_exactly(void **state)
{
	_Atomic unsigned *owner = calloc(65536, sizeof *owner);
	struct claimer c[N_THREADS];
	struct rng rng;

	(void)state;
	for (int round = 0; round < 50; round++) {
		struct relay_ports *p = ports_new(MIN, MIN + N_PORTS - 1, &rng);
		size_t sum = 0;

		run(c, p, owner, take_all);
		for (unsigned i = 0; i < N_THREADS; i++)
			sum += c[i].n;
		assert_int_equal(sum, N_PORTS);
		for (size_t port = 0; port < 65536; port++)
			atomic_store(&owner[port], 0);
		relay_ports_free(p);
	}
	free(owner);
}

/* However often others are faster: who keeps losing gets the last port, not a refusal. */
static void losing_races_is_no_reason_to_fail(void **state)
{
	enum { FIRST = 64 * 800, N = 40 }; /* from the start of a word */
	struct rng rng;
	struct relay_ports *p = ports_new(FIRST, FIRST + N - 1, &rng);

	(void)state;
	rival.p = p;
	rival.word = FIRST / 64;
	rival.n_wins = N - 1;
	assert_int_equal(relay_ports_claim(p, 0, RELAY_PORT_ANY, &rng, 0), FIRST + N - 1);
	assert_int_equal(rival.n_wins, 0);
	assert_int_equal(relay_ports_used(p), N);
	assert_int_equal(relay_ports_claim(p, 0, RELAY_PORT_ANY, &rng, 0), 0);
	relay_ports_free(p);
}

struct redeemer {
	pthread_t thread;
	struct relay_ports *p;
	const uint8_t (*tokens)[RELAY_TOKEN_LEN];
	unsigned n_won;
};

enum { N_TOKENS = 500 };

static void *redeem_all(void *arg)
{
	struct redeemer *r = arg;
	uint16_t port;
	size_t where;

	for (int i = 0; i < N_TOKENS; i++)
		r->n_won += relay_ports_redeem(r->p, r->tokens[i], 0, &where, &port);
	return NULL;
}

static void of_many_threads_one_redeems_a_token(void **state)
{
	static uint8_t tokens[N_TOKENS][RELAY_TOKEN_LEN];
	struct redeemer r[N_THREADS];
	struct rng rng;
	struct relay_ports *p = ports_new(50000, 60000, &rng);
	unsigned won = 0;

	(void)state;
	for (int i = 0; i < N_TOKENS; i++)
		token_of(p, relay_ports_claim(p, 0, RELAY_PORT_ANY, &rng, 0), SEC(60), &rng, tokens[i]);
	for (int i = 0; i < N_THREADS; i++) {
		r[i] = (struct redeemer){ .p = p, .tokens = tokens };
		assert_int_equal(pthread_create(&r[i].thread, NULL, redeem_all, &r[i]), 0);
	}
	for (int i = 0; i < N_THREADS; i++) {
		assert_int_equal(pthread_join(r[i].thread, NULL), 0);
		won += r[i].n_won;
	}
	assert_int_equal(won, N_TOKENS);
	relay_ports_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_port_once_and_then_none),
		cmocka_unit_test(draws_follow_no_order),
		cmocka_unit_test(even_ports_are_even),
		cmocka_unit_test(pairs_are_an_even_port_and_the_next),
		cmocka_unit_test(a_freed_port_has_rested_after_twice_the_time),
		cmocka_unit_test(a_resting_port_waits_while_others_are_free),
		cmocka_unit_test(rest_is_given_up_before_failing),
		cmocka_unit_test(fresh_ports_are_preferred_again_after_scarcity),
		cmocka_unit_test(a_token_is_redeemed_once_and_in_time),
		cmocka_unit_test(reservations_that_nobody_came_for_expire),
		cmocka_unit_test(reservations_are_bounded),
		cmocka_unit_test(only_a_bound_port_is_live),
		cmocka_unit_test(tcp_is_no_udp),
		cmocka_unit_test(threads_share_without_doubling_or_losing),
		cmocka_unit_test(threads_use_the_range_up_exactly),
		cmocka_unit_test(losing_races_is_no_reason_to_fail),
		cmocka_unit_test(of_many_threads_one_redeems_a_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
