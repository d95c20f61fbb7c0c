/*
 * bare_stream: what `bare` is to UDP, for clients over TCP and TLS. It answers Allocate and ChannelBind just enough
 * for turnload, and forwards with one call in and one out for each burst: no authentication, permissions, timers,
 * counters, queues. What a server that does these things costs beside it is what they cost; a target below it is out
 * of reach of any program on this machine that uses sockets.
 *
 *	bare_stream IP PORT TLS-PORT CERTIFICATE KEY
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IN_CAP = 1 << 16, BURST_MAX = 60, CHANNEL = 0x4000, ALLOCATE = 3, CHANNEL_BIND = 9 };

/* What an event is for. */
enum what { LISTENER, CLIENT, PEER };

struct source {
	enum what what;
	int fd;
	struct session *of; /* CLIENT, PEER */
	bool tls;	    /* LISTENER */
};

struct session {
	struct source client, peer;
	SSL *tls;	     /* NULL: TCP */
	struct session *ended; /* the next that has; freed at the end of a turn of the loop */
	struct sockaddr_in relayed;
	size_t n_in;
	uint8_t in[IN_CAP]; /* what has come of a stream and is not a whole message yet */
};

static int loop;
static struct sockaddr_in me;
static SSL_CTX *tls;
static struct session *ended;
static uint8_t burst[IN_CAP], gathered[IN_CAP];

static void put16(uint8_t *p, unsigned v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static unsigned get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static void watch(struct source *s)
{
	struct epoll_event e = { EPOLLIN, { .ptr = s } };

	if (epoll_ctl(loop, EPOLL_CTL_ADD, s->fd, &e))
		err(1, "epoll_ctl");
}

static void end(struct session *s)
{
	SSL_free(s->tls);
	close(s->client.fd);
	if (s->peer.fd >= 0)
		close(s->peer.fd);
	s->client.fd = s->peer.fd = -1;
	s->ended = ended;
	ended = s;
}

static void free_ended(void)
{
	while (ended) {
		struct session *s = ended;

		ended = s->ended;
		free(s);
	}
}

/* A stream that does not take all of it would need a queue: that is for others. */
static void send_client(struct session *s, const struct iovec *parts, size_t n)
{
	struct msghdr m = { .msg_iov = (struct iovec *)parts, .msg_iovlen = n };
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (s->tls)
			memcpy(gathered + len, parts[i].iov_base, parts[i].iov_len);
		len += parts[i].iov_len;
	}
	if (s->tls ? SSL_write(s->tls, gathered, len) != (int)len : sendmsg(s->client.fd, &m, MSG_DONTWAIT) != (ssize_t)len)
		errx(1, "a client does not take its burst at once");
}

static void allocate(struct session *s)
{
	int one = 1, big = 4 << 20;
	socklen_t len = sizeof s->relayed;

	s->relayed = me;
	s->peer = (struct source){ PEER, socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), s, false };
	if (bind(s->peer.fd, (void *)&s->relayed, len) || getsockname(s->peer.fd, (void *)&s->relayed, &len) ||
	    setsockopt(s->peer.fd, SOL_UDP, UDP_GRO, &one, sizeof one) ||
	    setsockopt(s->peer.fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof big))
		err(1, "a relayed address");
	watch(&s->peer);
}

/* The peer is the one that the channel names: XOR-PEER-ADDRESS, RFC 8656 s.18.3. */
static void bind_channel(struct session *s, const uint8_t *p, size_t n)
{
	for (size_t i = 20; i + 12 <= n; i += 4 + (get16(p + i + 2) + 3) / 4 * 4) {
		struct sockaddr_in peer = { .sin_family = AF_INET };

		if (get16(p + i) != 0x12)
			continue;
		peer.sin_port = htons(get16(p + i + 6) ^ 0x2112);
		peer.sin_addr.s_addr = htonl(((uint32_t)get16(p + i + 8) << 16 | get16(p + i + 10)) ^ 0x2112A442);
		if (connect(s->peer.fd, (void *)&peer, sizeof peer))
			err(1, "connect");
	}
}

static void answer(struct session *s, const uint8_t *p, size_t n)
{
	uint8_t r[32];
	size_t len = 20;
	uint32_t ip = ntohl(me.sin_addr.s_addr) ^ 0x2112A442;

	memcpy(r, p, len);
	if (get16(p) == ALLOCATE) {
		if (s->peer.fd < 0)
			allocate(s);
		put16(r + 20, 0x16);
		put16(r + 22, 8);
		put16(r + 24, 1);
		put16(r + 26, ntohs(s->relayed.sin_port) ^ 0x2112);
		put16(r + 28, ip >> 16);
		put16(r + 30, ip);
		len = 32;
	} else if (get16(p) == CHANNEL_BIND) {
		bind_channel(s, p, n);
	}
	put16(r, get16(p) | 0x100);
	put16(r + 2, len - 20);
	send_client(s, &(struct iovec){ r, len }, 1);
}

/* One segmented send for messages of one length. */
static void send_peer(struct session *s, struct iovec *messages, size_t n)
{
	union {
		char room[CMSG_SPACE(sizeof(uint16_t))];
		struct cmsghdr align;
	} control = { .room = { 0 } };
	struct msghdr m = { .msg_iov = messages, .msg_iovlen = n };
	const uint16_t len = messages[0].iov_len;

	if (n > 1) {
		struct cmsghdr *c;

		m.msg_control = &control;
		m.msg_controllen = sizeof control.room;
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_UDP;
		c->cmsg_type = UDP_SEGMENT;
		c->cmsg_len = CMSG_LEN(sizeof len);
		memcpy(CMSG_DATA(c), &len, sizeof len);
	}
	sendmsg(s->peer.fd, &m, MSG_DONTWAIT);
}

