/* Strangers per source: an IPv4 address, an IPv6 /64. */
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/crowd.h"

enum { MAX = 3 };

static bool next_calloc_fails;

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
	if (!next_calloc_fails)
		return __real_calloc(n, size);
	next_calloc_fails = false;
	return NULL;
}

static struct addr at(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(str_of(text), 0, &a), OK);
	return a;
}

static struct relay_prefix *enter(struct relay_crowd *c, const char *text)
{
	const struct addr a = at(text);

	return relay_crowd_enter(c, &a);
}

static void setup(struct relay_crowd *c)
{
	static const uint64_t key[2] = { 1, 2 };

	relay_crowd_init(c, key, MAX);
}

static void a_source_may_have_so_many_and_no_more(void **state)
{
	static const char *const sources[][MAX + 1] = {
		{ "192.0.2.1:1", "192.0.2.1:2", "192.0.2.1:3", "192.0.2.1:4" },
		{ "192.0.2.2:1", "192.0.2.2:1", "192.0.2.2:1", "192.0.2.2:9" },
		{ "[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8:0:0:ff::]:3", "[2001:db8::4]:4" },
		{ "[2001:db8:0:1::1]:1", "[2001:db8:0:1::2]:1", "[2001:db8:0:1::]:3", "[2001:db8:0:1::4]:4" },
	};
	struct relay_prefix *in[4][MAX];
	struct relay_crowd c;

	(void)state;
	setup(&c);
	for (int s = 0; s < 4; s++) {
		for (int i = 0; i < MAX; i++)
			assert_non_null(in[s][i] = enter(&c, sources[s][i]));
		assert_null(enter(&c, sources[s][MAX]));
	}
	assert_int_equal(c.n, 4 * MAX);
	relay_crowd_leave(&c, &in[0][0]);
	assert_null(in[0][0]);
	relay_crowd_leave(&c, &in[0][0]); /* nobody leaves twice */
	assert_int_equal(c.n, 4 * MAX - 1);
	assert_non_null(in[0][0] = enter(&c, sources[0][MAX]));
	assert_null(enter(&c, sources[1][MAX]));
	for (int s = 0; s < 4; s++)
		for (int i = 0; i < MAX; i++)
			relay_crowd_leave(&c, &in[s][i]);
	assert_int_equal(c.n, 0);
	relay_crowd_fini(&c);
}

static void without_memory_nobody_enters(void **state)
{
	struct relay_crowd c;
	struct relay_prefix *p;

	(void)state;
	setup(&c);
	next_calloc_fails = true;
	assert_null(enter(&c, "192.0.2.1:1"));
	assert_int_equal(c.n, 0);
	assert_non_null(p = enter(&c, "192.0.2.1:1"));
	relay_crowd_leave(&c, &p);
	relay_crowd_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_source_may_have_so_many_and_no_more),
		cmocka_unit_test(without_memory_nobody_enters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
