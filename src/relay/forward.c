/*
 * THE HOT FILE: what clients send goes to peers, what peers send goes to clients. Nothing here
 * locks, allocates, copies a payload, reads a clock or logs per packet.
 */
#include <string.h>

#include "relay/conn.h"
#include "relay/dtls.h"
#include "relay/hops.h"
#include "relay/observe.h"
#include "relay/relay.h"
#include "relay/share.h"
#include "stun/chan.h"
#include "stun/demux.h"

enum {
	CLIENT_ROUNDS =
		4,	 /* reads of NET_RX_SLOTS bursts before other sockets have their turn */
	PEER_ROUNDS = 4, /* bursts of one relay socket, likewise */
	MAX_ERRORS = 16, /* ICMP errors fetched at once */
};

static void count_drop(struct relay *r, struct relay_session *s, enum turn_route why)
{
	switch (why) {
	case TURN_ROUTE_NO_CHANNEL:
		relay_session_drop(s, RELAY_DROP_NO_CHANNEL, 1);
		count(&r->cnt, drop_no_channel);
		break;
	case TURN_ROUTE_NO_PERMISSION:
		relay_session_drop(s, RELAY_DROP_NO_PERMISSION, 1);
		count(&r->cnt, drop_no_permission);
		break;
	case TURN_ROUTE_NO_FAMILY:
		relay_session_drop(s, RELAY_DROP_NO_FAMILY, 1);
		count(&r->cnt, drop_family);
		break;
	default:
		relay_session_drop(s, RELAY_DROP_MALFORMED, 1);
		count(&r->cnt, drop_malformed);
		break;
	}
}

/* max-bps: a second's worth at once, but always room for the largest datagram; and user-max-bps. */
static bool within_rate(struct relay *r, struct relay_session *s, struct bucket *b,
			size_t bytes)
{
	uint64_t rate = s->turn.max_bps;

	if ((!s->user_bps || relay_share_take(r, s, b == &s->turn.up, bytes)) &&
	    (rate == 0 || bucket_take(b, bytes, rate, turn_session_burst(rate), r->env.now)))
		return true;
	relay_session_drop(s, RELAY_DROP_BANDWIDTH, 1);
	count(&r->cnt, drop_bandwidth);
	return false;
}

/* Sends the run, and counts what the kernel took of it: a run at a time, not a packet. */
static void flush_run(struct relay *r)
{
	const struct relay_tally *t = &r->tally;
	size_t n = r->run.n_datagrams, bytes = r->run.bytes, payload = t->payload;
	size_t sent = net_run_flush(&r->run);

	if (n == 0)
		return;
	if (sent < n) { /* they are of one length, but for the last */
		bytes = bytes * sent / n;
		payload = payload * sent / n;
	}
	if (t->up) {
		count_n(&r->cnt, tx_peer_packets, sent);
		count_n(&r->cnt, tx_peer_bytes, payload);
	} else {
		count_n(&r->cnt, tx_client_packets, sent);
		count_n(&r->cnt, tx_client_bytes, bytes);
	}
	if (!t->s)
		return;
	relay_session_account(r, t->s, t->up, sent, payload);
	if (sent < n)
		relay_session_drop(t->s, RELAY_DROP_SEND, n - sent);
}

void relay_forward_flush(struct relay *r)
{
	flush_run(r);
	if (r->burst.stream)
		net_burst_flush(&r->burst, r->env.now);
}

/* Where a datagram goes. */
struct onward {
	int fd;
	const struct addr *to, *from;
	struct net_mark mark;
	struct relay_tally whose; /* payload: of this datagram */
};

/* Adds one datagram to the run that is open if it can join, else to a new one. */
static void append(struct relay *r, const struct onward *o, const struct iovec *parts, size_t n)
{
	if (!net_run_is(&r->run, o->fd, o->to, o->mark) || !net_run_add(&r->run, parts, n)) {
		flush_run(r);
		net_run_start(&r->run, o->fd, o->to, o->from, o->mark);
		net_run_add(&r->run, parts, n);
		r->tally = o->whose;
		return;
	}
	r->tally.payload += o->whose.payload;
}

void relay_forward_datagram(struct relay *r, const struct relay_listener *via,
			    const struct turn_tuple *tuple, struct net_mark mark,
			    const struct iovec *iov, struct relay_tally whose)
{
	const struct onward o = { via->fd, &tuple->client,
				  addr_is_any(&via->at) ? &tuple->server : NULL, mark, whose };

	append(r, &o, iov, 1);
}

