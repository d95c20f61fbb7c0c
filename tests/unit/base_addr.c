#include "base/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bug.h"

/* text, what it parses to with default port 9 as addr_print() shows it; NULL: refused */
static const struct {
	const char *text, *want;
} parse[] = {
	{ "192.0.2.1", "192.0.2.1:9" },
	{ "192.0.2.1:3478", "192.0.2.1:3478" },
	{ "192.0.2.1:0", "192.0.2.1:0" },
	{ "192.0.2.1:65535", "192.0.2.1:65535" },
	{ "0.0.0.0", "0.0.0.0:9" },
	{ "255.255.255.255:1", "255.255.255.255:1" },
	{ "::", "[::]:9" },
	{ "2001:db8::1", "[2001:db8::1]:9" },
	{ "2001:DB8::1", "[2001:db8::1]:9" },
	{ "[2001:db8::1]", "[2001:db8::1]:9" },
	{ "[2001:db8::1]:443", "[2001:db8::1]:443" },
	{ "2001:db8::1:443", "[2001:db8::1:443]:9" },
	{ "::ffff:192.0.2.1", "[::ffff:192.0.2.1]:9" },
	{ "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535",
	  "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535" },
	{ "", NULL },
	{ ":", NULL },
	{ ":3478", NULL },
	{ " 192.0.2.1", NULL },
	{ "192.0.2.1 ", NULL },
	{ "192.0.2.1x", NULL },
	{ "192.0.2", NULL },
	{ "192.0.2.256", NULL },
	{ "192.0.2.01", NULL },
	{ "192.0.2.00", NULL },
	{ "0192.0.2.1", NULL },
	{ "0x7f.0.0.1", NULL },
	{ "192.0.2.1:", NULL },
	{ "192.0.2.1:65536", NULL },
	{ "192.0.2.1:99999", NULL },
	{ "192.0.2.1:4294967297", NULL },
	{ "192.0.2.1:-1", NULL },
	{ "192.0.2.1:+1", NULL },
	{ "192.0.2.1:0x10", NULL },
	{ "192.0.2.1:03478", NULL },
	{ "192.0.2.1:3478x", NULL },
	{ "192.0.2.1:3478:1", NULL },
	{ "[192.0.2.1]", NULL },
	{ "[192.0.2.1]:3478", NULL },
	{ "[", NULL },
	{ "[]", NULL },
	{ "[]:1", NULL },
	{ "[2001:db8::1", NULL },
	{ "2001:db8::1]", NULL },
	{ "[2001:db8::1]443", NULL },
	{ "[2001:db8::1]:", NULL },
	{ "[2001:db8::1]:65536", NULL },
	{ "[2001:db8::1]]", NULL },
	{ "[[2001:db8::1]]", NULL },
	{ "fe80::1%eth0", NULL },
	{ "fe80::1%1", NULL },
	{ "[fe80::1%eth0]:1", NULL },
	{ "2001:db8::1::2", NULL },
	{ "12345::", NULL },
	{ "localhost", NULL },
	{ "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL },
};

static void parses_what_it_should_and_refuses_the_rest(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(parse); i++) {
		struct addr before, a;
		char text[ADDR_TEXT_LEN];
		enum err e;

		memset(&before, 0xa5, sizeof before);
		a = before;
		e = addr_parse(str_of(parse[i].text), 9, &a);
		if (e != (parse[i].want ? OK : ERR_MALFORMED))
			fail_msg("\"%s\" gave: %s", parse[i].text, err_text(e));
		if (parse[i].want)
			assert_string_equal(addr_print(&a, text), parse[i].want);
		else
			assert_true(addr_eq(&a, &before)); /* untouched */
	}
}

static void zero_byte_inside_the_text_is_refused(void **state)
{
	struct addr a;

	(void)state;
	assert_int_equal(addr_parse(STR_LIT("192.0.2.1\0"), 1, &a), ERR_MALFORMED);
	assert_int_equal(addr_parse_ip(STR_LIT("192.0.2.1\0junk"), &a), ERR_MALFORMED);
	assert_int_equal(addr_parse_ip(STR_LIT("[::1\0]"), &a), ERR_MALFORMED);
}

static void reads_only_the_text_given(void **state)
{
	static const char text[] = "192.0.2.19:34789";
	char buf[ADDR_TEXT_LEN];
	struct addr a;

	(void)state;
	assert_int_equal(addr_parse((struct str){ text, 9 }, 7, &a), OK);
	assert_string_equal(addr_print(&a, buf), "192.0.2.1:7");
	assert_int_equal(addr_parse((struct str){ text, 15 }, 7, &a), OK);
	assert_string_equal(addr_print(&a, buf), "192.0.2.19:3478");
	assert_int_equal(addr_parse((struct str){ NULL, 0 }, 7, &a), ERR_MALFORMED);
}

