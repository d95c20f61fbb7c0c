/* First bytes that are looked at and left where they are. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/preface.h"

enum { WAIT_MS = 10000, GLANCE_MS = 50 };

struct pair {
	int near, far;
};

static int open_pair(void **state)
{
	static struct pair p;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int l = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	assert_int_equal(bind(l, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(l, 1), 0);
	assert_int_equal(getsockname(l, (struct sockaddr *)&at, &len), 0);
	p.far = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(p.far, (struct sockaddr *)&at, sizeof at), 0);
	setsockopt(p.far, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	p.near = accept4(l, NULL, NULL, SOCK_NONBLOCK);
	assert_true(p.near >= 0);
	close(l);
	*state = &p;
	return 0;
}

static int close_pair(void **state)
{
	struct pair *p = *state;

	close(p->near);
	if (p->far >= 0)
		close(p->far);
	return 0;
}

static bool readable(const struct pair *p, int wait_ms)
{
	struct pollfd f = { .fd = p->near, .events = POLLIN };

	return poll(&f, 1, wait_ms) == 1;
}

static void say(const struct pair *p, const char *text)
{
	assert_int_equal(send(p->far, text, strlen(text), 0), strlen(text));
}

static void nothing_is_nothing(void **state)
{
	struct pair *p = *state;
	char buf[16];
	size_t n;

	assert_int_equal(net_preface_peek(p->near, buf, sizeof buf, 0, &n), NET_PREFACE_NONE);
}

static void what_was_seen_stays(void **state)
{
	struct pair *p = *state;
	char buf[16];
	size_t n;

	say(p, "hello");
	assert_true(readable(p, WAIT_MS));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(net_preface_peek(p->near, buf, sizeof buf, 0, &n), NET_PREFACE_SOME);
		assert_int_equal(n, 5);
		assert_memory_equal(buf, "hello", 5);
	}
	assert_true(net_preface_take(p->near, 2));
	assert_int_equal(net_preface_peek(p->near, buf, 1, 0, &n), NET_PREFACE_SOME);
	assert_int_equal(n, 1);
	assert_int_equal(buf[0], 'l');
	assert_false(net_preface_take(p->near, 4));
}

static void the_loop_sleeps_until_there_is_more(void **state)
{
	struct pair *p = *state;
	char buf[16];
	size_t n;

	say(p, "he");
	assert_true(readable(p, WAIT_MS));
	net_preface_await(p->near, 2);
	assert_false(readable(p, GLANCE_MS));
	assert_int_equal(net_preface_peek(p->near, buf, sizeof buf, 2, &n), NET_PREFACE_NONE);
	say(p, "l");
	assert_true(readable(p, WAIT_MS));
	assert_int_equal(net_preface_peek(p->near, buf, sizeof buf, 2, &n), NET_PREFACE_SOME);
	assert_int_equal(n, 3);
	net_preface_await(p->near, 3);
	assert_false(readable(p, GLANCE_MS));
	net_preface_await(p->near, 0);
	assert_true(readable(p, WAIT_MS));
}

static void an_end_in_the_middle_is_seen(void **state)
{
	struct pair *p = *state;
	char buf[16];
	size_t n;

	say(p, "he");
	assert_true(readable(p, WAIT_MS));
	net_preface_await(p->near, 2);
	close(p->far);
	p->far = -1;
	assert_true(readable(p, WAIT_MS));
	assert_int_equal(net_preface_peek(p->near, buf, sizeof buf, 2, &n), NET_PREFACE_CLOSED);
}

static void an_end_without_a_word_is_seen(void **state)
{
	struct pair *p = *state;
	char buf[16];
	size_t n;

	close(p->far);
	p->far = -1;
	assert_true(readable(p, WAIT_MS));
	assert_int_equal(net_preface_peek(p->near, buf, sizeof buf, 0, &n), NET_PREFACE_CLOSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_nothing, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(what_was_seen_stays, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(the_loop_sleeps_until_there_is_more, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(an_end_in_the_middle_is_seen, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(an_end_without_a_word_is_seen, open_pair, close_pair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
