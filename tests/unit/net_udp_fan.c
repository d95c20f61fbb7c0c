/* A fan: what leaves in one system call, to each its own, and what happens when the kernel says no. */
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
	struct net_fan *fan;
	int server, other, client[N_CLIENTS];
	struct addr at_server, at[N_CLIENTS];
	unsigned n_sent, n_dropped;
	size_t head, body; /* bytes sent */
	const void *dropped; /* tag of the last */
} w;

static void on_done(void *arg, void *tag, size_t head, size_t body, bool sent)
{
	assert_ptr_equal(arg, &w);
	if (sent) {
		w.n_sent++;
		w.head += head;
		w.body += body;
	} else {
		w.n_dropped++;
		w.dropped = tag;
	}
}

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
	assert_int_equal(net_fan_new(&w.fan, &w.cnt, on_done, &w), OK);
	w.server = open_at("0.0.0.0", &w.at_server);
	w.other = open_at("127.0.0.1", &at_other);
	for (int i = 0; i < N_CLIENTS; i++)
		w.client[i] = open_at("127.0.0.1", &w.at[i]);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	net_fan_free(w.fan);
	close(w.server);
	close(w.other);
	for (int i = 0; i < N_CLIENTS; i++)
		close(w.client[i]);
	return 0;
}

static void add_by(int fd, int client, const char *head, const char *body)
{
	const struct net_fan_way way = { .fd = fd, .to = &w.at[client] };

	net_fan_add(w.fan, &way, str_of(head), str_of(body), (void *)head);
}

static void add(int client, const char *head, const char *body)
{
	add_by(w.server, client, head, body);
}

static void expect(int client, const char *text)
{
	struct pollfd p = { w.client[client], POLLIN, 0 };
	char buf[NET_FAN_HEAD + 1];
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

static void all_leave_in_one_call_each_to_its_own(void **state)
{
	char scratch[] = "first ";

	(void)state;
	add(0, scratch, "body");
	memset(scratch, 'x', sizeof scratch - 1); /* it was copied */
	add(1, "second", "");
	add(0, "third", " body");
	assert_int_equal(net_fan_waiting(w.fan), 3);
	expect_nothing(0);
	net_fan_flush(w.fan);
	assert_int_equal(net_fan_waiting(w.fan), 0);
	assert_int_equal(script.n_calls, 1);
	assert_int_equal(w.n_sent, 3);
	assert_int_equal(w.head, strlen("first ") + strlen("second") + strlen("third"));
	assert_int_equal(w.body, strlen("body") + strlen(" body"));
	expect(0, "first body");
	expect(0, "third body");
	expect(1, "second");
	net_fan_flush(w.fan); /* nothing is sent twice */
	assert_int_equal(script.n_calls, 1);
	assert_int_equal(w.n_sent, 3);
}

static void one_that_is_full_leaves(void **state)
{
	(void)state;
	for (int i = 0; i < NET_FAN - 1; i++)
		add(i % N_CLIENTS, "text", "");
	assert_int_equal(script.n_calls, 0);
	assert_int_equal(net_fan_waiting(w.fan), NET_FAN - 1);
	add(0, "text", "");
	assert_int_equal(script.n_calls, 1);
	assert_int_equal(net_fan_waiting(w.fan), 0);
	assert_int_equal(w.n_sent, NET_FAN);
}

static void what_waits_for_another_socket_leaves_first(void **state)
{
	(void)state;
	add(0, "text", "");
	add_by(w.other, 1, "text", "");
	assert_int_equal(w.n_sent, 1);
	assert_int_equal(net_fan_waiting(w.fan), 1);
	net_fan_flush(w.fan);
	assert_int_equal(w.n_sent, 2);
	expect(0, "text");
	expect(1, "text");
}

static void tos_and_the_source_address_are_carried(void **state)
{
	struct net_fan_way way = { .fd = w.server, .to = &w.at[0], .mark = { .tos = 0xb8 } };
	struct pollfd p = { w.client[0], POLLIN, 0 };
	struct net_rx_batch *batch;
	struct addr source;
	struct net_rx rx;

	(void)state;
	assert_int_equal(addr_parse_ip(str_of("127.0.0.9"), &source), OK);
	way.from = &source;
	net_fan_add(w.fan, &way, str_of("head"), str_of("body"), NULL);
	net_fan_flush(w.fan);
	assert_int_equal(net_rx_batch_new(&batch), OK);
	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	assert_true(net_rx_one(batch, NET_RX_SLOTS - 1, w.client[0], &rx));
	assert_int_equal(rx.len, 8);
	assert_memory_equal(rx.buf, "headbody", 8);
	assert_int_equal(rx.mark.tos, 0xb8);
	assert_true(addr_ip_eq(&rx.from, &source));
	net_rx_batch_free(batch);
}

/* What cannot be sent keeps the others back no more than an error of another datagram does. */
static void a_refused_one_is_dropped_alone(void **state)
{
	static const struct {
		int why;
		unsigned n_refusals, dropped;
	} rows[] = { { EPERM, 1, 1 }, { EAGAIN, 1, 1 }, { ECONNREFUSED, 1, 0 }, { ECONNREFUSED, 2, 1 } };
	static const char bad[] = "bad!";

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		set_up(state);
		script.why = rows[i].why;
		script.n_refusals = rows[i].n_refusals;
		script.refuse = bad;
		add(0, "good", "");
		add(1, bad, "");
		add(2, "good", " too");
		net_fan_flush(w.fan);
		assert_int_equal(w.n_sent, 3 - rows[i].dropped);
		assert_int_equal(w.n_dropped, rows[i].dropped);
		assert_int_equal(counter_get(&w.cnt, drop_send), rows[i].dropped);
		expect(0, "good");
		expect(2, "good too");
		if (rows[i].dropped) {
			assert_ptr_equal(w.dropped, bad);
			expect_nothing(1);
		} else {
			expect(1, bad);
		}
		tear_down(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_leave_in_one_call_each_to_its_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_that_is_full_leaves, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_waits_for_another_socket_leaves_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tos_and_the_source_address_are_carried, set_up, tear_down),
		cmocka_unit_test(a_refused_one_is_dropped_alone),
	};

	own_net();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
