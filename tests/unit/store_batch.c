#include "store/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bug.h"

static struct str own(struct str s)
{
	char *p = malloc(s.len + 1);

	assert_non_null(p);
	memcpy(p, s.p, s.len);
	p[s.len] = '\0';
	return (struct str){ p, s.len };
}

/* Names as they come: NUL, quotes, line ends, no UTF-8. */
static const struct str hostile = { "a\0b'\"\r\n\xff;--", 11 };

static struct store_batch *sample(void)
{
	struct store_batch *b = store_batch_new(STR_LIT("node-1"), 1700000000);
	struct store_usage u = { .realm = own(STR_LIT("r")), .user = own(hostile), .period = "2026-11",
				 .rx_bytes = UINT64_MAX, .tx_bytes = 2, .rx_packets = 3, .tx_packets = 4, .sessions = 5, .ttl_s = 99 };
	struct store_record r = { .id = "n.1.2", .user = own(hostile), .client = own(STR_LIT("192.0.2.1:5")),
				  .opened_ms = 7, .closed_ms = 9, .rx_bytes = 11, .dropped = 13 };

	assert_non_null(b);
	b->seq = 42;
	assert_int_equal(store_batch_add_usage(b, &u), OK);
	assert_int_equal(store_batch_add_record(b, &r), OK);
	return b;
}

static void what_goes_in_comes_out(void **state)
{
	struct store_batch *b = sample(), *back;
	uint8_t *buf = NULL;
	size_t len = 0;
	struct rd r;

	(void)state;
	assert_int_equal(store_batch_encode(b, &buf, &len), OK);
	assert_int_equal(store_batch_encode(b, &buf, &len), OK); /* appends */
	r = rd_init(buf, len);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(store_batch_decode(&r, &back), OK);
		assert_int_equal(back->seq, 42);
		assert_int_equal(back->epoch, 1700000000);
		assert_int_equal(back->usage[0].ttl_s, 99);
		assert_true(str_eq(back->from, STR_LIT("node-1")));
		assert_true(str_eq(back->usage[0].user, hostile));
		assert_string_equal(back->usage[0].period, "2026-11");
		assert_true(back->usage[0].rx_bytes == UINT64_MAX);
		assert_int_equal(back->usage[0].sessions, 5);
		assert_string_equal(back->records[0].id, "n.1.2");
		assert_true(str_eq(back->records[0].user, hostile));
		assert_int_equal(back->records[0].closed_ms, 9);
		assert_int_equal(back->records[0].dropped, 13);
		store_batch_free(back);
	}
	assert_int_equal(store_batch_decode(&r, &back), ERR_NOTFOUND);
	store_batch_free(b);
	free(buf);
}

/* A file that a crash cut short, or a disk changed. */
static void damage_is_noticed_wherever_it_is(void **state)
{
	struct store_batch *b = sample(), *back;
	uint8_t *buf = NULL;
	size_t len = 0;

	(void)state;
	assert_int_equal(store_batch_encode(b, &buf, &len), OK);
	for (size_t n = 1; n < len; n++) {
		struct rd r = rd_init(buf, n);

		if (store_batch_decode(&r, &back) != ERR_MALFORMED)
			fail_msg("cut at %zu", n);
	}
	for (size_t i = 0; i < len; i++) {
		struct rd r = rd_init(buf, len);

		buf[i] ^= 0x40;
		if (store_batch_decode(&r, &back) != ERR_MALFORMED)
			fail_msg("changed at %zu", i);
		buf[i] ^= 0x40;
	}
	store_batch_free(b);
	free(buf);
}

static void a_full_one_refuses(void **state)
{
	struct store_batch *b = store_batch_new(STR_LIT("n"), 1);
	struct store_usage u = { .period = "2026-11" };

	(void)state;
	for (int i = 0; i < STORE_BATCH_ROWS; i++)
		assert_int_equal(store_batch_add_usage(b, &u), OK);
	assert_int_equal(store_batch_add_usage(b, &u), ERR_FULL);
	store_batch_free(b);
	store_batch_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_in_comes_out),
		cmocka_unit_test(damage_is_noticed_wherever_it_is),
		cmocka_unit_test(a_full_one_refuses),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
