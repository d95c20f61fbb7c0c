/* Sockets: whom a port is shared with, and the options of each kind. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bug.h"
#include "net/sock.h"
#include "own_net.h"

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum { BUF = 100000, WAIT_MS = 20000 };

static struct addr at(const char *text, uint16_t port)
{
	struct addr a;

	assert_int_equal(addr_parse(str_of(text), port, &a), OK);
	return a;
}

static enum err open_as(const struct addr *a, enum net_sock_kind kind, bool join, int *fd)
{
	const struct net_sock_options o = { .kind = kind, .gro = true, .join = join, .buf_size = BUF };

	return net_sock_udp(a, &o, fd);
}

/* A listener that has any port of `text`, and which. */
static int listener(const char *text, struct addr *a)
{
	int fd = -1;

	*a = at(text, 0);
	assert_int_equal(open_as(a, NET_SOCK_LISTENER, false, &fd), OK);
	assert_int_equal(net_sock_name(fd, a), OK);
	assert_int_not_equal(a->port, 0);
	return fd;
}

static int option(int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int v = 0;

	assert_int_equal(getsockopt(fd, level, name, &v, &len), 0);
	return v;
}

static bool have_ipv6(void)
{
	const struct addr a = at("::1", 0);
	int fd = -1;
	bool yes = open_as(&a, NET_SOCK_RELAY, false, &fd) == OK;

	net_sock_close(&fd);
	return yes;
}

static void a_second_server_is_refused(void **state)
{
	struct addr a, any;
	int fd = listener("127.0.0.1", &a), other = -1;

	(void)state;
	assert_int_equal(open_as(&a, NET_SOCK_LISTENER, false, &other), ERR_INUSE);
	assert_int_equal(errno, EADDRINUSE); /* whoever tells the operator reads it */
	assert_int_equal(open_as(&a, NET_SOCK_RELAY, false, &other), ERR_INUSE);
	any = at("0.0.0.0", a.port);
	assert_int_equal(open_as(&any, NET_SOCK_LISTENER, false, &other), ERR_INUSE);
	assert_int_equal(other, -1);
	net_sock_close(&fd);
	assert_int_equal(open_as(&a, NET_SOCK_LISTENER, false, &fd), OK);
	net_sock_close(&fd);
}

static void a_relay_socket_shares_with_nobody(void **state)
{
	struct addr a = at("127.0.0.1", 0);
	int fd = -1, other = -1;

	(void)state;
	assert_int_equal(open_as(&a, NET_SOCK_RELAY, false, &fd), OK);
	assert_int_equal(net_sock_name(fd, &a), OK);
	assert_int_equal(open_as(&a, NET_SOCK_RELAY, false, &other), ERR_INUSE);
	assert_int_equal(open_as(&a, NET_SOCK_LISTENER, true, &other), ERR_INUSE);
	net_sock_close(&fd);
}

/* 64 clients, so that chance leaves one of two sockets out in one of 2^63 runs. */
static void those_who_join_share_the_clients(void **state)
{
	struct addr a, c = at("127.0.0.1", 0);
	int fd[2] = { listener("127.0.0.1", &a), -1 }, clients[64];
	unsigned got[2] = { 0, 0 };
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sa(&a, &sa);

	(void)state;
	assert_int_equal(open_as(&a, NET_SOCK_LISTENER, true, &fd[1]), OK);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
		assert_int_equal(open_as(&c, NET_SOCK_RELAY, false, &clients[i]), OK);
		assert_int_equal(sendto(clients[i], "x", 1, 0, (struct sockaddr *)&sa, len), 1);
	}
	while (got[0] + got[1] < ARRAY_LEN(clients)) {
		struct pollfd p[2] = { { fd[0], POLLIN, 0 }, { fd[1], POLLIN, 0 } };
		char byte;

		assert_true(poll(p, 2, WAIT_MS) > 0);
		for (int i = 0; i < 2; i++)
			while (recv(fd[i], &byte, 1, MSG_DONTWAIT) == 1)
				got[i]++;
	}
	assert_true(got[0] > 0 && got[1] > 0);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		net_sock_close(&clients[i]);
	net_sock_close(&fd[0]);
	net_sock_close(&fd[1]);
}

