#include "relay/backend.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bug.h"

enum {
	BUF = 32768, /* bytes under way, each way; at least NET_TLS_RECORD */
	ROUNDS = 8,  /* of a buffer filled and emptied before others have their turn */
};

struct side {
	int fd;
	struct net_tls *tls;
	struct net_watch in, out;
	bool in_on, out_on;
	bool ended;	   /* nothing more comes from it */
	bool told;	   /* and it was told that nothing more goes to it */
	bool broken;	   /* it is gone */
	uint8_t *buf;	   /* what it has said and the other has not taken; owned */
	size_t cap, at, n; /* n bytes from buf + at */
};

struct relay_backend {
	struct relay *relay;
	struct side client, server;
	bool connected;
	bool answered; /* the client may have got something */
	struct wheel_timer timer;
	relay_backend_fn *done; /* NULL: it has been called */
	void *arg;
};

static void on_client(int fd, void *arg);
static void on_server(int fd, void *arg);

static void over(struct relay_backend *b, enum relay_backend_end how)
{
	relay_backend_fn *done = b->done;

	b->done = NULL;
	if (done)
		done(how, b->arg); /* b may be gone now */
}

static void arm(struct relay_backend *b, tick s)
{
	wheel_arm(&b->relay->wheel, &b->timer, b->relay->env.now + SEC(s));
}

static void on_timer(struct wheel_timer *t, tick now, void *arg)
{
	struct relay_backend *b = container_of(t, struct relay_backend, timer);

	(void)now;
	(void)arg;
	over(b, b->answered ? RELAY_BACKEND_IDLE : RELAY_BACKEND_DOWN);
}

/* --- one side --- */

/* Fills the side's empty buffer. False: nothing came. */
static bool fill(struct side *s)
{
	ssize_t k;
	size_t n = 0;
	enum net_tls_result r;

	if (s->ended || s->broken || s->n)
		return false;
	if (s->tls) {
		r = net_tls_read(s->tls, s->buf, s->cap, &n);
		s->ended = r == NET_TLS_CLOSED;
		s->broken = r == NET_TLS_FAILED;
	} else {
		k = recv(s->fd, s->buf, s->cap, MSG_DONTWAIT);
		n = k > 0 ? (size_t)k : 0;
		s->ended = k == 0;
		s->broken = k < 0 && errno != EAGAIN && errno != EINTR;
	}
	s->at = 0;
	s->n = n;
	return n > 0;
}

/* Gives what `from` has said to `to`. False: nothing was taken. */
static bool pour(struct side *from, struct side *to)
{
	const uint8_t *p = from->buf + from->at;
	size_t n = from->n;
	enum net_tls_result r;
	ssize_t k;

	if (!n || to->broken)
		return false;
	if (to->tls) {
		n = n < NET_TLS_RECORD ? n : NET_TLS_RECORD;
		r = net_tls_write(to->tls, p, n);
		if (r != NET_TLS_OK) {
			to->broken = r != NET_TLS_AGAIN;
			return false;
		}
	} else {
		k = send(to->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (k < 0) {
			to->broken = errno != EAGAIN && errno != EINTR;
			return false;
		}
		n = (size_t)k;
	}
	from->at += n;
	from->n -= n;
	return true;
}

/* Once all that `from` said has left, its end is passed on. */
static void pass_end(const struct side *from, struct side *to)
{
	if (!from->ended || from->n || to->told || to->broken)
		return;
	to->told = true;
	if (to->tls)
		net_tls_end_write(to->tls);
	shutdown(to->fd, SHUT_WR);
}

/* Both ends of a broken watch are harmless: the timer ends what no event can. */
static void watch(struct relay_backend *b, struct side *s, const struct side *other,
		  net_fd_fn *fn)
{
	struct net_loop *l = b->relay->loop;
	bool in = b->connected && !s->ended && !s->n;
	bool out = other->n > 0 || !b->connected;

	if (s == &b->client && !b->connected)
		in = out = false;
	if (in && !s->in_on)
		s->in_on = !net_loop_watch(l, &s->in, s->fd, fn, b);
	else if (!in && s->in_on) {
		net_loop_unwatch(&s->in);
		s->in_on = false;
	}
	if (out && !s->out_on)
		s->out_on = !net_loop_watch_writable(l, &s->out, s->fd, fn, b);
	else if (!out && s->out_on) {
		net_loop_unwatch(&s->out);
		s->out_on = false;
	}
}

/* --- both --- */

static bool move(struct relay_backend *b, struct side *from, struct side *to)
{
	bool some = fill(from);

	some |= pour(from, to);
	if (some && from == &b->server)
		b->answered = true;
	if (from == &b->client ||
	    b->answered) /* else the client is told why there is nothing */
		pass_end(from, to);
	return some;
}

static void pump(struct relay_backend *b)
{
	bool some = true, any = false;

	for (int i = 0; i < ROUNDS && some; i++) {
		some = move(b, &b->client, &b->server);
		some |= move(b, &b->server, &b->client);
		any |= some;
	}
	if (!b->answered && (b->server.broken || b->server.ended)) {
		over(b, RELAY_BACKEND_DOWN);
		return;
	}
	if (b->client.broken || b->server.broken || (b->client.told && b->server.told)) {
		over(b, RELAY_BACKEND_OVER);
		return;
	}
	watch(b, &b->client, &b->server, on_client);
	watch(b, &b->server, &b->client, on_server);
	/* what TLS has decrypted already the descriptor will not tell of */
	if (some && b->client.in_on)
		net_loop_again(&b->client.in);
	if (any)
		arm(b, b->server.ended ? RELAY_BACKEND_LINGER_S
		       : b->answered   ? RELAY_BACKEND_IDLE_S
				       : RELAY_BACKEND_ANSWER_S);
}

static void on_client(int fd, void *arg)
{
	struct relay_backend *b = arg;

	(void)fd;
	relay_clock(b->relay);
	pump(b);
}

static void on_server(int fd, void *arg)
{
	struct relay_backend *b = arg;
	int no = 0;
	socklen_t len = sizeof no;

	relay_clock(b->relay);
	if (!b->connected) {
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &no, &len) || no) {
			over(b, RELAY_BACKEND_DOWN);
			return;
		}
		b->connected = true;
		arm(b, RELAY_BACKEND_ANSWER_S);
	}
	pump(b);
}

