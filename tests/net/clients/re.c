/*
 * libre (baresip's) as a client of the relay: two of its TURN clients, each other's peer. Messages
 * there and back, over channels after the first, and one line of JSON about it.
 * Usage: re udp|tcp|tls|dtls HOST USER PASSWORD MESSAGES
 */
#include <stdlib.h>
#include <string.h>

/* how Debian builds libre, which its headers ask; struct sa differs with the first */
#define HAVE_INET6 1
#define HAVE_INTTYPES_H 1
#define HAVE_STDBOOL_H 1
#include <inttypes.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <re.h>

enum { TEXT_MAX = 1100, ROOM = 64 };	/* ROOM: for the headers that libre puts before the payload */

struct end {
	struct end *other;
	struct udp_sock *us;
	struct tcp_conn *tc;
	struct tls_conn *secure;
	struct dtls_sock *dtls;
	struct turnc *turn;
	struct mbuf *partial;	/* of a stream: what is not a whole message yet */
	struct sa relay;
	bool allocated, permitted, channel;
};

static struct end ends[2];
static struct tls *tls;
static struct sa server;
static const char *transport, *user, *password;
static bool in_order = true;
static int n_wanted, n_received;

static void check(int err, const char *what)
{
	if (!err)
		return;
	(void)re_fprintf(stderr, "%s: %m\n", what, err);
	exit(1);
}

static bool by(const char *name)
{
	return strcmp(transport, name) == 0;
}

/* --- the payload */

static size_t text(char *out, int n)
{
	size_t len = (size_t)re_snprintf(out, TEXT_MAX, "message %d ", n), more = (size_t)(n * 7 % 1000);

	memset(out + len, 'x', more);
	return len + more;
}

static void send_text(struct end *e, int n)
{
	struct mbuf *mb = mbuf_alloc(ROOM + TEXT_MAX);
	char out[TEXT_MAX];
	size_t len = text(out, n);

	mb->pos = mb->end = ROOM;
	check(mbuf_write_mem(mb, (uint8_t *)out, len), "mbuf_write_mem");
	mb->pos = ROOM;
	/* over UDP its helper puts the header before what is sent to the peer */
	check(by("udp") ? udp_send(e->us, &e->other->relay, mb) : turnc_send(e->turn, &e->other->relay, mb),
	      "sending");
	mem_deref(mb);
}

static void on_channel(void *arg)
{
	struct end *e = arg;

	e->channel = true;
	if (e->other->channel)
		send_text(&ends[0], n_received);
}

/* One message at a time; the first one goes as indications, the others over channels. */
static void on_payload(struct end *e, const struct sa *src, struct mbuf *mb)
{
	char want[TEXT_MAX];
	size_t len = text(want, n_received);

	if (!sa_cmp(src, &e->other->relay, SA_ALL) || mbuf_get_left(mb) != len || memcmp(want, mbuf_buf(mb), len) != 0)
		in_order = false;
	if (e == &ends[1]) {
		send_text(e, n_received);
		return;
	}
	if (++n_received == n_wanted) {
		re_cancel();
	} else if (n_received == 1) {
		for (int i = 0; i < 2; i++)
			check(turnc_add_chan(ends[i].turn, &ends[1 - i].relay, on_channel, &ends[i]), "turnc_add_chan");
	} else {
		send_text(e, n_received);
	}
}

/* --- the transports */

static void on_udp(const struct sa *src, struct mbuf *mb, void *arg)
{
	on_payload(arg, src, mb);
}

static void on_message(struct end *e, struct mbuf *mb)
{
	struct sa src;

	check(turnc_recv(e->turn, &src, mb), "turnc_recv");
	if (mbuf_get_left(mb) > 0)
		on_payload(e, &src, mb);
}

static void on_dtls(struct mbuf *mb, void *arg)
{
	on_message(arg, mb);
}

