#include "store/delivery.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "store_fake.h"

struct world {
	struct store_link link;
	struct store_delivery *d;
	char dir[64];
	uint64_t applied; /* bytes */
};

static void on_applied(void *arg, const struct store_batch *b)
{
	struct world *w = arg;

	for (size_t i = 0; i < b->n_usage; i++)
		w->applied += b->usage[i].rx_bytes;
}

static void begin(struct world *w, bool with_dir, int64_t epoch)
{
	struct store_delivery_options o = { .link = &w->link, .node = STR_LIT("n"), .epoch = epoch,
					    .applied = on_applied, .arg = w };

	fake_link(&w->link);
	if (with_dir && !w->dir[0]) {
		strcpy(w->dir, "/tmp/taciturn-spool.XXXXXX");
		assert_non_null(mkdtemp(w->dir));
	}
	o.dir = with_dir ? w->dir : NULL;
	assert_int_equal(store_delivery_new(&w->d, &o), OK);
}

static void end(struct world *w)
{
	store_link_close(&w->link);
	store_delivery_free(w->d);
}

/* How many files are left; they and the directory are removed. */
static size_t clean(struct world *w)
{
	DIR *d = opendir(w->dir);
	struct dirent *e;
	char path[400];
	size_t n = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.') {
			snprintf(path, sizeof path, "%s/%s", w->dir, e->d_name);
			unlink(path);
			n++;
		}
	closedir(d);
	rmdir(w->dir);
	return n;
}

static struct store_batch *worth(uint64_t bytes, int64_t epoch)
{
	struct store_batch *b = store_batch_new(STR_LIT("n"), epoch);
	struct store_usage u = { .period = "2026-11", .rx_bytes = bytes };

	assert_int_equal(store_batch_add_usage(b, &u), OK);
	return b;
}

static void one_after_the_other_in_order(void **state)
{
	struct world w = { .d = NULL };

	(void)state;
	begin(&w, false, 1);
	for (uint64_t i = 1; i <= 3; i++)
		store_delivery_put(w.d, worth(i, 1), 0);
	for (uint64_t i = 1; i <= 3; i++) {
		assert_int_equal(fake->n, 1);
		assert_int_equal(fake->op[0]->seq, i);
		assert_int_equal(fake->op[0]->usage[0].rx_bytes, i);
		fake_answer(fake, STORE_OK);
		store_delivery_run(w.d, i);
	}
	assert_int_equal(w.applied, 6);
	assert_int_equal(store_delivery_waiting(w.d), 0);
	end(&w);
}

/* No answer, or a bad one: the same batch goes again under the same number, and nothing overtakes it. */
static void what_is_not_acknowledged_is_sent_again(void **state)
{
	static const enum store_status bad[] = { STORE_DOWN, STORE_REFUSED };
	struct world w = { .d = NULL };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		begin(&w, false, 1);
		w.applied = 0;
		store_delivery_put(w.d, worth(5, 1), 0);
		store_delivery_put(w.d, worth(6, 1), 0);
		fake_answer(fake, bad[i]);
		store_delivery_run(w.d, STORE_DELIVERY_RETRY_MS - 1);
		assert_int_equal(fake->n, 0);
		store_delivery_run(w.d, STORE_DELIVERY_RETRY_MS);
		assert_int_equal(fake->op[0]->seq, 1);
		fake_answer(fake, STORE_OK);
		store_delivery_run(w.d, 2000);
		assert_int_equal(fake->op[0]->seq, 2);
		fake_answer(fake, STORE_OK);
		assert_int_equal(w.applied, 11);
		end(&w);
	}
}

static void an_answer_that_comes_late_counts_once(void **state)
{
	struct world w = { .d = NULL };

	(void)state;
	begin(&w, false, 1);
	store_delivery_put(w.d, worth(5, 1), 0);
	store_delivery_run(w.d, STORE_DELIVERY_ANSWER_MS + 1); /* given up, and still with the backend */
	store_delivery_run(w.d, STORE_DELIVERY_ANSWER_MS * 3);
	assert_int_equal(fake->n_started, 1);
	fake_answer(fake, STORE_OK);
	store_delivery_run(w.d, STORE_DELIVERY_ANSWER_MS * 4);
	assert_int_equal(fake->n_started, 1);
	assert_int_equal(w.applied, 5);
	end(&w);
}