/* What passes is looked at by its first byte, and only RTP and STUN any further. The memory is asked for
 * once in a session's life. */
static void look_at(struct relay *r, struct relay_session *s, enum relay_quality_leg leg, const uint8_t *p,
		    size_t len)
{
	if (!r->rtp_quality || !len || !relay_quality_wants(p[0]))
		return;
	if (!s->quality && !(s->quality = slab_alloc(&r->qualities_slab)))
		return;
	relay_quality_see(s->quality, leg, p, len, r->env.now);
	if (!tick_before(r->env.now, s->quality->due))
		relay_observe_quality(r, s->quality);
}

static void to_peer(struct relay_from *c, const struct turn_to_peer *p)
{
	struct relay *r = c->r;
	const struct relay_endpoint *ep = c->s->ep[turn_leg_of(&p->to)];
	const struct iovec iov = { (void *)p->data.p, p->data.len };
	struct net_mark mark = c->mark;

	look_at(r, c->s, RELAY_LEG_CLIENT, (const uint8_t *)p->data.p, p->data.len);
	/* design: our own addresses are open for relayed ports, never for another service */
	if (p->own && !relay_ports_live(r->shared->ports, &p->to)) {
		relay_session_drop(c->s, RELAY_DROP_OWN_PORT, 1);
		count(&r->cnt, drop_own_port);
		return;
	}
	if (!within_rate(r, c->s, &c->s->turn.up, p->data.len))
		return;
	if (!relay_hops_pass(&mark, &c->tuple.client, &p->to)) {
		relay_session_drop(c->s, RELAY_DROP_HOPS, 1);
		relay_hops_expired(r, &(struct relay_hops){ c->tuple.server, c->tuple.client, c->raw,
							    c->raw_len });
		return;
	}
	const struct onward o = { ep->fd, &p->to, NULL, mark, { c->s, true, p->data.len } };
	append(r, &o, &iov, 1);
}

static void on_channel_data(struct relay_from *c, const uint8_t *p, size_t len)
{
	struct stun_chan chan;
	enum turn_route verdict;

	if (!c->s) {
		count(&c->r->cnt, drop_no_session);
		return;
	}
	if (!stun_chan_decode(p, len, &chan)) { /* RFC 8656 s.12.6: shorter than it claims */
		relay_session_drop(c->s, RELAY_DROP_MALFORMED, 1);
		count(&c->r->cnt, drop_malformed);
		return;
	}
	if (c->channel != chan.number) { /* else as a moment ago */
		verdict =
			turn_route_channel(&c->s->turn, chan.number, c->r->env.now, &c->route);
		if (verdict) {
			c->channel = 0;
			count_drop(c->r, c->s, verdict);
			return;
		}
		c->channel = chan.number;
	}
	c->route.data = chan.data;
	to_peer(c, &c->route);
}

/* RFC 8656 s.14: DF as the client asked, from IPv4 to IPv4 only (s.13 ignores it elsewhere). DF is a
 * state of the socket, so such a datagram goes alone. */
static void to_peer_unfragmented(struct relay_from *c, const struct turn_to_peer *p)
{
	int fd = c->s->ep[turn_leg_of(&p->to)]->fd;
	bool v6 = p->to.family == ADDR_V6;

	relay_forward_flush(c->r);
	net_sock_dont_fragment(fd, v6, true);
	to_peer(c, p);
	relay_forward_flush(c->r);
	net_sock_dont_fragment(fd, v6, false);
}

/* RFC 8656 s.13 ignores the attribute where a datagram is translated or goes from IPv6 to IPv6; s.15 obeys
 * it for all that comes over a stream. */
static bool obeys_df(const struct relay_from *c, const struct addr *to)
{
	return c->path.conn || (to->family == ADDR_V4 && c->tuple.client.family == ADDR_V4);
}

static void on_send(struct relay_from *c, const struct stun_msg *ind)
{
	struct turn_to_peer p;
	enum turn_route verdict;

	count(&c->r->cnt, ind_send);
	if (!c->s) {
		count(&c->r->cnt, drop_no_session);
		return;
	}
	if (!stun_fingerprint_ok(ind)) {
		count(&c->r->cnt, drop_fingerprint);
		return;
	}
	verdict = turn_route_send(&c->r->env, &c->s->turn, ind, &p);
	if (verdict)
		count_drop(c->r, c->s, verdict);
	else if (p.dont_fragment && obeys_df(c, &p.to))
		to_peer_unfragmented(c, &p);
	else
		to_peer(c, &p);
}

