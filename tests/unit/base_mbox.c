#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The source itself, with memory that can be made to run out. */
static int n_callocs = 1000; /* that many succeed */

static void *scarce_calloc(size_t n, size_t size)
{
	return n_callocs-- > 0 ? calloc(n, size) : NULL;
}

#define calloc scarce_calloc
#include "base/mbox.c"
#undef calloc

enum {
	N_SENDERS = 4,
	PER_SENDER = 5000,
	CAP = 16,
	WAIT_MS = 20000, /* nobody waits as long unless something is broken */
};

static bool readable(const struct mbox *m, int wait_ms)
{
	struct pollfd p = { .fd = mbox_fd(m), .events = POLLIN };

	return poll(&p, 1, wait_ms) == 1 && (p.revents & POLLIN);
}

static void keeps_order_and_refuses_when_full(void **state)
{
	struct mbox *m;
	uint32_t v, next = 0;

	(void)state;
	assert_int_equal(mbox_new(&m, sizeof v, 3), OK);
	for (uint32_t round = 0; round < 10; round++) { /* around the ring's end too */
		for (v = 0; v < 3; v++)
			assert_int_equal(mbox_send(m, &(uint32_t){ round * 3 + v }), OK);
		assert_int_equal(mbox_send(m, &(uint32_t){ 999 }), ERR_FULL);
		for (int i = 0; i < 3; i++, next++) {
			assert_int_equal(mbox_recv(m, &v), OK);
			assert_int_equal(v, next);
		}
		v = 77;
		assert_int_equal(mbox_recv(m, &v), ERR_NOTFOUND);
		assert_int_equal(v, 77);
	}
	mbox_free(m);
}

static void readable_exactly_while_messages_wait(void **state)
{
	struct mbox *m;
	char c = 'x';

	(void)state;
	assert_int_equal(mbox_new(&m, 1, 2), OK);
	assert_false(readable(m, 0));
	assert_int_equal(mbox_send(m, &c), OK);
	assert_true(readable(m, 0));
	assert_int_equal(mbox_send(m, &c), OK);
	assert_int_equal(mbox_send(m, &c), ERR_FULL);
	assert_int_equal(mbox_recv(m, &c), OK);
	assert_true(readable(m, 0));
	assert_int_equal(mbox_recv(m, &c), OK);
	assert_false(readable(m, 0));
	assert_int_equal(mbox_recv(m, &c), ERR_NOTFOUND);
	assert_false(readable(m, 0));
	assert_int_equal(mbox_send(m, &c), OK);
	assert_true(readable(m, 0));
	mbox_free(m);
}

static void messages_of_any_size_arrive_whole(void **state)
{
	static const size_t sizes[] = { 1, 3, 20, 1500 };
	uint8_t in[1500], out[1500];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct mbox *m;

		assert_int_equal(mbox_new(&m, sizes[i], 5), OK);
		for (int k = 0; k < 13; k++) {
			memset(in, k, sizeof in);
			memset(out, 0xee, sizeof out);
			assert_int_equal(mbox_send(m, in), OK);
			assert_int_equal(mbox_recv(m, out), OK);
			assert_memory_equal(in, out, sizes[i]);
			assert_true(sizes[i] == sizeof out || out[sizes[i]] == 0xee);
		}
		mbox_free(m);
	}
}

static void no_memory_and_no_descriptor_are_told_apart(void **state)
{
	struct rlimit before, none;
	struct mbox *m = NULL;

	(void)state;
	for (int n = 0; n < 2; n++) {
		n_callocs = n;
		assert_int_equal(mbox_new(&m, 8, 8), ERR_NOMEM);
	}
	n_callocs = 1000;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ 0, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(mbox_new(&m, 8, 8), ERR_FULL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_null(m);
	mbox_free(NULL);
}

struct note {
	uint32_t sender, n;
	uint64_t check; /* of both: a torn message would not have it */
};

struct sender {
	pthread_t thread;
	struct mbox *m;
	uint32_t id;
	bool broken; /* saw something other than OK and ERR_FULL */
};

static uint64_t check_of(uint32_t sender, uint32_t n)
{
	return ((uint64_t)sender << 32 | n) * 0x9e3779b97f4a7c15;
}

static void *send_all(void *arg)
{
	struct sender *s = arg;

	for (uint32_t n = 0; n < PER_SENDER; n++) {
		struct note note = { s->id, n, check_of(s->id, n) };
		enum err e = mbox_send(s->m, &note);

		while (e == ERR_FULL) {
			sched_yield();
			e = mbox_send(s->m, &note);
		}
		s->broken = s->broken || e != OK;
	}
	return NULL;
}

/* Waits by the descriptor alone: a wake-up that got lost would be a failure here. */
static void many_senders_lose_and_double_nothing(void **state)
{
	struct sender s[N_SENDERS];
	uint32_t next[N_SENDERS] = { 0 };
	uint32_t n = 0;
	struct mbox *m;

	(void)state;
	assert_int_equal(mbox_new(&m, sizeof(struct note), CAP), OK);
	for (uint32_t i = 0; i < N_SENDERS; i++) {
		s[i] = (struct sender){ .m = m, .id = i };
		assert_int_equal(pthread_create(&s[i].thread, NULL, send_all, &s[i]), 0);
	}
	while (n < N_SENDERS * PER_SENDER) {
		struct note note;

		assert_true(readable(m, WAIT_MS));
		while (mbox_recv(m, &note) == OK) {
			assert_true(note.sender < N_SENDERS);
			assert_int_equal(note.n, next[note.sender]++); /* each in its order */
			assert_true(note.check == check_of(note.sender, note.n));
			n++;
		}
	}
	for (uint32_t i = 0; i < N_SENDERS; i++) {
		assert_int_equal(pthread_join(s[i].thread, NULL), 0);
		assert_false(s[i].broken);
		assert_int_equal(next[i], PER_SENDER);
	}
	assert_false(readable(m, 0));
	mbox_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_order_and_refuses_when_full),
		cmocka_unit_test(readable_exactly_while_messages_wait),
		cmocka_unit_test(messages_of_any_size_arrive_whole),
		cmocka_unit_test(no_memory_and_no_descriptor_are_told_apart),
		cmocka_unit_test(many_senders_lose_and_double_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
