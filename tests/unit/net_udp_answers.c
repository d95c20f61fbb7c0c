/* Answers: what leaves in one system call, to each its own, and what happens when the kernel says no. */
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The source itself, with a sendmmsg() that counts, and refuses what it is told to. */
static struct {
	unsigned n_calls;
	const void *refuse; /* the bytes of a datagram; NULL: none */
	unsigned n_refusals; /* that many times */
	int why;
} script;

static int scripted_sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags);

#define sendmmsg scripted_sendmmsg
#include "net/udp_tx.c"
#undef sendmmsg
#include "net/sock.h"
#include "net/udp_rx.c"
#include "own_net.h"

/* As the kernel: those before the one that is refused are sent, and the error is told for the first only. */
static int scripted_sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
	script.n_calls++;
	for (unsigned i = 0; i < n && script.n_refusals; i++) {
		if (memcmp(m[i].msg_hdr.msg_iov->iov_base, script.refuse, 4) != 0)
			continue;
		if (i)
			return sendmmsg(fd, m, i, flags);
		script.n_refusals--;
		errno = script.why;
		return -1;
	}
	return sendmmsg(fd, m, n, flags);
}

enum { WAIT_MS = 20000, N_CLIENTS = 3 };

static struct world {
	struct counters cnt;
	struct net_answers *answers;
	int server, other, client[N_CLIENTS];
	struct addr at_server, at[N_CLIENTS];
} w;

static int open_at(const char *ip, struct addr *a)
{
	const struct net_sock_options o = { .kind = NET_SOCK_LISTENER, .buf_size = 1 << 20 };
	int fd = -1;

	assert_int_equal(addr_parse_ip(str_of(ip), a), OK);
	assert_int_equal(net_sock_udp(a, &o, &fd), OK);
	assert_int_equal(net_sock_name(fd, a), OK);
	return fd;
}

static int set_up(void **state)
{
	struct addr at_other;

	(void)state;
	memset(&w, 0, sizeof w);
	memset(&script, 0, sizeof script);
	assert_int_equal(net_answers_new(&w.answers, &w.cnt), OK);
	w.server = open_at("0.0.0.0", &w.at_server);
	w.other = open_at("127.0.0.1", &at_other);
	for (int i = 0; i < N_CLIENTS; i++)
		w.client[i] = open_at("127.0.0.1", &w.at[i]);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	net_answers_free(w.answers);
	close(w.server);
	close(w.other);
	for (int i = 0; i < N_CLIENTS; i++)
		close(w.client[i]);
	return 0;
}

static bool add(int client, const char *text)
{
	return net_answers_add(w.answers, w.server, &w.at[client], NULL, str_of(text));
}

static void expect(int client, const char *text)
{
	struct pollfd p = { w.client[client], POLLIN, 0 };
	char buf[NET_ANSWER_MAX + 1];
	ssize_t n;

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	n = recv(w.client[client], buf, sizeof buf, MSG_DONTWAIT);
	assert_int_equal(n, strlen(text));
	assert_memory_equal(buf, text, (size_t)n);
}

static void expect_nothing(int client)
{
	char byte;

	assert_int_equal(recv(w.client[client], &byte, 1, MSG_DONTWAIT), -1);
}

static void answers_leave_in_one_call_each_to_its_own(void **state)
{
	char scratch[] = "first";
	struct net_sent sent;

	(void)state;
	assert_true(add(0, scratch));
	memset(scratch, 'x', sizeof scratch - 1); /* it was copied */
	assert_true(add(1, "second one"));
	assert_true(add(0, "third"));
	expect_nothing(0);
	sent = net_answers_flush(w.answers);
	assert_int_equal(sent.n, 3);
	assert_int_equal(sent.bytes, strlen("first") + strlen("second one") + strlen("third"));
	assert_int_equal(script.n_calls, 1);
	expect(0, "first");
	expect(0, "third");
	expect(1, "second one");
	assert_int_equal(net_answers_flush(w.answers).n, 0); /* nothing is sent twice */
	assert_int_equal(script.n_calls, 1);
}

static void no_more_than_there_is_room_for(void **state)
{
	(void)state;
	for (int i = 0; i < NET_ANSWERS; i++)
		assert_true(add(i % N_CLIENTS, "text"));
	assert_false(add(0, "text"));
	assert_int_equal(net_answers_flush(w.answers).n, NET_ANSWERS);
	assert_true(add(0, "text"));
}

static void another_socket_has_to_wait(void **state)
{
	(void)state;
	assert_true(add(0, "text"));
	assert_false(net_answers_add(w.answers, w.other, &w.at[1], NULL, str_of("text")));
	net_answers_flush(w.answers);
	assert_true(net_answers_add(w.answers, w.other, &w.at[1], NULL, str_of("text")));
	assert_int_equal(net_answers_flush(w.answers).n, 1);
	expect(0, "text");
	expect(1, "text");
}

static void the_source_address_is_carried(void **state)
{
	struct sockaddr_in from;
	socklen_t len = sizeof from;
	struct addr source;
	char buf[8];

	(void)state;
	assert_int_equal(addr_parse_ip(str_of("127.0.0.9"), &source), OK);
	assert_true(net_answers_add(w.answers, w.server, &w.at[0], &source, str_of("text")));
	assert_int_equal(net_answers_flush(w.answers).n, 1);
	struct pollfd p = { w.client[0], POLLIN, 0 };
	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	assert_int_equal(recvfrom(w.client[0], buf, sizeof buf, 0, (struct sockaddr *)&from, &len), 4);
	struct addr seen = addr_from_sa((struct sockaddr *)&from);
	assert_true(addr_ip_eq(&seen, &source));
}

/* What cannot be sent does not keep the others; an error of another datagram costs none. */
static void a_refused_one_is_dropped_alone(void **state)
{
	static const struct {
		int why;
		unsigned n_refusals, dropped;
	} rows[] = { { EPERM, 1, 1 }, { EAGAIN, 1, 1 }, { ECONNREFUSED, 1, 0 }, { ECONNREFUSED, 2, 1 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		set_up(state);
		script.why = rows[i].why;
		script.n_refusals = rows[i].n_refusals;
		script.refuse = "bad!";
		assert_true(add(0, "good"));
		assert_true(add(1, "bad!"));
		assert_true(add(2, "good too"));
		struct net_sent sent = net_answers_flush(w.answers);
		assert_int_equal(sent.n, 3 - rows[i].dropped);
		assert_int_equal(sent.bytes, strlen("good") + strlen("good too") + (rows[i].dropped ? 0 : 4));
		assert_int_equal(counter_get(&w.cnt, drop_send), rows[i].dropped);
		expect(0, "good");
		expect(2, "good too");
		if (rows[i].dropped)
			expect_nothing(1);
		else
			expect(1, "bad!");
		tear_down(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers_leave_in_one_call_each_to_its_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_more_than_there_is_room_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_socket_has_to_wait, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_source_address_is_carried, set_up, tear_down),
		cmocka_unit_test(a_refused_one_is_dropped_alone),
	};

	own_net();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
