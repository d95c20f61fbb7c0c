#include "relay/dtls.h"

#include <stdlib.h>
#include <string.h>

#include "auth/throttle.h"
#include "base/bug.h"
#include "net/cookie.h"
#include "net/dtls.h"
#include "relay/crowd.h"
#include "stun/classic.h"
#include "relay/park.h"

enum { HANDSHAKE = 22 }; /* a record's first byte, RFC 6347 s.4.1 */

enum why {
	WHY_CLOSED,
	WHY_TLS,
	WHY_TIMEOUT,
	WHY_CROWDED,
	WHY_REPLACED,
	WHY_NO_MEMORY,
	WHY_SHUTDOWN,
	N_WHY
};

struct relay_dtls {
	struct relay *relay;
	struct net_dtls *tls;
	struct relay_listener *via;
	struct turn_tuple tuple; /* transport TURN_DTLS */
	struct relay_session *session;
	struct hnode node;		/* in all.by_tuple */
	struct list all;		/* strangers or guests, or the dead */
	struct wheel_timer timer;	/* a stranger's deadline */
	struct wheel_timer retransmit;	/* of the handshake */
	struct relay_prefix *prefix;	/* counted there while a stranger */
	uint8_t cookie[NET_COOKIE_LEN]; /* of the hello that it began with */
	bool open;			/* the handshake is done */
	bool broken;			/* to be ended by the timer */
	bool dead;
};

/* Memory that is lent to the run until it is sent. */
struct slots {
	uint8_t *p; /* RELAY_DTLS_SLOTS bytes */
	size_t used;
};

struct relay_dtls_all {
	struct net_cert *cert;
	struct net_dtls_io *io;
	struct hmap by_tuple;
	struct list strangers; /* oldest first */
	struct list guests;    /* with a session */
	struct list dead;
	struct relay_crowd crowd;
	uint64_t cookie_key[2];
	struct slots in, out;
	uint8_t *plain; /* NET_TLS_RECORD bytes to gather a message in */
	unsigned n_shakes; /* steps of handshakes in this turn */
	/* of what OpenSSL is being made to send */
	struct net_mark mark;
	struct relay_tally whose;
	unsigned long long n_refused, n_ended; /* for log_seldom() */
};

static const char *why_text(enum why w)
{
	static const char *const text[N_WHY] = {
		[WHY_CLOSED] = "closed",
		[WHY_TLS] = "dtls_failed",
		[WHY_TIMEOUT] = "no_allocation_in_time",
		[WHY_CROWDED] = "too_many_associations",
		[WHY_REPLACED] = "begun_anew",
		[WHY_NO_MEMORY] = "no_memory",
		[WHY_SHUTDOWN] = "shutdown",
	};

	return text[w];
}

/* --- what is sent ---------------------------------------------------------------- */

/* Room for n bytes; what is lent already stays as it is until it has been sent. */
static uint8_t *room(struct relay *r, struct slots *s, size_t n)
{
	if (s->used + n > RELAY_DTLS_SLOTS)
		relay_forward_flush(r);
	if (!r->run.n_datagrams) /* nobody borrows */
		s->used = 0;
	return s->p + s->used;
}

static void on_send(void *arg, const uint8_t *p, size_t len)
{
	struct relay_dtls *d = arg;
	struct relay *r = d->relay;
	struct slots *out = &r->dtls->out;
	uint8_t *to = room(r, out, len);
	const struct iovec iov = { to, len };

	memcpy(to, p, len);
	out->used += len;
	relay_forward_datagram(r, d->via, &d->tuple, r->dtls->mark, &iov, r->dtls->whose);
}

/* NULL: longer than a record. */
static const uint8_t *gather(uint8_t *to, const struct iovec *parts, size_t n, size_t *len)
{
	*len = 0;
	for (size_t i = 0; i < n; i++) {
		if (parts[i].iov_len > NET_TLS_RECORD - *len)
			return NULL;
		memcpy(to + *len, parts[i].iov_base, parts[i].iov_len);
		*len += parts[i].iov_len;
	}
	return to;
}

