#include "relay/conn.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"
#include "relay/backend.h"
#include "relay/crowd.h"
#include "relay/front.h"
#include "relay/handoff.h"
#include "relay/park.h"
#include "relay/splice.h"
#include "relay/web.h"
#include "stun/chan.h"
#include "stun/demux.h"
#include "stun/frame.h"

enum {
	READS = 4,	  /* of one connection before others have their turn */
	LETTERS = 0x4000, /* the least length that two letters make; no media has it */
	UNSENT =
		128
		<< 10, /* bytes that the kernel may hold unsent: the rest waits where it can be dropped */
};

struct relay_conns {
	struct net_cert *cert;
	struct list strangers; /* oldest first */
	struct list guests;    /* with a session */
	struct list dead;
	struct list acceptors;
	struct relay_crowd crowd;		      /* the strangers */
	unsigned long long n_refused, n_ended[N_WHY]; /* for log_seldom() */
	unsigned n_shakes; /* steps of TLS handshakes in this turn */
};

static const char *why_text(enum relay_conn_why w)
{
	static const char *const text[N_WHY] = {
		[WHY_CLOSED] = "closed",
		[WHY_ERROR] = "error",
		[WHY_TLS] = "tls_failed",
		[WHY_BAD_FRAME] = "not_turn",
		[WHY_TIMEOUT] = "no_allocation_in_time",
		[WHY_CROWDED] = "too_many_connections",
		[WHY_NO_TLS] = "tls_without_certificate",
		[WHY_NO_MEMORY] = "no_memory",
		[WHY_SHUTDOWN] = "shutdown",
		[WHY_PROXY] = "bad_proxy_header",
		[WHY_NO_PROXY] = "not_in_proxy-protocol-from",
		[WHY_BACKEND] = "backend_down",
		[WHY_ADMIN] = "admin",
	};

	return text[w];
}

enum err relay_conns_new(struct relay *r)
{
	struct relay_conns *cs = calloc(1, sizeof *cs);

	if (!cs)
		return ERR_NOMEM;
	list_init(&cs->strangers);
	list_init(&cs->guests);
	list_init(&cs->dead);
	list_init(&cs->acceptors);
	relay_crowd_init(&cs->crowd, r->env.hash_key, RELAY_CONN_PER_PREFIX);
	slab_init(&r->conns_slab, sizeof(struct relay_conn));
	r->conns = cs;
	return OK;
}

void relay_conns_set_cert(struct relay *r, struct net_cert *cert)
{
	net_cert_drop(r->conns->cert);
	r->conns->cert = cert;
}

struct net_cert *relay_conns_cert(const struct relay *r)
{
	return r->conns->cert;
}

struct net_stream *relay_conn_stream(struct relay_conn *c)
{
	return &c->stream;
}

/* --- how many strangers --- */

/* One more of this source; NULL: it has enough, or there is no memory. */
static struct relay_prefix *enter(struct relay *r, const struct addr *client)
{
	return relay_crowd_enter(&r->conns->crowd, client);
}

static void leave(struct relay *r, struct relay_conn *c)
{
	relay_crowd_leave(&r->conns->crowd, &c->prefix);
}

/* --- the end --- */

static void tell_end(struct relay *r, const struct relay_conn *c, enum relay_conn_why why)
{
	char client[ADDR_TEXT_LEN];
	bool quiet = why == WHY_CLOSED || why == WHY_SHUTDOWN;

	/* a reason that is rare must not drown in one that a flood causes */
	if (!r->shared->conf->verbose && (quiet || !log_seldom(&r->conns->n_ended[why])))
		return;
	log_info(r->lg, NULL, "conn_end", "client=%s transport=%s reason=%s",
		 relay_addr_print(r, &c->tuple.client, client), turn_transport_text(c->tuple.transport),
		 why_text(why));
}

/* Nothing leads to it any more. */
static void unlink_conn(struct relay_conn *c)
{
	struct relay *r = c->relay;

	relay_park_forget(r, &c->tuple);
	leave(r, c);
	count(&r->cnt, conn_left);
	wheel_cancel(&r->wheel, &c->timer);
	list_del(&c->all);
	list_push(&r->conns->dead, &c->all); /* callbacks may still be working with it */
}

