#include "relay/splice.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/conn.h"
#include "relay/pipe.h"

struct relay_splice {
	struct turn_tcp tcp;
	struct relay_pipe pipe;
	struct list node; /* among the dead, or alone */
};

struct relay_splices {
	struct slab slab;
	struct list dead;   /* ended in this turn */
	struct list paused; /* endpoints that do not accept, for want of descriptors */
};

static struct relay_splice *splice_of(struct turn_tcp *c)
{
	return container_of(c, struct relay_splice, tcp);
}

static struct relay_session *session_of(const struct relay_splice *sp)
{
	return relay_session_of(sp->tcp.session);
}

enum err relay_splices_new(struct relay *r)
{
	struct relay_splices *ss = calloc(1, sizeof *ss);

	if (!ss)
		return ERR_NOMEM;
	slab_init(&ss->slab, sizeof(struct relay_splice));
	list_init(&ss->dead);
	list_init(&ss->paused);
	r->splices = ss;
	return OK;
}

/* --- the end --- */

/* RFC 6062 s.5.5: either connection closes with the other, both with the allocation. */
static void bury(struct relay_splice *sp)
{
	relay_pipe_fini(&sp->pipe);
	list_push(&sp->pipe.relay->splices->dead,
		  &sp->node); /* callbacks may still be working with it */
}

static void end(struct relay_splice *sp)
{
	turn_tcp_forget(&sp->pipe.relay->env, &sp->tcp);
	bury(sp);
}

static void on_over(struct relay_pipe *p)
{
	end(container_of(p, struct relay_splice, pipe));
}

void relay_splice_drop(struct relay *r, struct turn_tcp *c)
{
	(void)r;
	end(splice_of(c));
}

static void refuse_connect(struct relay_splice *sp)
{
	uint8_t buf[TURN_ANSWER_MAX];
	struct wr out = wr_init(buf, sizeof buf);

	if (turn_tcp_failed(&sp->pipe.relay->env, &sp->tcp, 447, &out) == TURN_REPLY)
		relay_request_tell(sp->pipe.relay, session_of(sp), &out);
}

void relay_splice_ended(void *arg, struct turn_tcp *c, int why)
{
	struct relay_splice *sp = splice_of(c);
	struct relay *r = arg;

	if (why == TURN_TCP_NO_ANSWER)
		refuse_connect(sp);
	else if (why == TURN_TCP_NOT_BOUND)
		count(&r->cnt, tcp_not_bound);
	bury(sp);
}

void relay_splice_attach(struct relay *r, struct turn_tcp *c, int fd, struct net_tls *tls,
			 const uint8_t *p, size_t n)
{
	count(&r->cnt, tcp_bound);
	relay_pipe_join(&splice_of(c)->pipe, relay_session_of(c->session), fd, tls, p, n);
}

/* --- to peers --- */

static struct relay_splice *make(struct relay *r, int fd)
{
	struct relay_splice *sp = slab_alloc(&r->splices->slab);

	if (!sp)
		return NULL;
	relay_pipe_init(&sp->pipe, r, fd, on_over);
	list_init(&sp->node);
	return sp;
}

static bool short_of_resources(int no)
{
	return no == EMFILE || no == ENFILE || no == ENOBUFS || no == ENOMEM;
}

static void on_connected(int fd, void *arg)
{
	struct relay_splice *sp = arg;
	struct relay *r = sp->pipe.relay;
	uint8_t buf[TURN_ANSWER_MAX];
	struct wr out = wr_init(buf, sizeof buf);

	relay_clock(r);
	relay_pipe_unwatch(
		&sp->pipe.peer); /* s.5.2: until it is bound, what the peer says waits in the kernel's window */
	if (net_sock_error(fd)) {
		refuse_connect(sp);
		end(sp);
		return;
	}
	count(&r->cnt, tcp_connected);
	if (turn_tcp_connected(&r->env, &sp->tcp, &out) == TURN_REPLY)
		relay_request_tell(r, session_of(sp), &out);
}