void relay_dtls_send(struct relay_dtls *d, const struct iovec *parts, size_t n, struct net_mark mark,
		     struct relay_tally whose)
{
	struct relay *r = d->relay;
	struct relay_dtls_all *all = r->dtls;
	const uint8_t *p;
	size_t len;

	if (d->dead || d->broken)
		return;
	p = gather(all->plain, parts, n, &len);
	if (!p) {
		count(&r->cnt, drop_record);
		if (whose.s)
			relay_session_drop(whose.s, RELAY_DROP_RECORD, 1);
		return;
	}
	all->mark = mark;
	all->whose = whose;
	if (net_dtls_write(d->tls, p, len)) { /* its session may be in use further up */
		d->broken = true;
		wheel_arm(&r->wheel, &d->timer, r->env.now);
	}
	all->mark = (struct net_mark){ 0 };
	all->whose = (struct relay_tally){ NULL, false, 0 };
}

/* --- the end --------------------------------------------------------------------- */

static void tell_end(struct relay *r, const struct relay_dtls *d, enum why why)
{
	char client[ADDR_TEXT_LEN];
	bool quiet = why == WHY_CLOSED || why == WHY_SHUTDOWN || why == WHY_REPLACED;

	if (quiet ? !r->shared->conf->verbose : !log_seldom(&r->dtls->n_ended))
		return;
	log_info(r->lg, NULL, "conn_end", "client=%s transport=dtls reason=%s",
		 relay_addr_print(r, &d->tuple.client, client), why_text(why));
}

static void end(struct relay_dtls *d, enum why why)
{
	struct relay *r = d->relay;

	if (d->dead)
		return;
	d->dead = true;
	relay_forward_flush(r); /* while there are the sockets that it goes out of */
	tell_end(r, d, why);
	if (!d->open)
		count(&r->cnt, dtls_failed);
	if (d->session)
		turn_session_end(&r->env, &d->session->turn,
				 why == WHY_SHUTDOWN ? TURN_END_SHUTDOWN : TURN_END_CLOSED);
	relay_park_forget(r, &d->tuple);
	relay_crowd_leave(&r->dtls->crowd, &d->prefix);
	count(&r->cnt, dtls_left);
	wheel_cancel(&r->wheel, &d->timer);
	wheel_cancel(&r->wheel, &d->retransmit);
	net_dtls_free(d->tls);
	d->tls = NULL;
	relay_forward_flush(r); /* the goodbye */
	hmap_remove(&r->dtls->by_tuple, &d->node);
	list_del(&d->all);
	list_push(&r->dtls->dead, &d->all); /* callers may still be working with it */
}

static void on_deadline(struct wheel_timer *t, tick now, void *arg)
{
	struct relay_dtls *d = container_of(t, struct relay_dtls, timer);

	(void)now;
	(void)arg;
	end(d, d->broken ? WHY_TLS : WHY_TIMEOUT);
}

/* --- strangers and guests -------------------------------------------------------- */

static void arm_deadline(struct relay_dtls *d)
{
	struct relay *r = d->relay;

	wheel_arm(&r->wheel, &d->timer,
		  r->env.now + SEC((tick)r->shared->conf->max_allocate_timeout));
}

/* An allocation makes a guest of a stranger. */
static void adopt(struct relay_dtls *d, struct relay_session *s)
{
	struct relay *r = d->relay;

	d->session = s;
	relay_crowd_leave(&r->dtls->crowd, &d->prefix);
	if (!d->broken)
		wheel_cancel(&r->wheel, &d->timer);
	list_del(&d->all);
	list_push(&r->dtls->guests, &d->all);
}

void relay_dtls_session_ended(struct relay_dtls *d)
{
	struct relay_dtls_all *all = d->relay->dtls;

	d->session = NULL;
	if (d->dead)
		return;
	d->prefix = relay_crowd_enter(
		&all->crowd, &d->tuple.client); /* NULL: uncounted until its deadline */
	list_del(&d->all);
	list_push(&all->strangers, &d->all);
	if (!d->broken)
		arm_deadline(d);
}

