/* src/turn/reply.c: what answers carry, and how large they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/bug.h"
#include "turn_world.h"

static int setup(void **state)
{
	*state = world_new(WORLD_CONF);
	return 0;
}

static int setup_trimmings(void **state)
{
	*state = world_new(WORLD_CONF "fingerprint\nsoftware-attribute\n");
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

enum {
	ERROR_LEN = 8,		    /* ERROR-CODE without a phrase */
	REALM_LEN = 4 + 12,	    /* "example.org" padded */
	NONCE_LEN = 4 + (AUTH_NONCE_LEN + 3) / 4 * 4,
	CHALLENGE_LEN = STUN_HEADER_LEN + ERROR_LEN + REALM_LEN + NONCE_LEN,
};

/* design: 401 carries ERROR-CODE, REALM and a compact NONCE, and no more: 93 bytes and padding
 * for this realm, whatever the request was. */
static void test_challenge_is_small(void **state)
{
	struct world *w = *state;
	struct world_client c = world_client("198.51.100.1:5000", "alice", "wonder");

	for (int pad = 0; pad < 1000; pad += 100) {
		world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
		stun_add(&w->req, STUN_T_SOFTWARE, w->raw, (size_t)pad % 700);
		assert_int_equal(world_ask_plain(w, &c), 401);
		assert_int_equal(w->raw_len, CHALLENGE_LEN);
		assert_int_equal(w->ans.error_reason.len, 0);
		assert_int_equal(w->ans.present,
				 STUN_BIT(ERROR_CODE) | STUN_BIT(REALM) | STUN_BIT(NONCE));
	}
	assert_true(CHALLENGE_LEN <= 92);
}

static void test_other_answers_to_strangers(void **state)
{
	struct world *w = *state;
	struct world_client c = world_client("198.51.100.1:5000", "alice", "wrong");

	world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
	assert_int_equal(stun_add_integrity(&w->req, w->env.auth.crypto, STR_LIT("key")), OK);
	assert_int_equal(world_ask_plain(w, &c), 400);
	assert_int_equal(w->raw_len, STUN_HEADER_LEN + ERROR_LEN);
	world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
	assert_int_equal(world_do(w, &c), 401);
	assert_int_equal(w->raw_len, CHALLENGE_LEN);
	memset(c.nonce, 'x', c.nonce_len);
	snprintf(c.password, sizeof c.password, "wonder");
	world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
	assert_int_equal(world_ask(w, &c), 438);
	assert_int_equal(w->raw_len, CHALLENGE_LEN);
}

/* RFC 8489 s.9.2.4: not the same nonce twice. */
static void test_nonces_differ(void **state)
{
	struct world *w = *state;
	struct world_client c = world_client("198.51.100.1:5000", "", ""), d = c;

	world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
	assert_int_equal(world_ask_plain(w, &c), 401);
	assert_int_equal(world_ask_plain(w, &d), 401);
	assert_memory_not_equal(c.nonce, d.nonce, c.nonce_len);
}

/* The known user is told in words, and whoever has shown that an address is his. */
static void test_phrases(void **state)
{
	struct world *w = *state;
	struct world_client c = world_client("198.51.100.1:5000", "alice", "wonder");

	assert_int_equal(world_refresh(w, &c, 1), 437);
	assert_true(str_eq(w->ans.error_reason, stun_error_text(437)));
	assert_true(w->ans.error_reason.len > 5);
	for (w->transport = TURN_TCP; w->transport <= TURN_DTLS; w->transport++) {
		world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
		assert_int_equal(world_ask_plain(w, &c), 401);
		assert_true(str_eq(w->ans.error_reason, stun_error_text(401)));
	}
}

/* RFC 8489 s.14.7: FINGERPRINT for who uses it. */
static void test_fingerprint_on_demand(void **state)
{
	struct world *w = *state;
	struct world_client c = world_client("198.51.100.1:5000", "alice", "wonder");

	for (int with = 0; with < 2; with++) {
		world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
		if (with)
			stun_add_fingerprint(&w->req);
		assert_int_equal(world_ask_plain(w, &c), 401);
		assert_int_equal(stun_has(&w->ans, STUN_A_FINGERPRINT), with);
		assert_true(stun_fingerprint_ok(&w->ans));
	}
}