static void on_stream(struct mbuf *mb, void *arg)
{
	struct end *e = arg;
	struct mbuf *all = e->partial;

	all->pos = all->end;
	check(mbuf_write_mem(all, mbuf_buf(mb), mbuf_get_left(mb)), "mbuf_write_mem");
	all->pos = 0;
	while (mbuf_get_left(all) >= 4) {
		const uint8_t *head = mbuf_buf(all);
		size_t size = (size_t)head[2] << 8 | head[3], len = head[0] & 0x40 ? 4 + ((size + 3) & ~3ul) : 20 + size;
		struct mbuf message = { .buf = all->buf, .size = all->size, .pos = all->pos, .end = all->pos + len };

		if (mbuf_get_left(all) < len)
			break;
		if (head[0] & 0x40)
			message.end = all->pos + 4 + size;
		all->pos += len;
		on_message(e, &message);
	}
	memmove(all->buf, mbuf_buf(all), mbuf_get_left(all));
	all->end = mbuf_get_left(all);
}

static void on_closed(int err, void *arg)
{
	(void)arg;
	check(err ? err : ECONNRESET, "the connection ends");
}

/* --- allocation and permission */

static void on_permission(void *arg)
{
	struct end *e = arg;

	e->permitted = true;
	if (e->other->permitted)
		send_text(&ends[0], 0);
}

static void on_allocated(int err, uint16_t code, const char *reason, const struct sa *relay, const struct sa *mapped,
			 const struct stun_msg *msg, void *arg)
{
	struct end *e = arg;

	(void)mapped;
	(void)msg;
	check(err, "allocating");
	if (code) {
		(void)re_fprintf(stderr, "%u %s\n", code, reason);
		exit(1);
	}
	e->relay = *relay;
	e->allocated = true;
	if (!e->other->allocated)
		return;
	for (int i = 0; i < 2; i++)
		check(turnc_add_perm(ends[i].turn, &ends[1 - i].relay, on_permission, &ends[i]), "turnc_add_perm");
}

static void on_open(void *arg)
{
	struct end *e = arg;
	int proto = by("udp") ? IPPROTO_UDP : by("dtls") ? STUN_TRANSP_DTLS : IPPROTO_TCP;
	void *sock = by("udp") ? (void *)e->us : by("dtls") ? (void *)e->secure : (void *)e->tc;

	check(turnc_alloc(&e->turn, NULL, proto, sock, 0, &server, user, password, TURN_DEFAULT_LIFETIME,
			  on_allocated, e), "turnc_alloc");
}

static void open_end(struct end *e, struct end *other)
{
	struct sa any;

	e->other = other;
	e->partial = mbuf_alloc(65536);
	sa_init(&any, sa_af(&server));
	if (by("udp")) {
		check(udp_listen(&e->us, &any, on_udp, e), "udp_listen");
		on_open(e);
	} else if (by("dtls")) {
		check(dtls_listen(&e->dtls, &any, NULL, 4, 0, NULL, NULL), "dtls_listen");
		check(dtls_connect(&e->secure, tls, e->dtls, &server, on_open, on_dtls, on_closed, e), "dtls_connect");
	} else {
		check(tcp_connect(&e->tc, &server, on_open, on_stream, on_closed, e), "tcp_connect");
		if (by("tls"))
			check(tls_start_tcp(&e->secure, tls, e->tc, 0), "tls_start_tcp");
	}
}

int main(int argc, char **argv)
{
	if (argc != 6) {
		(void)re_fprintf(stderr, "usage: re udp|tcp|tls|dtls HOST USER PASSWORD MESSAGES\n");
		return 1;
	}
	transport = argv[1];
	user = argv[3];
	password = argv[4];
	n_wanted = atoi(argv[5]);
	check(libre_init(), "libre_init");
	check(sa_set_str(&server, argv[2], by("udp") || by("tcp") ? 3478 : 5349), "the server's address");
	check(tls_alloc(&tls, by("dtls") ? TLS_METHOD_DTLS : TLS_METHOD_SSLV23, NULL, NULL), "tls_alloc");
	open_end(&ends[0], &ends[1]);
	open_end(&ends[1], &ends[0]);
	check(re_main(NULL), "re_main");
	(void)re_printf("RESULT {\"received\": %d, \"in_order\": %s, \"candidates\": [\"relay\"], \"pairs\": [",
			n_received, in_order ? "true" : "false");
	for (int i = 0; i < 2; i++)
		(void)re_printf("[{\"type\": \"relay\", \"ip\": \"%j\"}, {\"type\": \"relay\", \"ip\": \"%j\"}]%s",
				&ends[i].relay, &ends[1 - i].relay, i ? "]}\n" : ", ");
	for (int i = 0; i < 2; i++)	/* gives the allocations back */
		mem_deref(ends[i].turn);
	return 0;
}