static void on_message(struct relay_from *c, const uint8_t *p, size_t len)
{
	struct stun_msg msg;

	if (stun_decode(p, len, &msg)) {
		if (!relay_request_classic(c->r, &c->path, &c->tuple, p, len))
			count(&c->r->cnt, drop_malformed);
		return;
	}
	if (msg.class == STUN_INDICATION && msg.method == STUN_SEND) {
		on_send(c, &msg);
		return;
	}
	relay_forward_flush(c->r); /* a request may close the socket that the run goes out of */
	relay_request(c->r, &c->path, &c->tuple, c->s, &msg);
	c->s = relay_table_find(&c->r->table, &c->tuple);
	c->channel = 0;
}

void relay_forward_message(struct relay_from *c, const uint8_t *p, size_t len)
{
	enum stun_kind kind = len ? stun_demux(p[0], c->r->wide_channels) : STUN_KIND_JUNK;

	if (kind == STUN_KIND_DTLS && c->path.via && c->r->dtls) {
		relay_dtls_input(c, p, len);
		return;
	}
	switch (kind) {
	case STUN_KIND_CHANNEL:
		on_channel_data(c, p, len);
		break;
	case STUN_KIND_MSG:
		on_message(c, p, len);
		break;
	default:
		count(&c->r->cnt, drop_junk);
		break;
	}
}

static void on_client_burst(struct relay_listener *via, const struct net_rx *rx)
{
	struct relay *r = via->relay;
	struct relay_from c = { .r = r, .path = { .via = via }, .mark = rx->mark };
	size_t n = 0;

	if (rx->truncated) {
		count(&r->cnt, drop_truncated);
		return;
	}
	c.tuple.client = rx->from;
	c.tuple.server = via->at;
	c.tuple.transport = TURN_UDP;
	if (rx->to.family != ADDR_NONE) {
		c.tuple.server = rx->to;
		c.tuple.server.port = via->at.port;
	}
	c.s = relay_table_find(&r->table, &c.tuple);
	for (size_t off = 0; off < rx->len || n == 0; off += rx->seg, n++) {
		size_t left = rx->len - off;

		c.raw = rx->buf + off;
		c.raw_len = left < rx->seg ? left : rx->seg;
		relay_forward_message(&c, c.raw, c.raw_len);
		if (rx->seg == 0)
			break;
	}
	count_n(&r->cnt, rx_client_packets, n ? n : 1);
	count_n(&r->cnt, rx_client_bytes, rx->len);
	if (rx->stamp_ns && c.s)
		relay_delay_came(r, rx->stamp_ns, true);
}

void relay_forward_from_client(int fd, void *arg)
{
	struct relay_listener *l = arg;
	const struct net_rx *rx;

	relay_clock(l->relay);
	if (l->relay->delay.open && !l->stamped)
		relay_delay_stamp(l->relay, fd, &l->stamped);
	for (int round = 0; round < CLIENT_ROUNDS; round++) {
		size_t n = net_rx_many(l->relay->rx, fd, &rx);

		for (size_t i = 0; i < n; i++)
			on_client_burst(l, &rx[i]);
		relay_forward_flush(l->relay); /* the buffers are read into again */
		if (l->relay->delay.n_waiting)
			relay_delay_sent(l->relay);
		if (n < NET_RX_SLOTS || relay_dtls_is_busy(l->relay))
			return;
	}
}

/* What goes before each payload of a burst, and behind it. */
struct to_client {
	struct relay *r;
	struct relay_session *s;
	const struct addr *from; /* source address to use, for a listener on a wildcard */
	struct addr peer;
	uint16_t channel; /* 0: Data indications */
	struct net_mark mark;
	size_t n_headers;
	uint8_t headers[NET_RUN_DATAGRAMS][TURN_DATA_HEADER_V6];
};

/* One datagram or message for the client; `payload` bytes of it are a peer's. */
static void emit(struct to_client *c, const struct iovec *iov, size_t n,
		 struct relay_tally whose)
{
	const struct relay_path *path = &c->s->path;
	struct relay *r = c->r;