static void ip_alone_takes_no_port(void **state)
{
	char buf[ADDR_IP_TEXT];
	struct addr a;

	(void)state;
	assert_int_equal(addr_parse_ip(STR_LIT("192.0.2.1:1"), &a), ERR_MALFORMED);
	assert_int_equal(addr_parse_ip(STR_LIT("[2001:db8::1]:1"), &a), ERR_MALFORMED);
	assert_int_equal(addr_parse_ip(STR_LIT("[2001:db8::1]"), &a), OK);
	assert_int_equal(a.port, 0);
	assert_string_equal(addr_print_ip(&a, buf), "2001:db8::1");
}

static struct addr at(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(str_of(text), 0, &a), OK);
	return a;
}

static void none_prints_as_a_dash(void **state)
{
	struct addr none = { .family = ADDR_NONE };
	char buf[ADDR_TEXT_LEN];

	(void)state;
	assert_string_equal(addr_print(&none, buf), "-");
	assert_string_equal(addr_print_ip(&none, buf), "-");
	assert_int_equal(addr_ip_len(&none), 0);
}

static void socket_addresses_there_and_back(void **state)
{
	static const struct {
		const char *text;
		int family;
		socklen_t len;
	} row[] = {
		{ "192.0.2.1:3478", AF_INET, sizeof(struct sockaddr_in) },
		{ "[2001:db8::1]:65535", AF_INET6, sizeof(struct sockaddr_in6) },
		{ "[::ffff:192.0.2.1]:1", AF_INET6, sizeof(struct sockaddr_in6) },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct addr a = at(row[i].text), back;
		struct sockaddr_storage sa;

		memset(&sa, 0xff, sizeof sa);
		assert_int_equal(addr_to_sa(&a, &sa), row[i].len);
		assert_int_equal(sa.ss_family, row[i].family);
		back = addr_from_sa((struct sockaddr *)&sa);
		assert_true(addr_eq(&a, &back));
	}
}

static void other_socket_families_give_none(void **state)
{
	struct sockaddr sa = { .sa_family = AF_UNIX };
	struct addr none = { .family = ADDR_NONE };
	struct sockaddr_storage ss;
	struct addr a;

	(void)state;
	a = addr_from_sa(&sa);
	assert_true(addr_eq(&a, &none));
	assert_int_equal(addr_to_sa(&none, &ss), 0);
}

static void equality_knows_port_and_family(void **state)
{
	struct addr a = at("1.2.3.4:5"), b = at("1.2.3.4:6"), c = at("[102:304::]:5");

	(void)state;
	assert_false(addr_eq(&a, &b));
	assert_true(addr_ip_eq(&a, &b));
	assert_memory_equal(a.ip, c.ip, 16);
	assert_false(addr_eq(&a, &c));
	assert_false(addr_ip_eq(&a, &c));
	assert_int_equal(addr_ip_len(&a), 4);
	assert_int_equal(addr_ip_len(&c), 16);
}

