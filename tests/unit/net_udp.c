/* Bursts: what may leave in one system call, what arrives, and what happens when the kernel says no. */
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The sources themselves, with a sendmsg() and a sendto() that fail when they are told to. */
static struct {
	int burst_errno;  /* of sends with UDP_SEGMENT; 0: they work */
	int single_errno; /* of the others */
	unsigned n_single_failures; /* that many fail, then they work */
	unsigned n_bursts, n_singles; /* calls */
} script;

static ssize_t scripted_sendmsg(int fd, const struct msghdr *m, int flags);
static ssize_t scripted_sendto(int fd, const void *p, size_t n, int flags, const struct sockaddr *to, socklen_t to_len);

#define sendmsg scripted_sendmsg
#define sendto scripted_sendto
#include "net/udp_tx.c"
#undef sendmsg
#undef sendto
#include "net/sock.h"
#include "net/udp_rx.c"
#include "own_net.h"

static ssize_t scripted_sendmsg(int fd, const struct msghdr *m, int flags)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(m);

	if (c && c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_SEGMENT) {
		script.n_bursts++;
		errno = script.burst_errno;
		return script.burst_errno ? -1 : sendmsg(fd, m, flags);
	}
	script.n_singles++;
	if (!script.n_single_failures)
		return sendmsg(fd, m, flags);
	script.n_single_failures--;
	errno = script.single_errno;
	return -1;
}

static ssize_t scripted_sendto(int fd, const void *p, size_t n, int flags, const struct sockaddr *to, socklen_t to_len)
{
	struct iovec iov = { (void *)p, n };
	const struct msghdr m = {
		.msg_name = (void *)to, .msg_namelen = to_len, .msg_iov = &iov, .msg_iovlen = 1
	};

	return scripted_sendmsg(fd, &m, flags);
}

enum { WAIT_MS = 20000, BIG = 70000 };

/* A socket that sends and one that receives, on loopback. */
struct pair {
	int from, to;
	struct addr at_from, at_to;
	struct counters cnt;
	struct net_run run;
	struct net_rx_batch *rx;
	uint8_t *data; /* BIG bytes, no two neighbours alike */
};

static int open_at(const char *ip, enum net_sock_kind kind, bool gro, struct addr *a)
{
	const struct net_sock_options o = { .kind = kind, .gro = gro, .buf_size = 1 << 22 };
	int fd = -1;

	assert_int_equal(addr_parse_ip(str_of(ip), a), OK);
	if (net_sock_udp(a, &o, &fd))
		return -1;
	assert_int_equal(net_sock_name(fd, a), OK);
	return fd;
}

/* False: this host has no such address. */
static bool pair_init(struct pair *p, const char *ip, bool gso, bool gro)
{
	memset(p, 0, sizeof *p);
	memset(&script, 0, sizeof script);
	p->from = open_at(ip, NET_SOCK_LISTENER, false, &p->at_from);
	if (p->from < 0)
		return false;
	p->to = open_at(ip, NET_SOCK_LISTENER, gro, &p->at_to);
	net_run_init(&p->run, gso, &p->cnt);
	assert_int_equal(net_rx_batch_new(&p->rx), OK);
	p->data = malloc(BIG);
	for (size_t i = 0; i < BIG; i++)
		p->data[i] = (uint8_t)(i * 167 >> 3);
	return true;
}

static void pair_fini(struct pair *p)
{
	close(p->from);
	close(p->to);
	net_rx_batch_free(p->rx);
	free(p->data);
}

static bool add(struct pair *p, size_t off, size_t len)
{
	const struct iovec iov = { p->data + off, len };

	return net_run_add(&p->run, &iov, 1);
}

static void start(struct pair *p)
{
	net_run_start(&p->run, p->from, &p->at_to, NULL, (struct net_mark){ .tos = 0 });
}

static void wait_readable(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
}

