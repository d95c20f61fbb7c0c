#include "turn_world.h"

#include <stdio.h>

#include "auth/rest.h"
#include "base/bug.h"
#include "turn/policy.h"
#include "turn/reply.h"

enum { PROTO_UDP = 17 };

static void report(bool is_error, const char *text, void *arg)
{
	(void)arg;
	if (is_error)
		fprintf(stderr, "# %s\n", text);
}

static struct world_session *of(struct turn_session *t)
{
	return container_of(t, struct world_session, turn);
}

/* --- the pretended relay ---------------------------------------------------------------- */

static void leg_closed(void *arg, struct turn_session *s, enum turn_leg_id leg)
{
	struct world *w = arg;
	struct world_port *p = &w->ports[leg][s->leg[leg].local.port - WORLD_PORT];

	BUG_ON(p->owner != s);
	p->owner = NULL;
	w->n_legs--;
}

static void ended(void *arg, struct turn_session *s, enum turn_end why)
{
	struct world *w = arg;

	for (int leg = 0; leg < TURN_N_LEGS; leg++)
		for (int i = 0; i < WORLD_PORTS; i++)
			BUG_ON(w->ports[leg][i].owner == s);
	BUG_ON(s->chans.n || s->peers.n || s->perms.n || s->tcps.n);
	BUG_ON(!str_eq(s->user, str_of(of(s)->account)));
	list_del(&of(s)->all);
	list_push(&w->dead, &of(s)->all);
	w->n_ended[why]++;
	w->n_sessions--;
}

static void reap(struct world *w)
{
	while (!list_empty(&w->dead)) {
		struct world_session *s = list_entry(w->dead.next, struct world_session, all);

		list_del(&s->all);
		free(s);
	}
}

static bool port_free(const struct world *w, int leg, int i)
{
	const struct world_port *p = &w->ports[leg][i];

	return i < WORLD_PORTS && !p->owner && !tick_before(w->env.now, p->reserved_until);
}

static bool redeem(struct world *w, const struct turn_tx *tx, int *leg, int *port)
{
	for (*leg = 0; *leg < TURN_N_LEGS; ++*leg)
		for (*port = 0; *port < WORLD_PORTS; ++*port) {
			struct world_port *p = &w->ports[*leg][*port];

			if (tick_before(w->env.now, p->reserved_until) &&
			    memcmp(p->token, tx->token, TURN_TOKEN_LEN) == 0)
				return true;
		}
	return false;
}

static bool draw(struct world *w, const struct turn_want *want, int leg, int *port)
{
	for (*port = 0; *port < WORLD_PORTS; *port += want->even ? 2 : 1)
		if (port_free(w, leg, *port) && (!want->reserve || port_free(w, leg, *port + 1)))
			return true;
	return false;
}

static unsigned open_leg(struct world *w, struct turn_session *s, struct turn_tx *tx, int leg)
{
	struct addr relayed, local = { 0 };
	struct world_port *p;
	int i;

	if (tx->want.redeem ? !redeem(w, tx, &leg, &i) : !draw(w, &tx->want, leg, &i))
		return 508;
	for (size_t n = 0; n < w->conf->n_relays; n++)
		if (turn_leg_of(&w->conf->relays[n].inner) == (enum turn_leg_id)leg)
			local = w->conf->relays[n].inner;
	p = &w->ports[leg][i];
	p->owner = s;
	p->reserved_until = 0;
	if (tx->want.reserve) {
		rng_bytes(&w->rng, s->token, TURN_TOKEN_LEN);
		s->has_token = true;
		memcpy(p[1].token, s->token, TURN_TOKEN_LEN);
		p[1].reserved_until = w->env.now + SEC(TURN_RESERVE_S);
	}
	local.port = (uint16_t)(WORLD_PORT + i);
	relayed = turn_policy_outward(w->conf, &local);
	turn_session_add_leg(&w->env, s, (enum turn_leg_id)leg, &relayed, &local,
			     tx->want.lifetime_s);
	w->n_legs++;
	return 0;
}

static unsigned open_legs(struct world *w, struct turn_session *s, struct turn_tx *tx)
{
	const struct turn_want *want = &tx->want;
	unsigned code = 0, n = 0;

	if (want->redeem)
		return open_leg(w, s, tx, 0);
	for (int leg = 0; leg < TURN_N_LEGS; leg++) {
		unsigned e;

		if (!want->family[leg])
			continue;
		e = w->env.has_family[leg] ? open_leg(w, s, tx, leg) : 440;
		n += !e;
		code = e ? e : code;
	}
	if (n && code)
		s->alloc_address_error = (uint16_t)code;
	return n ? 0 : code == 440 ? 508 : code;
}

