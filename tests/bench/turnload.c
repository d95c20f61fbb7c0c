/*
 * turnload: a TURN load generator that also measures the server.
 *
 * It opens N sessions (Allocate with long-term credentials, ChannelBind), then sends media both
 * ways through the relay at a fixed rate, counts loss and latency per packet, and reads how much
 * CPU time the server's processes and threads (-P pid, repeatable) used meanwhile. The figure to
 * compare servers by is CPU nanoseconds per relayed packet, and the highest rate without loss.
 *
 *   turnload -s 10.77.0.1:3478 -u user -w pass -n 100 -l 1100 -r 210 -b 7 -d 5 -P 1234
 *
 * Modes (-m): relay (default) | alloc (set-up and tear-down rate) | hold (open N, report memory).
 * Transports (-t): udp | tcp | tls.   Build: make
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum { CHANNEL = 0x4000, HDR = 24, MAXPKT = 65536, STREAM_BUF = 1 << 17 };
enum transport { T_UDP, T_TCP, T_TLS };
enum state { S_IDLE, S_ALLOC, S_ALLOC_AUTH, S_BIND, S_READY, S_FREE, S_DONE, S_FAILED };

struct session {
	int fd, peer_fd;
	SSL *ssl;
	enum state state;
	uint8_t txid[12];
	uint64_t sent_at; /* last request, for retransmission */
	int tries;
	struct sockaddr_in peer, relay;
	char realm[128], nonce[256];
	uint8_t key[16];
	int have_key;
	uint64_t next_c2p, next_p2c; /* next due time, ns */
	uint8_t *in;		     /* stream reassembly */
	size_t in_len;
	uint8_t *out; /* unsent stream bytes */
	size_t out_len;
};

struct options {
	struct sockaddr_in server;
	const char *user, *pass, *local, *peer_ip, *csv;
	int n, size, burst, secs, window, want_c2p, want_p2c, local_ips, connect_peer, gro;
	double pps;
	enum transport transport;
	enum { M_RELAY, M_ALLOC, M_HOLD } mode;
	int pids[32], npids;
} opt = { .user = "user",
	  .pass = "pass",
	  .local = "127.0.0.1",
	  .n = 100,
	  .size = 1100,
	  .burst = 1,
	  .secs = 5,
	  .window = 64,
	  .want_c2p = 1,
	  .want_p2c = 1,
	  .pps = 50,
	  .local_ips = 1,
	  .gro = 1 };

static struct session *ss;
static int ep;
static SSL_CTX *ctx;
static uint64_t sent_c2p, sent_p2c, got_c2p, got_p2c, send_fail, bad;
static uint64_t hist[64 * 16]; /* log2 buckets with 16 linear steps each */
static volatile sig_atomic_t measuring;
static uint64_t run_id;

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + t.tv_nsec;
}
static void die(const char *what)
{
	perror(what);
	exit(2);
}

/* ---- latency histogram ---- */
static void hist_add(uint64_t ns)
{
	int e = ns < 16 ? 0 : 63 - __builtin_clzll(ns) - 4;
	int m = (ns >> e) & 15;
	hist[(e < 63 ? e : 63) * 16 + m]++;
}
static double hist_us(double q)
{
	uint64_t total = 0, seen = 0;
	for (size_t i = 0; i < 64 * 16; i++)
		total += hist[i];
	for (size_t i = 0; i < 64 * 16; i++) {
		seen += hist[i];
		if (total && seen >= (uint64_t)(q * total)) {
			int e = i / 16;
			return (double)((uint64_t)(16 | (i & 15)) << e) / 1000.0;
		}
	}
	return 0;
}

