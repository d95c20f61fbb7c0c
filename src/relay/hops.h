/*
 * The hop limit of what is translated (RFC 8656 s.13: one end has IPv6, both speak UDP): as a router has it, one
 * less than it came with, and an ICMP error when none is left. Who may not send ICMP must do the other thing that
 * s.13 knows, and nothing else: the system's default. Between IPv4 ends it is the default always (s.14).
 */
#pragma once

#include "relay/relay.h"

/* Opens what the errors are sent by: needs a privilege, and does without. */
void relay_hops_open(struct relay_shared *s);
void relay_hops_close(struct relay_shared *s);

/* A listener's socket, and a relayed address's of a client that comes by datagram, shall tell hop limits where
 * these matter. */
void relay_hops_listen(const struct relay *r, int fd, const struct addr *at);
void relay_hops_endpoint(const struct relay *r, const struct relay_session *s, int fd,
			 const struct addr *at);

/* A datagram as it came. */
struct relay_hops {
	struct addr at, from; /* the address of ours, and the sender's */
	const uint8_t *p;
	size_t len;
};

/* Makes of the hops that a datagram came with those that it leaves with; 0 is the default. False: none is left. */
static inline bool relay_hops_pass(struct net_mark *mark, const struct addr *from, const struct addr *to)
{
	if (!mark->hops)
		return true;
	if (from->family == ADDR_V4 && to->family == ADDR_V4) {
		mark->hops = 0;
		return true;
	}
	return --mark->hops > 0;
}

/* It is dropped. The sender is told, unless others were told too often. */
void relay_hops_expired(struct relay *r, const struct relay_hops *h);
