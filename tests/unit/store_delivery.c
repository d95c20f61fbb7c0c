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
	struct net_loop *loop;
	struct store_neighbour *neighbour;
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
					    .hash_key = { 1, 2 }, .applied = on_applied, .arg = w };

	fake_link(&w->link);
	assert_int_equal(net_loop_new(&w->loop), OK);
	if (with_dir && !w->dir[0]) {
		strcpy(w->dir, "/tmp/taciturn-spool.XXXXXX");
		assert_non_null(mkdtemp(w->dir));
	}
	if (with_dir) {
		assert_int_equal(store_neighbour_new(&w->neighbour, w->loop), OK);
		o.dir = w->dir;
		o.neighbour = w->neighbour;
	}
	assert_int_equal(store_delivery_new(&w->d, &o), OK);
}

static void end(struct world *w)
{
	store_link_close(&w->link);
	store_neighbour_free(w->neighbour);
	w->neighbour = NULL;
	store_delivery_free(w->d);
	net_loop_free(w->loop);
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

static void relayed(struct world *w, unsigned user, uint64_t bytes)
{
	char name[16];
	struct store_usage u = { .realm = STR_LIT("r"), .period = "2026-11", .rx_bytes = bytes };

	snprintf(name, sizeof name, "u%u", user);
	u.user = str_of(name);
	store_delivery_add_usage(w->d, &u);
}

static void ended(struct world *w, unsigned n)
{
	struct store_record r = { .realm = STR_LIT("r"), .user = STR_LIT("u") };

	snprintf(r.id, sizeof r.id, "n.1.%u", n);
	store_delivery_add_record(w->d, &r);
}

/* All that was added may go. */
static void go(struct world *w, tick now)
{
	store_delivery_flush(w->d);
	store_delivery_run(w->d, now);
}

/* Turns the loop until something is under way, from memory or by way of the neighbour. False: nothing waits. */
static bool until_sent(struct world *w, tick now)
{
	store_delivery_run(w->d, now);
	while (!fake->n && store_delivery_waiting(w->d)) {
		assert_int_equal(net_loop_turn(w->loop), OK);
		store_delivery_run(w->d, now);
	}
	return fake->n;
}

static void what_is_added_in_a_second_goes_together(void **state)
{
	struct world w = { .d = NULL };

	(void)state;
	begin(&w, false, 1);
	for (unsigned i = 0; i < 10; i++) {
		relayed(&w, i % 2, i);
		store_delivery_run(w.d, 0);
	}
	assert_int_equal(fake->n_started, 0);
	go(&w, 10);
	assert_int_equal(fake->n, 1);
	assert_int_equal(fake->op[0]->n_usage, 2);
	assert_int_equal(fake->op[0]->usage[0].rx_bytes + fake->op[0]->usage[1].rx_bytes, 45);
	relayed(&w, 7, 1); /* in time for the next one only */
	fake_answer(fake, STORE_OK);
	assert_int_equal(fake->n, 0);
	assert_int_equal(w.applied, 45);
	assert_int_equal(store_delivery_waiting(w.d), 1);
	go(&w, 20);
	fake_answer(fake, STORE_OK);
	assert_int_equal(store_delivery_waiting(w.d), 0);
	end(&w);
}

static void one_after_the_other_and_numbered(void **state)
{
	struct world w = { .d = NULL };

	(void)state;
	begin(&w, false, 1);
	for (unsigned i = 0; i < 3 * STORE_BATCH_ROWS; i++)
		relayed(&w, i, 1);
	go(&w, 0);
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(fake->n, 1);
		assert_int_equal(fake->op[0]->seq, i);
		assert_true(str_eq(fake->op[0]->node, STR_LIT("n")));
		assert_int_equal(fake->op[0]->n_usage, STORE_BATCH_ROWS);
		fake_answer(fake, STORE_OK);
	}
	assert_int_equal(fake->n, 0);
	assert_int_equal(w.applied, 3 * STORE_BATCH_ROWS);
	end(&w);
}