static void end(struct relay_conn *c, enum relay_conn_why why)
{
	struct relay *r = c->relay;

	if (c->dead)
		return;
	c->dead = true;
	if (r->burst.stream == &c->stream) /* what waits for it goes nowhere */
		net_burst_flush(&r->burst, r->env.now);
	tell_end(r, c, why);
	if (c->stream.tls && !c->shaken)
		count(&r->cnt, tls_failed);
	if (c->session)
		turn_session_end(&r->env, &c->session->turn,
				 why == WHY_SHUTDOWN ? TURN_END_SHUTDOWN : TURN_END_CLOSED);
	relay_backend_close(c->backend);
	net_stream_fini(&c->stream);
	unlink_conn(c);
}

void relay_conn_end(struct relay_conn *c, enum relay_conn_why why)
{
	end(c, why);
}

/* After the handshake it is an error of the connection like another: most often a client that was gone
 * without a word. */
static enum relay_conn_why why_of(const struct relay_conn *c)
{
	return c->stream.end == NET_STREAM_CLOSED			     ? WHY_CLOSED
	       : c->stream.end == NET_STREAM_TLS_ERROR && !c->shaken ? WHY_TLS
							     : WHY_ERROR;
}

bool relay_conn_reap_broken(struct relay_conn *c)
{
	uint64_t n = c->stream.dropped - c->n_dropped;

	if (n && c->session) {
		relay_session_drop(c->session, RELAY_DROP_QUEUE, n);
		count_n(&c->relay->cnt, drop_queue, n);
		c->n_dropped += n;
	}
	if (!c->dead && c->stream.end)
		end(c, why_of(c));
	return c->dead;
}

static void on_deadline(struct wheel_timer *t, tick now, void *arg)
{
	struct relay_conn *c = container_of(t, struct relay_conn, timer);

	(void)now;
	(void)arg;
	end(c, c->stage == RELAY_STAGE_DEAF ? WHY_CLOSED : WHY_TIMEOUT);
}

/* --- strangers and guests --- */

static void arm_deadline(struct relay_conn *c)
{
	struct relay *r = c->relay;

	wheel_arm(&r->wheel, &c->timer,
		  r->env.now + SEC((tick)r->shared->conf->max_allocate_timeout));
}

/* An allocation makes a guest of a stranger. */
static void adopt(struct relay_conn *c, struct relay_session *s)
{
	struct relay *r = c->relay;

	c->session = s;
	c->had_session = true;
	leave(r, c);
	wheel_cancel(&r->wheel, &c->timer);
	list_del(&c->all);
	list_push(&r->conns->guests, &c->all);
}

void relay_conn_settle(struct relay_conn *c)
{
	wheel_cancel(&c->relay->wheel, &c->timer);
	list_del(&c->all);
	list_push(&c->relay->conns->guests, &c->all);
}

void relay_conn_session_ended(struct relay_conn *c)
{
	struct relay *r = c->relay;
	bool never_began =
		!c->session; /* an allocation that was refused: a stranger all along */

	c->session = NULL;
	if (c->dead || never_began)
		return;
	c->prefix =
		enter(r, &c->tuple.client); /* NULL: it stays uncounted until its deadline */
	list_del(&c->all);
	list_push(&r->conns->strangers, &c->all);
	arm_deadline(c);
}

/* --- in --- */

/* Who is behind a balancer is counted as if it had come by itself. */
static bool recount(struct relay_conn *c)
{
	struct relay *r = c->relay;
	struct relay_prefix *prefix = enter(r, &c->tuple.client);

	if (!prefix) {
		count(&r->cnt, conn_refused);
		end(c, WHY_CROWDED);
		return false;
	}
	leave(r, c);
	c->prefix = prefix;
	return true;
}

void relay_conn_bind(struct relay_conn *c, struct turn_tcp *to)
{
	c->bound = to;
}

bool relay_conn_move(struct relay_conn *c, unsigned worker)
{
	if (c->moves == RELAY_HANDOFF_MAX)
		return false;
	c->move_to = worker + 1;
	return true;
}

/* The connection goes elsewhere, with the n bytes from `p` on, of which the last message has `len`. */
static void depart(struct relay_conn *c, const uint8_t *p, size_t n, size_t len)
{
	struct relay_moved m = {
		.tuple = c->tuple, .bytes = (uint8_t *)p, .n = n, .moves = c->moves + 1
	};
	struct relay *r = c->relay;

	if (!net_stream_release(&c->stream, &m.fd, &m.tls)) {
		if (c->bound)
			relay_splice_drop(r, c->bound);
		end(c, WHY_ERROR);
		return;
	}
	c->dead = true;
	unlink_conn(c);
	if (c->bound)
		relay_splice_attach(r, c->bound, m.fd, m.tls, p + len, n - len);
	else
		relay_handoff_send(r, c->move_to - 1, &m);
}