void relay_dtls_resumed(struct relay_dtls *d)
{
	struct relay_session *s;

	if (d->dead)
		return;
	s = relay_table_find(&d->relay->table, &d->tuple);
	if (s && s != d->session)
		adopt(d, s);
}

void relay_dtls_cipher(const struct relay_dtls *d, const char **version, const char **cipher)
{
	*version = d->tls ? net_dtls_version(d->tls) : "NONE";
	*cipher = d->tls ? net_dtls_cipher(d->tls) : "NONE";
}

/* --- the handshake --------------------------------------------------------------- */

static void arm_retransmit(struct relay_dtls *d)
{
	struct relay *r = d->relay;
	int ms = d->open ? NET_DTLS_NO_TIMER : net_dtls_timer_ms(d->tls);

	if (ms == NET_DTLS_NO_TIMER)
		wheel_cancel(&r->wheel, &d->retransmit);
	else
		wheel_arm(&r->wheel, &d->retransmit, r->env.now + (tick)ms);
}

static void on_retransmit(struct wheel_timer *t, tick now, void *arg)
{
	struct relay_dtls *d = container_of(t, struct relay_dtls, retransmit);

	(void)now;
	(void)arg;
	if (net_dtls_timeout(d->tls)) {
		end(d, WHY_TIMEOUT);
		return;
	}
	arm_retransmit(d);
	relay_forward_flush(d->relay);
}

/* After a record during the handshake: is it done? */
static void note_progress(struct relay_dtls *d)
{
	struct relay *r = d->relay;
	const struct conf *conf = r->shared->conf;
	char client[ADDR_TEXT_LEN];

	if (d->open)
		return;
	d->open = net_dtls_is_open(d->tls);
	arm_retransmit(d);
	if (!d->open)
		return;
	count(&r->cnt, dtls_ok);
	/* the address is its own: the answer that asked for the cookie is given back */
	auth_throttle_give(r->env.auth.throttle, &d->tuple.client, auth_throttle_share(conf));
	if (conf->verbose)
		log_debug(r->lg, NULL, "dtls_open", "client=%s cipher=%s",
			  relay_addr_print(r, &d->tuple.client, client), net_dtls_cipher(d->tls));
}

static uint64_t hash_of(const struct relay *r, const struct turn_tuple *tuple)
{
	return addr_siphash(r->env.hash_key, tuple, sizeof *tuple);
}

static struct relay_dtls *find(struct relay *r, const struct turn_tuple *tuple)
{
	struct hnode *n = hmap_find(&r->dtls->by_tuple, hash_of(r, tuple));

	for (; n; n = hmap_same(n)) {
		struct relay_dtls *d = container_of(n, struct relay_dtls, node);

		if (memcmp(&d->tuple, tuple, sizeof *tuple) == 0)
			return d;
	}
	return NULL;
}

static void refuse(struct relay *r, const struct addr *client, enum why why)
{
	char text[ADDR_TEXT_LEN];

	count(&r->cnt, dtls_refused);
	if (log_seldom(&r->dtls->n_refused))
		log_info(r->lg, NULL, "conn_refused",
			 "client=%s transport=dtls reason=%s n=%llu", relay_addr_print(r, client, text),
			 why_text(why), r->dtls->n_refused);
}

/* The association of a proven hello, as far as there may be one more. */
static struct relay_dtls *new_stranger(struct relay *r, const struct relay_from *f,
				       const struct turn_tuple *tuple,
				       const struct net_cookie_hello *h)
{
	struct relay_prefix *prefix = relay_crowd_enter(&r->dtls->crowd, &tuple->client);
	struct relay_dtls *d = prefix ? calloc(1, sizeof *d) : NULL;

	if (!d) {
		refuse(r, &tuple->client, prefix ? WHY_NO_MEMORY : WHY_CROWDED);
		relay_crowd_leave(&r->dtls->crowd, &prefix);
		return NULL;
	}
	d->relay = r;
	d->via = f->path.via;
	d->tuple = *tuple;
	d->prefix = prefix;
	memcpy(d->cookie, h->cookie, sizeof d->cookie);
	list_init(&d->all);
	wheel_timer_init(&d->timer, on_deadline);
	wheel_timer_init(&d->retransmit, on_retransmit);
	return d;
}

