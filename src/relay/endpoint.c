#include <errno.h>
#include <string.h>

#include "relay/hops.h"
#include "relay/splice.h"

enum { BIND_TRIES = 16 }; /* ports that another process turns out to have */

/* Other sessions may send to it, or connect to it. */
static void set_live(struct relay *r, const struct relay_endpoint *ep, bool live)
{
	if (ep->tcp)
		relay_ports_listening(r->shared->ports, ep->ip, ep->at.port, live);
	else
		relay_ports_bound(r->shared->ports, ep->ip, ep->at.port, live);
}

static enum err bind_port(struct relay *r, struct relay_endpoint *ep, uint16_t port)
{
	const struct conf *conf = r->shared->conf;
	const struct net_sock_options o = { .kind = NET_SOCK_RELAY,
					    .gro = conf->udp_gro,
					    .broadcast = conf->allow_multicast_peers,
					    .buf_size = conf->sock_buf_size };
	enum err e;

	ep->at = r->shared->ips[ep->ip];
	ep->at.port = port;
	e = ep->tcp ? net_sock_listen_relay(&ep->at, &ep->fd)
		    : net_sock_udp(&ep->at, &o, &ep->fd);
	if (!e)
		set_live(r, ep, true);
	return e;
}

static void unbind_port(struct relay *r, struct relay_endpoint *ep)
{
	set_live(r, ep, false);
	net_sock_close(&ep->fd);
	relay_ports_release(r->shared->ports, ep->ip, ep->at.port, r->env.now);
}

static void give_pair(struct relay *r, size_t ip, uint16_t port, bool pair)
{
	relay_ports_release(r->shared->ports, ip, port, r->env.now);
	if (pair)
		relay_ports_release(r->shared->ports, ip, (uint16_t)(port + 1), r->env.now);
}

/* Draws ports of one address until one can be bound. ERR_INUSE: none is left here. */
static enum err bind_any(struct relay *r, struct relay_endpoint *ep,
			 const struct turn_want *want)
{
	enum relay_port_kind kind = want->reserve ? RELAY_PORT_PAIR
				    : want->even  ? RELAY_PORT_EVEN
						  : RELAY_PORT_ANY;

	for (int i = 0; i < BIND_TRIES; i++) {
		uint16_t port =
			relay_ports_claim(r->shared->ports, ep->ip, kind, &r->rng, r->env.now);
		enum err e;

		if (!port)
			return ERR_INUSE;
		e = bind_port(r, ep, port);
		if (!e)
			return OK;
		give_pair(r, ep->ip, port, want->reserve);
		if (e != ERR_INUSE)
			return e;
	}
	return ERR_INUSE;
}

/* The address that the client reached is the likeliest to be reachable for its peers too; with
 * relay-ip given, all take turns. */
static size_t first_ip(struct relay *r, const struct turn_tx *tx)
{
	const struct relay_shared *sh = r->shared;

	if (sh->conf->relay_ip.n == 0)
		for (size_t i = 0; i < sh->n_ips; i++)
			if (addr_ip_eq(&sh->ips[i], &tx->tuple.server))
				return i;
	return r->next_ip++ % sh->n_ips;
}

static enum err bind_somewhere(struct relay *r, struct relay_endpoint *ep, struct turn_tx *tx,
			       enum turn_leg_id leg)
{
	const struct relay_shared *sh = r->shared;
	size_t first = first_ip(r, tx);
	enum err e = ERR_INUSE;

	/* an address that is used up, or that the host has lost, leaves it to the others */
	for (size_t i = 0; i < sh->n_ips && e && e != ERR_FULL && e != ERR_NOMEM; i++) {
		ep->ip = (first + i) % sh->n_ips;
		if (turn_leg_of(&sh->ips[ep->ip]) == leg)
			e = bind_any(r, ep, &tx->want);
	}
	return e;
}

static enum err bind_reserved(struct relay *r, struct relay_endpoint *ep,
			      const struct turn_tx *tx)
{
	uint16_t port;
	enum err e;

	if (!relay_ports_redeem(r->shared->ports, tx->token, r->env.now, &ep->ip, &port))
		return ERR_NOTFOUND;
	e = bind_port(r, ep, port);
	if (e)
		relay_ports_release(r->shared->ports, ep->ip, port, r->env.now);
	return e;
}

/* The port after an EVEN-PORT one is kept for whoever brings the token. False: it cannot be. */
static bool reserve_next(struct relay *r, struct relay_session *s,
			 const struct relay_endpoint *ep)
{
	uint16_t next = (uint16_t)(ep->at.port + 1);

	if (relay_ports_reserve(r->shared->ports, ep->ip, next,
				r->env.now + SEC(TURN_RESERVE_S), &r->rng, s->turn.token)) {
		relay_ports_release(r->shared->ports, ep->ip, next, r->env.now);
		return false;
	}
	s->turn.has_token = true;
	return true;
}

unsigned relay_endpoint_open(struct relay *r, struct relay_session *s, struct turn_tx *tx,
			     enum turn_leg_id leg)
{
	struct relay_endpoint *ep = slab_alloc(&r->endpoints_slab);
	struct addr relayed;
	enum err e;

	if (!ep)
		return 508;
	ep->tcp = tx->want.tcp;
	list_init(&ep->paused);
	e = tx->want.redeem ? bind_reserved(r, ep, tx) : bind_somewhere(r, ep, tx, leg);
	if (e) {
		s->refused = tx->want.redeem && e == ERR_NOTFOUND ? "unknown_token"
			     : e == ERR_FULL			  ? "no_descriptors"
			     : e == ERR_INUSE			  ? "no_ports"
								  : err_text(e);
		slab_free(&r->endpoints_slab, ep);
		return 508;
	}
	ep->session = s;
	ep->leg = turn_leg_of(&ep->at);
	if ((tx->want.reserve && !reserve_next(r, s, ep)) ||
	    net_loop_watch(r->loop, &ep->watch, ep->fd,
			   tx->want.tcp ? relay_splice_on_peer : relay_forward_from_peer, ep)) {
		unbind_port(r, ep);
		slab_free(&r->endpoints_slab, ep);
		return 508;
	}
	s->ep[ep->leg] = ep;
	if (!ep->tcp)
		relay_hops_endpoint(r, s, ep->fd, &ep->at);
	relayed = turn_policy_outward(r->shared->conf, &ep->at);
	turn_session_add_leg(&r->env, &s->turn, ep->leg, &relayed, &ep->at,
			     tx->want.lifetime_s);
	return 0;
}

void relay_endpoint_overflowed(struct relay *r, struct relay_endpoint *ep, uint32_t n)
{
	uint32_t more = n - ep->overflow;

	ep->overflow = n;
	count_n(&r->cnt, drop_overflow, more);
	relay_session_drop(ep->session, RELAY_DROP_OVERFLOW, more);
}

void relay_endpoint_close(struct relay *r, struct relay_endpoint *ep)
{
	if (r->run.fd == ep->fd) /* before the number becomes another socket's */
		relay_forward_flush(r);
	if (ep->session->in_fan) /* while it still counts what it sent */
		net_fan_flush(r->fan);
	relay_splice_endpoint_closed(ep);
	net_loop_unwatch(&ep->watch);
	if (ep->stamped)
		relay_delay_forget(r, ep->fd);
	if (!ep->tcp)
		relay_endpoint_overflowed(r, ep, net_sock_overflow(ep->fd));
	unbind_port(r, ep);
	slab_free(&r->endpoints_slab, ep);
}