void relay_conn_resumed(struct relay_conn *c)
{
	static const uint8_t nothing;
	struct relay_session *s;

	if (c->dead)
		return;
	s = relay_table_find(&c->relay->table, &c->tuple);
	if (s && s != c->session)
		adopt(c, s);
	if (c->bound || c->move_to)
		depart(c, &nothing, 0, 0);
	else
		relay_conn_reap_broken(c);
}

/* What comes before TURN. False: wait, or it is over. */
static bool begin(struct relay_conn *c)
{
	enum relay_conn_why why = WHY_ERROR;
	enum relay_front f = RELAY_FRONT_GO;

	while (f == RELAY_FRONT_GO && c->stage < RELAY_STAGE_TALK) {
		if (c->stage == RELAY_STAGE_FIRST) {
			f = relay_front_first(c, &why);
			continue;
		}
		f = relay_front_proxy(c, &why);
		if (f == RELAY_FRONT_GO && c->stage == RELAY_STAGE_FIRST && !recount(c))
			return false;
	}
	if (f == RELAY_FRONT_END)
		end(c, why);
	return f == RELAY_FRONT_GO && c->stage != RELAY_STAGE_WEB;
}

/* The first of what is said. True: it is TURN. */
static bool talk(struct relay_conn *c, const uint8_t *p, size_t n)
{
	switch (relay_web_first(c, p, n)) {
	case RELAY_WEB_NONE:
		return true;
	case RELAY_WEB_MORE:
		if (net_stream_keep(&c->stream, p, n))
			end(c, WHY_NO_MEMORY);
		return false;
	case RELAY_WEB_TAKEN:
		return false;
	default:
		end(c, WHY_BACKEND);
		return false;
	}
}

/*
 * RFC 8656 s.5, s.12.6: ChannelData without an allocation, or with a reserved number, is dropped in silence,
 * and so is a message of any method that is not ours (RFC 8489 s.6.3). But who never had an allocation and
 * begins like nothing of TURN's, or with "EHLO", which is a number and a length too, speaks another protocol.
 */
static enum stun_frame next_frame(const struct relay_conn *c, const uint8_t *p, size_t n,
				  size_t *len, size_t *all)
{
	bool message = stun_demux(p[0], false) == STUN_KIND_MSG, data = p[0] >= STUN_CHAN_MIN >> 8;
	struct rd r = rd_init(p, n);
	uint16_t length;

	rd_u16(&r);
	length = rd_u16(&r);
	if (!c->had_session && !message &&
	    (data ? length >= LETTERS : rd_u32(&r) != STUN_COOKIE))
		return STUN_FRAME_BAD;
	return stun_frame_next(p, n, len, all);
}

/* All whole messages of what was read. False: the connection has ended. */
static bool on_bytes(struct relay_conn *c, const uint8_t *p, size_t n)
{
	struct relay *r = c->relay;

	struct relay_from f = {
		.r = r, .path = { .conn = c }, .tuple = c->tuple, .s = c->session,
		.mark = { .tos = c->tos }
	};
	enum stun_frame kind = STUN_FRAME_MORE;
	size_t len, all;

	while (n && (kind = next_frame(c, p, n, &len, &all)) == STUN_FRAME_WHOLE) {
		relay_forward_message(&f, p, len);
		if (c->bound || c->move_to) {
			relay_forward_flush(r);
			depart(c, p, n, all);
			return false;
		}
		count(&r->cnt, rx_client_packets);
		count_n(&r->cnt, rx_client_bytes, len);
		p += all;
		n -= all;
		if (c->dead) {
			relay_forward_flush(r);
			return false;
		}
		if (f.s != c->session && f.s)
			adopt(c, f.s);
	}
	relay_forward_flush(r); /* the scratch memory is read into again */
	if (kind == STUN_FRAME_BAD)
		end(c, WHY_BAD_FRAME);
	else if (net_stream_keep(&c->stream, p, n))
		end(c, WHY_NO_MEMORY);
	else if (c->stream.end)
		end(c, why_of(c));
	return !c->dead;
}