static void begin(struct relay *r, struct relay_dtls *d, const uint8_t *hello, size_t len)
{
	struct relay_dtls_all *all = r->dtls;

	all->n_shakes++;
	if (net_dtls_new(&d->tls, all->io, all->cert, d, hello, len)) {
		count(&r->cnt, dtls_failed);
		relay_crowd_leave(&all->crowd, &d->prefix);
		free(d);
		return;
	}
	hmap_insert(&all->by_tuple, &d->node, hash_of(r, &d->tuple));
	list_push(&all->strangers, &d->all);
	arm_deadline(d);
	arm_retransmit(d);
	if (all->crowd.n > RELAY_DTLS_STRANGERS)
		end(list_entry(all->strangers.next, struct relay_dtls, all), WHY_CROWDED);
}

/* Goes at once: there is nothing to keep it in. */
static void send_cookie(const struct relay_from *f, const struct net_cookie_hello *h)
{
	struct relay *r = f->r;
	const struct conf *conf = r->shared->conf;
	uint8_t buf[NET_COOKIE_REQUEST];
	struct wr out = wr_init(buf, sizeof buf);

	if (conf->unauthorized_ratelimit &&
	    !auth_throttle_take(r->env.auth.throttle, &f->tuple.client,
				auth_throttle_share(conf), r->env.now)) {
		count(&r->cnt, drop_throttled);
		return;
	}
	net_cookie_request(h, &out);
	const struct iovec iov = { buf, wr_len(&out) };
	relay_forward_flush(r);
	relay_forward_datagram(r, f->path.via, &f->tuple, (struct net_mark){ 0 }, &iov,
			       (struct relay_tally){ NULL, false, 0 });
	relay_forward_flush(r);
	count(&r->cnt, dtls_cookies);
}

/*
 * A datagram that may be a hello. Returns the association that it is for, or NULL when it has been dealt
 * with. RFC 6347 s.4.2.8: where there is one already, only a client that has shown its address with a
 * cookie may begin anew.
 */
static struct relay_dtls *meet(const struct relay_from *f, const struct turn_tuple *tuple,
			       struct relay_dtls *d, const uint8_t *p, size_t len)
{
	struct relay *r = f->r;
	const struct net_cookie_maker maker = {
		.key = { r->dtls->cookie_key[0], r->dtls->cookie_key[1] },
		.client = tuple->client,
		.server = tuple->server,
		.now = r->env.now,
	};
	struct net_cookie_hello h;

	switch (net_cookie_judge(&maker, p, len, &h)) {
	case NET_COOKIE_BARE:
		send_cookie(f, &h);
		return NULL;
	case NET_COOKIE_PROVEN:
		if (d && memcmp(d->cookie, h.cookie, sizeof h.cookie) == 0)
			return d; /* the same hello once more */
		if (d)
			end(d, WHY_REPLACED);
		d = new_stranger(r, f, tuple, &h);
		if (d)
			begin(r, d, p, len);
		return NULL;
	default:
		if (!d)
			count(&r->cnt, drop_no_session);
		return d;
	}
}

/* --- in -------------------------------------------------------------------------- */

/* RFC 8489 s.11: under DTLS a request without the magic cookie MUST be answered with 500. */
static bool refuse_classic(struct relay_dtls *d, const uint8_t *p, size_t len)
{
	uint8_t buf[64];
	struct wr out = wr_init(buf, sizeof buf);

	if (!stun_classic_refuse(p, len, &out))
		return false;
	const struct iovec iov = { buf, wr_len(&out) };
	count(&d->relay->cnt, err_500);
	relay_dtls_send(d, &iov, 1, (struct net_mark){ 0 }, (struct relay_tally){ NULL, false, 0 });
	return true;
}

/* RFC 7350 s.4.6: a record holds one message, as a datagram would; ChannelData need not be padded. */
static void on_message(struct relay_dtls *d, struct net_mark mark, const uint8_t *p, size_t len)
{
	struct relay_from f = { .r = d->relay,
				.path = { .dtls = d },
				.tuple = d->tuple,
				.s = d->session,
				.mark = mark };

	if (refuse_classic(d, p, len))
		return;
	relay_forward_message(&f, p, len);
	if (f.s && f.s != d->session)
		adopt(d, f.s);
}