/* The next datagrams have these lengths, and are p->data from its start, one after another. */
static void expect(struct pair *p, const size_t *len, size_t n)
{
	size_t off = 0, i = 0;

	while (i < n) {
		struct net_rx rx = { 0 };
		size_t at = 0;

		wait_readable(p->to);
		assert_true(net_rx_one(p->rx, 0, p->to, &rx));
		assert_false(rx.truncated);
		assert_true(addr_eq(&rx.from, &p->at_from));
		do {
			size_t left = rx.len - at, this = left < rx.seg ? left : rx.seg;

			assert_true(i < n);
			assert_int_equal(this, len[i++]);
			assert_memory_equal(rx.buf + at, p->data + off, this);
			off += this;
			at += this;
		} while (at < rx.len);
	}
	struct net_rx none;
	assert_false(net_rx_one(p->rx, 0, p->to, &none));
}

/* Sends lengths as the packet path does: a new run where one cannot join. How many runs? */
static unsigned send_all(struct pair *p, const size_t *len, size_t n)
{
	unsigned runs = 1;
	size_t off = 0, sent = 0;

	start(p);
	for (size_t i = 0; i < n; i++) {
		if (!add(p, off, len[i])) {
			sent += net_run_flush(&p->run);
			start(p);
			assert_true(add(p, off, len[i])); /* a new run takes any */
			runs++;
		}
		off += len[i];
	}
	sent += net_run_flush(&p->run);
	assert_int_equal(sent, n);
	return runs;
}

struct mixture {
	const char *what;
	size_t len[12], n;
	unsigned runs;
};

static const struct mixture mixtures[] = {
	{ "one", { 100 }, 1, 1 },
	{ "equal ones", { 1100, 1100, 1100, 1100, 1100, 1100, 1100 }, 7, 1 },
	{ "a short tail", { 1100, 1100, 300 }, 3, 1 },
	{ "nothing follows a short one", { 1100, 300, 300 }, 3, 2 },
	{ "not even one as long as the first", { 1100, 300, 1100 }, 3, 2 },
	{ "a longer one starts anew", { 300, 1100, 1100 }, 3, 2 },
	{ "an empty one goes alone", { 100, 100, 0, 100, 100 }, 5, 3 },
	{ "empty ones, each alone", { 0, 0, 0 }, 3, 3 },
	{ "an empty one first", { 0, 50, 50 }, 3, 2 },
	{ "single bytes", { 1, 1, 1 }, 3, 1 },
	{ "falling lengths", { 5, 4, 3, 2, 1 }, 5, 3 },
};

/* Each combination of the offloads, each family: the same datagrams arrive. */
static void mixtures_arrive_whole_and_in_order(void **state)
{
	static const char *const ips[] = { "127.0.0.1", "::1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mixtures) * 8; i++) {
		const struct mixture *m = &mixtures[i / 8];
		bool gso = i & 1, gro = i >> 1 & 1;
		struct pair p;

		if (!pair_init(&p, ips[i >> 2 & 1], gso, gro))
			continue;
		if (send_all(&p, m->len, m->n) != m->runs)
			fail_msg("%s: not %u runs", m->what, m->runs);
		expect(&p, m->len, m->n);
		assert_int_equal(script.n_bursts + script.n_singles, gso ? m->runs : m->n);
		assert_int_equal(counter_get(&p.cnt, gso_sends), script.n_bursts);
		assert_int_equal(counter_get(&p.cnt, drop_send), 0);
		pair_fini(&p);
	}
}

static void a_run_ends_at_64_datagrams(void **state)
{
	size_t len[100];
	struct pair p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(len); i++)
		len[i] = 100;
	assert_true(pair_init(&p, "127.0.0.1", true, true));
	start(&p);
	for (size_t i = 0; i < NET_RUN_DATAGRAMS; i++)
		assert_true(add(&p, 0, 100));
	assert_false(add(&p, 0, 100));
	p.run.n_datagrams = 0; /* forget those */
	assert_int_equal(send_all(&p, len, ARRAY_LEN(len)), 2);
	assert_int_equal(script.n_bursts, 2);
	expect(&p, len, ARRAY_LEN(len));
	pair_fini(&p);
}