/* Returns how many bytes were whole messages. */
static size_t take(struct session *s, uint8_t *p, size_t n)
{
	struct iovec run[BURST_MAX];
	size_t n_run = 0, at = 0;

	while (n - at >= 4) {
		bool is_data = p[at] >= 0x40;
		size_t len = get16(p + at + 2), whole = is_data ? 4 + (len + 3) / 4 * 4 : 20 + len;

		if (n - at < whole)
			break;
		if (n_run && (!is_data || n_run == BURST_MAX || len != run[0].iov_len)) {
			send_peer(s, run, n_run);
			n_run = 0;
		}
		if (is_data)
			run[n_run++] = (struct iovec){ p + at + 4, len };
		else
			answer(s, p + at, whole);
		at += whole;
	}
	if (n_run)
		send_peer(s, run, n_run);
	return at;
}

static void on_client(struct session *s)
{
	do {
		uint8_t *to = s->in + s->n_in;
		ssize_t n = s->tls ? SSL_read(s->tls, to, IN_CAP - s->n_in) :
				     recv(s->client.fd, to, IN_CAP - s->n_in, MSG_DONTWAIT);
		size_t done;

		if (n <= 0) {
			if (!s->tls || SSL_get_error(s->tls, n) != SSL_ERROR_WANT_READ)
				end(s);
			return;
		}
		s->n_in += n;
		done = take(s, s->in, s->n_in);
		s->n_in -= done;
		memmove(s->in, s->in + done, s->n_in);
	} while (s->tls && SSL_has_pending(s->tls));
}

static size_t segment_of(struct msghdr *m, size_t len)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		int v;

		if (c->cmsg_level != SOL_UDP || c->cmsg_type != UDP_GRO)
			continue;
		memcpy(&v, CMSG_DATA(c), sizeof v);
		return v;
	}
	return len;
}

static void on_peer(struct session *s)
{
	static uint8_t headers[BURST_MAX][4], padding[4];
	char control[64];
	struct iovec all = { burst, sizeof burst }, parts[3 * BURST_MAX];
	struct msghdr m = {
		.msg_iov = &all, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
	};
	ssize_t len = recvmsg(s->peer.fd, &m, MSG_DONTWAIT);
	size_t segment, n = 0, i = 0;

	if (len <= 0)
		return;
	segment = segment_of(&m, len);
	for (size_t at = 0; at < (size_t)len && i < BURST_MAX; at += segment, i++) {
		size_t one = len - at < segment ? len - at : segment;

		put16(headers[i], CHANNEL);
		put16(headers[i] + 2, one);
		parts[n++] = (struct iovec){ headers[i], 4 };
		parts[n++] = (struct iovec){ burst + at, one };
		if (one % 4)
			parts[n++] = (struct iovec){ padding, 4 - one % 4 };
	}
	send_client(s, parts, n);
}

static void on_listener(struct source *l)
{
	struct session *s;
	int fd, one = 1;

	while ((fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		s = calloc(1, sizeof *s);
		if (!s)
			err(1, "a session");
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		s->client = (struct source){ CLIENT, fd, s, false };
		s->peer.fd = -1;
		if (l->tls) {
			s->tls = SSL_new(tls);
			if (!s->tls || SSL_set_fd(s->tls, fd) != 1)
				errx(1, "OpenSSL");
			SSL_set_accept_state(s->tls);
		}
		watch(&s->client);
	}
}

static void listen_on(struct source *l, const char *port, bool is_tls)
{
	struct sockaddr_in a = me;
	int one = 1;

	a.sin_port = htons(atoi(port));
	*l = (struct source){ LISTENER, socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), NULL, is_tls };
	setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(l->fd, (void *)&a, sizeof a) || listen(l->fd, 1024))
		err(1, "port %s", port);
	watch(l);
}

static void prepare(char **argv)
{
	struct rlimit files;

	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	me.sin_family = AF_INET;
	if (inet_pton(AF_INET, argv[1], &me.sin_addr) != 1)
		errx(1, "%s is no address", argv[1]);
	tls = SSL_CTX_new(TLS_server_method());
	if (!tls || SSL_CTX_use_certificate_chain_file(tls, argv[4]) != 1 ||
	    SSL_CTX_use_PrivateKey_file(tls, argv[5], SSL_FILETYPE_PEM) != 1)
		errx(1, "%s, %s: no certificate and key", argv[4], argv[5]);
	loop = epoll_create1(EPOLL_CLOEXEC);
}

int main(int argc, char **argv)
{
	struct epoll_event events[256];
	struct source tcp_listener, tls_listener;

	if (argc != 6)
		errx(2, "usage: bare_stream IP PORT TLS-PORT CERTIFICATE KEY");
	prepare(argv);
	listen_on(&tcp_listener, argv[2], false);
	listen_on(&tls_listener, argv[3], true);
	for (;;) {
		int n = epoll_wait(loop, events, 256, -1);

		for (int i = 0; i < n; i++) {
			struct source *s = events[i].data.ptr;

			if (s->what == LISTENER)
				on_listener(s);
			else if (s->fd >= 0 && s->what == PEER)
				on_peer(s->of);
			else if (s->fd >= 0)
				on_client(s->of);
		}
		free_ended();
	}
}