/* What was read. False: there is nothing more to be read here. */
static bool take(struct relay_conn *c, const uint8_t *p, size_t n)
{
	if (c->stage == RELAY_STAGE_TALK && !talk(c, p, n))
		return c->stage == RELAY_STAGE_TALK && !c->dead;
	return c->stage == RELAY_STAGE_DEAF || on_bytes(c, p, n);
}

/* From here on what fails is the record layer. */
static void note_handshake(struct relay_conn *c)
{
	c->shaken = net_tls_is_open(c->stream.tls);
	if (!c->shaken)
		return;
	if (strcmp(net_tls_version(c->stream.tls), "TLSv1.2") == 0)
		count(&c->relay->cnt, tls12_ok);
	else
		count(&c->relay->cnt, tls13_ok);
}

/* A step of a handshake signs, which takes as long as hundreds of packets: a crowd that says hello at once
 * waits in its sockets, which are told of again in the next turn, and others have theirs in between. */
static bool has_to_wait(struct relay_conn *c)
{
	bool may_shake = c->stream.tls ? !c->shaken : c->stage < RELAY_STAGE_TALK;

	return may_shake && c->relay->conns->n_shakes >= RELAY_SHAKES_AT_ONCE;
}

static void on_input(int fd, void *arg)
{
	struct relay_conn *c = arg;
	struct relay *r = c->relay;
	bool more = true;

	(void)fd;
	relay_clock(r);
	if (has_to_wait(c))
		return;
	if (c->stage < RELAY_STAGE_TALK && !begin(c))
		return;
	for (int i = 0; more; i++) {
		if (i ==
		    READS) { /* what TLS has decrypted already the descriptor will not tell of */
			net_loop_again(&c->stream.in);
			return;
		}
		size_t n = net_stream_read(&c->stream, r->scratch, &more);

		if (c->stream.tls && !c->shaken) {
			r->conns->n_shakes++;
			note_handshake(c);
		}
		if (n && !take(c, r->scratch, n))
			return;
		if (c->stream.end) {
			end(c, why_of(c));
			return;
		}
		if (!n)
			return;
	}
}

/* --- accept --- */

static void set_options(int fd)
{
	int on = 1, unsent = UNSENT;

	(void)!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)!setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
}

static void refuse(struct relay *r, int fd, const struct addr *client, enum relay_conn_why why)
{
	char text[ADDR_TEXT_LEN];

	close(fd);
	count(&r->cnt, conn_refused);
	if (log_seldom(&r->conns->n_refused))
		log_info(r->lg, NULL, "conn_refused", "client=%s reason=%s n=%llu",
			 relay_addr_print(r, client, text), why_text(why), r->conns->n_refused);
}

/* A stranger's connection, or NULL, and why: then the descriptor stays the caller's. */
static struct relay_conn *make(struct relay *r, int fd, const struct addr *client, bool proxied,
			       enum relay_conn_why *why)
{
	/* behind a balancer is who its header names: then that one is counted */
	struct relay_prefix *prefix =
		proxied ? relay_crowd_enter_any(&r->conns->crowd, client) : enter(r, client);
	struct relay_conn *c = prefix ? slab_alloc(&r->conns_slab) : NULL;

	if (!c) {
		struct relay_conn stand_in = { .prefix = prefix };

		leave(r, &stand_in);
		*why = prefix ? WHY_NO_MEMORY : WHY_CROWDED;
		return NULL;
	}
	c->relay = r;
	c->prefix = prefix;
	c->tuple.client = *client;
	c->tuple.transport = TURN_TCP;
	c->stage = proxied ? RELAY_STAGE_PROXY : RELAY_STAGE_FIRST;
	set_options(fd);
	list_init(&c->all);
	wheel_timer_init(&c->timer, on_deadline);
	if (net_sock_name(fd, &c->tuple.server) ||
	    net_stream_init(&c->stream, r->loop, fd, (tick)r->shared->conf->stream_queue_ms,
			    on_input, c)) {
		leave(r, c);
		slab_free(&r->conns_slab, c);
		*why = WHY_NO_MEMORY;
		return NULL;
	}
	c->tos = net_sock_dscp(fd, c->tuple.server.family == ADDR_V6);
	count(&r->cnt, conn_entered);
	list_push(&r->conns->strangers, &c->all);
	arm_deadline(c);
	if (r->conns->crowd.n > RELAY_CONN_STRANGERS)
		end(list_entry(r->conns->strangers.next, struct relay_conn, all), WHY_CROWDED);
	return c;
}