/* ---- what the server used: CPU ticks and resident memory ---- */
static double cpu_seconds(int pid)
{
	char path[64], buf[1024];
	snprintf(path, sizeof path, "/proc/%d/schedstat", pid);
	/* schedstat is nanosecond-exact but per thread: sum the tasks */
	snprintf(path, sizeof path, "/proc/%d/task", pid);
	double sum = 0;
	char cmd[128];
	snprintf(cmd, sizeof cmd, "cat /proc/%d/task/*/schedstat 2>/dev/null", pid);
	FILE *f = popen(cmd, "r");
	if (!f)
		return 0;
	while (fgets(buf, sizeof buf, f))
		sum += strtoull(buf, NULL, 10) / 1e9;
	pclose(f);
	return sum;
}
static long rss_kib(int pid)
{
	char path[64], line[256];
	long kib = 0;
	snprintf(path, sizeof path, "/proc/%d/status", pid);
	FILE *f = fopen(path, "r");
	if (!f)
		return 0;
	while (fgets(line, sizeof line, f))
		if (!strncmp(line, "VmRSS:", 6))
			kib = atol(line + 6);
	fclose(f);
	return kib;
}
static double all_cpu(void)
{
	double s = 0;
	for (int i = 0; i < opt.npids; i++)
		s += cpu_seconds(opt.pids[i]);
	return s;
}
static long slab_kib(void)
{
	char line[256];
	long v = 0, kib = 0;
	FILE *f = fopen("/proc/meminfo", "r");
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "Slab: %ld", &v) == 1)
			kib = v;
	if (f)
		fclose(f);
	return kib;
}

/* ---- STUN ---- */
static void put16(uint8_t *p, unsigned v)
{
	p[0] = v >> 8;
	p[1] = v;
}
static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}
static unsigned get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

struct msg {
	uint8_t b[2048];
	size_t n;
};
static void msg_begin(struct msg *m, unsigned type, uint8_t tx[12])
{
	put16(m->b, type);
	put16(m->b + 2, 0);
	put32(m->b + 4, 0x2112A442);
	for (int i = 0; i < 12; i++)
		tx[i] = rand() >> 7;
	memcpy(m->b + 8, tx, 12);
	m->n = 20;
}
static void msg_attr(struct msg *m, unsigned type, const void *v, size_t len)
{
	put16(m->b + m->n, type);
	put16(m->b + m->n + 2, len);
	memcpy(m->b + m->n + 4, v, len);
	memset(m->b + m->n + 4 + len, 0, (4 - len % 4) % 4);
	m->n += 4 + (len + 3) / 4 * 4;
	put16(m->b + 2, m->n - 20);
}
static void msg_xor_addr(struct msg *m, unsigned type, const struct sockaddr_in *a)
{
	uint8_t v[8] = { 0, 1 };
	put16(v + 2, ntohs(a->sin_port) ^ 0x2112);
	put32(v + 4, ntohl(a->sin_addr.s_addr) ^ 0x2112A442);
	msg_attr(m, type, v, 8);
}
static void msg_auth(struct msg *m, struct session *s)
{
	uint8_t mac[20];
	unsigned len = 20;
	msg_attr(m, 0x0006, opt.user, strlen(opt.user));
	msg_attr(m, 0x0014, s->realm, strlen(s->realm));
	msg_attr(m, 0x0015, s->nonce, strlen(s->nonce));
	put16(m->b + 2, m->n - 20 + 24);
	HMAC(EVP_sha1(), s->key, 16, m->b, m->n, mac, &len);
	msg_attr(m, 0x0008, mac, 20);
}
static const uint8_t *find_attr(const uint8_t *b, size_t n, unsigned type, size_t *len)
{
	for (size_t i = 20; i + 4 <= n;) {
		unsigned l = get16(b + i + 2);
		if (i + 4 + l > n)
			return NULL;
		if (get16(b + i) == type) {
			*len = l;
			return b + i + 4;
		}
		i += 4 + (l + 3) / 4 * 4;
	}
	return NULL;
}