static void classes(void **state)
{
	enum { ANY = 1, LOOP = 2, LINK = 4 };
	static const struct {
		const char *text;
		int is;
	} row[] = {
		{ "0.0.0.0", ANY },
		{ "0.0.0.1", 0 },
		{ "::", ANY },
		{ "::1", LOOP },
		{ "::2", 0 },
		{ "1::1", 0 },
		{ "127.0.0.0", LOOP },
		{ "127.255.255.255", LOOP },
		{ "126.255.255.255", 0 },
		{ "128.0.0.0", 0 },
		{ "169.254.0.0", LINK },
		{ "169.254.255.255", LINK },
		{ "169.253.255.255", 0 },
		{ "169.255.0.0", 0 },
		{ "fe80::", LINK },
		{ "febf:ffff::1", LINK },
		{ "fe7f:ffff::", 0 },
		{ "fec0::", 0 },
		{ "fd80::1", 0 },
		{ "7f00::1", 0 },
		{ "::ffff:127.0.0.1", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct addr a = at(row[i].text);
		int is = (addr_is_any(&a) ? ANY : 0) | (addr_is_loopback(&a) ? LOOP : 0) |
			 (addr_is_link_local(&a) ? LINK : 0);

		if (is != row[i].is)
			fail_msg("%s is %d, not %d", row[i].text, is, row[i].is);
	}
}

static void none_is_of_no_class(void **state)
{
	struct addr none = { .family = ADDR_NONE };

	(void)state;
	assert_false(addr_is_any(&none) || addr_is_loopback(&none) ||
		     addr_is_link_local(&none));
}

/* SipHash-1-3 of the bytes 0, 1, 2, ... n-1, as OpenSSL's SIPHASH with c-rounds 1 and d-rounds
 * 3 gives it under the key 00 01 .. 0f, and CPython's hash() of bytes under the zero key. */
static void hash_is_siphash_1_3(void **state)
{
	static const uint64_t count[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	static const uint64_t zero[2] = { 0, 0 };
	static const struct {
		const uint64_t *key;
		size_t n;
		uint64_t want;
	} row[] = {
		{ count, 0, 0xabac0158050fc4dc },  { count, 1, 0xc9f49bf37d57ca93 },
		{ count, 7, 0xd3927d989bb11140 },  { count, 8, 0x369095118d299a8e },
		{ count, 9, 0x25a48eb36c063de4 },  { count, 15, 0xd320d86d2a519956 },
		{ count, 16, 0xcc4fdd1a7d908b66 }, { count, 20, 0xc0dc2f46a6cce040 },
		{ count, 63, 0x9d199062b7bbb3a8 }, { zero, 1, 0x68a914128e01e473 },
		{ zero, 7, 0x2f098ab0c751325a },   { zero, 8, 0xead411e67ebe2eea },
		{ zero, 20, 0x639e355ae68c0100 },
	};
	uint8_t b[64];

	(void)state;
	for (size_t i = 0; i < sizeof b; i++)
		b[i] = (uint8_t)i;
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		assert_int_equal(addr_siphash(row[i].key, b, row[i].n), row[i].want);
}

/* Some of the vectors that SipHash's authors published, under the key 00 01 .. 0f. */
static void mac_is_siphash_2_4(void **state)
{
	static const uint64_t key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	static const struct {
		size_t n;
		uint64_t want;
	} row[] = {
		{ 0, 0x726fdb47dd0e0e31 },  { 1, 0x74f839c593dc67fd },
		{ 7, 0xab0200f58b01d137 },  { 8, 0x93f5f5799a932462 },
		{ 15, 0xa129ca6149be45e5 }, { 63, 0x958a324ceb064572 },
	};
	uint8_t b[64];

	(void)state;
	for (size_t i = 0; i < sizeof b; i++)
		b[i] = (uint8_t)i;
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		assert_int_equal(addr_siphash_mac(key, b, row[i].n), row[i].want);
}

static void ip_hash_ignores_the_port(void **state)
{
	static const uint64_t key[2] = { 1, 2 }, other[2] = { 1, 3 };
	struct addr a = at("192.0.2.1:1"), b = at("192.0.2.1:2"), c = at("192.0.2.2:1");

	(void)state;
	assert_int_not_equal(addr_hash(key, &a), addr_hash(key, &b));
	assert_int_equal(addr_ip_hash(key, &a), addr_ip_hash(key, &b));
	assert_int_not_equal(addr_ip_hash(key, &a), addr_ip_hash(key, &c));
	assert_int_not_equal(addr_hash(key, &a), addr_hash(other, &a));
}

static void test_masked(void **state)
{
	static const struct {
		const char *addr, *full, *prefix;
	} row[] = {
		{ "203.0.113.77:4000", "203.0.113.77:4000", "203.0.113.0/24" },
		{ "[2001:db8:1:2:3:4:5:6]:4000", "[2001:db8:1:2:3:4:5:6]:4000", "2001:db8:1::/48" },
		{ "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
		  "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "ffff:ffff:ffff::/48" },
	};
	char buf[ADDR_TEXT_LEN];
	struct addr a;

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		assert_int_equal(addr_parse(str_of(row[i].addr), 0, &a), OK);
		assert_string_equal(addr_print_masked(&a, ADDR_MASK_FULL, buf), row[i].full);
		assert_string_equal(addr_print_masked(&a, ADDR_MASK_PREFIX, buf), row[i].prefix);
		assert_string_equal(addr_print_masked(&a, ADDR_MASK_NONE, buf), "-");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_masked),
		cmocka_unit_test(parses_what_it_should_and_refuses_the_rest),
		cmocka_unit_test(zero_byte_inside_the_text_is_refused),
		cmocka_unit_test(reads_only_the_text_given),
		cmocka_unit_test(ip_alone_takes_no_port),
		cmocka_unit_test(none_prints_as_a_dash),
		cmocka_unit_test(socket_addresses_there_and_back),
		cmocka_unit_test(other_socket_families_give_none),
		cmocka_unit_test(equality_knows_port_and_family),
		cmocka_unit_test(classes),
		cmocka_unit_test(none_is_of_no_class),
		cmocka_unit_test(hash_is_siphash_1_3),
		cmocka_unit_test(mac_is_siphash_2_4),
		cmocka_unit_test(ip_hash_ignores_the_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