static bool over_quota(const struct world *w, struct str user)
{
	const struct conf *conf = w->conf;
	int64_t n = 0;

	for (const struct list *l = w->sessions.next; l != &w->sessions; l = l->next)
		n += str_eq(str_of(list_entry(l, struct world_session, all)->account), user);
	return (conf->user_quota && n >= conf->user_quota) ||
	       (conf->total_quota && w->n_sessions >= conf->total_quota);
}

static unsigned open_session(struct world *w, struct turn_tx *tx)
{
	struct world_session *s;
	unsigned code;

	if (over_quota(w, tx->who.user))
		return 486;
	s = calloc(1, sizeof *s);
	if (!s)
		return 508;
	list_init(&s->all);
	snprintf(s->account, sizeof s->account, "%.*s", STR_ARG(tx->who.user));
	if (turn_session_init(&w->env, &s->turn, &tx->tuple, &tx->who, tx->req)) {
		free(s);
		return 508;
	}
	list_push(&w->sessions, &s->all);
	w->n_sessions++;
	code = open_legs(w, &s->turn, tx);
	if (code) {
		turn_session_end(&w->env, &s->turn, TURN_END_REFUSED);
		return code;
	}
	w->n_opened++;
	tx->session = &s->turn;
	return 0;
}

/* --- the world -------------------------------------------------------------------------- */

struct world *world_new(const char *conf)
{
	static const uint8_t secret[AUTH_NONCE_SECRET_LEN] = "secret of all nonces in tests";
	struct world *w = calloc(1, sizeof *w);

	BUG_ON(!w || conf_from_text(conf, report, NULL, &w->conf));
	w->throttle = calloc(1, sizeof *w->throttle);
	BUG_ON(!w->throttle || crypto_new(&w->env.auth.crypto));
	rng_init_seeded(&w->rng, 1);
	rng_init_seeded(&w->client_rng, 2);
	auth_nonce_init(&w->nonce, secret);
	auth_throttle_init(w->throttle, &w->rng);
	turn_pools_init(&w->pools);
	list_init(&w->sessions);
	list_init(&w->dead);
	w->server = world_addr("192.0.2.1:3478");
	w->env.auth.conf = w->conf;
	w->env.auth.rng = &w->rng;
	w->env.auth.nonce = &w->nonce;
	w->env.auth.throttle = w->throttle;
	w->env.auth.wall_s = WORLD_T0;
	w->env.now = SEC(1000);
	w->env.cnt = &w->cnt;
	w->env.wheel = &w->wheel;
	w->env.pools = &w->pools;
	w->env.leg_closed = leg_closed;
	w->env.ended = ended;
	w->env.arg = w;
	rng_bytes(&w->rng, w->env.hash_key, sizeof w->env.hash_key);
	for (size_t i = 0; i < w->conf->n_relays; i++)
		w->env.has_family[turn_leg_of(&w->conf->relays[i].inner)] = true;
	wheel_init(&w->wheel, w->env.now, &w->env);
	return w;
}

void world_free(struct world *w)
{
	while (!list_empty(&w->sessions)) {
		struct list *l = w->sessions.next;

		turn_session_end(&w->env, &list_entry(l, struct world_session, all)->turn,
				 TURN_END_SHUTDOWN);
	}
	reap(w);
	BUG_ON(w->n_sessions || w->n_legs || world_ports_used(w));
	BUG_ON(w->wheel.n || w->pools.perms.n_used || w->pools.chans.n_used || w->pools.tcps.n);
	turn_pools_fini(&w->pools);
	auth_nonce_fini(&w->nonce);
	crypto_free(w->env.auth.crypto);
	conf_drop(w->conf);
	free(w->throttle);
	free(w);
}

void world_hang(struct world *w, tick ms)
{
	w->env.now += ms;
	w->env.auth.wall_s = WORLD_T0 + (int64_t)((w->env.now - SEC(1000)) / 1000);
}

void world_pass(struct world *w, tick ms)
{
	world_hang(w, ms);
	wheel_advance(&w->wheel, w->env.now);
	reap(w);
}

struct addr world_addr(const char *text)
{
	struct addr a;

	BUG_ON(addr_parse(str_of(text), 0, &a));
	return a;
}

struct world_client world_client(const char *at, const char *user, const char *password)
{
	struct world_client c = { .at = world_addr(at) };