static void without_a_directory_what_is_too_much_is_lost_and_counted(void **state)
{
	struct world w = { .d = NULL };

	(void)state;
	begin(&w, false, 1);
	fake_set_up(fake, false);
	for (int i = 0; i < STORE_DELIVERY_BATCHES + 7; i++)
		store_delivery_put(w.d, worth(1, 1), 0);
	assert_int_equal(store_delivery_waiting(w.d), STORE_DELIVERY_BATCHES);
	assert_int_equal(store_delivery_lost(w.d), 7);
	end(&w);
}

/* An outage longer than memory, with what goes on being told while it is made up for. */
static void with_a_directory_nothing_is_lost_and_the_order_is_kept(void **state)
{
	struct world w = { .d = NULL };
	const uint64_t n = STORE_DELIVERY_BATCHES + 50;
	uint64_t told = n;

	(void)state;
	begin(&w, true, 1);
	fake_set_up(fake, false);
	for (uint64_t i = 1; i <= n; i++)
		store_delivery_put(w.d, worth(i, 1), 0);
	assert_int_equal(store_delivery_lost(w.d), 0);
	assert_int_equal(store_delivery_waiting(w.d), n);
	fake_set_up(fake, true);
	store_delivery_run(w.d, 5000);
	for (uint64_t seq = 1; seq <= told; seq++) {
		assert_int_equal(fake->n, 1);
		assert_int_equal(fake->op[0]->seq, seq);
		assert_int_equal(fake->op[0]->usage[0].rx_bytes, seq);
		if (seq % 100 == 0 && told < n + 10)
			store_delivery_put(w.d, worth(++told, 1), 5000);
		fake_answer(fake, STORE_OK);
		store_delivery_run(w.d, 5000);
	}
	assert_int_equal(w.applied, told * (told + 1) / 2);
	assert_int_equal(store_delivery_waiting(w.d), 0);
	end(&w);
	assert_int_equal(clean(&w), 0);
}

static void what_is_left_at_the_end_comes_after_a_restart_under_its_old_number(void **state)
{
	struct world w = { .d = NULL };

	(void)state;
	begin(&w, true, 1);
	store_delivery_put(w.d, worth(1, 1), 0); /* under way: it may have been applied */
	store_delivery_put(w.d, worth(2, 1), 0);
	end(&w);
	begin(&w, true, 2);
	assert_int_equal(store_delivery_waiting(w.d), 2);
	store_delivery_run(w.d, 10);
	for (uint64_t i = 1; i <= 2; i++) {
		assert_int_equal(fake->op[0]->epoch, 1);
		assert_int_equal(fake->op[0]->seq, i);
		assert_int_equal(fake->op[0]->usage[0].rx_bytes, i);
		fake_answer(fake, STORE_OK);
		store_delivery_run(w.d, 10);
	}
	store_delivery_put(w.d, worth(3, 2), 10);
	assert_int_equal(fake->op[0]->epoch, 2);
	assert_int_equal(fake->op[0]->seq, 1);
	fake_answer(fake, STORE_OK);
	end(&w);
	assert_int_equal(clean(&w), 0);
}

static void a_damaged_file_is_put_aside_and_the_rest_goes_on(void **state)
{
	struct world w = { .d = NULL };
	char path[128];
	FILE *f;

	(void)state;
	begin(&w, true, 5);
	end(&w);
	snprintf(path, sizeof path, "%s/fake.3.0", w.dir);
	f = fopen(path, "w");
	fputs("no batch at all", f);
	fclose(f);
	begin(&w, true, 6);
	store_delivery_put(w.d, worth(9, 6), 0);
	fake_answer(fake, STORE_OK);
	store_delivery_run(w.d, 5);
	assert_int_equal(w.applied, 9);
	end(&w);
	assert_int_equal(clean(&w), 1); /* fake.3.0.damaged */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_after_the_other_in_order),
		cmocka_unit_test(what_is_not_acknowledged_is_sent_again),
		cmocka_unit_test(an_answer_that_comes_late_counts_once),
		cmocka_unit_test(without_a_directory_what_is_too_much_is_lost_and_counted),
		cmocka_unit_test(with_a_directory_nothing_is_lost_and_the_order_is_kept),
		cmocka_unit_test(what_is_left_at_the_end_comes_after_a_restart_under_its_old_number),
		cmocka_unit_test(a_damaged_file_is_put_aside_and_the_rest_goes_on),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