/* The parts that go before each payload count too: 50 of 1296 + 4 make 65000 exactly. */
static void a_run_ends_at_its_most_bytes_with_headers_counted(void **state)
{
	const uint8_t header[4] = { 0 };
	struct pair p;

	(void)state;
	assert_true(pair_init(&p, "127.0.0.1", true, true));
	start(&p);
	for (size_t i = 0; i < 51; i++) {
		const struct iovec iov[2] = { { (void *)header, 4 }, { p.data, 1296 } };

		assert_int_equal(net_run_add(&p.run, iov, 2), i < 50);
	}
	assert_int_equal(p.run.bytes, NET_RUN_BYTES);
	assert_int_equal(net_run_flush(&p.run), 50);
	assert_int_equal(script.n_bursts, 1);
	start(&p);
	assert_true(add(&p, 0, 65507)); /* the longest there is goes alone */
	assert_false(add(&p, 0, 1));
	assert_int_equal(net_run_flush(&p.run), 1);
	pair_fini(&p);
}

/* Header, payload, padding: one datagram from three places, each with its own lengths. */
static void parts_are_put_together(void **state)
{
	static const size_t cut[][3] = { { 4, 96, 0 }, { 36, 61, 3 }, { 0, 100, 0 }, { 50, 50, 0 } };
	static const size_t len[] = { 100, 100, 100, 100 };

	(void)state;
	for (int gso = 0; gso < 2; gso++) {
		struct pair p;
		uint8_t *at;

		assert_true(pair_init(&p, "127.0.0.1", gso, true));
		at = p.data;
		start(&p);
		for (size_t i = 0; i < ARRAY_LEN(cut); i++) {
			struct iovec iov[3];

			for (int k = 0; k < 3; k++) {
				iov[k] = (struct iovec){ at, cut[i][k] };
				at += cut[i][k];
			}
			assert_true(net_run_add(&p.run, iov, 3));
		}
		assert_int_equal(net_run_flush(&p.run), 4);
		expect(&p, len, ARRAY_LEN(len));
		pair_fini(&p);
	}
}

static void a_run_is_of_one_socket_destination_and_tos(void **state)
{
	struct addr other;
	struct pair p;

	(void)state;
	assert_true(pair_init(&p, "127.0.0.1", true, true));
	other = p.at_to;
	other.port++;
	assert_false(net_run_is(&p.run, p.from, &p.at_to, (struct net_mark){ .tos = 0 })); /* none is open */
	net_run_start(&p.run, p.from, &p.at_to, NULL, (struct net_mark){ .tos = 8 });
	assert_true(net_run_is(&p.run, p.from, &p.at_to, (struct net_mark){ .tos = 8 }));
	assert_false(net_run_is(&p.run, p.from, &p.at_to, (struct net_mark){ .tos = 0 }));
	assert_false(net_run_is(&p.run, p.to, &p.at_to, (struct net_mark){ .tos = 8 }));
	assert_false(net_run_is(&p.run, p.from, &other, (struct net_mark){ .tos = 8 }));
	assert_int_equal(net_run_flush(&p.run), 0);
	assert_false(net_run_is(&p.run, p.from, &p.at_to, (struct net_mark){ .tos = 8 }));
	assert_int_equal(script.n_bursts + script.n_singles, 0);
	pair_fini(&p);
}

static void tos_and_the_source_address_are_carried(void **state)
{
	static const struct {
		const char *any, *from, *to;
	} rows[] = { { "0.0.0.0", "127.0.0.2", "127.0.0.3" }, { "::", "::1", "::1" } };
	const uint8_t byte = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows) * 2; i++) {
		const struct iovec iov = { (void *)&byte, 1 };
		struct addr at_from, at_to, source, reached;
		const struct net_rx *rx = NULL;
		struct pair p;

		if (!pair_init(&p, rows[i / 2].from, true, true))
			continue;
		int from = open_at(rows[i / 2].any, NET_SOCK_LISTENER, false, &at_from);
		int to = open_at(rows[i / 2].any, NET_SOCK_LISTENER, true, &at_to);
		assert_int_equal(addr_parse_ip(str_of(rows[i / 2].from), &source), OK);
		assert_int_equal(addr_parse_ip(str_of(rows[i / 2].to), &reached), OK);
		reached.port = at_to.port;
		net_run_start(&p.run, from, &reached, &source, (struct net_mark){ .tos = 0xb9 }); /* EF, ECT(1) */
		for (size_t k = 0; k <= i % 2; k++)
			assert_true(net_run_add(&p.run, &iov, 1));
		assert_int_equal(net_run_flush(&p.run), 1 + i % 2);
		wait_readable(to);
		assert_int_equal(net_rx_many(p.rx, to, &rx), 1);
		assert_int_equal(rx->mark.tos, 0xb9);
		assert_true(addr_ip_eq(&rx->from, &source));
		assert_int_equal(rx->from.port, at_from.port);
		assert_true(addr_ip_eq(&rx->to, &reached));
		close(from);
		close(to);
		pair_fini(&p);
	}
}

