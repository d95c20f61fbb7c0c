/* src/turn/binding.c: RFC 8489 s.6.3.1, s.7.3. */
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

/* The answer is what it must be and no more; nothing is kept. */
static void test_reflexive_address(void **state)
{
	static const struct {
		const char *client;
		size_t len;
	} row[] = {
		{ "198.51.100.1:5000", STUN_HEADER_LEN + 12 },
		{ "[2001:db8:1::1]:65535", STUN_HEADER_LEN + 24 },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct world_client c = world_client(row[i].client, "", "");

		world_begin(w, STUN_REQUEST, STUN_BINDING);
		assert_int_equal(world_ask_plain(w, &c), 0);
		assert_true(addr_eq(&w->ans.xor_mapped, &c.at));
		assert_int_equal(w->raw_len, row[i].len);
	}
	assert_int_equal(w->n_sessions, 0);
}

/* Credentials are neither asked for nor looked at. */
static void test_needs_no_credentials(void **state)
{
	struct world *w = *state;
	struct world_client c = world_client("198.51.100.1:5000", "nobody", "nothing");

	world_begin(w, STUN_REQUEST, STUN_BINDING);
	assert_int_equal(world_ask(w, &c), 0);
	assert_int_equal(w->ans.integrity_off, 0);
}

/* s.6.3.1: 420 for what must be understood and is not; RFC 5780 is not served, and who asks for
 * an answer from elsewhere must not mistake this one for it. */
static void test_unknown_attributes(void **state)
{
	static const struct {
		uint16_t type;
		unsigned code;
	} row[] = {
		{ 0x7FFF, 420 }, { 0x0003, 420 }, { 0x0026, 420 }, { 0x0027, 420 },
		{ 0x8FFF, 0 },	 { STUN_T_SOFTWARE, 0 },
	};
	struct world *w = *state;
	struct world_client c = world_client("198.51.100.1:5000", "", "");

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		world_begin(w, STUN_REQUEST, STUN_BINDING);
		stun_add_u32(&w->req, row[i].type, 0);
		assert_int_equal(world_ask_plain(w, &c), row[i].code);
		if (!row[i].code)
			continue;
		assert_true(stun_has(&w->ans, STUN_A_UNKNOWN_ATTRIBUTES));
		assert_int_equal(w->raw[w->raw_len - 4] << 8 | w->raw[w->raw_len - 3], row[i].type);
	}
}

/* s.14.13: all are named, and the answer is no larger than the request. */
static void test_many_unknown_attributes(void **state)
{
	struct world *w = *state;
	struct world_client c = world_client("198.51.100.1:5000", "", "");

	world_begin(w, STUN_REQUEST, STUN_BINDING);
	for (uint16_t i = 0; i < 100; i++)
		stun_add(&w->req, (uint16_t)(0x4000 + i), NULL, 0);
	stun_add_u32(&w->req, STUN_T_CHANGE_REQUEST, 0);
	stun_add_u32(&w->req, STUN_T_RESPONSE_PORT, 0);
	stun_add_u32(&w->req, STUN_T_PADDING, 0);
	assert_int_equal(world_ask_plain(w, &c), 420);
	assert_true(w->raw_len <= wr_len(&w->req));
	assert_int_equal(w->raw_len, STUN_HEADER_LEN + 8 + 4 + 2 * 103 + 2);
}

/* s.6.3.2: an indication wants no answer; RFC 8489 s.7.3: FINGERPRINT must be right. */
static void test_silence(void **state)
{
	struct world *w = *state;
	struct world_client c = world_client("198.51.100.1:5000", "", "");

	world_begin(w, STUN_INDICATION, STUN_BINDING);
	assert_int_equal(world_ask_plain(w, &c), WORLD_SILENCE);
	world_begin(w, STUN_SUCCESS, STUN_BINDING);
	assert_int_equal(world_ask_plain(w, &c), WORLD_SILENCE);
	world_begin(w, STUN_ERROR, STUN_BINDING);
	assert_int_equal(world_ask_plain(w, &c), WORLD_SILENCE);
	world_begin(w, STUN_REQUEST, STUN_BINDING);
	stun_add_fingerprint(&w->req);
	assert_int_equal(world_ask_plain(w, &c), 0);
	assert_true(stun_has(&w->ans, STUN_A_FINGERPRINT) && stun_fingerprint_ok(&w->ans));
	w->body[wr_len(&w->req) - 1] ^= 1;
	assert_int_equal(world_ask_plain(w, &c), WORLD_SILENCE);
	assert_int_equal(counter_get(&w->cnt, drop_fingerprint), 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_reflexive_address),
		T(test_needs_no_credentials),
		T(test_unknown_attributes),
		T(test_many_unknown_attributes),
		T(test_silence),
	};

	return cmocka_run_group_tests_name("turn_binding", tests, NULL, NULL);
}