	snprintf(c.user, sizeof c.user, "%s", user);
	snprintf(c.password, sizeof c.password, "%s", password);
	return c;
}

struct world_client world_guest(struct world *w, const char *at, const char *id,
				const char *secret, int ttl_s)
{
	struct world_client c = { .at = world_addr(at) };

	snprintf(c.user, sizeof c.user, "%d%s%s", WORLD_T0 + ttl_s, *id ? ":" : "", id);
	BUG_ON(auth_rest_password(w->env.auth.crypto, str_of(secret), str_of(c.user), c.password));
	return c;
}

static struct turn_session *find(struct world *w, const struct addr *client)
{
	for (struct list *l = w->sessions.next; l != &w->sessions; l = l->next) {
		struct world_session *s = list_entry(l, struct world_session, all);

		if (addr_eq(&s->turn.tuple.client, client))
			return &s->turn;
	}
	return NULL;
}

struct turn_session *world_session(struct world *w, const struct world_client *c)
{
	return find(w, &c->at);
}

unsigned world_ports_used(const struct world *w)
{
	unsigned n = 0;

	for (int leg = 0; leg < TURN_N_LEGS; leg++)
		for (int i = 0; i < WORLD_PORTS; i++)
			n += w->ports[leg][i].owner != NULL;
	return n;
}

/* --- requests --------------------------------------------------------------------------- */

void world_begin(struct world *w, enum stun_class cls, uint16_t method)
{
	uint8_t txid[STUN_TXID_LEN];

	rng_bytes(&w->client_rng, txid, sizeof txid);
	w->req = wr_init(w->body, sizeof w->body);
	stun_begin(&w->req, cls, method, txid);
}

void world_add_peer(struct world *w, const char *peer)
{
	const struct addr a = world_addr(peer);

	stun_add_xor_addr(&w->req, STUN_T_XOR_PEER_ADDRESS, &a);
}

static void client_key(struct world *w, const struct world_client *c, uint8_t key[AUTH_KEY_LEN])
{
	BUG_ON(auth_longterm_key(w->env.auth.crypto, str_of(c->user), STR_LIT("example.org"),
				 str_of(c->password), key));
}

void world_sign(struct world *w, const struct world_client *c)
{
	uint8_t key[AUTH_KEY_LEN];
	struct wr out = wr_init(w->wire, sizeof w->wire);

	wr_bytes(&out, w->body, wr_len(&w->req));
	stun_add_str(&out, STUN_T_USERNAME, str_of(c->user));
	stun_add_str(&out, STUN_T_REALM, STR_LIT("example.org"));
	stun_add(&out, STUN_T_NONCE, c->nonce, c->nonce_len);
	client_key(w, c, key);
	BUG_ON(stun_add_integrity(&out, w->env.auth.crypto, (struct str){ (char *)key, sizeof key }));
	w->wire_len = wr_len(&out);
}

static enum turn_verdict request(struct world *w, struct turn_tx *tx, struct wr *out)
{
	enum turn_verdict v = turn_server_request(&w->env, tx, out);
	unsigned code;

	if (v == TURN_WANT_CONNECT) {
		BUG_ON(!w->begin);
		turn_tcp_begin(&w->env, tx, w->begin);
		w->begin = NULL;
		return TURN_DROP;
	}
	if (v != TURN_WANT_RELAY)
		return v;
	code = open_session(w, tx);
	return code ? turn_alloc_fail(&w->env, tx, code, out) : turn_alloc_done(&w->env, tx, out);
}

unsigned world_give(struct world *w, const struct addr *from, const void *p, size_t len)
{
	struct turn_tx tx = { .tuple = { *from, w->server, w->transport } };
	struct stun_msg msg;
	struct wr out = wr_init(w->raw, sizeof w->raw);

	w->raw_len = 0;
	w->verdict = TURN_DROP;
	w->why = AUTH_WHY_NONE;
	if (stun_decode(p, len, &msg))
		return w->code = WORLD_SILENCE;
	tx.req = &msg;
	tx.session = find(w, from);
	tx.given = w->given;
	w->verdict = request(w, &tx, &out);
	turn_tx_fini(&tx);
	w->why = tx.who.why;
	w->bound = tx.bound;
	reap(w);
	BUG_ON(w->verdict == TURN_WANT_RELAY);
	if (w->verdict != TURN_REPLY)
		return w->code = WORLD_SILENCE;
	w->raw_len = wr_len(&out);
	BUG_ON(out.bad || stun_decode(w->raw, w->raw_len, &w->ans));
	BUG_ON(w->ans.bad || w->ans.method != msg.method);
	BUG_ON(memcmp(w->ans.txid, msg.txid, STUN_TXID_LEN) != 0);
	BUG_ON(w->ans.class != (tx.code ? STUN_ERROR : STUN_SUCCESS));
	BUG_ON(tx.code != w->ans.error_code);
	return w->code = tx.code;
}