/* --- the kernel says no --- */

static const size_t FIVE[] = { 200, 200, 200, 200, 200 };

struct refusal {
	int no;
	bool for_good;	/* no burst is tried any more */
	size_t arrives; /* of five */
};

static void a_refused_burst_goes_out_one_by_one(void **state)
{
	static const struct refusal rows[] = {
		{ EIO, true, 5 },	/* the device cannot */
		{ EMSGSIZE, false, 5 }, /* this path cannot */
		{ EINVAL, false, 5 },
		{ EAGAIN, false, 0 }, /* full: UDP is dropped, not tried again */
		{ ENOBUFS, false, 0 },
		{ EPERM, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pair p;
		size_t off = 0;

		assert_true(pair_init(&p, "127.0.0.1", true, true));
		script.burst_errno = rows[i].no;
		start(&p);
		for (size_t k = 0; k < 5; k++, off += 200)
			assert_true(add(&p, off, 200));
		assert_int_equal(net_run_flush(&p.run), rows[i].arrives);
		expect(&p, FIVE, rows[i].arrives);
		assert_int_equal(script.n_bursts, 1);
		assert_int_equal(script.n_singles, rows[i].arrives);
		assert_int_equal(counter_get(&p.cnt, drop_send), 5 - rows[i].arrives);
		assert_int_equal(counter_get(&p.cnt, gso_refused), rows[i].arrives > 0);
		assert_int_equal(p.run.gso, !rows[i].for_good);
		script.burst_errno = 0; /* and the next one? */
		assert_int_equal(send_all(&p, FIVE, 5), 1);
		assert_int_equal(script.n_bursts, rows[i].for_good ? 1 : 2);
		expect(&p, FIVE, 5);
		pair_fini(&p);
	}
}

/* A real refusal: the kernel cuts nothing that has no checksum. */
static void a_socket_that_cannot_burst_still_sends(void **state)
{
	struct pair p;
	int yes = 1;

	(void)state;
	assert_true(pair_init(&p, "127.0.0.1", true, true));
	assert_int_equal(setsockopt(p.from, SOL_SOCKET, SO_NO_CHECK, &yes, sizeof yes), 0);
	assert_int_equal(send_all(&p, FIVE, 5), 1);
	expect(&p, FIVE, 5);
	assert_int_equal(counter_get(&p.cnt, gso_refused), 1);
	assert_true(p.run.gso);
	pair_fini(&p);
}

/* What an earlier datagram's ICMP error took the place of is sent again, once. */
static void the_error_of_another_datagram_costs_none(void **state)
{
	static const struct {
		int no;
		unsigned n_failures, calls;
		bool arrives;
	} rows[] = {
		{ ECONNREFUSED, 1, 2, true }, { EHOSTUNREACH, 1, 2, true }, { ENETUNREACH, 1, 2, true },
		{ EMSGSIZE, 1, 2, true },     { EACCES, 1, 2, true },	    { ECONNREFUSED, 2, 2, false },
		{ EMSGSIZE, 2, 2, false },    { EAGAIN, 1, 1, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pair p;

		assert_true(pair_init(&p, "127.0.0.1", true, true));
		script.single_errno = rows[i].no;
		script.n_single_failures = rows[i].n_failures;
		start(&p);
		assert_true(add(&p, 0, 200));
		assert_int_equal(net_run_flush(&p.run), rows[i].arrives);
		expect(&p, FIVE, rows[i].arrives);
		assert_int_equal(script.n_singles, rows[i].calls);
		assert_int_equal(counter_get(&p.cnt, drop_send), !rows[i].arrives);
		pair_fini(&p);
	}
}

static void kernels_that_corrupt_are_known(void **state)
{
	static const struct {
		const char *release;
		bool corrupts;
	} rows[] = {
		{ "6.18.44", false },	      { "6.99.0-rc1", false },	{ "7.0.0", true },
		{ "7.0.11-14-generic", true }, { "7.1.0-rc3", true },	{ "7.1.4-arch1", true },
		{ "7.1.5", false },	      { "7.2.0", false },	{ "8.0.1", false },
		{ "17.1.2", false },	      { "nonsense", false },	{ "", false },
		{ "7.1", true },
	};
	const char *why = "";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(kernel_corrupts(rows[i].release), rows[i].corrupts);
	if (net_gso_usable(&why))
		assert_null(why);
	else
		assert_non_null(why);
}

/* --- receiving --- */

static void gro_gives_a_burst_at_once_and_else_each_alone(void **state)
{
	static const size_t len[] = { 900, 900, 900, 900, 900, 900, 123 };

	(void)state;
	for (int gro = 0; gro < 2; gro++) {
		const struct net_rx *rx = NULL;
		struct pair p;
		size_t n, sum = 0;

		assert_true(pair_init(&p, "127.0.0.1", true, gro));
		assert_int_equal(send_all(&p, len, ARRAY_LEN(len)), 1);
		wait_readable(p.to);
		n = net_rx_many(p.rx, p.to, &rx);
		assert_int_equal(n, gro ? 1 : ARRAY_LEN(len));
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(rx[i].seg, i < 6 ? 900 : 123);
			assert_int_equal(rx[i].to.family, ADDR_NONE); /* bound to one address */
			assert_memory_equal(rx[i].buf, p.data + sum, rx[i].len);
			sum += rx[i].len;
		}
		assert_int_equal(sum, 6 * 900 + 123);
		assert_int_equal(net_rx_many(p.rx, p.to, &rx), 0);
		pair_fini(&p);
	}
}

static void what_does_not_fit_the_slots_comes_with_the_next_read(void **state)
{
	const struct net_rx *rx = NULL;
	struct pair p;

	(void)state;
	assert_true(pair_init(&p, "127.0.0.1", false, false));
	for (size_t i = 0; i < NET_RX_SLOTS + 3; i++) {
		start(&p);
		assert_true(add(&p, i, 10 + i));
		assert_int_equal(net_run_flush(&p.run), 1);
	}
	wait_readable(p.to);
	assert_int_equal(net_rx_many(p.rx, p.to, &rx), NET_RX_SLOTS);
	for (size_t i = 0; i < NET_RX_SLOTS; i++) {
		assert_int_equal(rx[i].len, 10 + i);
		assert_memory_equal(rx[i].buf, p.data + i, 10 + i);
	}
	assert_int_equal(net_rx_many(p.rx, p.to, &rx), 3);
	assert_int_equal(rx[2].len, 10 + NET_RX_SLOTS + 2);
	assert_int_equal(net_rx_many(p.rx, p.to, &rx), 0);
	pair_fini(&p);
}

/* A header goes before what was read and padding behind it, and no other slot is touched. */
static void what_is_read_may_be_framed_where_it_lies(void **state)
{
	enum { BEHIND = 3, N = 2 };
	const size_t longest = 65507;
	const struct net_rx *rx = NULL;
	struct pair p;

	(void)state;
	assert_true(pair_init(&p, "127.0.0.1", false, false));
	for (size_t i = 0; i < N; i++) {
		start(&p);
		assert_true(add(&p, i, longest));
		assert_int_equal(net_run_flush(&p.run), 1);
	}
	wait_readable(p.to);
	assert_int_equal(net_rx_many(p.rx, p.to, &rx), N);
	for (size_t i = 0; i < N; i++) {
		memset(rx[i].buf - NET_RX_HEAD, 0xEE, NET_RX_HEAD);
		memset(rx[i].buf + rx[i].len, 0xEE, BEHIND);
	}
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(rx[i].len, longest);
		assert_memory_equal(rx[i].buf, p.data + i, longest);
	}
	pair_fini(&p);
}