static void records_and_usage_take_turns(void **state)
{
	struct world w = { .d = NULL };
	unsigned n_usage = 0, n_records = 0;

	(void)state;
	begin(&w, false, 1);
	for (unsigned i = 0; i < 2 * STORE_BATCH_ROWS; i++) {
		relayed(&w, i, 1);
		ended(&w, i);
	}
	go(&w, 0);
	for (unsigned i = 0; i < 4; i++) {
		n_usage += fake->op[0]->kind == STORE_USAGE;
		n_records += fake->op[0]->kind == STORE_RECORD;
		assert_true(n_usage <= n_records + 1 && n_records <= n_usage + 1);
		fake_answer(fake, STORE_OK);
	}
	assert_int_equal(n_usage, 2);
	assert_int_equal(n_records, 2);
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
		relayed(&w, 1, 5);
		go(&w, 0);
		relayed(&w, 1, 6);
		fake_answer(fake, bad[i]);
		go(&w, STORE_DELIVERY_RETRY_MS - 1);
		assert_int_equal(fake->n, 0);
		go(&w, STORE_DELIVERY_RETRY_MS);
		assert_int_equal(fake->op[0]->seq, 1);
		assert_int_equal(fake->op[0]->usage[0].rx_bytes, 5);
		fake_answer(fake, STORE_OK);
		go(&w, 2000);
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
	relayed(&w, 1, 5);
	go(&w, 0);
	store_delivery_run(w.d, STORE_DELIVERY_ANSWER_MS + 1); /* given up, and still with the backend */
	store_delivery_run(w.d, STORE_DELIVERY_ANSWER_MS * 3);
	assert_int_equal(fake->n_started, 1);
	fake_answer(fake, STORE_OK);
	store_delivery_run(w.d, STORE_DELIVERY_ANSWER_MS * 4);
	assert_int_equal(fake->n_started, 1);
	assert_int_equal(w.applied, 5);
	end(&w);
}

/* An hour without the database, a report a second: what waits is a row for each user. */
static void an_outage_of_any_length_makes_no_more_of_usage(void **state)
{
	struct world w = { .d = NULL };

	(void)state;
	begin(&w, false, 1);
	fake_set_up(fake, false);
	for (unsigned s = 0; s < 3600; s++) {
		for (unsigned u = 0; u < 20; u++)
			relayed(&w, u, 1);
		go(&w, s * 1000);
	}
	assert_int_equal(store_delivery_waiting(w.d), 20);
	assert_int_equal(store_delivery_lost(w.d), 0);
	fake_set_up(fake, true);
	go(&w, 3600 * 1000);
	fake_answer(fake, STORE_OK);
	assert_int_equal(w.applied, 3600 * 20);
	end(&w);
}

static void without_a_directory_what_is_too_much_is_lost_and_counted(void **state)
{
	struct world w = { .d = NULL };

	(void)state;
	begin(&w, false, 1);
	fake_set_up(fake, false);
	for (unsigned i = 0; i < STORE_USAGE_ROWS + 7; i++)
		relayed(&w, i, 1);
	relayed(&w, 3, 1); /* who is known still adds up */
	assert_int_equal(store_delivery_waiting(w.d), STORE_USAGE_ROWS);
	assert_int_equal(store_delivery_lost(w.d), 7);
	for (unsigned i = 0; i < STORE_DELIVERY_RECORDS + 5; i++)
		ended(&w, i);
	assert_int_equal(store_delivery_waiting(w.d), STORE_USAGE_ROWS + STORE_DELIVERY_RECORDS);
	assert_int_equal(store_delivery_lost(w.d), 7 + 5);
	end(&w);
}

/* More than memory takes, and what goes on being told while it is made up for. */
static void with_a_directory_nothing_is_lost(void **state)
{
	const unsigned more = 3 * STORE_BATCH_ROWS;
	uint64_t seq[2] = { 0, 0 };
	struct world w = { .d = NULL };

	(void)state;
	begin(&w, true, 1);
	fake_set_up(fake, false);
	for (unsigned i = 0; i < STORE_USAGE_ROWS + more; i++)
		relayed(&w, i, 1);
	assert_int_equal(store_delivery_waiting(w.d), STORE_USAGE_ROWS + more);
	fake_set_up(fake, true);
	go(&w, 5000);
	while (until_sent(&w, 5000)) {
		bool is_filed = str_eq(fake->op[0]->node, STR_LIT("n~"));

		assert_true(is_filed || str_eq(fake->op[0]->node, STR_LIT("n")));
		assert_int_equal(fake->op[0]->seq, ++seq[is_filed]);
		if (seq[0] == 2 && !is_filed)
			relayed(&w, 1, 1000000);
		fake_answer(fake, STORE_OK);
		go(&w, 5000);
	}
	assert_int_equal(seq[1], 3);
	assert_int_equal(w.applied, STORE_USAGE_ROWS + more + 1000000);
	assert_int_equal(store_delivery_lost(w.d), 0);
	end(&w);
	assert_int_equal(clean(&w), 0);
}