static void on_datagram(struct relay_dtls *d, struct net_mark mark, const uint8_t *p, size_t len)
{
	struct relay *r = d->relay;
	struct slots *in = &r->dtls->in;
	enum net_tls_result result;
	size_t n;

	r->dtls->n_shakes += !d->open;
	net_dtls_feed(d->tls, p, len);
	do {
		uint8_t *to = room(r, in, NET_TLS_RECORD);

		n = 0;
		result = net_dtls_read(d->tls, to, &n);
		if (result == NET_TLS_OK || result == NET_TLS_AGAIN)
			note_progress(d);
		if (result == NET_TLS_OK) {
			in->used += n;
			on_message(d, mark, to, n);
		}
	} while (result == NET_TLS_OK && !d->broken);
	if (result == NET_TLS_CLOSED)
		end(d, WHY_CLOSED);
	else if (result == NET_TLS_FAILED)
		end(d, WHY_TLS);
}

void relay_dtls_input(const struct relay_from *f, const uint8_t *p, size_t len)
{
	struct turn_tuple tuple = f->tuple;
	struct relay_dtls *d;

	tuple.transport = TURN_DTLS;
	d = find(f->r, &tuple);
	if (!d || p[0] == HANDSHAKE)
		d = meet(f, &tuple, d, p, len);
	if (d && !d->broken)
		on_datagram(d, f->mark, p, len);
}

/* A step signs or derives a key, which takes as long as a hundred packets do. */
bool relay_dtls_is_busy(const struct relay *r)
{
	return r->dtls && r->dtls->n_shakes >= RELAY_DTLS_SHAKES;
}

/* --- all of them ----------------------------------------------------------------- */

enum err relay_dtls_new(struct relay *r, struct net_cert *cert)
{
	struct relay_dtls_all *all = calloc(1, sizeof *all);

	if (!all)
		return ERR_NOMEM;
	list_init(&all->strangers);
	list_init(&all->guests);
	list_init(&all->dead);
	hmap_init(&all->by_tuple);
	relay_crowd_init(&all->crowd, r->env.hash_key, RELAY_DTLS_PER_PREFIX);
	rng_bytes(&r->rng, all->cookie_key, sizeof all->cookie_key);
	r->dtls = all;
	all->in.p = malloc(RELAY_DTLS_SLOTS);
	all->out.p = malloc(RELAY_DTLS_SLOTS);
	all->plain = malloc(NET_TLS_RECORD);
	if (!all->in.p || !all->out.p || !all->plain || net_dtls_io_new(&all->io, on_send)) {
		relay_dtls_free(r);
		return ERR_NOMEM;
	}
	all->cert = cert;
	return OK;
}

void relay_dtls_set_cert(struct relay *r, struct net_cert *cert)
{
	net_cert_drop(r->dtls->cert);
	r->dtls->cert = cert;
}

void relay_dtls_turn(struct relay *r)
{
	if (!r->dtls)
		return;
	r->dtls->n_shakes = 0;
	while (!list_empty(&r->dtls->dead)) {
		struct relay_dtls *d = list_entry(r->dtls->dead.next, struct relay_dtls, all);

		list_del(&d->all);
		free(d);
	}
}

static void end_all(struct list *l)
{
	while (!list_empty(l))
		end(list_entry(l->next, struct relay_dtls, all), WHY_SHUTDOWN);
}

void relay_dtls_free(struct relay *r)
{
	struct relay_dtls_all *all = r->dtls;

	if (!all)
		return;
	end_all(&all->guests);
	end_all(&all->strangers);
	relay_dtls_turn(r);
	relay_crowd_fini(&all->crowd);
	hmap_fini(&all->by_tuple);
	net_dtls_io_free(all->io);
	net_cert_drop(all->cert);
	free(all->in.p);
	free(all->out.p);
	free(all->plain);
	crypto_wipe(all->cookie_key, sizeof all->cookie_key);
	free(all);
	r->dtls = NULL;
}