/* ---- stream output: never lose bytes on a full socket ---- */
static void flush_out(struct session *s)
{
	while (s->out_len) {
		int k;
		if (s->ssl)
			k = SSL_write(s->ssl, s->out, s->out_len);
		else
			k = send(s->fd, s->out, s->out_len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (k <= 0)
			return;
		memmove(s->out, s->out + k, s->out_len - k);
		s->out_len -= k;
	}
}
static int send_bytes(struct session *s, const void *b, size_t n)
{
	if (opt.transport == T_UDP)
		return send(s->fd, b, n, MSG_DONTWAIT) == (ssize_t)n ? 0 : -1;
	if (s->out_len + n > STREAM_BUF) {
		flush_out(s);
		if (s->out_len + n > STREAM_BUF)
			return -1;
	}
	memcpy(s->out + s->out_len, b, n);
	s->out_len += n;
	flush_out(s);
	return 0;
}

static void request(struct session *s)
{
	struct msg m;
	uint8_t v[4];
	switch (s->state) {
	case S_ALLOC:
	case S_ALLOC_AUTH:
		msg_begin(&m, 0x0003, s->txid);
		msg_attr(&m, 0x0019, "\x11\0\0", 4);
		put32(v, 3600);
		msg_attr(&m, 0x000D, v, 4);
		if (s->have_key)
			msg_auth(&m, s);
		break;
	case S_BIND:
		msg_begin(&m, 0x0009, s->txid);
		put16(v, CHANNEL);
		put16(v + 2, 0);
		msg_attr(&m, 0x000C, v, 4);
		msg_xor_addr(&m, 0x0012, &s->peer);
		msg_auth(&m, s);
		break;
	case S_FREE:
		msg_begin(&m, 0x0004, s->txid);
		put32(v, 0);
		msg_attr(&m, 0x000D, v, 4);
		msg_auth(&m, s);
		break;
	default:
		return;
	}
	s->sent_at = now_ns();
	s->tries++;
	send_bytes(s, m.b, m.n);
}

static int in_flight, ready, failed, done;
static void enter(struct session *s, enum state st)
{
	s->state = st;
	s->tries = 0;
	request(s);
}

static void on_stun(struct session *s, const uint8_t *b, size_t n)
{
	size_t len;
	const uint8_t *a;
	if (n < 20 || memcmp(b + 8, s->txid, 12))
		return;
	unsigned type = get16(b);
	if ((type & 0x0110) == 0x0110) {
		a = find_attr(b, n, 0x0009, &len);
		int code = a && len >= 4 ? a[2] * 100 + a[3] : 0;
		if ((code == 401 && !s->have_key) || code == 438) {
			EVP_MD_CTX *md = EVP_MD_CTX_new();
			char t[512];
			if ((a = find_attr(b, n, 0x0014, &len)) && len < sizeof s->realm) {
				memcpy(s->realm, a, len);
				s->realm[len] = 0;
			}
			if ((a = find_attr(b, n, 0x0015, &len)) && len < sizeof s->nonce) {
				memcpy(s->nonce, a, len);
				s->nonce[len] = 0;
			}
			int k = snprintf(t, sizeof t, "%s:%s:%s", opt.user, s->realm, opt.pass);
			EVP_DigestInit_ex(md, EVP_md5(), NULL);
			EVP_DigestUpdate(md, t, k);
			EVP_DigestFinal_ex(md, s->key, NULL);
			EVP_MD_CTX_free(md);
			s->have_key = 1;
			enter(s, s->state == S_ALLOC ? S_ALLOC_AUTH : s->state);
			return;
		}
		if (bad++ < 3)
			fprintf(stderr, "turnload: error %d in state %d\n", code, s->state);
		s->state = S_FAILED;
		failed++;
		in_flight--;
		return;
	}
	if ((type & 0x0110) != 0x0100)
		return;
	switch (s->state) {
	case S_ALLOC:
	case S_ALLOC_AUTH:
		a = find_attr(b, n, 0x0016, &len);
		if (!a || len < 8) {
			s->state = S_FAILED;
			failed++;
			in_flight--;
			return;
		}
		s->relay.sin_family = AF_INET;
		s->relay.sin_port = htons(get16(a + 2) ^ 0x2112);
		s->relay.sin_addr.s_addr =
			htonl(((uint32_t)get16(a + 4) << 16 | get16(a + 6)) ^ 0x2112A442);
		enter(s, S_BIND);
		break;
	case S_BIND:
		s->state = S_READY;
		ready++;
		in_flight--;
		if (opt.mode == M_ALLOC) {
			in_flight++;
			enter(s, S_FREE);
		}
		break;
	case S_FREE:
		s->state = S_DONE;
		done++;
		in_flight--;
		break;
	default:
		break;
	}
}

/* ---- media ---- */
static void on_media(const uint8_t *p, size_t n, uint64_t *count, uint64_t t)
{
	uint64_t stamp, id;
	if (n < HDR) {
		bad++;
		return;
	}
	memcpy(&id, p, 8);
	memcpy(&stamp, p + 8, 8);
	if (id != run_id || !measuring)
		return;
	(*count)++;
	if (t > stamp)
		hist_add(t - stamp);
}
static void on_client_packet(struct session *s, const uint8_t *p, size_t n, uint64_t t)
{
	if (n >= 4 && p[0] >= 0x40 && p[0] <= 0x4F)
		on_media(p + 4, get16(p + 2), &got_p2c, t);
	else
		on_stun(s, p, n);
}
static void read_stream(struct session *s, uint64_t t)
{
	for (;;) {
		int k;
		if (s->ssl)
			k = SSL_read(s->ssl, s->in + s->in_len, STREAM_BUF - s->in_len);
		else
			k = recv(s->fd, s->in + s->in_len, STREAM_BUF - s->in_len,
				 MSG_DONTWAIT);
		if (k <= 0)
			break;
		s->in_len += k;
		size_t i = 0;
		while (s->in_len - i >= 4) {
			size_t l = get16(s->in + i + 2), need;
			if (s->in[i] & 0x40)
				need = 4 + (l + 3) / 4 * 4;
			else
				need = 20 + l;
			if (s->in_len - i < need)
				break;
			on_client_packet(s, s->in + i, s->in[i] & 0x40 ? 4 + l : need, t);
			i += need;
		}
		memmove(s->in, s->in + i, s->in_len - i);
		s->in_len -= i;
	}
}
static void read_udp(struct session *s, int peer)
{
	static uint8_t buf[MAXPKT];
	for (int rounds = 0; rounds < 64; rounds++) {
		uint8_t ctl[64];
		struct iovec iov = { buf, sizeof buf };
		struct msghdr mh = { .msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = ctl,
				     .msg_controllen = sizeof ctl };
		ssize_t k = recvmsg(peer ? s->peer_fd : s->fd, &mh, MSG_DONTWAIT);
		if (k <= 0)
			return;
		size_t seg = k;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&mh); c; c = CMSG_NXTHDR(&mh, c))
			if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
				int v;
				memcpy(&v, CMSG_DATA(c), sizeof v);
				seg = v;
			}
		uint64_t t = now_ns();
		for (size_t i = 0; i < (size_t)k; i += seg) {
			size_t n = (size_t)k - i < seg ? (size_t)k - i : seg;
			if (peer)
				on_media(buf + i, n, &got_c2p, t);
			else
				on_client_packet(s, buf + i, n, t);
		}
	}
}
static int poll_once(int ms)
{
	struct epoll_event ev[512];
	int k = epoll_wait(ep, ev, 512, ms);
	for (int i = 0; i < k; i++) {
		struct session *s = &ss[ev[i].data.u64 >> 1];
		int peer = ev[i].data.u64 & 1;
		if (peer || opt.transport == T_UDP)
			read_udp(s, peer);
		else {
			flush_out(s);
			read_stream(s, now_ns());
		}
	}
	return k;
}

