#include "relay/relay.h"
#include "relay/conn.h"
#include "relay/dtls.h"
#include "relay/hops.h"
#include "relay/park.h"
#include "relay/relimit.h"
#include "relay/splice.h"
#include "relay/usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/nonce.h"
#include "auth/throttle.h"

/* The distinct inner addresses of the relays: two external ones may stand for one. */
static enum err collect_ips(struct relay_shared *s, const struct conf *conf)
{
	s->ips = calloc(conf->n_relays ? conf->n_relays : 1, sizeof *s->ips);
	if (!s->ips)
		return ERR_NOMEM;
	for (size_t i = 0; i < conf->n_relays; i++) {
		bool known = false;

		for (size_t j = 0; j < s->n_ips && !known; j++)
			known = addr_ip_eq(&s->ips[j], &conf->relays[i].inner);
		if (!known)
			s->ips[s->n_ips++] = conf->relays[i].inner;
	}
	return OK;
}

/* The nonces' secret: what the operator gave, hashed to size, or random. */
static enum err make_nonce_secret(struct relay_shared *s, const struct conf *conf,
				  struct rng *rng)
{
	const char *given = conf->stateless_nonce_secret;
	struct str text = str_of(given);
	struct crypto *c;
	enum err e;

	if (!given || !*given) {
		rng_bytes(rng, s->nonce_secret, sizeof s->nonce_secret);
		return OK;
	}
	e = crypto_new(&c);
	if (e)
		return e;
	e = crypto_digest(c, CRYPTO_SHA256, &text, 1, s->nonce_secret);
	crypto_free(c);
	return e;
}

/* Two servers of one host may start in the same moment, and their ids must differ all the same. */
static void name_node(struct relay_shared *s, struct rng *rng)
{
	if (gethostname(s->node, sizeof s->node - 1) || !s->node[0])
		strcpy(s->node, "localhost");
	s->epoch = tick_wall_ms() * 1000 + rng_u32(rng) % 1000;
	snprintf(s->prefix, sizeof s->prefix, "%s.%lld.", s->node, (long long)s->epoch);
}

enum err relay_shared_new(struct relay_shared **out, const struct conf *conf)
{
	struct relay_shared *s = calloc(1, sizeof *s);
	struct rng rng;
	enum err e;

	if (!s)
		return ERR_NOMEM;
	rng_init(&rng);
	s->conf = conf;
	relay_hops_open(s);
	name_node(s, &rng);
	rng_bytes(&rng, s->digest_key, sizeof s->digest_key);
	e = collect_ips(s, conf);
	if (!e)
		e = relay_ports_new(&s->ports, s->ips, s->n_ips, (uint16_t)conf->min_port,
				    (uint16_t)conf->max_port, tick_now());
	if (!e)
		e = relay_quota_new(&s->quota, &rng);
	if (!e)
		e = relay_realms_new(&s->realms, str_of(conf->realm));
	if (!e && conf->metrics_user_labels)
		e = relay_perusers_new(&s->perusers, (size_t)conf->metrics_user_labels);
	if (!e)
		e = make_nonce_secret(s, conf, &rng);
	if (e) {
		relay_shared_free(s);
		return e;
	}
	*out = s;
	return OK;
}

void relay_shared_free(struct relay_shared *s)
{
	if (!s)
		return;
	relay_hops_close(s);
	relay_perusers_free(s->perusers);
	relay_realms_free(s->realms);
	relay_quota_free(s->quota);
	relay_ports_free(s->ports);
	free(s->ips);
	crypto_wipe(s->nonce_secret, sizeof s->nonce_secret);
	free(s);
}

static bool choose_gso(struct relay *r)
{
	const char *why = NULL;

	if (!r->shared->conf->udp_gso)
		return false;
	if (net_gso_usable(&why))
		return true;
	if (r->index == 0)
		log_warn(r->lg, NULL, "gso_off", "why=\"%s\"", why);
	return false;
}

static enum err init_auth(struct relay *r)
{
	struct auth_env *auth = &r->env.auth;
	enum err e = crypto_new(&auth->crypto);

	if (e)
		return e;
	auth->conf = r->shared->conf;
	auth->rng = &r->rng;
	memcpy(auth->digest_key, r->shared->digest_key, sizeof auth->digest_key);
	auth->nonce = r->nonce = calloc(1, sizeof *r->nonce);
	auth->throttle = calloc(1, sizeof *auth->throttle);
	if (!auth->nonce || !auth->throttle)
		return ERR_NOMEM;
	auth_nonce_init(r->nonce, r->shared->nonce_secret);
	auth_throttle_init(auth->throttle, &r->rng);
	return OK;
}

static enum err init_streams(struct relay *r)
{
	r->scratch = malloc(NET_SCRATCH);
	r->burst.record = malloc(NET_TLS_RECORD);
	if (!r->scratch || !r->burst.record)
		return ERR_NOMEM;
	enum err e = relay_splices_new(r);
	return e ? e : relay_conns_new(r);
}

static void init_env(struct relay *r)
{
	struct turn_env *env = &r->env;

	env->cnt = &r->cnt;
	env->wheel = &r->wheel;
	env->pools = &r->pools;
	rng_bytes(&r->rng, env->hash_key, sizeof env->hash_key);
	for (size_t i = 0; i < r->shared->n_ips; i++)
		env->has_family[turn_leg_of(&r->shared->ips[i])] = true;
	env->leg_closed = relay_session_leg_closed;
	env->ended = relay_session_ended;
	env->tcp_ended = relay_splice_ended;
	env->index = r->index;
	env->arg = r;
}

