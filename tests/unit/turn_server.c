/* src/turn/server.c: RFC 8656 s.5, RFC 8489 s.6.3; who is heard, and in which order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bug.h"
#include "turn_world.h"

static int setup(void **state)
{
	*state = world_new(WORLD_CONF);
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

static int setup_no_auth(void **state)
{
	*state = world_new(WORLD_HOSTS "no-auth\n");
	return 0;
}

static int setup_stun_only(void **state)
{
	*state = world_new(WORLD_CONF "stun-only\n");
	return 0;
}

static int setup_strict(void **state)
{
	*state = world_new(WORLD_CONF "strict-expiry\n");
	return 0;
}

static const uint16_t methods[] = { STUN_ALLOCATE, STUN_REFRESH, STUN_CREATE_PERMISSION, STUN_CHANNEL_BIND,
				    STUN_CONNECT };

static struct world_client alice(void)
{
	return world_client("192.0.2.77:5000", "alice", "wonder");
}

/* Of every method, before anything else is looked at. */
static void test_strangers_are_challenged(void **state)
{
	struct world *w = *state;
	struct world_client c = alice();

	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		world_begin(w, STUN_REQUEST, methods[i]);
		stun_add_u32(&w->req, 0x7FFF, 0); /* 420, once one is known */
		assert_int_equal(world_ask_plain(w, &c), 401);
		assert_true(str_eq(w->ans.realm, STR_LIT("example.org")));
		assert_int_equal(w->ans.nonce.len, AUTH_NONCE_LEN);
		assert_int_equal(w->ans.integrity_off, 0);
	}
	assert_int_equal(counter_get(&w->cnt, auth_challenge), ARRAY_LEN(methods));
}

/* s.5: 437 where there is no allocation, in answers that are signed. */
static void test_no_allocation(void **state)
{
	struct world *w = *state;
	struct world_client c = alice();

	for (size_t i = 1; i < ARRAY_LEN(methods); i++) {
		world_begin(w, STUN_REQUEST, methods[i]);
		assert_int_equal(world_do(w, &c), 437);
		assert_true(world_signed(w, &c));
	}
}

/* s.5: 441 for another user, whoever that is; and no effect. */
static void test_another_user(void **state)
{
	struct world *w = *state;
	struct world_client c = alice(), bob = world_client("192.0.2.77:5000", "bob", "builder");
	struct world_client guest = world_guest(w, "192.0.2.77:5000", "alice", "north", 60);

	assert_int_equal(world_allocate(w, &c), 0);
	for (size_t i = 1; i < ARRAY_LEN(methods); i++) {
		world_begin(w, STUN_REQUEST, methods[i]);
		assert_int_equal(world_do(w, &bob), 441);
		assert_true(world_signed(w, &bob));
		world_begin(w, STUN_REQUEST, methods[i]);
		assert_int_equal(world_do(w, &guest), 441);
	}
	assert_int_equal(world_refresh(w, &bob, 0), 441);
	assert_int_equal(w->n_sessions, 1);
}

/* RFC 8489 s.9.2.4: 438 brings a nonce that works; 401 another chance. */
static void test_stale_nonce(void **state)
{
	struct world *w = *state;
	struct world_client c = alice(), thief;

	assert_int_equal(world_allocate(w, &c), 0);
	assert_int_equal(world_refresh(w, &c, 3600), 0);
	world_pass(w, SEC(601));
	world_begin(w, STUN_REQUEST, STUN_REFRESH);
	assert_int_equal(world_ask(w, &c), 438);
	assert_true(str_eq(w->ans.realm, STR_LIT("example.org")));
	assert_int_equal(world_ask(w, &c), 0);
	/* a nonce of another address, with the right password */
	thief = c;
	thief.at = world_addr("192.0.2.78:5000");
	world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
	stun_add_u32(&w->req, STUN_T_REQUESTED_TRANSPORT, 17 << 24);
	assert_int_equal(world_ask(w, &thief), 438);
	/* and a wrong one does not tell that it was stale */
	thief = world_client("192.0.2.77:5000", "alice", "wander");
	memcpy(thief.nonce, c.nonce, c.nonce_len);
	thief.nonce_len = c.nonce_len;
	world_pass(w, SEC(601));
	world_begin(w, STUN_REQUEST, STUN_REFRESH);
	assert_int_equal(world_ask(w, &thief), 401);
	assert_int_equal(w->why, AUTH_WHY_INTEGRITY);
	assert_int_equal(w->ans.integrity_off, 0);
}

/* Integrity without the rest is 400, and 400 carries no nonce (RFC 8489 s.9.2.4). */
static void test_incomplete_credentials(void **state)
{
	struct world *w = *state;
	struct world_client c = alice();

	world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
	assert_int_equal(stun_add_integrity(&w->req, w->env.auth.crypto, STR_LIT("key")), OK);
	assert_int_equal(world_ask_plain(w, &c), 400);
	assert_false(stun_has(&w->ans, STUN_A_NONCE) || stun_has(&w->ans, STUN_A_REALM));
}

