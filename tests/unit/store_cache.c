#include "store/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/bug.h"

static const uint64_t hash_key[2] = { 3, 4 };
static const uint8_t key[STORE_KEY_LEN] = { 1, 2, 3 };

static struct store_job *ask_for(const char *user)
{
	struct store_job *j = store_job_new(STORE_JOB_KEY, STR_LIT("r"), str_of(user));

	assert_non_null(j);
	return j;
}

static size_t free_all(struct store_job *jobs, enum store_status status)
{
	size_t n = 0;

	while (jobs) {
		struct store_job *next = jobs->next;

		assert_int_equal(jobs->status, status);
		store_job_free(jobs);
		jobs = next;
		n++;
	}
	return n;
}

static void equal_questions_join_and_all_are_answered(void **state)
{
	struct store_cache *c;
	struct store_job *jobs;

	(void)state;
	assert_int_equal(store_cache_new(&c, 1000, hash_key), OK);
	assert_int_equal(store_cache_look(c, ask_for("a"), 0), STORE_CACHE_ASK);
	assert_int_equal(store_cache_look(c, ask_for("a"), 1), STORE_CACHE_JOINED);
	assert_int_equal(store_cache_look(c, ask_for("b"), 1), STORE_CACHE_ASK);
	jobs = store_cache_answer(c, STR_LIT("r"), STR_LIT("a"), STORE_OK, key, 5);
	assert_memory_equal(jobs->key, key, sizeof key);
	assert_int_equal(free_all(jobs, STORE_OK), 2);
	store_cache_free(c); /* with one that still waits */
}

/* The table: an answer at 0, a question later. */
static void answers_live_for_their_time_refusals_too_and_failures_not(void **state)
{
	static const struct {
		enum store_status status;
		tick ttl, at;
		enum store_cache_found found;
	} row[] = {
		{ STORE_OK, 1000, 999, STORE_CACHE_KNOWN },   { STORE_OK, 1000, 1000, STORE_CACHE_ASK },
		{ STORE_NONE, 1000, 999, STORE_CACHE_KNOWN }, { STORE_NONE, 1000, 1000, STORE_CACHE_ASK },
		{ STORE_DOWN, 1000, 1, STORE_CACHE_ASK },     { STORE_REFUSED, 1000, 1, STORE_CACHE_ASK },
		{ STORE_OK, 0, 0, STORE_CACHE_ASK },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct store_job *j = ask_for("a");
		struct store_cache *c;
		enum store_cache_found found;

		assert_int_equal(store_cache_new(&c, row[i].ttl, hash_key), OK);
		assert_int_equal(store_cache_look(c, ask_for("a"), 0), STORE_CACHE_ASK);
		free_all(store_cache_answer(c, STR_LIT("r"), STR_LIT("a"), row[i].status, key, 0), row[i].status);
		found = store_cache_look(c, j, row[i].at);
		if (found != row[i].found)
			fail_msg("row %zu: %d", i, found);
		if (found == STORE_CACHE_KNOWN) {
			assert_int_equal(j->status, row[i].status);
			store_job_free(j);
		}
		store_cache_free(c);
	}
}

static void a_late_answer_finds_nobody(void **state)
{
	struct store_cache *c;

	(void)state;
	assert_int_equal(store_cache_new(&c, 1000, hash_key), OK);
	assert_int_equal(store_cache_look(c, ask_for("a"), 0), STORE_CACHE_ASK);
	free_all(store_cache_answer(c, STR_LIT("r"), STR_LIT("a"), STORE_DOWN, key, 5), STORE_DOWN);
	assert_null(store_cache_answer(c, STR_LIT("r"), STR_LIT("a"), STORE_OK, key, 6));
	store_cache_free(c);
}

static void the_oldest_answer_makes_room_and_questions_do_not(void **state)
{
	struct store_cache *c;
	char name[16];

	(void)state;
	assert_int_equal(store_cache_new(&c, 1000000, hash_key), OK);
	for (int i = 0; i <= STORE_CACHE_MAX; i++) { /* one too many */
		snprintf(name, sizeof name, "u%d", i);
		assert_int_equal(store_cache_look(c, ask_for(name), 0), STORE_CACHE_ASK);
		free_all(store_cache_answer(c, STR_LIT("r"), str_of(name), STORE_OK, key, 0), STORE_OK);
	}
	assert_int_equal(store_cache_look(c, ask_for("u0"), 1), STORE_CACHE_ASK);
	store_cache_forget(c);
	assert_int_equal(store_cache_look(c, ask_for("u5"), 1), STORE_CACHE_ASK);
	store_cache_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_questions_join_and_all_are_answered),
		cmocka_unit_test(answers_live_for_their_time_refusals_too_and_failures_not),
		cmocka_unit_test(a_late_answer_finds_nobody),
		cmocka_unit_test(the_oldest_answer_makes_room_and_questions_do_not),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