static void cut_data_or_cut_control_is_told(void **state)
{
	static const struct {
		int flags;
		bool truncated;
	} rows[] = { { 0, false }, { MSG_TRUNC, true }, { MSG_CTRUNC, true }, { MSG_TRUNC | MSG_CTRUNC, true } };
	struct sockaddr_in6 from = { .sin6_family = AF_INET6 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct msghdr m = { .msg_name = &from, .msg_flags = rows[i].flags };
		struct net_rx rx;

		take(&rx, &m, 10);
		assert_int_equal(rx.truncated, rows[i].truncated);
	}
}

static void a_closed_port_is_told_with_its_address(void **state)
{
	static const struct {
		const char *ip;
		uint8_t type, code;
	} rows[] = { { "127.0.0.1", 3, 3 }, { "::1", 1, 4 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct addr at, gone;
		struct net_icmp icmp;
		struct net_rx rx;
		struct pair p;
		int fd;

		if (!pair_init(&p, rows[i].ip, true, true))
			continue;
		fd = open_at(rows[i].ip, NET_SOCK_RELAY, true, &at);
		close(open_at(rows[i].ip, NET_SOCK_RELAY, true, &gone));
		assert_false(net_rx_error(fd, &icmp));
		net_run_start(&p.run, fd, &gone, NULL, (struct net_mark){ .tos = 0 });
		assert_true(add(&p, 0, 10));
		assert_int_equal(net_run_flush(&p.run), 1);
		wait_readable(fd);
		assert_false(net_rx_one(p.rx, 0, fd, &rx));
		assert_true(net_rx_error(fd, &icmp));
		assert_true(addr_eq(&icmp.to, &gone));
		assert_int_equal(icmp.type, rows[i].type);
		assert_int_equal(icmp.code, rows[i].code);
		assert_int_equal(icmp.mtu, 0);
		assert_false(net_rx_error(fd, &icmp));
		close(fd);
		pair_fini(&p);
	}
}

static void icmp_of_interest_is_what_the_rfc_names(void **state)
{
	static const struct {
		uint8_t origin, type, code;
		uint32_t info;
		bool wanted;
		uint32_t mtu;
	} rows[] = {
		{ SO_EE_ORIGIN_ICMP, 3, 1, 9, true, 0 },      { SO_EE_ORIGIN_ICMP, 3, 4, 1280, true, 1280 },
		{ SO_EE_ORIGIN_ICMP, 11, 0, 9, true, 0 },     { SO_EE_ORIGIN_ICMP, 4, 0, 9, false, 0 },
		{ SO_EE_ORIGIN_ICMP, 12, 0, 9, false, 0 },    { SO_EE_ORIGIN_ICMP6, 1, 4, 9, true, 0 },
		{ SO_EE_ORIGIN_ICMP6, 2, 0, 1280, true, 1280 }, { SO_EE_ORIGIN_ICMP6, 3, 0, 9, true, 0 },
		{ SO_EE_ORIGIN_ICMP6, 4, 0, 9, false, 0 },    { SO_EE_ORIGIN_LOCAL, 3, 3, 9, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct sock_extended_err e = { .ee_origin = rows[i].origin, .ee_type = rows[i].type,
						     .ee_code = rows[i].code, .ee_info = rows[i].info };
		struct net_icmp icmp;

		assert_int_equal(is_wanted(&e, &icmp), rows[i].wanted);
		if (rows[i].wanted)
			assert_int_equal(icmp.mtu, rows[i].mtu);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mixtures_arrive_whole_and_in_order),
		cmocka_unit_test(a_run_ends_at_64_datagrams),
		cmocka_unit_test(a_run_ends_at_its_most_bytes_with_headers_counted),
		cmocka_unit_test(parts_are_put_together),
		cmocka_unit_test(a_run_is_of_one_socket_destination_and_tos),
		cmocka_unit_test(tos_and_the_source_address_are_carried),
		cmocka_unit_test(a_refused_burst_goes_out_one_by_one),
		cmocka_unit_test(a_socket_that_cannot_burst_still_sends),
		cmocka_unit_test(the_error_of_another_datagram_costs_none),
		cmocka_unit_test(kernels_that_corrupt_are_known),
		cmocka_unit_test(gro_gives_a_burst_at_once_and_else_each_alone),
		cmocka_unit_test(what_does_not_fit_the_slots_comes_with_the_next_read),
		cmocka_unit_test(what_is_read_may_be_framed_where_it_lies),
		cmocka_unit_test(cut_data_or_cut_control_is_told),
		cmocka_unit_test(a_closed_port_is_told_with_its_address),
		cmocka_unit_test(icmp_of_interest_is_what_the_rfc_names),
	};

	own_net();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