/* RFC 8489 s.6.3.1: 420 lists them, each once, and is signed. */
static void test_unknown_attributes(void **state)
{
	struct world *w = *state;
	struct world_client c = alice();

	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		world_begin(w, STUN_REQUEST, methods[i]);
		stun_add_u32(&w->req, STUN_T_REQUESTED_TRANSPORT, 17 << 24);
		stun_add_u32(&w->req, 0x7FFF, 0);
		assert_int_equal(world_do(w, &c), 420);
		assert_true(world_signed(w, &c));
	}
	assert_int_equal(w->n_sessions, 0);
}

/* RFC 8489 s.6.3: what is not a request of a known method gets no answer. */
static void test_silence(void **state)
{
	static const uint16_t unknown[] = { 0x002, STUN_SEND, STUN_DATA, STUN_CONNECTION_ATTEMPT, 0x07F };
	struct world *w = *state;
	struct world_client c = alice();

	for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
		world_begin(w, STUN_REQUEST, unknown[i]);
		assert_int_equal(world_ask_plain(w, &c), WORLD_SILENCE);
	}
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		for (enum stun_class cls = STUN_INDICATION; cls <= STUN_ERROR; cls++) {
			world_begin(w, cls, methods[i]);
			assert_int_equal(world_ask_plain(w, &c), WORLD_SILENCE);
		}
	world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
	stun_add_fingerprint(&w->req);
	w->body[wr_len(&w->req) - 1] ^= 1;
	assert_int_equal(world_ask_plain(w, &c), WORLD_SILENCE);
	assert_int_equal(counter_get(&w->cnt, drop_fingerprint), 1);
	assert_int_equal(counter_get(&w->cnt, drop_method), ARRAY_LEN(unknown) + 3 * ARRAY_LEN(methods));
}

static void test_stun_only(void **state)
{
	struct world *w = *state;
	struct world_client c = alice();

	world_begin(w, STUN_REQUEST, STUN_BINDING);
	assert_int_equal(world_ask_plain(w, &c), 0);
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		world_begin(w, STUN_REQUEST, methods[i]);
		assert_int_equal(world_ask_plain(w, &c), WORLD_SILENCE);
	}
}

/* Without credentials nothing is signed, and nobody has to be anybody. */
static void test_no_auth(void **state)
{
	struct world *w = *state;
	struct world_client c = alice();

	world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
	stun_add_u32(&w->req, STUN_T_REQUESTED_TRANSPORT, 17 << 24);
	assert_int_equal(world_ask_plain(w, &c), 0);
	assert_int_equal(w->ans.integrity_off, 0);
	assert_int_equal(world_ask_plain(w, &c), 0); /* retransmitted */
	assert_int_equal(w->n_opened, 1);
	world_begin(w, STUN_REQUEST, STUN_CREATE_PERMISSION);
	world_add_peer(w, "198.51.100.9");
	assert_int_equal(world_ask_plain(w, &c), 0);
	world_begin(w, STUN_REQUEST, STUN_CREATE_PERMISSION);
	world_add_peer(w, "10.0.0.9");
	assert_int_equal(world_ask_plain(w, &c), 403);
}

/* A session that a valid credential opened lives on past its expiry; a new one needs a new one. */
static void test_expired_credential_goes_on(void **state)
{
	struct world *w = *state;
	struct world_client c = world_guest(w, "192.0.2.77:5000", "carol", "north", 60), d = c;

	d.at.port++;
	assert_int_equal(world_allocate(w, &c), 0);
	assert_true(str_eq(world_session(w, &c)->user, STR_LIT("carol")));
	for (int i = 0; i < 10; i++) {
		world_pass(w, SEC(250));
		assert_int_equal(world_refresh(w, &c, 600), 0);
		assert_int_equal(world_permit(w, &c, "198.51.100.9"), 0);
		assert_int_equal(world_bind(w, &c, 0x4000, "198.51.100.9:7"), 0);
		assert_int_equal(world_allocate(w, &d), 401);
		assert_int_equal(w->why, AUTH_WHY_EXPIRED);
	}
	assert_int_equal(world_refresh(w, &c, 0), 0);
	assert_int_equal(world_allocate(w, &c), 401);
	assert_int_equal(world_refresh(w, &c, 600), 401);
}