static void send_burst(struct session *s, int from_peer, int burst, uint64_t t)
{
	static uint8_t buf[MAXPKT];
	int pre = from_peer ? 0 : 4;
	size_t one = pre + opt.size;
	for (int i = 0; i < burst; i++) {
		uint8_t *p = buf + i * one;
		if (pre) {
			put16(p, CHANNEL);
			put16(p + 2, opt.size);
		}
		memcpy(p + pre, &run_id, 8);
		memcpy(p + pre + 8, &t, 8);
	}
	uint64_t *sent = from_peer ? &sent_p2c : &sent_c2p;
	if (!from_peer && opt.transport != T_UDP) {
		size_t padded = (one + 3) / 4 * 4;
		for (int i = 0; i < burst; i++) {
			uint8_t pad[2048 + 4] = { 0 };
			memcpy(pad, buf + i * one, one);
			if (send_bytes(s, pad, padded))
				send_fail++;
			else
				(*sent)++;
		}
		return;
	}
	uint8_t ctl[CMSG_SPACE(sizeof(uint16_t))] = { 0 };
	struct iovec iov = { buf, one * burst };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	if (from_peer && !opt.connect_peer) {
		mh.msg_name = &s->relay;
		mh.msg_namelen = sizeof s->relay;
	}
	if (burst > 1) {
		mh.msg_control = ctl;
		mh.msg_controllen = sizeof ctl;
		struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_UDP;
		c->cmsg_type = UDP_SEGMENT;
		c->cmsg_len = CMSG_LEN(sizeof(uint16_t));
		uint16_t seg = one;
		memcpy(CMSG_DATA(c), &seg, sizeof seg);
	}
	if (sendmsg(from_peer ? s->peer_fd : s->fd, &mh, MSG_DONTWAIT) < 0)
		send_fail += burst;
	else
		*sent += burst;
}

