#include "relay/pipe.h"
#include "relay/share.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	WORTH = 1024, /* bytes: with less left of max-bps, reading waits */
	READS = 4,    /* of one end before others have their turn */
	HALF_S = 120, /* one end has closed and the other says nothing: no longer than this */
};

static struct relay_side *other_of(struct relay_side *s)
{
	return s == &s->of->client ? &s->of->peer : &s->of->client;
}

void relay_pipe_unwatch(struct relay_side *s)
{
	if (s->in_watched)
		net_loop_unwatch(&s->in);
	if (s->out_watched)
		net_loop_unwatch(&s->out);
	s->in_watched = s->out_watched = false;
}

static void close_side(struct relay_side *s)
{
	relay_pipe_unwatch(s);
	net_tls_free(s->tls);
	s->tls = NULL;
	free(s->waiting);
	s->waiting = NULL;
	net_sock_close(&s->fd);
}

/* Up to cap bytes. 0: nothing now, or s->finished. */
static size_t read_side(struct relay_side *s, uint8_t *p, size_t cap)
{
	enum net_tls_result result;
	ssize_t n;
	size_t got;

	if (s->tls) {
		result = net_tls_read(s->tls, p, cap, &got);
		if (result == NET_TLS_OK)
			return got;
		s->finished = result != NET_TLS_AGAIN;
		s->broken = result == NET_TLS_FAILED;
		return 0;
	}
	n = recv(s->fd, p, cap, MSG_DONTWAIT);
	if (n > 0)
		return (size_t)n;
	s->finished = n == 0 || (errno != EAGAIN && errno != EINTR);
	s->broken = n < 0 && s->finished;
	return 0;
}