/* The disk does not keep up: who has no place is lost, and none of those who have one. */
static void a_slow_disk_loses_no_more_than_there_is_no_room_for(void **state)
{
	const unsigned room = STORE_DELIVERY_FILING * STORE_BATCH_ROWS;
	struct world w = { .d = NULL };

	(void)state;
	begin(&w, true, 1);
	fake_set_up(fake, false);
	for (unsigned i = 0; i < STORE_USAGE_ROWS + room; i++)
		relayed(&w, i, 1);
	for (unsigned i = 0; i < STORE_DELIVERY_RECORDS; i++)
		ended(&w, i);
	assert_int_equal(store_delivery_lost(w.d), 0);
	for (unsigned i = 0; i < 3; i++) /* the loop does not turn: nobody hears that a batch is on the disk */
		relayed(&w, STORE_USAGE_ROWS + room + i, 1);
	assert_int_equal(store_delivery_lost(w.d), 3);
	ended(&w, STORE_DELIVERY_RECORDS);
	assert_int_equal(store_delivery_lost(w.d), 4);
	relayed(&w, STORE_USAGE_ROWS + room - 1, 1); /* who has a place */
	assert_int_equal(store_delivery_lost(w.d), 4);
	end(&w);
	clean(&w);
}

static void what_is_left_at_the_end_comes_after_a_restart_under_its_old_number(void **state)
{
	struct world w = { .d = NULL };

	(void)state;
	begin(&w, true, 1);
	relayed(&w, 1, 1);
	go(&w, 0); /* under way: it may have been applied */
	relayed(&w, 1, 2);
	ended(&w, 1);
	end(&w);
	begin(&w, true, 2);
	store_delivery_run(w.d, 10);
	while (!fake->n) { /* until the first look into the directory */
		assert_int_equal(net_loop_turn(w.loop), OK);
		store_delivery_run(w.d, 10);
	}
	assert_true(str_eq(fake->op[0]->node, STR_LIT("n")));
	assert_int_equal(fake->op[0]->usage[0].rx_bytes, 1);
	for (unsigned i = 1; i <= 3; i++) {
		assert_true(until_sent(&w, 10));
		assert_int_equal(fake->op[0]->epoch, 1);
		assert_int_equal(fake->op[0]->seq, i == 1 ? 1 : i - 1);
		assert_int_equal(fake->op[0]->kind, i == 3 ? STORE_RECORD : STORE_USAGE);
		fake_answer(fake, STORE_OK);
	}
	relayed(&w, 1, 3);
	go(&w, 10);
	assert_true(until_sent(&w, 10));
	assert_int_equal(fake->op[0]->epoch, 2);
	assert_int_equal(fake->op[0]->seq, 1);
	fake_answer(fake, STORE_OK);
	assert_int_equal(w.applied, 6);
	end(&w);
	assert_int_equal(clean(&w), 0);
}

/* A disk that is full loses what is beyond memory, and says so. */
static void a_directory_that_goes_away_is_a_loss_that_is_counted(void **state)
{
	struct world w = { .d = NULL };

	(void)state;
	begin(&w, true, 1);
	fake_set_up(fake, false);
	assert_int_equal(rmdir(w.dir), 0);
	for (unsigned i = 0; i < STORE_USAGE_ROWS + 1; i++)
		relayed(&w, i, 1);
	while (!store_delivery_lost(w.d))
		assert_int_equal(net_loop_turn(w.loop), OK);
	assert_int_equal(store_delivery_lost(w.d), STORE_BATCH_ROWS);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_added_in_a_second_goes_together),
		cmocka_unit_test(one_after_the_other_and_numbered),
		cmocka_unit_test(records_and_usage_take_turns),
		cmocka_unit_test(what_is_not_acknowledged_is_sent_again),
		cmocka_unit_test(an_answer_that_comes_late_counts_once),
		cmocka_unit_test(an_outage_of_any_length_makes_no_more_of_usage),
		cmocka_unit_test(without_a_directory_what_is_too_much_is_lost_and_counted),
		cmocka_unit_test(with_a_directory_nothing_is_lost),
		cmocka_unit_test(a_slow_disk_loses_no_more_than_there_is_no_room_for),
		cmocka_unit_test(what_is_left_at_the_end_comes_after_a_restart_under_its_old_number),
		cmocka_unit_test(a_directory_that_goes_away_is_a_loss_that_is_counted),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
