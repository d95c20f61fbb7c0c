#include "store/spool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bug.h"

static char dir[64];

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/taciturn-spool.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	return system(command);
}

static size_t n_files(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	size_t n = 0;

	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static struct store_spool *begin(int64_t epoch)
{
	struct store_spool *s = NULL;

	assert_int_equal(store_spool_open(&s, dir, "redis", epoch), OK);
	store_spool_scan(s);
	return s;
}

static void put(struct store_spool *s, int64_t epoch, uint64_t seq)
{
	struct store_batch *b = store_batch_new(STR_LIT("n"), epoch);
	struct store_usage u = { .period = "2026-11", .rx_bytes = seq };

	b->seq = seq;
	assert_int_equal(store_batch_add_usage(b, &u), OK);
	assert_int_equal(store_spool_put(s, b), OK);
	store_batch_free(b);
}

/* The next batch is that one; it is done with when `done`. */
static void expect(struct store_spool *s, int64_t epoch, uint64_t seq, bool done)
{
	struct store_batch *b = NULL;

	assert_int_equal(store_spool_get(s, &b), OK);
	assert_int_equal(b->epoch, epoch);
	assert_int_equal(b->seq, seq);
	assert_int_equal(b->usage[0].rx_bytes, seq);
	store_batch_free(b);
	if (done)
		store_spool_done(s);
}

static void expect_none(struct store_spool *s)
{
	struct store_batch *b = NULL;

	assert_int_equal(store_spool_get(s, &b), ERR_NOTFOUND);
	assert_int_equal(store_spool_rows(s), 0);
}

static void in_order_and_the_file_goes_when_it_is_read(void **state)
{
	struct store_spool *s = begin(1);

	(void)state;
	expect_none(s);
	for (uint64_t i = 1; i <= 3; i++)
		put(s, 1, i);
	assert_int_equal(store_spool_rows(s), 3);
	expect(s, 1, 1, false);
	expect(s, 1, 1, true); /* the same until it is done with */
	expect(s, 1, 2, true);
	put(s, 1, 4); /* while it is read */
	expect(s, 1, 3, true);
	expect(s, 1, 4, true);
	expect_none(s);
	put(s, 1, 5); /* begun anew */
	expect(s, 1, 5, true);
	expect_none(s);
	store_spool_close(s);
	assert_int_equal(n_files(), 0);
}

static void what_a_process_left_is_read_first_oldest_first(void **state)
{
	struct store_spool *s;

	(void)state;
	for (int64_t epoch = 20; epoch >= 10; epoch -= 10) {
		assert_int_equal(store_spool_open(&s, dir, "redis", epoch), OK); /* does not look for others */
		put(s, epoch, 1);
		put(s, epoch, 2);
		store_spool_close(s);
	}
	assert_int_equal(n_files(), 2);
	s = begin(30);
	put(s, 30, 1);
	assert_int_equal(store_spool_rows(s), 5);
	expect(s, 10, 1, true);
	expect(s, 10, 2, true);
	expect(s, 20, 1, true);
	expect(s, 20, 2, true);
	expect(s, 30, 1, true);
	expect_none(s);
	store_spool_close(s);
	assert_int_equal(n_files(), 0);
}

static void a_file_of_a_living_process_is_left_alone(void **state)
{
	struct store_spool *a = begin(1), *b;

	(void)state;
	put(a, 1, 1);
	b = begin(2);
	expect_none(b);
	put(b, 2, 1);
	store_spool_scan(a);
	expect(a, 1, 1, true);
	expect_none(a);
	store_spool_close(b);
	store_spool_scan(a); /* and is found once it is gone */
	expect(a, 2, 1, true);
	expect_none(a);
	store_spool_close(a);
	assert_int_equal(n_files(), 0);
}

static void two_that_find_the_same_file_do_not_both_read_it(void **state)
{
	struct store_spool *s = begin(1), *a, *b;

	(void)state;
	put(s, 1, 1);
	store_spool_close(s);
	a = begin(2);
	b = begin(3);
	expect_none(b);
	expect(a, 1, 1, true);
	expect_none(a);
	store_spool_close(a);
	store_spool_close(b);
	assert_int_equal(n_files(), 0);
}

static void another_databases_files_are_not_ours(void **state)
{
	struct store_spool *s = NULL, *other = NULL;

	(void)state;
	assert_int_equal(store_spool_open(&other, dir, "red", 1), OK);
	put(other, 1, 1);
	store_spool_close(other);
	s = begin(2);
	expect_none(s);
	store_spool_close(s);
	assert_int_equal(n_files(), 1);
}

/* A write that a crash cut off, and a bit that a disk turned. */
static void damage_is_put_aside_and_the_rest_goes_on(void **state)
{
	struct store_spool *s;
	char path[100];
	struct stat st;
	int fd;

	(void)state;
	for (int64_t epoch = 1; epoch <= 2; epoch++) {
		assert_int_equal(store_spool_open(&s, dir, "redis", epoch), OK); /* does not look for others */
		put(s, epoch, 1);
		put(s, epoch, 2);
		store_spool_close(s);
	}
	snprintf(path, sizeof path, "%s/redis.1", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - 1), 0);
	snprintf(path, sizeof path, "%s/redis.2", dir);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "x", 1, st.st_size / 2 + 20), 1);
	close(fd);
	s = begin(3);
	assert_int_equal(store_spool_rows(s), 2);
	expect(s, 1, 1, true);
	expect(s, 2, 1, true);
	expect_none(s);
	assert_int_equal(store_spool_damaged(s), 2);
	store_spool_close(s);
	assert_int_equal(n_files(), 2); /* .damaged */
}

static void a_directory_that_cannot_be_used_is_said(void **state)
{
	struct store_spool *s = NULL;

	(void)state;
	assert_int_equal(store_spool_open(&s, "/nonexistent/dir", "redis", 1), ERR_SYS);
	assert_int_equal(errno, ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(in_order_and_the_file_goes_when_it_is_read, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(what_a_process_left_is_read_first_oldest_first, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_file_of_a_living_process_is_left_alone, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(two_that_find_the_same_file_do_not_both_read_it, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(another_databases_files_are_not_ours, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(damage_is_put_aside_and_the_rest_goes_on, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_directory_that_cannot_be_used_is_said, make_dir, remove_dir),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