/* How many bytes left; fewer than n when the rest has to wait, or s->broken. */
static size_t write_side(struct relay_side *s, const uint8_t *p, size_t n)
{
	size_t done = 0;

	while (done < n && !s->broken) {
		size_t left = n - done, record = left < NET_TLS_RECORD ? left : NET_TLS_RECORD;
		ssize_t k;

		if (s->tls) {
			enum net_tls_result result = net_tls_write(s->tls, p + done, record);

			if (result == NET_TLS_AGAIN)
				break;
			s->broken = result != NET_TLS_OK;
			done += s->broken ? 0 : record;
			continue;
		}
		k = send(s->fd, p + done, left, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (k < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		s->broken = k < 0;
		done += k > 0 ? (size_t)k : 0;
	}
	return done;
}

/* To the session's account, and the worker's: n bytes that left by `to`. */
static void account(struct relay_side *to, size_t n)
{
	struct relay_pipe *p = to->of;
	struct relay_session *s = p->session;
	struct counters *cnt = &p->relay->cnt;

	if (!n)
		return;
	relay_session_account(p->relay, s, to == &p->peer, 1, n);
	if (to == &p->peer) {
		count(cnt, tx_peer_packets);
		count_n(cnt, tx_peer_bytes, n);
	} else {
		count(cnt, tx_client_packets);
		count_n(cnt, tx_client_bytes, n);
	}
}

/* Writes n bytes, and keeps what does not leave now. */
static void forward(struct relay_side *to, const uint8_t *p, size_t n)
{
	size_t done = write_side(to, p, n);

	account(to, done);
	if (done == n || to->broken)
		return;
	to->waiting = malloc(n - done);
	if (!to->waiting) {
		to->broken = true; /* bytes are missing: there is no going on */
		return;
	}
	memcpy(to->waiting, p + done, n - done);
	to->n_waiting = n - done;
	to->n_left = 0;
}

static void send_waiting(struct relay_side *to)
{
	size_t n = write_side(to, to->waiting + to->n_left, to->n_waiting - to->n_left);

	account(to, n);
	to->n_left += n;
	if (to->n_left < to->n_waiting)
		return;
	free(to->waiting);
	to->waiting = NULL;
	to->n_waiting = to->n_left = 0;
}

static struct bucket *bucket_of(struct relay_side *from)
{
	struct turn_session *s = &from->of->session->turn;

	return from == &from->of->client ? &s->up : &s->down;
}

/* max-bps, user-max-bps: how much may be read now. What is not read waits with the sender, nothing is dropped. */
static size_t allowance(struct relay_side *from)
{
	struct relay_session *s = from->of->session;
	struct relay *r = from->of->relay;
	uint64_t rate = s->turn.max_bps, n = NET_STREAM_READ;

	if (rate)
		n = bucket_level(bucket_of(from), rate, turn_session_burst(rate), r->env.now);
	n = n < NET_STREAM_READ ? n : NET_STREAM_READ;
	if (s->user_bps)
		n = relay_share_level(r, s, from == &from->of->client, (size_t)n);
	return n < WORTH ? 0 : (size_t)n;
}

static void charge(struct relay_side *from, size_t n)
{
	struct relay *r = from->of->relay;
	struct relay_session *s = from->of->session;
	uint64_t rate = s->turn.max_bps;

	if (s->user_bps)
		(void)relay_share_take(r, s, from == &from->of->client, n);
	if (rate)
		(void)bucket_take(bucket_of(from), n, rate, turn_session_burst(rate),
				  r->env.now);
	if (from == &from->of->client) {
		count(&r->cnt, rx_client_packets);
		count_n(&r->cnt, rx_client_bytes, n);
	} else {
		count(&r->cnt, rx_peer_packets);
		count_n(&r->cnt, rx_peer_bytes, n);
	}
}

/* What one end has to say, while the other takes it. True: there may be more that no descriptor tells of. */
static bool pump(struct relay_side *from)
{
	struct relay_side *to = other_of(from);
	struct relay *r = from->of->relay;

	for (int i = 0; i < READS; i++) {
		size_t cap, n;

		if (from->finished || from->paced || to->waiting || to->broken)
			return false;
		cap = allowance(from);
		if (!cap) {
			from->paced = true;
			wheel_arm(&r->wheel, &from->of->pace, r->env.now + WHEEL_SLOT_MS);
			return false;
		}
		n = read_side(from, r->scratch, cap);
		if (!n)
			return false;
		charge(from, n);
		forward(to, r->scratch, n);
	}
	return from->tls != NULL;
}

static void on_in(int fd, void *arg);
static void on_out(int fd, void *arg);

static bool watch_side(struct relay_side *s)
{
	struct relay_side *other = other_of(s);
	struct net_loop *loop = s->of->relay->loop;
	bool in = !s->finished && !s->paced && !s->broken && !other->waiting && !other->broken;
	bool out = s->waiting || (other->finished && !s->told);

	if (in && !s->in_watched && net_loop_watch(loop, &s->in, s->fd, on_in, s))
		return false;
	if (!in && s->in_watched)
		net_loop_unwatch(&s->in);
	if (out && !s->out_watched && net_loop_watch_writable(loop, &s->out, s->fd, on_out, s))
		return false;
	if (!out && s->out_watched)
		net_loop_unwatch(&s->out);
	s->in_watched = in;
	s->out_watched = out;
	return true;
}

/* What one end has finished with is passed on once all its bytes have left. */
static void pass_end(struct relay_side *from)
{
	struct relay_side *to = other_of(from);

	if (!from->finished || to->waiting || to->told || to->broken)
		return;
	if (to->tls && net_tls_say_end(to->tls) == NET_TLS_AGAIN)
		return; /* when it is writable */
	shutdown(to->fd, SHUT_WR);
	to->told = true;
}

static bool is_over(const struct relay_pipe *of)
{
	const struct relay_side *c = &of->client, *p = &of->peer;

	if (c->told && p->told)
		return true;
	/* one is lost: the other gets what was meant for it, and no more */
	return (c->broken && !p->waiting) || (p->broken && !c->waiting);
}

static void end(struct relay_pipe *p)
{
	if (p->over)
		return;
	p->over = true;
	p->on_over(p);
}

/* After anything that happened: passes ends on, watches what is to be watched, or ends it all. */
static void settle(struct relay_pipe *p)
{
	struct relay *r = p->relay;

	pass_end(&p->client);
	pass_end(&p->peer);
	if (is_over(p) || !watch_side(&p->client) || !watch_side(&p->peer)) {
		end(p);
		return;
	}
	if (p->client.finished || p->peer.finished || p->client.broken || p->peer.broken)
		wheel_arm(&r->wheel, &p->half, r->env.now + SEC(HALF_S));
}

static void pump_and_settle(struct relay_side *from)
{
	bool more = pump(from);

	settle(from->of);
	if (more && from->in_watched)
		net_loop_again(&from->in);
}

static void on_in(int fd, void *arg)
{
	struct relay_side *from = arg;

	(void)fd;
	relay_clock(from->of->relay);
	pump_and_settle(from);
}

static void on_out(int fd, void *arg)
{
	struct relay_side *to = arg;

	(void)fd;
	relay_clock(to->of->relay);
	if (to->waiting)
		send_waiting(to);
	pump_and_settle(other_of(to));
}

static void on_pace(struct wheel_timer *t, tick now, void *arg)
{
	struct relay_pipe *p = container_of(t, struct relay_pipe, pace);

	(void)now;
	(void)arg;
	p->client.paced = p->peer.paced = false;
	pump_and_settle(&p->client);
	if (!p->over)
		pump_and_settle(&p->peer);
}

static void on_half(struct wheel_timer *t, tick now, void *arg)
{
	(void)now;
	(void)arg;
	end(container_of(t, struct relay_pipe, half));
}

void relay_pipe_init(struct relay_pipe *p, struct relay *r, int peer_fd,
		     void (*on_over)(struct relay_pipe *p))
{
	p->relay = r;
	p->client.of = p->peer.of = p;
	p->client.fd = -1;
	p->peer.fd = peer_fd;
	p->on_over = on_over;
	wheel_timer_init(&p->pace, on_pace);
	wheel_timer_init(&p->half, on_half);
}

void relay_pipe_join(struct relay_pipe *p, struct relay_session *s, int fd, struct net_tls *tls,
		     const uint8_t *bytes, size_t n)
{
	p->session = s;
	p->client.fd = fd;
	p->client.tls = tls;
	if (n) {
		charge(&p->client, n);
		forward(&p->peer, bytes, n);
	}
	/* RFC 6062 s.5.4: what the peer has said so far; and what TLS has decrypted already */
	pump(&p->client);
	pump_and_settle(&p->peer);
	if (!p->over && p->client.in_watched && tls)
		net_loop_again(&p->client.in);
}

void relay_pipe_fini(struct relay_pipe *p)
{
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	p->over = true;
	wheel_cancel(&p->relay->wheel, &p->pace);
	wheel_cancel(&p->relay->wheel, &p->half);
	if (p->client.fd < 0)
		(void)!setsockopt(p->peer.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	close_side(&p->client);
	close_side(&p->peer);
}
