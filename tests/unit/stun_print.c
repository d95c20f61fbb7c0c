/* src/stun/print.c: one line, cut to fit, and nothing secret in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bug.h"
#include "stun/msg.h"

#define TXID "0102030405060708090a0b0c"

static const uint8_t txid[STUN_TXID_LEN] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
static uint8_t buf[2048];

static void begin(struct wr *w, enum stun_class class, uint16_t method)
{
	*w = wr_init(buf, sizeof buf);
	stun_begin(w, class, method, txid);
}

static void expect(const struct wr *w, const char *want)
{
	struct stun_msg m;
	char line[1024];

	assert_false(w->bad);
	assert_int_equal(stun_decode(buf, wr_len(w), &m), OK);
	assert_ptr_equal(stun_print(&m, line, sizeof line), line);
	assert_string_equal(line, want);
}

static void test_lines(void **state)
{
	struct addr v4 = { .ip = { 192, 0, 2, 1 }, .port = 5000, .family = ADDR_V4 };
	struct addr v6 = { .ip = { 0x20, 1, 0x0d, 0xb8, [15] = 1 },
			   .port = 7000,
			   .family = ADDR_V6 };
	struct wr w;

	(void)state;
	begin(&w, STUN_REQUEST, STUN_ALLOCATE);
	stun_add_u32(&w, STUN_T_LIFETIME, 600);
	stun_add_u32(&w, STUN_T_REQUESTED_TRANSPORT, 17u << 24);
	stun_add(&w, STUN_T_EVEN_PORT, "\x80", 1);
	stun_add(&w, STUN_T_DONT_FRAGMENT, NULL, 0);
	stun_add(&w, 0x7FFF, NULL, 0);
	expect(&w, "Allocate request txid=" TXID
		   " LIFETIME=600 EVEN-PORT=reserve REQUESTED-TRANSPORT=17"
		   " DONT-FRAGMENT 0x7fff");
	begin(&w, STUN_INDICATION, STUN_SEND);
	stun_add_xor_addr(&w, STUN_T_XOR_PEER_ADDRESS, &v4);
	stun_add_str(&w, STUN_T_DATA, STR_LIT("hidden"));
	stun_add_xor_addr(&w, STUN_T_XOR_PEER_ADDRESS, &v6);
	stun_add(&w, STUN_T_XOR_PEER_ADDRESS, NULL, 0);
	expect(&w, "Send indication txid=" TXID " XOR-PEER-ADDRESS=192.0.2.1:5000"
		   " XOR-PEER-ADDRESS=[2001:db8::1]:7000 XOR-PEER-ADDRESS=bad DATA=6 bytes");
	begin(&w, STUN_ERROR, STUN_CHANNEL_BIND);
	stun_add_error(&w, 437, stun_error_text(437));
	stun_add_u32(&w, STUN_T_CHANNEL_NUMBER, 0x40010000);
	expect(&w, "ChannelBind error txid=" TXID " ERROR-CODE=437 \"Allocation Mismatch\""
		   " CHANNEL-NUMBER=0x4001");
	begin(&w, STUN_SUCCESS, 0x00F);
	stun_add_xor_addr(&w, STUN_T_XOR_MAPPED_ADDRESS, &v6);
	stun_add_icmp(&w, 3, 4, 1500);
	stun_add_u32(&w, STUN_T_USERHASH, 0);
	expect(&w, "0x00f success txid=" TXID
		   " USERHASH=bad XOR-MAPPED-ADDRESS=[2001:db8::1]:7000 ICMP=3/4/1500");
}

/* A name that a peer chose can neither end the line nor fake another field. */
static void test_text_is_escaped(void **state)
{
	struct wr w;

	(void)state;
	begin(&w, STUN_REQUEST, STUN_BINDING);
	stun_add_str(&w, STUN_T_USERNAME, STR_LIT("a\" b\\\n\x1b[0m\xc3\xa9"));
	expect(&w, "Binding request txid=" TXID
		   " USERNAME=\"a\\x22 b\\x5c\\x0a\\x1b[0m\\xc3\\xa9\"");
}

static void test_secrets_stay_out(void **state)
{
	static const uint16_t secret[] = {
		STUN_T_NONCE,
		STUN_T_ACCESS_TOKEN,
		STUN_T_MOBILITY_TICKET,
		STUN_T_DATA,
		STUN_T_RESERVATION_TOKEN,
		STUN_T_USERHASH,
		STUN_T_FINGERPRINT,
		STUN_T_MESSAGE_INTEGRITY_SHA256,
		STUN_T_MESSAGE_INTEGRITY,
	};
	uint8_t value[32];
	struct stun_msg m;
	char line[1024];
	struct wr w;

	(void)state;
	memset(value, 'S', sizeof value);
	for (size_t i = 0; i < ARRAY_LEN(secret); i++)
		for (size_t n = 4; n <= sizeof value; n += 4) {
			begin(&w, STUN_REQUEST, STUN_REFRESH);
			stun_add(&w, secret[i], value, n);
			assert_int_equal(stun_decode(buf, wr_len(&w), &m), OK);
			stun_print(&m, line, sizeof line);
			assert_null(strstr(line, "SSS"));
			assert_null(strstr(line, "53"));
		}
}

/* Whatever the room: a terminated beginning of the whole line, and not a byte beyond the room. */
static void test_cut_to_fit(void **state)
{
	struct stun_msg m;
	char whole[512];
	struct wr w;

	(void)state;
	begin(&w, STUN_REQUEST, STUN_ALLOCATE);
	stun_add_str(&w, STUN_T_USERNAME, STR_LIT("1700000000:al\"ice"));
	stun_add_error(&w, 300, STR_LIT("over"));
	stun_add_u32(&w, STUN_T_LIFETIME, 600);
	stun_add(&w, 0x7FFF, NULL, 0);
	assert_int_equal(stun_decode(buf, wr_len(&w), &m), OK);
	stun_print(&m, whole, sizeof whole);
	for (size_t cap = 0; cap <= strlen(whole) + 1; cap++) {
		char *part = malloc(cap ? cap : 1);

		assert_non_null(part);
		part[0] = 'x';
		stun_print(&m, part, cap);
		if (cap == 0) {
			assert_int_equal(part[0], 'x');
		} else {
			assert_int_equal(strlen(part), cap - 1);
			assert_memory_equal(part, whole, cap - 1);
		}
		free(part);
	}
}

static void test_method_names(void **state)
{
	(void)state;
	assert_string_equal(stun_method_name(STUN_BINDING), "Binding");
	assert_string_equal(stun_method_name(STUN_CONNECTION_ATTEMPT), "ConnectionAttempt");
	assert_null(stun_method_name(0));
	assert_null(stun_method_name(0x00F));
	assert_null(stun_method_name(0xFFF));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_text_is_escaped),
		cmocka_unit_test(test_secrets_stay_out),
		cmocka_unit_test(test_cut_to_fit),
		cmocka_unit_test(test_method_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