unsigned relay_splice_connect(struct relay *r, struct relay_session *s, struct turn_tx *tx)
{
	const struct relay_endpoint *ep = s->ep[turn_leg_of(&tx->connect_to)];
	struct relay_splice *sp;
	int fd;

	/* design: our own addresses are open for relayed ports, never for another service */
	if (tx->connect_own && !relay_ports_accepts(r->shared->ports, &tx->connect_to)) {
		count(&r->cnt, drop_own_port);
		return 447;
	}
	if (net_sock_connect(&ep->at, &tx->connect_to, &fd))
		return short_of_resources(errno) ? 508 : 447;
	sp = make(r, fd);
	if (!sp) {
		close(fd);
		return 508;
	}
	if (net_loop_watch_writable(r->loop, &sp->pipe.peer.out, fd, on_connected, sp)) {
		close(fd);
		slab_free(&r->splices->slab, sp);
		return 508;
	}
	sp->pipe.peer.out_watched = true;
	turn_tcp_begin(&r->env, tx, &sp->tcp);
	return 0;
}

/* --- from peers --- */

static void admit(struct relay_endpoint *ep, int fd, const struct addr *from)
{
	struct relay *r = ep->session->relay;
	struct relay_splice *sp = make(r, fd);
	uint8_t buf[TURN_ANSWER_MAX];
	struct wr out = wr_init(buf, sizeof buf);
	int on = 1;

	if (!sp || !turn_tcp_incoming(&r->env, &ep->session->turn, &sp->tcp, from, &out)) {
		slab_free(&r->splices->slab, sp);
		close(fd);
		relay_session_drop(ep->session, RELAY_DROP_NO_PERMISSION, 1);
		count(&r->cnt, tcp_refused);
		return;
	}
	(void)!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	count(&r->cnt, tcp_accepted);
	relay_request_tell(r, ep->session, &out);
}

static void pause_accepting(struct relay_endpoint *ep)
{
	struct relay *r = ep->session->relay;

	if (log_seldom(&r->n_no_sockets))
		log_warn(r->lg, NULL, "accept_paused",
			 "reason=no_descriptors n=%llu note=\"raise LimitNOFILE or ulimit -n\"",
			 r->n_no_sockets);
	net_loop_unwatch(&ep->watch);
	ep->resume = r->env.now + RELAY_ACCEPT_PAUSE_MS;
	list_push(&r->splices->paused, &ep->paused);
}

void relay_splice_on_peer(int fd, void *arg)
{
	struct relay_endpoint *ep = arg;

	relay_clock(ep->session->relay);
	for (int i = 0; i < RELAY_ACCEPT_AT_ONCE; i++) {
		struct sockaddr_storage sa;
		socklen_t len = sizeof sa;
		int peer =
			accept4(fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct addr from;

		if (peer < 0) {
			if (short_of_resources(errno))
				pause_accepting(ep);
			return;
		}
		from = addr_from_sa((struct sockaddr *)&sa);
		admit(ep, peer, &from);
	}
}

void relay_splice_endpoint_closed(struct relay_endpoint *ep)
{
	list_del(&ep->paused);
}

static void resume_accepting(struct relay *r)
{
	struct list *l = r->splices->paused.next;

	while (l != &r->splices->paused) {
		struct relay_endpoint *ep = list_entry(l, struct relay_endpoint, paused);

		l = l->next;
		if (!tick_before(r->env.now, ep->resume) &&
		    !net_loop_watch(r->loop, &ep->watch, ep->fd, relay_splice_on_peer, ep))
			list_del(&ep->paused);
	}
}

void relay_splices_turn(struct relay *r)
{
	while (!list_empty(&r->splices->dead)) {
		struct relay_splice *sp =
			list_entry(r->splices->dead.next, struct relay_splice, node);

		list_del(&sp->node);
		slab_free(&r->splices->slab, sp);
	}
	resume_accepting(r);
}

void relay_splices_free(struct relay *r)
{
	if (!r->splices)
		return;
	relay_splices_turn(r);
	slab_fini(&r->splices->slab);
	free(r->splices);
	r->splices = NULL;
}