enum err relay_new(struct relay **out, const struct relay_shared *shared, unsigned index,
		   struct net_loop *loop, struct logger *lg)
{
	struct relay *r = calloc(1, sizeof *r);
	enum err e;

	if (!r)
		return ERR_NOMEM;
	r->shared = shared;
	r->index = index;
	r->loop = loop;
	r->lg = lg;
	r->wide_channels = shared->conf->rfc5766_channel_numbers;
	r->rtp_quality = shared->conf->rtp_quality;
	rng_init(&r->rng);
	turn_pools_init(&r->pools);
	slab_init(&r->sessions_slab, sizeof(struct relay_session));
	slab_init(&r->endpoints_slab, sizeof(struct relay_endpoint));
	slab_init(&r->qualities_slab, sizeof(struct relay_quality));
	slab_init(&r->bills_slab, sizeof(struct relay_bill));
	list_init(&r->sessions);
	list_init(&r->dead);
	relay_listing_init(r);
	wheel_init(&r->wheel, tick_now(), &r->env);
	net_run_init(&r->run, choose_gso(r), &r->cnt);
	init_env(r);
	e = init_auth(r);
	if (!e)
		e = init_streams(r);
	if (!e)
		e = relay_table_init(&r->table, r->env.hash_key);
	if (!e)
		e = net_rx_batch_new(&r->rx);
	if (!e)
		e = net_rx_batch_new(&r->rx_peers);
	if (!e)
		e = net_fan_new(&r->fan, &r->cnt, relay_forward_fanned, r);
	if (!e && shared->perusers)
		e = relay_usage_new(r);
	if (e) {
		relay_free(r);
		return e;
	}
	relay_clock(r);
	*out = r;
	return OK;
}

void relay_end(struct relay *r)
{
	if (!r)
		return;
	relay_listing_fini(r);
	relay_conns_free(r);
	relay_dtls_free(r);
	while (!list_empty(&r->sessions)) {
		struct relay_session *s =
			list_entry(r->sessions.next, struct relay_session, all);

		turn_session_end(&r->env, &s->turn, TURN_END_SHUTDOWN);
	}
	relay_session_reap(r);
	relay_usage_free(r);
	relay_park_free(r);
}

void relay_free(struct relay *r)
{
	if (!r)
		return;
	relay_end(r);
	relay_splices_free(r);
	relay_table_fini(&r->table);
	turn_pools_fini(&r->pools);
	slab_fini(&r->sessions_slab);
	slab_fini(&r->endpoints_slab);
	slab_fini(&r->qualities_slab);
	slab_fini(&r->bills_slab);
	net_rx_batch_free(r->rx);
	net_rx_batch_free(r->rx_peers);
	net_fan_free(r->fan);
	free(r->scratch);
	free(r->burst.record);
	free(r->env.auth.throttle);
	if (r->nonce)
		auth_nonce_fini(r->nonce);
	free(r->nonce);
	crypto_free(r->env.auth.crypto);
	conf_live_drop(r->live);
	conf_live_drop(r->next_live);
	free(r);
}

enum err relay_set_asker(struct relay *r, const struct relay_asker *asker)
{
	enum err e = relay_park_new(r);

	if (!e && !r->usage && (asker->usage || asker->events))
		e = relay_usage_new(r);
	if (e)
		return e;
	r->asker = *asker;
	r->env.auth.has_users = asker->users;
	return OK;
}

void relay_set_live(struct relay *r, struct conf_live *live)
{
	conf_live_drop(r->next_live);
	r->next_live = live;
}

static void swap_live(struct relay *r)
{
	struct conf_live *old = r->live;

	if (!r->next_live)
		return;
	r->env.auth.live = r->live = r->next_live;
	r->next_live = NULL;
	relay_relimit_live(r, old);
	conf_live_drop(old);
}

void relay_tick(struct relay *r)
{
	relay_clock(r);
	relay_ports_expire(r->shared->ports, r->env.now);
	relay_delay_tick(r);
	relay_usage_tick(r);
}

enum err relay_listen(struct relay *r, struct relay_listener *l, int fd, const struct addr *at)
{
	l->relay = r;
	l->fd = fd;
	l->stamped = false;
	l->at = *at;
	relay_hops_listen(r, fd, at);
	return net_loop_watch(r->loop, &l->watch, fd, relay_forward_from_client, l);
}

void relay_unlisten(struct relay_listener *l)
{
	net_loop_unwatch(&l->watch);
}

void relay_clock(struct relay *r)
{
	r->env.now = net_loop_now(r->loop);
}

void relay_turn(struct relay *r)
{
	relay_clock(r);
	net_fan_flush(r->fan); /* before the memory of its sessions goes */
	if (r->delay.n_waiting)
		relay_delay_sent(r);
	wheel_advance(&r->wheel, r->env.now);
	relay_splices_turn(r);
	relay_session_reap(r);
	relay_conns_turn(r);
	relay_dtls_turn(r);
	swap_live(r);
	if (r->shared->conf->udp_gso && !r->run.gso && !r->gso_told &&
	    counter_get(&r->cnt, gso_refused)) {
		log_warn(r->lg, NULL, "gso_off",
			 "why=\"the network device refuses segmented sends\"");
		r->gso_told = true;
	}
}
