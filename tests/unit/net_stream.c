/* A client's connection without TLS: what is read and kept, what is written, queued and dropped, and
 * how it ends. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net_stream_world.h"
#include "own_net.h"

enum { FOREVER = 1000000000, TINY = 1 };

/* True: no memory is to be had. */
static bool out_of_memory;

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);

void *__wrap_malloc(size_t n)
{
	return out_of_memory ? NULL : __real_malloc(n);
}

static void pair_unix(int fd[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
}

static void pair_tcp(int fd[2])
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM, 0), size = TINY;
	socklen_t len = sizeof at;

	assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd[0], (struct sockaddr *)&at, sizeof at), 0);
	fd[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	assert_true(fd[1] >= 0);
	assert_int_equal(fcntl(fd[0], F_SETFL, O_NONBLOCK), 0);
	close(listener);
}

static void world_open(struct world *w, void (*pair)(int fd[2]), tick queue_ms)
{
	int fd[2], size = TINY; /* as little as the kernel allows, which is some kilobytes */

	pair(fd);
	assert_int_equal(setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
	world_init(w, fd, queue_ms);
}

/* The far end reads up to n bytes of what is there; returns how many, 0 at the end. */
static size_t far_read(struct world *w, size_t n)
{
	uint8_t buf[8192];
	size_t total = 0;

	while (total < n) {
		size_t want = n - total < sizeof buf ? n - total : sizeof buf;
		ssize_t k = recv(w->far, buf, want, 0);

		if (k <= 0)
			break;
		world_got(w, buf, (size_t)k);
		total += (size_t)k;
	}
	return total;
}

static void on_far(int fd, void *arg)
{
	(void)fd;
	far_read(arg, SIZE_MAX);
}

/* Both ends work until nothing waits any more. */
static void drain(struct world *w)
{
	assert_int_equal(net_loop_watch(w->loop, &w->far_watch, w->far, on_far, w), OK);
	while (w->s.out_watched)
		assert_int_equal(net_loop_turn(w->loop), OK);
	net_loop_unwatch(&w->far_watch);
	assert_int_equal(w->s.end, NET_STREAM_OPEN);
	assert_null(w->s.pending);
	assert_true(list_empty(&w->s.queue));
	assert_int_equal(w->s.queued_media + w->s.queued_control, 0);
}

/* The far end reads what is still on its way; the stream says no more. */
static void read_rest(struct world *w)
{
	assert_int_equal(shutdown(w->s.fd, SHUT_WR), 0);
	assert_int_equal(fcntl(w->far, F_SETFL, 0), 0);
	while (far_read(w, SIZE_MAX))
		;
	world_check_got(w);
}

/* Fills the connection with a media message that is begun and cannot be finished. */
static void block(struct world *w, uint32_t number)
{
	world_say(w, number, 60000, false, net_loop_now(w->loop));
	assert_non_null(w->s.pending);
	assert_true(w->s.pending_off > 0);
	assert_true(w->s.out_watched);
}

static void assert_numbers(const struct world *w, const uint32_t *want, size_t n)
{
	assert_int_equal(w->n_numbers, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(w->number[i], want[i]);
}

/* --- out --- */

static void what_fits_leaves_at_once(void **state)
{
	static struct world w;
	tick now;

	(void)state;
	world_open(&w, pair_unix, FOREVER);
	now = net_loop_now(w.loop);
	for (uint32_t i = 1; i <= 10; i++)
		world_add(&w, i, HEAD + i * 10, i % 2, now);
	assert_int_equal(far_read(&w, SIZE_MAX), 0); /* not before the flush */
	world_flush(&w, now);
	assert_false(w.s.out_watched);
	read_rest(&w);
	assert_int_equal(w.n_numbers, 10);
	world_fini(&w);
}

static void a_burst_that_is_full_leaves_by_itself(void **state)
{
	static struct world w;
	tick now;

	(void)state;
	world_open(&w, pair_unix, FOREVER);
	now = net_loop_now(w.loop);
	for (uint32_t i = 1; i <= NET_BURST_MESSAGES; i++)
		world_add(&w, i, HEAD + 1, false, now);
	assert_int_equal(far_read(&w, SIZE_MAX), 0);
	world_add(&w, NET_BURST_MESSAGES + 1, HEAD + 1, false, now);
	assert_int_equal(far_read(&w, SIZE_MAX), NET_BURST_MESSAGES * (HEAD + 1));
	world_flush(&w, now);
	read_rest(&w);
	assert_int_equal(w.n_numbers, NET_BURST_MESSAGES + 1);
	world_fini(&w);
}

static void a_burst_for_another_connection_leaves_first(void **state)
{
	static struct world a, b;
	uint8_t head[HEAD] = { 0, 0, 2, 0, 0, HEAD };
	struct iovec part = { head, sizeof head };

	(void)state;
	world_open(&a, pair_unix, FOREVER);
	world_open(&b, pair_unix, FOREVER);
	world_add(&a, 1, 100, false, 0);
	net_burst_add(&a.burst, &b.s, &part, 1, false, 0);
	assert_int_equal(far_read(&a, SIZE_MAX), 100);
	assert_int_equal(far_read(&b, SIZE_MAX), 0);
	world_flush(&a, 0);
	assert_int_equal(far_read(&b, SIZE_MAX), HEAD);
	net_burst_flush(&a.burst, 0); /* nothing waits: nothing happens */
	world_fini(&a);
	world_fini(&b);
}

/* Whatever the far end takes at a time, it gets all messages, and each byte of them in order. */
static void nothing_is_lost_that_is_not_dropped(void (*pair)(int fd[2]))
{
	static struct world w;
	uint32_t dice = 1, number = 0;
	tick now;

	world_open(&w, pair, FOREVER);
	now = net_loop_now(w.loop);
	for (int i = 0; i < 300; i++) {
		for (uint32_t n = dice % 9; n; n--) {
			dice = dice * 1103515245 + 12345;
			world_add(&w, ++number, HEAD + (dice >> 8) % 1500, dice >> 28 == 0, now);
		}
		dice = dice * 1103515245 + 12345;
		world_flush(&w, now);
		far_read(&w, (dice >> 8) % 7000);
		world_turn(&w);
	}
	drain(&w);
	read_rest(&w);
	assert_int_equal(w.s.dropped, 0);
	assert_int_equal(w.n_numbers, number);
	world_fini(&w);
}

static void nothing_is_lost_unix(void **state)
{
	(void)state;
	nothing_is_lost_that_is_not_dropped(pair_unix);
}

static void nothing_is_lost_tcp(void **state)
{
	(void)state;
	nothing_is_lost_that_is_not_dropped(pair_tcp);
}

/* The same with a far end that is too slow: media goes, control comes, and no message in part. */
static void only_whole_media_is_dropped(void (*pair)(int fd[2]))
{
	static struct world w;
	static bool control[MAX_NUMBERS];
	uint32_t dice = 7, number = 0, n_control = 0, n_came = 0;
	tick now;

	world_open(&w, pair, 20);
	now = net_loop_now(w.loop) - FOREVER; /* what waits is too old as soon as the loop looks at it */
	for (int i = 0; i < 400; i++, now += 7) {
		for (uint32_t n = (dice >> 5) % 6; n; n--) {
			dice = dice * 1103515245 + 12345;
			control[++number] = dice >> 29 == 0;
			n_control += control[number];
			world_add(&w, number, HEAD + (dice >> 8) % 1500, control[number], now);
		}
		dice = dice * 1103515245 + 12345;
		world_flush(&w, now);
		far_read(&w, (dice >> 8) % 2000);
		if (i % 16 == 0)
			world_turn(&w);
	}
	drain(&w);
	read_rest(&w);
	assert_true(w.s.dropped > 0);
	assert_int_equal(w.n_numbers + w.s.dropped, number);
	for (size_t i = 0; i < w.n_numbers; i++)
		n_came += control[w.number[i]];
	assert_int_equal(n_came, n_control);
	world_fini(&w);
}

static void only_whole_media_is_dropped_unix(void **state)
{
	(void)state;
	only_whole_media_is_dropped(pair_unix);
}

static void only_whole_media_is_dropped_tcp(void **state)
{
	(void)state;
	only_whole_media_is_dropped(pair_tcp);
}

static void media_lives_250_ms_and_not_longer(void **state)
{
	static const struct {
		tick after;
		bool control;
		uint64_t dropped; /* then */
		size_t media, answers;
	} row[] = {
		{ 0, false, 0, 100, 0 },   { 10, true, 0, 100, 100 },  { 250, false, 0, 200, 100 },
		{ 251, false, 1, 200, 100 }, { 500, true, 1, 200, 200 }, { 501, true, 2, 100, 300 },
		{ 502, false, 3, 100, 300 }, { 9999, true, 4, 0, 400 },
	};
	static struct world w;
	tick now;

	(void)state;
	world_open(&w, pair_unix, 250);
	now = net_loop_now(w.loop);
	block(&w, 1);
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		world_say(&w, (uint32_t)i + 2, 100, row[i].control, now + row[i].after);
		assert_int_equal(w.s.dropped, row[i].dropped);
		assert_int_equal(w.s.queued_media, row[i].media);
		assert_int_equal(w.s.queued_control, row[i].answers);
	}
	drain(&w);
	read_rest(&w);
	assert_numbers(&w, (uint32_t[]){ 1, 3, 6, 7, 9 }, 5);
	world_fini(&w);
}

static void old_media_goes_when_there_is_room_again(void **state)
{
	static struct world w;
	tick now;

	(void)state;
	world_open(&w, pair_unix, FOREVER / 2);
	now = net_loop_now(w.loop);
	block(&w, 1);
	world_say(&w, 2, 100, false, now - FOREVER);
	world_say(&w, 3, 100, true, now - FOREVER);
	assert_int_equal(w.s.queued_media, 100); /* young among its like */
	world_say(&w, 4, 100, true, now - FOREVER);
	drain(&w);
	read_rest(&w);
	assert_int_equal(w.s.dropped, 1);
	assert_numbers(&w, (uint32_t[]){ 1, 3, 4 }, 3); /* what was begun is never dropped */
	world_fini(&w);
}

static void media_that_waits_is_bounded_in_bytes(void **state)
{
	enum { N = NET_STREAM_QUEUE_BYTES / 60000 };
	static struct world w;
	tick now;

	(void)state;
	world_open(&w, pair_unix, FOREVER);
	now = net_loop_now(w.loop);
	block(&w, 1);
	for (uint32_t i = 0; i < N + 10; i++) {
		world_say(&w, 2 + i, 60000, false, now);
		assert_true(w.s.queued_media <= NET_STREAM_QUEUE_BYTES);
	}
	assert_int_equal(w.s.dropped, 10);
	assert_int_equal(w.s.queued_media, N * 60000);
	drain(&w);
	read_rest(&w);
	assert_int_equal(w.number[1], 12); /* the oldest went */
	assert_int_equal(w.n_numbers, N + 1);
	world_fini(&w);
}

static void memory_comes_back_with_all_in_it(void **state)
{
	static struct world w;
	tick now;

	(void)state;
	world_open(&w, pair_unix, FOREVER);
	now = net_loop_now(w.loop);
	block(&w, 1);
	for (uint32_t i = 2; i < 100; i++)
		world_say(&w, i, 1000, i % 2, now);
	assert_int_equal(net_stream_keep(&w.s, w.scratch, 100), OK);
	world_fini(&w);
}

static void without_memory_media_is_dropped(void **state)
{
	static struct world w;
	tick now;

	(void)state;
	world_open(&w, pair_unix, FOREVER);
	now = net_loop_now(w.loop);
	block(&w, 1);
	world_say(&w, 2, 100, false, now);
	world_add(&w, 3, 100, false, now);
	out_of_memory = true;
	world_flush(&w, now);
	drain(&w); /* what is queued needs no more */
	out_of_memory = false;
	assert_int_equal(w.s.dropped, 1);
	read_rest(&w);
	assert_numbers(&w, (uint32_t[]){ 1, 2 }, 2);
	world_fini(&w);
}

static void without_memory_for_what_must_not_be_lost_it_ends(void **state)
{
	static struct world w;
	bool more;

	(void)state;
	world_open(&w, pair_unix, FOREVER);
	block(&w, 1);
	world_add(&w, 2, 100, true, 0);
	out_of_memory = true;
	world_flush(&w, 0);
	out_of_memory = false;
	assert_int_equal(w.s.end, NET_STREAM_ERROR);
	assert_false(w.s.out_watched);
	world_fini(&w);

	world_open(&w, pair_unix, FOREVER);
	world_add(&w, 1, 60000, false, 0); /* begun */
	out_of_memory = true;
	world_flush(&w, 0);
	out_of_memory = false;
	assert_int_equal(w.s.end, NET_STREAM_ERROR);
	world_fini(&w);

	world_open(&w, pair_unix, FOREVER);
	assert_int_equal(write(w.far, "abc", 3), 3);
	assert_int_equal(net_stream_read(&w.s, w.scratch, &more), 3);
	out_of_memory = true;
	assert_int_equal(net_stream_keep(&w.s, w.scratch, 3), ERR_NOMEM);
	out_of_memory = false;
	world_fini(&w);
}

/* --- pause --- */

/* Answers until reading stops; returns the next number. */
static uint32_t answer_until_paused(struct world *w)
{
	uint32_t number = 2;

	block(w, 1);
	while (w->s.queued_control <= NET_STREAM_CONTROL_BYTES) {
		assert_false(w->s.in_paused);
		world_say(w, number++, 1000, true, net_loop_now(w->loop));
	}
	assert_true(w->s.in_paused);
	return number;
}

static void who_reads_no_answers_is_not_read(void **state)
{
	static struct world w;
	uint32_t n_answers;
	bool more = true;

	(void)state;
	world_open(&w, pair_unix, FOREVER);
	n_answers = answer_until_paused(&w) - 2;
	assert_int_equal(write(w.far, "ask", 3), 3);
	world_turn(&w);
	assert_int_equal(w.n_input, 0);
	assert_int_equal(net_stream_read(&w.s, w.scratch, &more), 0);
	assert_false(more);
	drain(&w);
	assert_false(w.s.in_paused);
	world_turn(&w);
	assert_true(w.n_input > 0);
	assert_int_equal(net_stream_read(&w.s, w.scratch, &more), 3);
	assert_memory_equal(w.scratch, "ask", 3);
	read_rest(&w);
	assert_int_equal(w.n_numbers, 1 + n_answers);
	assert_int_equal(w.s.dropped, 0);
	world_fini(&w);
}

/* The owner may ask to be called once more in the very turn in which reading stops. */
static void a_call_that_is_due_comes_while_reading_is_stopped(void **state)
{
	static struct world w;

	(void)state;
	world_open(&w, pair_unix, FOREVER);
	answer_until_paused(&w);
	net_loop_again(&w.s.in);
	world_turn(&w);
	assert_int_equal(w.n_input, 1);
	far_read(&w, SIZE_MAX); /* so that reading goes on in the turn in which it is due */
	net_loop_again(&w.s.in);
	drain(&w);
	assert_false(w.s.in_paused);
	assert_true(w.n_input > 1);
	w.n_input = 0;
	world_turn(&w);
	assert_int_equal(w.n_input, 0);
	world_fini(&w);
}

static void a_paused_stream_may_go_with_a_call_due(void **state)
{
	static struct world w;
	int fd[2];

	(void)state;
	world_open(&w, pair_unix, FOREVER);
	answer_until_paused(&w);
	net_loop_again(&w.s.in);
	net_stream_fini(&w.s);
	memset(&w.s, 0, sizeof w.s); /* its memory is another one's now */
	world_turn(&w);
	assert_int_equal(w.n_input, 0);
	close(w.far);
	pair_unix(fd);
	assert_int_equal(net_stream_init(&w.s, w.loop, fd[0], FOREVER, world_on_input, &w), OK);
	w.far = fd[1];
	world_fini(&w);
}

/* --- in --- */

static void what_is_kept_comes_before_what_follows(void **state)
{
	static struct world w;
	bool more;

	(void)state;
	world_open(&w, pair_unix, FOREVER);
	assert_int_equal(net_stream_read(&w.s, w.scratch, &more), 0);
	assert_int_equal(write(w.far, "abc", 3), 3);
	world_turn(&w);
	assert_int_equal(w.n_input, 1);
	assert_int_equal(net_stream_read(&w.s, w.scratch, &more), 3);
	assert_false(more);
	assert_int_equal(net_stream_keep(&w.s, w.scratch + 1, 2), OK);
	memset(w.scratch, 0, NET_SCRATCH);
	assert_int_equal(net_stream_read(&w.s, w.scratch, &more), 0); /* nothing new: still kept */
	assert_int_equal(write(w.far, "d", 1), 1);
	assert_int_equal(net_stream_read(&w.s, w.scratch, &more), 3);
	assert_memory_equal(w.scratch, "bcd", 3);
	assert_int_equal(net_stream_keep(&w.s, w.scratch, 0), OK);
	assert_int_equal(write(w.far, "e", 1), 1);
	assert_int_equal(net_stream_read(&w.s, w.scratch, &more), 1); /* not kept: gone */
	assert_int_equal(w.s.end, NET_STREAM_OPEN);
	world_fini(&w);
}

static void the_most_that_can_be_kept_and_read_fits(void **state)
{
	static uint8_t much[NET_STREAM_READ];
	static struct world w;
	size_t sent = 0, n;
	bool more;

	(void)state;
	world_open(&w, pair_unix, FOREVER);
	memset(w.scratch, 'k', NET_STREAM_KEEP);
	assert_int_equal(net_stream_keep(&w.s, w.scratch, NET_STREAM_KEEP), OK);
	memset(w.scratch, 0, NET_SCRATCH);
	memset(much, 'n', sizeof much);
	sent = (size_t)write(w.far, much, sizeof much);
	n = net_stream_read(&w.s, w.scratch, &more);
	assert_int_equal(n, NET_STREAM_KEEP + sent);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(w.scratch[i], i < NET_STREAM_KEEP ? 'k' : 'n');
	world_fini(&w);
}

/* --- ends --- */

static void a_close_is_seen_after_the_last_bytes(void **state)
{
	static struct world w;
	bool more;

	(void)state;
	world_open(&w, pair_unix, FOREVER);
	assert_int_equal(write(w.far, "bye", 3), 3);
	assert_int_equal(shutdown(w.far, SHUT_WR), 0);
	world_turn(&w);
	assert_int_equal(net_stream_read(&w.s, w.scratch, &more), 3);
	assert_int_equal(w.s.end, NET_STREAM_OPEN);
	world_turn(&w);
	assert_int_equal(w.n_input, 2);
	assert_int_equal(net_stream_read(&w.s, w.scratch, &more), 0);
	assert_int_equal(w.s.end, NET_STREAM_CLOSED);
	world_fini(&w);
}

static void a_reset_is_an_error(void **state)
{
	static struct world w;
	struct linger now = { 1, 0 };
	bool more;

	(void)state;
	world_open(&w, pair_tcp, FOREVER);
	assert_int_equal(setsockopt(w.far, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
	close(w.far);
	w.far = -1;
	while (!w.n_input)
		world_turn(&w);
	assert_int_equal(net_stream_read(&w.s, w.scratch, &more), 0);
	assert_int_equal(w.s.end, NET_STREAM_ERROR);
	assert_int_equal(net_stream_read(&w.s, w.scratch, &more), 0);
	assert_int_equal(w.s.end, NET_STREAM_ERROR); /* the first reason stays */
	world_fini(&w);
}

static void writing_to_nobody_ends_it_and_what_follows_is_nothing(void **state)
{
	static struct world w;

	(void)state;
	world_open(&w, pair_unix, FOREVER);
	close(w.far);
	w.far = -1;
	world_say(&w, 1, 100, true, 0);
	assert_int_equal(w.s.end, NET_STREAM_ERROR);
	world_say(&w, 2, 100, true, 0);
	assert_false(w.s.out_watched);
	assert_true(list_empty(&w.s.queue));
	world_fini(&w);
}

/* Found when the queue is written, with nobody in a call to hear of it. */
static void the_owner_hears_of_an_end_while_writing(void **state)
{
	static struct world w;

	(void)state;
	world_open(&w, pair_unix, FOREVER);
	answer_until_paused(&w); /* so that it is not heard by reading */
	close(w.far);
	w.far = -1;
	world_turn(&w);
	assert_int_equal(w.s.end, NET_STREAM_ERROR);
	assert_true(w.n_input > 0);
	assert_false(w.s.out_watched);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fits_leaves_at_once),
		cmocka_unit_test(a_burst_that_is_full_leaves_by_itself),
		cmocka_unit_test(a_burst_for_another_connection_leaves_first),
		cmocka_unit_test(nothing_is_lost_unix),
		cmocka_unit_test(nothing_is_lost_tcp),
		cmocka_unit_test(only_whole_media_is_dropped_unix),
		cmocka_unit_test(only_whole_media_is_dropped_tcp),
		cmocka_unit_test(media_lives_250_ms_and_not_longer),
		cmocka_unit_test(old_media_goes_when_there_is_room_again),
		cmocka_unit_test(media_that_waits_is_bounded_in_bytes),
		cmocka_unit_test(memory_comes_back_with_all_in_it),
		cmocka_unit_test(without_memory_media_is_dropped),
		cmocka_unit_test(without_memory_for_what_must_not_be_lost_it_ends),
		cmocka_unit_test(who_reads_no_answers_is_not_read),
		cmocka_unit_test(a_call_that_is_due_comes_while_reading_is_stopped),
		cmocka_unit_test(a_paused_stream_may_go_with_a_call_due),
		cmocka_unit_test(what_is_kept_comes_before_what_follows),
		cmocka_unit_test(the_most_that_can_be_kept_and_read_fits),
		cmocka_unit_test(a_close_is_seen_after_the_last_bytes),
		cmocka_unit_test(a_reset_is_an_error),
		cmocka_unit_test(writing_to_nobody_ends_it_and_what_follows_is_nothing),
		cmocka_unit_test(the_owner_hears_of_an_end_while_writing),
	};

	own_net();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
