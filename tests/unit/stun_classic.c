/* src/stun/classic.c: RFC 8489 s.11, what has no magic cookie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bug.h"
#include "stun/classic.h"
#include "stun/msg.h"

/* A Binding request as RFC 3489 has it, with CHANGE-REQUEST. */
static const uint8_t request[28] = { 0, 1, 0, 8, 0xC0, 0xFF, 0xEE, 1, 2, 3, 4, 5, 6, 7,
				     8, 9, 10, 11, 12, 13, 0, 3, 0, 4, 0, 0, 0, 0 };

static void test_a_request_gets_500(void **state)
{
	uint8_t buf[128];
	struct wr out = wr_init(buf, sizeof buf);
	struct stun_msg m;

	(void)state;
	assert_true(stun_classic_refuse(request, sizeof request, &out));
	/* all 16 bytes of its transaction id */
	assert_memory_equal(buf + 4, request + 4, 16);
	wr_patch16(&out, 4, STUN_COOKIE >> 16);
	wr_patch16(&out, 6, STUN_COOKIE & 0xFFFF);
	assert_int_equal(stun_decode(buf, wr_len(&out), &m), OK);
	assert_int_equal(m.class, STUN_ERROR);
	assert_int_equal(m.method, STUN_BINDING);
	assert_int_equal(m.error_code, 500);
}

/* RFC 5389 s.12.2: it is served as if it had a cookie, and the answer has the client's 16 bytes. */
static void test_renewed_and_restored(void **state)
{
	uint8_t buf[STUN_CLASSIC_MAX], answer[64];
	struct wr out = wr_init(answer, sizeof answer);
	struct stun_msg m;

	(void)state;
	assert_true(stun_classic_renew(request, sizeof request, buf));
	assert_int_equal(stun_decode(buf, sizeof request, &m), OK);
	assert_int_equal(m.method, STUN_BINDING);
	assert_true(stun_has(&m, STUN_A_CHANGE_REQUEST));
	stun_begin(&out, STUN_SUCCESS, STUN_BINDING, m.txid);
	stun_classic_restore(request, &out);
	assert_memory_equal(answer + 4, request + 4, 16);
}

static void test_not_renewed(void **state)
{
	static uint8_t large[STUN_CLASSIC_MAX + 4];
	uint8_t raw[sizeof request], buf[STUN_CLASSIC_MAX];

	(void)state;
	memcpy(large, request, 20);
	assert_true(stun_classic_renew(large, STUN_CLASSIC_MAX, buf));
	assert_false(stun_classic_renew(large, sizeof large, buf));
	assert_false(stun_classic_renew(request, 19, buf));
	memcpy(raw, request, sizeof raw);
	raw[1] = 2; /* Shared Secret */
	assert_false(stun_classic_renew(raw, sizeof raw, buf));
	raw[1] = 1;
	memcpy(raw + 4, "\x21\x12\xA4\x42", 4);
	assert_false(stun_classic_renew(raw, sizeof raw, buf));
}

static void test_nothing_else_does(void **state)
{
	static const struct {
		const char *what;
		size_t at;
		uint8_t value;
		size_t len;
	} row[] = {
		{ "an indication", 1, 0x11, sizeof request },
		{ "an answer", 0, 1, sizeof request },
		{ "not STUN", 0, 0x40, sizeof request },
		{ "an odd length", 3, 9, sizeof request },
		{ "a length too long", 3, 12, sizeof request },
		{ "cut off", 0, 0, sizeof request - 4 },
		{ "no header", 0, 0, 19 },
		{ "nothing", 0, 0, 0 },
	};
	uint8_t raw[sizeof request], buf[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct wr out = wr_init(buf, sizeof buf);

		memcpy(raw, request, sizeof raw);
		raw[row[i].at] = row[i].value;
		if (stun_classic_refuse(raw, row[i].len, &out) || wr_len(&out))
			fail_msg("%s", row[i].what);
	}
	memcpy(raw, request, sizeof raw);
	memcpy(raw + 4, "\x21\x12\xA4\x42", 4);
	struct wr out = wr_init(buf, sizeof buf);
	assert_false(stun_classic_refuse(raw, sizeof raw, &out)); /* it has the cookie */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_request_gets_500),
		cmocka_unit_test(test_renewed_and_restored),
		cmocka_unit_test(test_not_renewed),
		cmocka_unit_test(test_nothing_else_does),
	};

	return cmocka_run_group_tests_name("stun_classic", tests, NULL, NULL);
}