static void admit(struct relay_acceptor *a, int fd, const struct addr *client)
{
	enum relay_conn_why why;

	if (make(a->relay, fd, client, a->proxied, &why))
		count(&a->relay->cnt, conn_opened);
	else
		refuse(a->relay, fd, client, why);
}

void relay_conn_arrive(struct relay *r, struct relay_moved *m)
{
	enum relay_conn_why why;
	struct relay_conn *c = make(r, m->fd, &m->tuple.client, false, &why);

	if (!c) {
		net_tls_free(m->tls); /* before the descriptor is closed */
		free(m->bytes);
		refuse(r, m->fd, &m->tuple.client, why);
		return;
	}
	c->tuple = m->tuple;
	c->moves = m->moves;
	c->stage = RELAY_STAGE_TURN;
	c->shaken = m->tls != NULL; /* it was counted where it came in */
	if (m->tls)
		net_stream_set_tls(&c->stream, m->tls);
	if (on_bytes(c, m->bytes, m->n) && m->tls)
		net_loop_again(
			&c->stream
				 .in); /* of what TLS has decrypted the descriptor will not tell */
	free(m->bytes);
}

/* Without descriptors the same connection would be offered again and again at once. */
static void pause_accepting(struct relay_acceptor *a)
{
	struct relay *r = a->relay;

	if (log_seldom(&r->n_no_sockets))
		log_warn(r->lg, NULL, "accept_paused",
			 "reason=no_descriptors n=%llu note=\"raise LimitNOFILE or ulimit -n\"",
			 r->n_no_sockets);
	net_loop_unwatch(&a->watch);
	a->watched = false;
	a->resume = r->env.now + RELAY_ACCEPT_PAUSE_MS;
}

static void on_connection(int fd, void *arg)
{
	struct relay_acceptor *a = arg;

	relay_clock(a->relay);
	for (int i = 0; i < RELAY_ACCEPT_AT_ONCE; i++) {
		struct sockaddr_storage sa;
		socklen_t len = sizeof sa;
		int conn =
			accept4(fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct addr client;

		if (conn < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			    errno == ENOMEM)
				pause_accepting(a);
			return;
		}
		client = addr_from_sa((struct sockaddr *)&sa);
		if (a->proxied && !prefix_has(&a->relay->shared->conf->proxies, &client))
			refuse(a->relay, conn, &client, WHY_NO_PROXY);
		else
			admit(a, conn, &client);
	}
}

enum err relay_conn_listen(struct relay *r, struct relay_acceptor *a, int fd,
			   const struct addr *at)
{
	enum err e;

	*a = (struct relay_acceptor){ .relay = r, .fd = fd, .at = *at };
	a->proxied =
		r->shared->conf->tcp_proxy_port && at->port == r->shared->conf->tcp_proxy_port;
	list_init(&a->all);
	e = net_loop_watch(r->loop, &a->watch, fd, on_connection, a);
	if (e)
		return e;
	a->watched = true;
	list_push(&r->conns->acceptors, &a->all);
	return OK;
}

void relay_conn_unlisten(struct relay_acceptor *a)
{
	if (a->watched)
		net_loop_unwatch(&a->watch);
	a->watched = false;
	list_del(&a->all);
}

static void resume_accepting(struct relay *r)
{
	for (struct list *l = r->conns->acceptors.next; l != &r->conns->acceptors;
	     l = l->next) {
		struct relay_acceptor *a = list_entry(l, struct relay_acceptor, all);

		if (!a->watched && !tick_before(r->env.now, a->resume))
			a->watched =
				!net_loop_watch(r->loop, &a->watch, a->fd, on_connection, a);
	}
}

void relay_conns_turn(struct relay *r)
{
	r->conns->n_shakes = 0;
	while (!list_empty(&r->conns->dead)) {
		struct relay_conn *c = list_entry(r->conns->dead.next, struct relay_conn, all);

		list_del(&c->all);
		slab_free(&r->conns_slab, c);
	}
	resume_accepting(r);
}

static void end_all(struct list *l)
{
	while (!list_empty(l))
		end(list_entry(l->next, struct relay_conn, all), WHY_SHUTDOWN);
}

void relay_conns_free(struct relay *r)
{
	if (!r->conns)
		return;
	end_all(&r->conns->guests);
	end_all(&r->conns->strangers);
	relay_conns_turn(r);
	relay_crowd_fini(&r->conns->crowd);
	slab_fini(&r->conns_slab);
	net_cert_drop(r->conns->cert);
	free(r->conns);
	r->conns = NULL;
}