/* --- begin and end --- */

static enum err connect_to(const struct addr *to, int *out)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sa(to, &sa);
	int on = 1, fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_from_errno(errno);
	(void)!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	/* a refusal that is known at once is told later, as any */
	if (connect(fd, (struct sockaddr *)&sa, len) && errno != EINPROGRESS &&
	    errno != ECONNREFUSED) {
		close(fd);
		return ERR_SYS;
	}
	*out = fd;
	return OK;
}

static enum err make_buffers(struct relay_backend *b, const struct relay_backend_client *client)
{
	struct side *c = &b->client, *s = &b->server;
	size_t n = 0;

	for (size_t i = 0; i < client->n_first; i++)
		n += client->first[i].len;
	c->cap = n > BUF ? n : BUF;
	s->cap = BUF;
	c->buf = malloc(c->cap);
	s->buf = malloc(s->cap);
	if (!c->buf || !s->buf)
		return ERR_NOMEM;
	for (size_t i = 0; i < client->n_first; i++) {
		memcpy(c->buf + c->n, client->first[i].p, client->first[i].len);
		c->n += client->first[i].len;
	}
	return OK;
}

enum err relay_backend_open(struct relay_backend **out, struct relay *r, const struct addr *to,
			    const struct relay_backend_client *client, relay_backend_fn *done,
			    void *arg)
{
	struct relay_backend *b;
	enum err e;

	if (r->n_backends >= RELAY_BACKENDS)
		return ERR_FULL;
	b = calloc(1, sizeof *b);
	if (!b)
		return ERR_NOMEM;
	*b = (struct relay_backend){ .relay = r, .done = done, .arg = arg };
	b->client.fd = client->fd;
	b->client.tls = client->tls;
	b->server.fd = -1;
	wheel_timer_init(&b->timer, on_timer);
	r->n_backends++;
	e = make_buffers(b, client);
	if (!e)
		e = connect_to(to, &b->server.fd);
	if (e) {
		relay_backend_close(b);
		return e;
	}
	arm(b, RELAY_BACKEND_CONNECT_S);
	watch(b, &b->server, &b->client, on_server);
	*out = b;
	return OK;
}

static void unwatch(struct side *s)
{
	if (s->in_on)
		net_loop_unwatch(&s->in);
	if (s->out_on)
		net_loop_unwatch(&s->out);
}

void relay_backend_close(struct relay_backend *b)
{
	if (!b)
		return;
	b->relay->n_backends--;
	wheel_cancel(&b->relay->wheel, &b->timer);
	unwatch(&b->client);
	unwatch(&b->server);
	if (b->server.fd >= 0)
		close(b->server.fd);
	free(b->client.buf);
	free(b->server.buf);
	free(b);
}
