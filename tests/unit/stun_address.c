/* src/stun/address.c: plain and XORed addresses, both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../data/stun_vectors.h"
#include "base/bug.h"
#include "stun/address.h"
#include "stun/msg.h"

static const uint8_t *const mask = vec_ipv6 + 4; /* cookie and transaction id */

static const struct addr v4 = { .ip = { 192, 0, 2, 1 }, .port = 32853, .family = ADDR_V4 };
static const struct addr v6 = {
	.ip = { 0x20, 1, 0x0d, 0xb8, 0x12, 0x34, 0x56, 0x78, 0, 0x11, 0x22, 0x33, 0x44, 0x55,
		0x66, 0x77 },
	.port = 32853,
	.family = ADDR_V6,
};

static bool decode(const void *p, size_t n, const uint8_t *with, struct addr *out)
{
	return stun_address_decode(rd_init(p, n), with, out);
}

static void test_rfc5769(void **state)
{
	struct addr a;

	(void)state;
	assert_true(decode(vec_ipv4 + 40, 8, mask, &a));
	assert_true(addr_eq(&a, &v4));
	assert_true(decode(vec_ipv6 + 40, 20, mask, &a));
	assert_true(addr_eq(&a, &v6));
}

static void test_plain_form(void **state)
{
	static const uint8_t want4[] = { 0, 1, 0x80, 0x55, 192, 0, 2, 1 };
	uint8_t buf[64];
	struct wr w = wr_init(buf, sizeof buf);
	struct addr a;

	(void)state;
	stun_begin(&w, STUN_SUCCESS, STUN_BINDING, vec_ipv6 + 8);
	stun_add_addr(&w, STUN_T_MAPPED_ADDRESS, &v4);
	stun_add_addr(&w, STUN_T_OTHER_ADDRESS, &v6);
	assert_false(w.bad);
	assert_int_equal(wr_len(&w), 20 + 12 + 24);
	assert_memory_equal(buf + 24, want4, sizeof want4);
	assert_true(decode(buf + 24, 8, NULL, &a));
	assert_true(addr_eq(&a, &v4));
	assert_memory_equal(buf + 40, v6.ip, 16);
	assert_true(decode(buf + 36, 20, NULL, &a));
	assert_true(addr_eq(&a, &v6));
}

/* family 1 has 8 bytes, 2 has 20, nothing else is an address; the first byte does not matter */
static void test_family_and_length(void **state)
{
	uint8_t v[24] = { 0xFF };
	const struct addr was = { .port = 7 };

	(void)state;
	for (unsigned family = 0; family < 256; family++)
		for (size_t n = 0; n <= sizeof v; n++) {
			bool ok = (family == 1 && n == 8) || (family == 2 && n == 20);
			struct addr a = was;

			v[1] = (uint8_t)family;
			assert_int_equal(decode(v, n, mask, &a), ok);
			if (!ok)
				assert_true(addr_eq(&a, &was));
			else
				assert_int_equal(addr_ip_len(&a), n - 4);
		}
}

/* addr_eq() compares all 20 bytes: an IPv4 address leaves nothing of the mask behind its four. */
static void test_unused_bytes_are_zero(void **state)
{
	static const uint8_t none[12];
	struct addr a;

	(void)state;
	memset(&a, 0xEE, sizeof a);
	assert_true(decode(vec_ipv4 + 40, 8, mask, &a));
	assert_memory_equal(a.ip + 4, none, sizeof none);
	assert_int_equal(a.zero, 0);
}

static void test_no_room(void **state)
{
	uint8_t buf[STUN_HEADER_LEN + 24];

	(void)state;
	for (size_t cap = 0; cap <= sizeof buf; cap++) {
		struct wr w = wr_init(buf, cap);

		stun_begin(&w, STUN_SUCCESS, STUN_BINDING, vec_ipv6 + 8);
		stun_add_xor_addr(&w, STUN_T_XOR_MAPPED_ADDRESS, &v6);
		assert_int_equal(w.bad, cap < sizeof buf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc5769),
		cmocka_unit_test(test_plain_form),
		cmocka_unit_test(test_family_and_length),
		cmocka_unit_test(test_unused_bytes_are_zero),
		cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