	n -= iov[n - 1].iov_len == 0;
	if (path->dtls) {
		relay_dtls_send(path->dtls, iov, n, c->mark, whose);
		return;
	}
	if (!path->conn) {
		const struct onward o = { path->via->fd, &c->s->turn.tuple.client, c->from,
					  c->mark, whose };

		append(r, &o, iov, n);
		return;
	}
	net_burst_add(&r->burst, relay_conn_stream(path->conn), iov, n, false, r->env.now);
	count(&r->cnt, tx_client_packets);
	for (size_t i = 0; i < n; i++)
		count_n(&r->cnt, tx_client_bytes, iov[i].iov_len);
	if (whose.s)
		relay_session_account(r, whose.s, false, 1, whose.payload);
}

static void to_client(struct to_client *c, const uint8_t *p, size_t len)
{
	static const uint8_t zeros[3];
	struct relay_session *s = c->s;
	struct iovec iov[3];
	uint8_t *header = c->headers[c->n_headers];

	look_at(c->r, s, RELAY_LEG_PEER, p, len);
	if (!within_rate(c->r, s, &s->turn.down, len))
		return;
	if (c->channel) {
		stun_chan_header(header, c->channel, (uint16_t)len);
		iov[0] = (struct iovec){ header, STUN_CHAN_HEADER_LEN };
	} else {
		iov[0] = (struct iovec){ header, turn_route_data_header(&c->peer, len,
									&c->r->rng, header) };
		if (!iov[0].iov_len) {
			relay_session_drop(s, RELAY_DROP_TRUNCATED, 1);
			count(&c->r->cnt, drop_truncated);
			return;
		}
	}
	iov[1] = (struct iovec){ (void *)p, len };
	/* DATA is padded, and ChannelData on a stream (s.12.5) */
	iov[2] = (struct iovec){ (void *)zeros,
				 c->channel && !s->path.conn ? 0 : (4 - len % 4) % 4 };
	emit(c, iov, 3, (struct relay_tally){ s, false, len });
	if (++c->n_headers ==
	    NET_RUN_DATAGRAMS) { /* the headers are borrowed until they are sent */
		relay_forward_flush(c->r);
		c->n_headers = 0;
	}
}

/* A listener on a wildcard address has to be told where to send from. */
static const struct addr *source_of(const struct relay_session *s)
{
	return s->path.via && addr_is_any(&s->path.via->at) ? &s->turn.tuple.server : NULL;
}

void relay_forward_fanned(void *arg, void *tag, size_t head, size_t body, bool sent)
{
	struct relay_session *s = tag;
	struct relay *r = arg;

	if (sent) {
		count(&r->cnt, tx_client_packets);
		count_n(&r->cnt, tx_client_bytes, head + body);
	}
	if (!s)
		return;
	s->in_fan = false;
	if (sent)
		relay_session_account(r, s, false, 1, body);
	else
		relay_session_drop(s, RELAY_DROP_SEND, 1);
}

/* Audio: a packet of each of many sessions. They leave together at the end of the turn. */
static void to_client_with_others(struct relay *r, struct relay_session *s,
				  const struct net_rx *rx, uint16_t channel, struct net_mark mark)
{
	const struct net_fan_way way = { s->path.via->fd, &s->turn.tuple.client, source_of(s),
					 mark };
	uint8_t header[STUN_CHAN_HEADER_LEN];

	look_at(r, s, RELAY_LEG_PEER, rx->buf, rx->len);
	if (!within_rate(r, s, &s->turn.down, rx->len))
		return;
	stun_chan_header(header, channel, (uint16_t)rx->len);
	s->in_fan = true;
	net_fan_add(r->fan, &way, (struct str){ (const char *)header, sizeof header },
		    (struct str){ (const char *)rx->buf, rx->len }, s);
}

/* The same for a client that is at a stream: header and padding (s.12.5) go to both sides of the payload, so
 * that what is written is one piece. */
static void to_client_in_place(struct relay *r, struct relay_session *s,
			       const struct net_rx *rx, uint16_t channel)
{
	struct to_client c = { .r = r, .s = s };
	size_t padding = (4 - rx->len % 4) % 4;
	const struct iovec iov = { rx->buf - STUN_CHAN_HEADER_LEN,
				   STUN_CHAN_HEADER_LEN + rx->len + padding };

	look_at(r, s, RELAY_LEG_PEER, rx->buf, rx->len);
	if (!within_rate(r, s, &s->turn.down, rx->len))
		return;
	stun_chan_header(iov.iov_base, channel, (uint16_t)rx->len);
	memset(rx->buf + rx->len, 0, padding);
	emit(&c, &iov, 1, (struct relay_tally){ s, false, rx->len });
	relay_forward_flush(r);
}

