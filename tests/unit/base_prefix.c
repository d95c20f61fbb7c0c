#include <stdbool.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The source itself, with memory that can be made to run out. */
static bool no_memory;

static void *scarce_reallocarray(void *p, size_t n, size_t size)
{
	return no_memory ? NULL : reallocarray(p, n, size);
}

#define reallocarray scarce_reallocarray
#include "base/prefix.c"
#undef reallocarray

static struct addr at(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(str_of(text), 0, &a), OK);
	return a;
}

static void parses_addresses_prefixes_and_spans(void **state)
{
	static const struct {
		const char *text, *from, *to; /* from NULL: refused */
	} row[] = {
		{ "192.0.2.1", "192.0.2.1", "192.0.2.1" },
		{ "192.0.2.1/32", "192.0.2.1", "192.0.2.1" },
		{ "192.0.2.1/24", "192.0.2.0", "192.0.2.255" },
		{ "192.0.2.129/25", "192.0.2.128", "192.0.2.255" },
		{ "192.0.2.1/31", "192.0.2.0", "192.0.2.1" },
		{ "172.16.0.0/12", "172.16.0.0", "172.31.255.255" },
		{ "100.64.0.0/10", "100.64.0.0", "100.127.255.255" },
		{ "1.2.3.4/0", "0.0.0.0", "255.255.255.255" },
		{ "2001:db8::/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "2001:db8::1/128", "2001:db8::1", "2001:db8::1" },
		{ "::1/127", "::", "::1" },
		{ "::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "fe80::1/10", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "10.0.0.1-10.0.0.9", "10.0.0.1", "10.0.0.9" },
		{ "10.0.0.1-10.0.0.1", "10.0.0.1", "10.0.0.1" },
		{ "2001:db8::1-2001:db8::ff", "2001:db8::1", "2001:db8::ff" },
		{ "", NULL, NULL },
		{ "/", NULL, NULL },
		{ "-", NULL, NULL },
		{ "/8", NULL, NULL },
		{ "10.0.0.0/", NULL, NULL },
		{ "10.0.0.0/33", NULL, NULL },
		{ "10.0.0.0/-1", NULL, NULL },
		{ "10.0.0.0/08", NULL, NULL },
		{ "10.0.0.0/8x", NULL, NULL },
		{ "10.0.0.0/8 ", NULL, NULL },
		{ "10.0.0.0/4294967304", NULL, NULL },
		{ "10.0.0.0/255.0.0.0", NULL, NULL },
		{ "10/8", NULL, NULL },
		{ "2001:db8::/129", NULL, NULL },
		{ "10.0.0.1-", NULL, NULL },
		{ "-10.0.0.1", NULL, NULL },
		{ "10.0.0.9-10.0.0.1", NULL, NULL },
		{ "10.0.0.1-2001:db8::1", NULL, NULL },
		{ "10.0.0.1-10.0.0.2-10.0.0.3", NULL, NULL },
		{ "10.0.0.0/8-10.0.0.9", NULL, NULL },
		{ "10.0.0.1:80", NULL, NULL },
		{ "example.org", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct prefix_range before, r;
		struct addr from, to;
		enum err e;

		memset(&before, 0xa5, sizeof before);
		r = before;
		e = prefix_parse(str_of(row[i].text), &r);
		if (e != (row[i].from ? OK : ERR_MALFORMED))
			fail_msg("\"%s\" gave: %s", row[i].text, err_text(e));
		if (!row[i].from) {
			assert_memory_equal(&r, &before, sizeof r);
			continue;
		}
		from = at(row[i].from);
		to = at(row[i].to);
		if (!addr_eq(&r.from, &from) || !addr_eq(&r.to, &to))
			fail_msg("\"%s\" gave another range", row[i].text);
	}
}

static void range_includes_its_ends_and_no_more(void **state)
{
	static const struct {
		const char *range, *addr;
		bool in;
	} row[] = {
		{ "10.1.2.0/24", "10.1.1.255", false },
		{ "10.1.2.0/24", "10.1.2.0", true },
		{ "10.1.2.0/24", "10.1.2.255:4000", true },
		{ "10.1.2.0/24", "10.1.3.0", false },
		{ "10.0.0.250-10.0.1.5", "10.0.0.249", false },
		{ "10.0.0.250-10.0.1.5", "10.0.1.0", true },
		{ "10.0.0.250-10.0.1.5", "10.0.1.6", false },
		{ "0.0.0.0/0", "255.255.255.255", true },
		{ "0.0.0.0/0", "::", false },
		{ "::/0", "0.0.0.0", false },
		{ "::/0", "[ffff::1]:9", true },
		{ "::/0", "::ffff:10.0.0.1", true },
		{ "10.0.0.0/8", "::ffff:10.0.0.1", false },
		{ "2001:db8::/32", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", false },
		{ "2001:db8::/32", "2001:db9::", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct addr a = at(row[i].addr);
		struct prefix_range r;

		assert_int_equal(prefix_parse(str_of(row[i].range), &r), OK);
		if (prefix_range_has(&r, &a) != row[i].in)
			fail_msg("%s in %s", row[i].addr, row[i].range);
	}
}

static void add(struct prefix_set *set, const char *text)
{
	struct prefix_range r;

	assert_int_equal(prefix_parse(str_of(text), &r), OK);
	assert_int_equal(prefix_add(set, &r), OK);
}

static void set_grows_keeps_its_order_and_finds_any_member(void **state)
{
	struct prefix_set set = { 0 };
	struct addr in = at("10.77.0.3"), out = at("10.200.0.1");
	struct addr none = { .family = ADDR_NONE };
	char text[32];

	(void)state;
	assert_false(prefix_has(&set, &in));
	for (int i = 99; i >= 0; i--) {
		snprintf(text, sizeof text, "10.%d.0.0/16", i);
		add(&set, text);
	}
	assert_int_equal(set.n, 100);
	assert_int_equal(set.ranges[0].from.ip[1], 99);
	assert_int_equal(set.ranges[99].from.ip[1], 0);
	assert_true(prefix_has(&set, &in));
	assert_false(prefix_has(&set, &out));
	assert_false(prefix_has(&set, &none));
	prefix_fini(&set);
	assert_false(prefix_has(&set, &in));
	add(&set, "10.77.0.0/16");
	assert_true(prefix_has(&set, &in));
	prefix_fini(&set);
}

static void without_memory_the_set_stays_as_it_was(void **state)
{
	struct prefix_set set = { 0 };
	struct addr a = at("10.0.0.1"), b = at("10.0.0.2");
	struct prefix_range r = { b, b };

	(void)state;
	no_memory = true;
	assert_int_equal(prefix_add(&set, &r), ERR_NOMEM);
	no_memory = false;
	assert_int_equal(set.n, 0);
	while (set.n == 0 || set.n < set.cap)
		add(&set, "10.0.0.1");
	no_memory = true;
	assert_int_equal(prefix_add(&set, &r), ERR_NOMEM);
	no_memory = false;
	assert_true(prefix_has(&set, &a));
	assert_false(prefix_has(&set, &b));
	prefix_fini(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_addresses_prefixes_and_spans),
		cmocka_unit_test(range_includes_its_ends_and_no_more),
		cmocka_unit_test(set_grows_keeps_its_order_and_finds_any_member),
		cmocka_unit_test(without_memory_the_set_stays_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