/* RFC 8489 s.6.3.1.1: SOFTWARE in every answer but challenges, where it is switched on. */
static void test_software_and_fingerprint(void **state)
{
	struct world *w = *state;
	struct world_client c = world_client("198.51.100.1:5000", "alice", "wonder");

	assert_int_equal(world_allocate(w, &c), 0);
	assert_memory_equal(w->ans.software.p, "taciturn", 8);
	assert_true(stun_has(&w->ans, STUN_A_FINGERPRINT) && stun_fingerprint_ok(&w->ans));
	assert_true(world_signed(w, &c));
	assert_int_equal(world_refresh(w, &c, 600), 0);
	assert_true(stun_has(&w->ans, STUN_A_SOFTWARE));
	assert_int_equal(world_permit(w, &c, "198.51.100.9"), 0);
	assert_true(stun_has(&w->ans, STUN_A_SOFTWARE));
	world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
	assert_int_equal(world_ask_plain(w, &c), 401);
	assert_false(stun_has(&w->ans, STUN_A_SOFTWARE));
}

/* RFC 8489 s.9.2.4: processed as though PASSWORD-ALGORITHM were MD5, so MESSAGE-INTEGRITY it is,
 * and the longest answer there is fits. */
static void test_longest_answer(void **state)
{
	struct world *w = *state;
	struct world_client c = world_client("[2001:db8:1::1]:5000", "alice", "wonder");

	assert_int_equal(world_allocate_both(w, &c), 0);
	assert_true(world_signed(w, &c));
	assert_int_equal(w->ans.integrity256_off, 0);
	assert_true(w->raw_len < 300);
}

/* … and MESSAGE-INTEGRITY-SHA256 beside it where the request names an algorithm. */
static void test_algorithm_named(void **state)
{
	static const uint8_t md5[] = { 0, 1, 0, 0 };
	static const uint16_t types[] = { STUN_T_PASSWORD_ALGORITHM, STUN_T_PASSWORD_ALGORITHMS };
	struct world *w = *state;
	struct world_client c = world_client("198.51.100.1:5000", "alice", "wonder");

	assert_int_equal(world_allocate(w, &c), 0);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		world_begin(w, STUN_REQUEST, STUN_REFRESH);
		stun_add(&w->req, types[i], md5, sizeof md5);
		assert_int_equal(world_ask(w, &c), 0);
		assert_true(world_signed(w, &c));
		assert_true(w->ans.integrity256_off);
	}
}

static void fill(struct world *w, const struct stun_msg *req, size_t room, enum turn_verdict expected)
{
	struct turn_tx tx = { .req = req, .tuple = { world_addr("198.51.100.1:5"), w->server, TURN_UDP } };
	uint8_t *buf = malloc(room);
	struct wr out = wr_init(buf, room);

	assert_int_equal(turn_server_request(&w->env, &tx, &out), expected);
	turn_tx_fini(&tx);
	free(buf);
}

/* An answer that does not fit is none. */
static void test_no_room(void **state)
{
	struct world *w = *state;
	struct stun_msg req;

	world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
	assert_int_equal(stun_decode(w->body, wr_len(&w->req), &req), OK);
	for (size_t room = 1; room < CHALLENGE_LEN; room++)
		fill(w, &req, room, TURN_DROP);
	fill(w, &req, CHALLENGE_LEN, TURN_REPLY);
}

#define T(f)	  cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TT(f, up) cmocka_unit_test_setup_teardown(f, up, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_challenge_is_small),
		T(test_other_answers_to_strangers),
		T(test_nonces_differ),
		T(test_phrases),
		T(test_fingerprint_on_demand),
		TT(test_software_and_fingerprint, setup_trimmings),
		TT(test_longest_answer, setup_trimmings),
		T(test_algorithm_named),
		T(test_no_room),
	};

	return cmocka_run_group_tests_name("turn_reply", tests, NULL, NULL);
}