static void never_blocks_and_is_not_inherited(void **state)
{
	struct addr a;
	int fd = listener("127.0.0.1", &a);

	(void)state;
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	net_sock_close(&fd);
	assert_int_equal(fd, -1);
	net_sock_close(&fd); /* harmless */
}

struct wanted {
	const char *at;
	enum net_sock_kind kind;
	int level, name, value;
};

static void each_kind_has_its_options(void **state)
{
	static const struct wanted rows[] = {
		{ "127.0.0.1", NET_SOCK_LISTENER, IPPROTO_IP, IP_RECVTOS, 1 },
		{ "127.0.0.1", NET_SOCK_LISTENER, IPPROTO_IP, IP_PKTINFO, 0 },
		{ "127.0.0.1", NET_SOCK_LISTENER, IPPROTO_IP, IP_RECVERR, 0 },
		{ "127.0.0.1", NET_SOCK_LISTENER, IPPROTO_UDP, UDP_GRO, 1 },
		{ "127.0.0.1", NET_SOCK_LISTENER, SOL_SOCKET, SO_REUSEPORT, 1 },
		{ "0.0.0.0", NET_SOCK_LISTENER, IPPROTO_IP, IP_PKTINFO, 1 },
		{ "127.0.0.1", NET_SOCK_RELAY, IPPROTO_IP, IP_RECVTOS, 1 },
		{ "127.0.0.1", NET_SOCK_RELAY, IPPROTO_IP, IP_RECVERR, 1 },
		{ "127.0.0.1", NET_SOCK_RELAY, SOL_SOCKET, SO_REUSEPORT, 0 },
		{ "::1", NET_SOCK_LISTENER, IPPROTO_IPV6, IPV6_V6ONLY, 1 },
		{ "::1", NET_SOCK_LISTENER, IPPROTO_IPV6, IPV6_RECVTCLASS, 1 },
		{ "::1", NET_SOCK_LISTENER, IPPROTO_IPV6, IPV6_RECVPKTINFO, 0 },
		{ "::", NET_SOCK_LISTENER, IPPROTO_IPV6, IPV6_V6ONLY, 1 },
		{ "::", NET_SOCK_LISTENER, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1 },
		{ "::1", NET_SOCK_RELAY, IPPROTO_IPV6, IPV6_RECVERR, 1 },
		{ "::1", NET_SOCK_RELAY, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct addr a = at(rows[i].at, 0);
		int fd = -1;

		if (a.family == ADDR_V6 && !have_ipv6())
			continue;
		assert_int_equal(open_as(&a, rows[i].kind, false, &fd), OK);
		if (option(fd, rows[i].level, rows[i].name) != rows[i].value)
			fail_msg("row %zu: %d", i, option(fd, rows[i].level, rows[i].name));
		net_sock_close(&fd);
	}
}

static void buffers_and_gro_are_as_asked(void **state)
{
	struct net_sock_options o = { .kind = NET_SOCK_RELAY, .gro = false, .buf_size = BUF };
	const struct addr a = at("127.0.0.1", 0);
	int fd = -1;

	(void)state;
	assert_int_equal(net_sock_udp(&a, &o, &fd), OK);
	assert_int_equal(option(fd, SOL_SOCKET, SO_RCVBUF), 2 * BUF); /* the kernel counts its own part in */
	assert_int_equal(option(fd, IPPROTO_UDP, UDP_GRO), 0);
	net_sock_close(&fd);
	o.kind = NET_SOCK_LISTENER;
	assert_int_equal(net_sock_udp(&a, &o, &fd), OK);
	assert_int_equal(option(fd, SOL_SOCKET, SO_RCVBUF), 2 * BUF);
	assert_int_equal(option(fd, SOL_SOCKET, SO_SNDBUF), 2 * BUF);
	net_sock_close(&fd);
}

/* IP_PMTUDISC_DONT would keep the answer to a DF datagram from us. */
static void df_is_set_while_asked_and_errors_are_told_afterwards(void **state)
{
	static const enum net_sock_kind kinds[] = { NET_SOCK_LISTENER, NET_SOCK_RELAY };
	const struct addr a = at("127.0.0.1", 0);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		int fd = -1;

		assert_int_equal(open_as(&a, kinds[i], false, &fd), OK);
		assert_int_equal(option(fd, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_OMIT);
		net_sock_dont_fragment(fd, false, true);
		assert_int_equal(option(fd, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_PROBE);
		net_sock_dont_fragment(fd, false, false);
		assert_int_equal(option(fd, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_OMIT);
		net_sock_close(&fd);
	}
}

static int lowest_free_fd(void)
{
	int fd = dup(0);

	assert_true(fd >= 0);
	close(fd);
	return fd;
}

/* What the client had set before it connected; ECN's two bits are no part of it. */
static void the_dscp_of_a_connection_is_told(void **state)
{
	static const char *const hosts[] = { "127.0.0.1", "::1" };
	static const struct {
		int set;
		uint8_t told;
	} row[] = { { 0, 0 }, { 0xB8, 0xB8 }, { 0x20, 0x20 }, { 0xFC, 0xFC }, { 0x03, 0 } };

	(void)state;
	for (size_t h = 0; h < ARRAY_LEN(hosts); h++)
		for (size_t i = 0; i < ARRAY_LEN(row); i++) {
			struct addr a = at(hosts[h], 0);
			bool v6 = a.family == ADDR_V6;
			struct sockaddr_storage sa;
			socklen_t len;
			int fd = -1, client, got;

			if (v6 && !have_ipv6())
				continue;
			assert_int_equal(net_sock_listen(&a, false, &fd), OK);
			assert_int_equal(net_sock_name(fd, &a), OK);
			len = addr_to_sa(&a, &sa);
			client = socket(sa.ss_family, SOCK_STREAM, 0);
			assert_int_equal(setsockopt(client, v6 ? IPPROTO_IPV6 : IPPROTO_IP,
						    v6 ? IPV6_TCLASS : IP_TOS, &row[i].set, sizeof row[i].set),
					 0);
			assert_int_equal(connect(client, (struct sockaddr *)&sa, len), 0);
			got = accept(fd, NULL, NULL);
			assert_true(got >= 0);
			assert_int_equal(net_sock_dscp(got, v6), row[i].told);
			close(got);
			close(client);
			net_sock_close(&fd);
		}
}

static void failures_leave_nothing_open(void **state)
{
	const struct addr nowhere = at("192.0.2.1", 0), any = at("127.0.0.1", 0);
	struct rlimit before, now;
	struct addr taken;
	int fd = listener("127.0.0.1", &taken), other = -1, base = lowest_free_fd();

	(void)state;
	assert_int_equal(open_as(&nowhere, NET_SOCK_LISTENER, false, &other), ERR_SYS);
	assert_int_equal(errno, EADDRNOTAVAIL);
	assert_int_equal(open_as(&taken, NET_SOCK_LISTENER, false, &other), ERR_INUSE);
	assert_int_equal(lowest_free_fd(), base);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	now = before;
	now.rlim_cur = (rlim_t)base;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
	assert_int_equal(open_as(&any, NET_SOCK_RELAY, false, &other), ERR_FULL);
	assert_int_equal(errno, EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(other, -1);
	net_sock_close(&fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_server_is_refused),
		cmocka_unit_test(a_relay_socket_shares_with_nobody),
		cmocka_unit_test(those_who_join_share_the_clients),
		cmocka_unit_test(never_blocks_and_is_not_inherited),
		cmocka_unit_test(each_kind_has_its_options),
		cmocka_unit_test(buffers_and_gro_are_as_asked),
		cmocka_unit_test(df_is_set_while_asked_and_errors_are_told_afterwards),
		cmocka_unit_test(the_dscp_of_a_connection_is_told),
		cmocka_unit_test(failures_leave_nothing_open),
	};

	own_net();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