static void on_peer_burst(struct relay *r, const struct relay_endpoint *ep, const struct net_rx *rx)
{
	struct relay_session *s = ep->session;
	struct to_client c;
	enum turn_route verdict;
	size_t n = 0;

	verdict = turn_route_peer(&r->env, &s->turn, &rx->from, &c.channel, &c.peer);
	n = rx->seg ? (rx->len + rx->seg - 1) / rx->seg : 1;
	count_n(&r->cnt, rx_peer_packets, n);
	count_n(&r->cnt, rx_peer_bytes, rx->len);
	if (verdict || rx->truncated) {
		relay_session_drop(
			s, rx->truncated ? RELAY_DROP_TRUNCATED : RELAY_DROP_NO_PERMISSION, n);
		if (rx->truncated)
			count_n(&r->cnt, drop_truncated, n);
		else
			count_n(&r->cnt, drop_no_permission, n);
		return;
	}
	c.mark = rx->mark;
	if (!s->path.conn && !relay_hops_pass(&c.mark, &rx->from, &s->turn.tuple.client)) {
		relay_session_drop(s, RELAY_DROP_HOPS, n);
		relay_hops_expired(r, &(struct relay_hops){ ep->at, rx->from, rx->buf,
							    n > 1 ? rx->seg : rx->len });
		return;
	}
	if (n == 1 && c.channel && s->path.via) {
		to_client_with_others(r, s, rx, c.channel, c.mark);
		return;
	}
	if (n == 1 && c.channel && s->path.conn) {
		to_client_in_place(r, s, rx, c.channel);
		return;
	}
	net_fan_flush(r->fan); /* what came before goes before */
	c.r = r;
	c.s = s;
	c.from = source_of(s);
	c.n_headers = 0;
	for (size_t i = 0, off = 0; i < n; i++, off += rx->seg) {
		size_t left = rx->len - off;

		to_client(&c, rx->buf + off, left < rx->seg ? left : rx->seg);
	}
	relay_forward_flush(r);
}

/* RFC 8656 s.11.5: what the network says about datagrams to peers, the client is told. */
static void on_peer_errors(struct relay *r, struct relay_session *s, int fd)
{
	struct to_client c = { .r = r, .s = s, .from = source_of(s) };
	uint8_t buf[128];
	struct net_icmp icmp;

	for (int i = 0; i < MAX_ERRORS && net_rx_error(fd, &icmp); i++) {
		struct wr out = wr_init(buf, sizeof buf);

		if (!turn_route_icmp(&r->env, &s->turn, &icmp.to, icmp.type, icmp.code,
				     icmp.mtu, &out))
			continue;
		const struct iovec iov = { buf, wr_len(&out) };
		emit(&c, &iov, 1, (struct relay_tally){ NULL, false, 0 });
		relay_forward_flush(r);
		count(&r->cnt, icmp_relayed);
	}
}

void relay_forward_from_peer(int fd, void *arg)
{
	struct relay_endpoint *ep = arg;
	struct relay_session *s = ep->session;
	struct relay *r = s->relay;
	struct net_rx rx;

	relay_clock(r);
	if (r->delay.open && !ep->stamped)
		relay_delay_stamp(r, fd, &ep->stamped);
	for (int round = 0; round < PEER_ROUNDS; round++) {
		if (!net_rx_one(r->rx_peers, net_fan_waiting(r->fan), fd, &rx)) {
			on_peer_errors(r, s, fd);
			return;
		}
		if (rx.overflow && rx.overflow != ep->overflow)
			relay_endpoint_overflowed(r, ep, rx.overflow);
		if (rx.stamp_ns)
			relay_delay_came(r, rx.stamp_ns, false);
		on_peer_burst(r, ep, &rx);
		if (s->path.conn && relay_conn_reap_broken(s->path.conn))
			return;	      /* the session is gone, and the endpoint with it */
		/* behind a short burst there is seldom another, and epoll tells of it */
		if (rx.len < NET_RX_BUF / 2)
			return;
	}
}
