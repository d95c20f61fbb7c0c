#include "relay/hops.h"

#include "net/icmp.h"

enum { ERRORS_PER_S = 100 }; /* of a worker: RFC 4443 s.2.4 (f) wants them rationed */

void relay_hops_open(struct relay_shared *s)
{
	s->icmp[0] = net_icmp_open(false);
	s->icmp[1] = net_icmp_open(true);
	s->carries_hops = s->icmp[0] >= 0 && s->icmp[1] >= 0;
	if (!s->carries_hops)
		relay_hops_close(s);
}

void relay_hops_close(struct relay_shared *s)
{
	net_sock_close(&s->icmp[0]);
	net_sock_close(&s->icmp[1]);
}

void relay_hops_listen(const struct relay *r, int fd, const struct addr *at)
{
	bool v6 = at->family == ADDR_V6;

	if (r->shared->carries_hops && (v6 || r->env.has_family[TURN_LEG_V6]))
		net_sock_tell_hops(fd, v6);
}

void relay_hops_endpoint(const struct relay *r, const struct relay_session *s, int fd,
			 const struct addr *at)
{
	bool v6 = at->family == ADDR_V6;

	if (r->shared->carries_hops && !s->path.conn &&
	    (v6 || s->turn.tuple.client.family == ADDR_V6))
		net_sock_tell_hops(fd, v6);
}

void relay_hops_expired(struct relay *r, const struct relay_hops *h)
{
	count(&r->cnt, drop_hops);
	if (bucket_take(&r->icmp, 1, ERRORS_PER_S, ERRORS_PER_S, r->env.now))
		net_icmp_expired(r->shared->icmp[h->from.family == ADDR_V6], &h->at, &h->from,
				 h->p, h->len);
}