static void keep_nonce(struct world *w, struct world_client *c)
{
	if (w->verdict != TURN_REPLY || !stun_has(&w->ans, STUN_A_NONCE))
		return;
	BUG_ON(w->ans.nonce.len > sizeof c->nonce);
	c->nonce_len = w->ans.nonce.len;
	memcpy(c->nonce, w->ans.nonce.p, c->nonce_len);
}

unsigned world_ask(struct world *w, struct world_client *c)
{
	world_sign(w, c);
	world_give(w, &c->at, w->wire, w->wire_len);
	keep_nonce(w, c);
	return w->code;
}

unsigned world_ask_plain(struct world *w, struct world_client *c)
{
	world_give(w, &c->at, w->body, wr_len(&w->req));
	keep_nonce(w, c);
	return w->code;
}

unsigned world_do(struct world *w, struct world_client *c)
{
	if (!c->nonce_len)
		world_ask_plain(w, c);
	if (world_ask(w, c) == 438)
		world_ask(w, c);
	return w->code;
}

unsigned world_allocate(struct world *w, struct world_client *c)
{
	world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
	stun_add_u32(&w->req, STUN_T_REQUESTED_TRANSPORT, PROTO_UDP << 24);
	return world_do(w, c);
}

unsigned world_allocate_both(struct world *w, struct world_client *c)
{
	world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
	stun_add_u32(&w->req, STUN_T_REQUESTED_TRANSPORT, PROTO_UDP << 24);
	stun_add_u32(&w->req, STUN_T_ADDITIONAL_ADDRESS_FAMILY, 2 << 24);
	return world_do(w, c);
}

unsigned world_refresh(struct world *w, struct world_client *c, uint32_t lifetime_s)
{
	world_begin(w, STUN_REQUEST, STUN_REFRESH);
	stun_add_u32(&w->req, STUN_T_LIFETIME, lifetime_s);
	return world_do(w, c);
}

unsigned world_permit(struct world *w, struct world_client *c, const char *peer)
{
	world_begin(w, STUN_REQUEST, STUN_CREATE_PERMISSION);
	world_add_peer(w, peer);
	return world_do(w, c);
}

unsigned world_bind(struct world *w, struct world_client *c, uint16_t number, const char *peer)
{
	world_begin(w, STUN_REQUEST, STUN_CHANNEL_BIND);
	stun_add_u32(&w->req, STUN_T_CHANNEL_NUMBER, (uint32_t)number << 16);
	world_add_peer(w, peer);
	return world_do(w, c);
}

/* --- data ------------------------------------------------------------------------------- */

enum turn_route world_send(struct world *w, const struct world_client *c, const char *peer)
{
	const struct turn_session *s = world_session(w, c);
	struct stun_msg ind;

	world_begin(w, STUN_INDICATION, STUN_SEND);
	world_add_peer(w, peer);
	stun_add(&w->req, STUN_T_DATA, "hi", 2);
	BUG_ON(stun_decode(w->body, wr_len(&w->req), &ind));
	return s ? turn_route_send(&w->env, s, &ind, &w->out) : TURN_ROUTE_NO_FAMILY;
}

enum turn_route world_channel(struct world *w, const struct world_client *c, uint16_t number)
{
	const struct turn_session *s = world_session(w, c);

	return s ? turn_route_channel(s, number, w->env.now, &w->out) : TURN_ROUTE_NO_FAMILY;
}

enum turn_route world_from_peer(struct world *w, const struct world_client *c, const char *from,
				uint16_t *channel, struct addr *peer)
{
	const struct turn_session *s = world_session(w, c);
	const struct addr a = world_addr(from);

	return s ? turn_route_peer(&w->env, s, &a, channel, peer) : TURN_ROUTE_NO_FAMILY;
}

bool world_signed(struct world *w, const struct world_client *c)
{
	uint8_t key[AUTH_KEY_LEN];
	const struct str k = { (char *)key, sizeof key };

	client_key(w, c, key);
	if (w->ans.integrity256_off && !stun_integrity256_ok(w->env.auth.crypto, &w->ans, k))
		return false;
	return w->ans.integrity_off && stun_integrity_ok(w->env.auth.crypto, &w->ans, k);
}