/* ---- set-up ---- */
static void add_fd(int fd, uint64_t tag)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = tag };
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e))
		die("epoll_ctl");
}
static struct sockaddr_in local_addr(const char *base, int i)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	inet_pton(AF_INET, base, &a.sin_addr);
	a.sin_addr.s_addr = htonl(ntohl(a.sin_addr.s_addr) + i % opt.local_ips);
	return a;
}
static void open_session(int i)
{
	struct session *s = &ss[i];
	int one = 1, big = 4 << 20;
	struct sockaddr_in a = local_addr(opt.local, i);
	s->fd = socket(AF_INET, opt.transport == T_UDP ? SOCK_DGRAM : SOCK_STREAM, 0);
	if (s->fd < 0)
		die("socket");
	if (bind(s->fd, (void *)&a, sizeof a))
		die("bind client");
	if (connect(s->fd, (void *)&opt.server, sizeof opt.server))
		die("connect");
	if (opt.transport == T_UDP) {
		setsockopt(s->fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof big);
		if (opt.gro)
			setsockopt(s->fd, SOL_UDP, UDP_GRO, &one, sizeof one);
	} else {
		setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		s->in = malloc(STREAM_BUF);
		s->out = malloc(STREAM_BUF);
		if (opt.transport == T_TLS) {
			s->ssl = SSL_new(ctx);
			SSL_set_fd(s->ssl, s->fd);
			if (SSL_connect(s->ssl) != 1)
				die("SSL_connect");
			SSL_set_mode(s->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE |
						     SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
		}
	}
	fcntl(s->fd, F_SETFL, O_NONBLOCK);
	add_fd(s->fd, (uint64_t)i << 1);
	if (opt.mode == M_RELAY) {
		struct sockaddr_in p = local_addr(opt.peer_ip, i);
		socklen_t l = sizeof s->peer;
		s->peer_fd = socket(AF_INET, SOCK_DGRAM, 0);
		if (s->peer_fd < 0 || bind(s->peer_fd, (void *)&p, sizeof p))
			die("bind peer");
		getsockname(s->peer_fd, (void *)&s->peer, &l);
		setsockopt(s->peer_fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof big);
		if (opt.gro)
			setsockopt(s->peer_fd, SOL_UDP, UDP_GRO, &one, sizeof one);
		fcntl(s->peer_fd, F_SETFL, O_NONBLOCK);
		add_fd(s->peer_fd, (uint64_t)i << 1 | 1);
	} else {
		s->peer = local_addr(opt.peer_ip, i);
		s->peer.sin_port = htons(20000 + i % 40000);
	}
}
static int drive_setup(void)
{
	int next = 0, finished = 0;
	uint64_t last_scan = now_ns();
	while (finished < opt.n) {
		while (in_flight < opt.window && next < opt.n) {
			open_session(next);
			in_flight++;
			enter(&ss[next++], S_ALLOC);
		}
		poll_once(5);
		uint64_t t = now_ns();
		if (t - last_scan > 50000000) {
			last_scan = t;
			for (int i = 0; i < next; i++) {
				struct session *s = &ss[i];
				int waiting = s->state == S_ALLOC || s->state == S_ALLOC_AUTH ||
					      s->state == S_BIND || s->state == S_FREE;
				if (!waiting || t - s->sent_at < 500000000ull)
					continue;
				if (s->tries >= 7) {
					s->state = S_FAILED;
					failed++;
					in_flight--;
				} else
					request(s);
			}
		}
		finished = failed + (opt.mode == M_ALLOC ? done : ready);
	}
	return failed;
}

/* give every allocation back, so that the next run finds the server as this one did */
static void tear_down(void)
{
	uint64_t end = now_ns() + 15000000000ull;
	int next = 0;
	done = in_flight = 0;
	while (now_ns() < end) {
		while (in_flight < 256 && next < opt.n) {
			if (ss[next].state == S_READY) {
				in_flight++;
				enter(&ss[next], S_FREE);
			}
			next++;
		}
		if (next == opt.n && !in_flight)
			break;
		poll_once(5);
		uint64_t t = now_ns();
		for (int i = 0; i < next; i++)
			if (ss[i].state == S_FREE && t - ss[i].sent_at > 500000000ull) {
				if (ss[i].tries < 5)
					request(&ss[i]);
				else {
					ss[i].state = S_FAILED;
					in_flight--;
				}
			}
	}
}

static void run_media(void)
{
	uint64_t start = now_ns(), end = start + (uint64_t)opt.secs * 1000000000ull, t;
	uint64_t period = (uint64_t)(1e9 * opt.burst / opt.pps);
	for (int i = 0; i < opt.n; i++) {
		ss[i].next_c2p = start + period * i / opt.n;
		ss[i].next_p2c = start + period * i / opt.n + period / 2;
	}
	measuring = 1;
	/* every session has the same period, so due order is index order: two cursors suffice */
	int ic = 0, ip = 0;
	while ((t = now_ns()) < end) {
		int sent = 0;
		while (sent < 32 && opt.want_c2p && ss[ic].next_c2p <= t) {
			if (ss[ic].state == S_READY)
				send_burst(&ss[ic], 0, opt.burst, now_ns());
			ss[ic].next_c2p += period;
			ic = (ic + 1) % opt.n;
			sent++;
		}
		while (sent < 64 && opt.want_p2c && ss[ip].next_p2c <= t) {
			if (ss[ip].state == S_READY)
				send_burst(&ss[ip], 1, opt.burst, now_ns());
			ss[ip].next_p2c += period;
			ip = (ip + 1) % opt.n;
			sent++;
		}
		poll_once(sent ? 0 : 0);
	}
}

static void usage(void)
{
	fprintf(stderr,
		"turnload -s IP:PORT [-t udp|tcp|tls] [-u USER] [-w PASS] [-n SESSIONS] [-l "
		"BYTES] [-r PPS per session and direction]\n"
		"         [-b BURST] [-d SECONDS] [-m relay|alloc|hold] [-D c2p|p2c|both] [-L "
		"LOCAL_IP] [-A NUMBER of local IPs] [-W WINDOW] [-P PID]...\n");
	exit(2);
}
int main(int argc, char **argv)
{
	int c;
	char *colon;
	while ((c = getopt(argc, argv, "s:t:u:w:n:l:r:b:d:m:D:L:R:A:W:P:g:c")) != -1)
		switch (c) {
		case 's':
			opt.server.sin_family = AF_INET;
			if (!(colon = strchr(optarg, ':')))
				usage();
			*colon = 0;
			inet_pton(AF_INET, optarg, &opt.server.sin_addr);
			opt.server.sin_port = htons(atoi(colon + 1));
			break;
		case 't':
			opt.transport = !strcmp(optarg, "udp")	 ? T_UDP
					: !strcmp(optarg, "tcp") ? T_TCP
								 : T_TLS;
			break;
		case 'u':
			opt.user = optarg;
			break;
		case 'w':
			opt.pass = optarg;
			break;
		case 'n':
			opt.n = atoi(optarg);
			break;
		case 'l':
			opt.size = atoi(optarg);
			break;
		case 'r':
			opt.pps = atof(optarg);
			break;
		case 'b':
			opt.burst = atoi(optarg);
			break;
		case 'd':
			opt.secs = atoi(optarg);
			break;
		case 'm':
			opt.mode = !strcmp(optarg, "alloc")  ? M_ALLOC
				   : !strcmp(optarg, "hold") ? M_HOLD
							     : M_RELAY;
			break;
		case 'D':
			opt.want_c2p = strcmp(optarg, "p2c") != 0;
			opt.want_p2c = strcmp(optarg, "c2p") != 0;
			break;
		case 'L':
			opt.local = optarg;
			break;
		case 'R':
			opt.peer_ip = optarg;
			break;
		case 'A':
			opt.local_ips = atoi(optarg);
			break;
		case 'W':
			opt.window = atoi(optarg);
			break;
		case 'g':
			opt.gro = atoi(optarg);
			break;
		case 'c':
			opt.connect_peer = 1;
			break;
		case 'P':
			if (opt.npids < 32)
				opt.pids[opt.npids++] = atoi(optarg);
			break;
		default:
			usage();
		}
	if (!opt.server.sin_port || opt.size < HDR || opt.size > 1472 || opt.burst < 1 ||
	    opt.burst > 44)
		usage();
	if (!opt.peer_ip)
		opt.peer_ip = opt.local;
	struct rlimit rl;
	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
	signal(SIGPIPE, SIG_IGN);
	srand(getpid() ^ (unsigned)now_ns());
	run_id = now_ns() ^ ((uint64_t)getpid() << 40);
	ss = calloc(opt.n, sizeof *ss);
	ep = epoll_create1(0);
	if (opt.transport == T_TLS) {
		ctx = SSL_CTX_new(TLS_client_method());
	}

	long rss0 = 0, rss1 = 0, slab0 = slab_kib(), slab1;
	for (int i = 0; i < opt.npids; i++)
		rss0 += rss_kib(opt.pids[i]);
	double cpu0 = all_cpu();
	uint64_t t0 = now_ns();
	drive_setup();
	double setup_s = (now_ns() - t0) / 1e9, setup_cpu = all_cpu() - cpu0;
	for (int i = 0; i < opt.npids; i++)
		rss1 += rss_kib(opt.pids[i]);
	slab1 = slab_kib();
	printf("{\"mode\":\"%s\",\"transport\":\"%s\",\"sessions\":%d,\"failed\":%d,\"setup_"
	       "s\":%.3f,\"setups_per_s\":%.0f,\"setup_cpu_us\":%.1f,\"rss_kib_per_session\":%."
	       "2f,\"slab_kib_per_session\":%.2f,\"rss_mib\":%.1f",
	       opt.mode == M_RELAY   ? "relay"
	       : opt.mode == M_ALLOC ? "alloc"
				     : "hold",
	       opt.transport == T_UDP	? "udp"
	       : opt.transport == T_TCP ? "tcp"
					: "tls",
	       opt.n, failed, setup_s, (opt.n - failed) / setup_s, setup_cpu * 1e6 / opt.n,
	       (double)(rss1 - rss0) / opt.n, (double)(slab1 - slab0) / opt.n, rss1 / 1024.0);
	if (opt.mode == M_RELAY && ready) {
		cpu0 = all_cpu();
		t0 = now_ns();
		run_media();
		uint64_t grace = now_ns() + 300000000ull;
		while (now_ns() < grace)
			poll_once(10);
		double s = (now_ns() - t0) / 1e9 - 0.3, cpu = all_cpu() - cpu0;
		uint64_t sent = sent_c2p + sent_p2c, got = got_c2p + got_p2c;
		printf(",\"size\":%d,\"burst\":%d,\"offered_pps\":%.0f,\"sent\":%llu,"
		       "\"relayed\":%llu,\"relayed_pps\":%.0f,\"mbps\":%.1f,\"loss_pct\":%.4f,"
		       "\"lost_c2p\":%lld,\"lost_p2c\":%lld,\"send_fail\":%llu,\"cpu_s\":%.3f,"
		       "\"cpu_cores\":%.3f,\"cpu_ns_per_packet\":%.0f,\"lat_us_p50\":%.1f,"
		       "\"lat_us_p99\":%.1f,\"lat_us_p999\":%.1f",
		       opt.size, opt.burst, opt.pps * opt.n * (opt.want_c2p + opt.want_p2c),
		       (unsigned long long)sent, (unsigned long long)got, got / s,
		       got * opt.size * 8.0 / s / 1e6,
		       sent ? 100.0 * (double)(int64_t)(sent - got) / sent : 0,
		       (long long)(sent_c2p - got_c2p), (long long)(sent_p2c - got_p2c),
		       (unsigned long long)send_fail, cpu, cpu / s, got ? cpu * 1e9 / got : 0,
		       hist_us(.5), hist_us(.99), hist_us(.999));
	}
	printf("}\n");
	fflush(stdout);
	if (opt.mode != M_ALLOC)
		tear_down();
	return failed ? 1 : 0;
}