static void test_strict_expiry(void **state)
{
	struct world *w = *state;
	struct world_client c = world_guest(w, "192.0.2.77:5000", "carol", "north", 60);

	assert_int_equal(world_allocate(w, &c), 0);
	world_pass(w, SEC(60));
	assert_int_equal(world_refresh(w, &c, 600), 0);
	world_pass(w, SEC(1));
	assert_int_equal(world_refresh(w, &c, 600), 401);
	assert_int_equal(world_permit(w, &c, "198.51.100.9"), 401);
	assert_int_equal(world_bind(w, &c, 0x4000, "198.51.100.9:7"), 401);
}

/* The kept key goes with the session: an expired credential cannot use what is over. */
static void test_expired_session_of_an_expired_credential(void **state)
{
	struct world *w = *state;
	struct world_client c = world_guest(w, "192.0.2.77:5000", "carol", "north", 60);

	assert_int_equal(world_allocate(w, &c), 0);
	world_hang(w, SEC(600));
	assert_int_equal(world_refresh(w, &c, 600), 401);
	assert_int_equal(w->n_sessions, 0);
}

/* Answers to strangers are rationed; who authenticates gives his back. */
static void test_ration(void **state)
{
	struct world *w = *state;
	struct world_client c = alice();
	int n = 0;

	for (int i = 0; i < 5000; i++) { /* twenty at a time, as a crowd behind one address */
		world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
		n += world_ask_plain(w, &c) == 401;
		if (i % 20)
			continue;
		for (int k = 0; k < 20; k++) {
			world_begin(w, STUN_REQUEST, STUN_REFRESH);
			assert_int_equal(world_ask(w, &c), 437);
		}
	}
	assert_int_equal(n, 5000);
	world_pass(w, SEC(60));
	n = 0;
	for (int i = 0; i < 5000; i++) {
		world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
		n += world_ask_plain(w, &c) == 401;
	}
	assert_int_equal(n, auth_throttle_share(w->conf) * AUTH_THROTTLE_BURST);
	assert_int_equal(counter_get(&w->cnt, drop_throttled), 5000 - n);
	world_begin(w, STUN_REQUEST, STUN_BINDING);
	assert_int_equal(world_ask_plain(w, &c), 0);
	stun_add(&w->req, 0x7FFF, NULL, 0);
	assert_int_equal(world_ask_plain(w, &c), WORLD_SILENCE);
}

/* Whoever is not known here is asked for; with the answer the same bytes go on as if nothing had been. */
static void test_a_key_is_wanted_and_given(void **state)
{
	struct world *w = *state;
	struct world_client c = world_client("192.0.2.77:5000", "dave", "diver");
	struct auth_given given = { .state = AUTH_GIVEN_KEY };

	w->env.auth.has_users = true;
	assert_int_equal(auth_longterm_key(w->env.auth.crypto, STR_LIT("dave"), STR_LIT("example.org"),
					   STR_LIT("diver"), given.key),
			 OK);
	world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
	assert_int_equal(world_ask(w, &c), 438); /* nobody is asked for without a nonce of ours */
	world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
	stun_add_u32(&w->req, STUN_T_REQUESTED_TRANSPORT, 17u << 24);
	assert_int_equal(world_ask(w, &c), WORLD_SILENCE);
	assert_int_equal(w->verdict, TURN_WANT_KEY);
	assert_int_equal(w->n_sessions, 0);
	assert_int_equal(counter_get(&w->cnt, auth_ok), 0);

	w->given = &given;
	assert_int_equal(world_give(w, &c.at, w->wire, w->wire_len), 0);
	assert_int_equal(w->n_sessions, 1);
	assert_true(world_signed(w, &c));
	assert_int_equal(counter_get(&w->cnt, auth_ok), 1);
	assert_int_equal(counter_get(&w->cnt, req_allocate), 2);
	w->given = NULL; /* the session knows its client */
	assert_int_equal(world_refresh(w, &c, 600), 0);
	given.state = AUTH_GIVEN_NONE;
	w->given = &given;
	c = world_client("192.0.2.78:5000", "erin", "diver");
	assert_int_equal(world_allocate(w, &c), 401);
	assert_int_equal(w->why, AUTH_WHY_UNKNOWN_USER);
	given.state = AUTH_GIVEN_FAILED;
	assert_int_equal(world_allocate(w, &c), 500);
	w->given = NULL;
}

#define T(f)	  cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TT(f, up) cmocka_unit_test_setup_teardown(f, up, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_strangers_are_challenged),
		T(test_no_allocation),
		T(test_another_user),
		T(test_stale_nonce),
		T(test_incomplete_credentials),
		T(test_unknown_attributes),
		T(test_silence),
		TT(test_stun_only, setup_stun_only),
		TT(test_no_auth, setup_no_auth),
		T(test_expired_credential_goes_on),
		TT(test_strict_expiry, setup_strict),
		T(test_expired_session_of_an_expired_credential),
		T(test_ration),
		T(test_a_key_is_wanted_and_given),
	};

	return cmocka_run_group_tests_name("turn_server", tests, NULL, NULL);
}
