/* Sockets: made, bound and given their options. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

enum net_sock_kind {
	NET_SOCK_LISTENER, /* faces clients; may share its port with other workers' */
	NET_SOCK_RELAY,	   /* faces peers; hears of ICMP errors */
};

struct net_sock_options {
	enum net_sock_kind kind;
	bool gro;	/* ask for UDP_GRO; going without is no error */
	bool broadcast; /* relay: may send to broadcast addresses */
	bool join;	/* listener: join the SO_REUSEPORT group of an earlier socket */
	int64_t buf_size; /* bytes asked for, to receive and for a listener to send; the kernel may give less */
};

/*
 * A non-blocking UDP socket bound to `at` (IPv6 sockets carry IPv6 only). It reports the TOS byte
 * of what it receives, and lets the network fragment what it sends. A listener is bound without
 * SO_REUSEPORT, so that a port of somebody else is refused, and takes it on afterwards, so that
 * others can join. A listener on a wildcard address reports the address that was reached.
 */
must_check enum err net_sock_udp(const struct addr *at, const struct net_sock_options *o,
				 int *fd);

/* A listening, non-blocking TCP socket bound to `at`; `join` as for UDP. */
must_check enum err net_sock_listen(const struct addr *at, bool join, int *fd);

/* The same for a relayed address: peers connect to it, and net_sock_connect() leaves from it. */
must_check enum err net_sock_listen_relay(const struct addr *at, int *fd);

/* A non-blocking TCP connection that has begun, from an address where net_sock_listen_relay() listens. It
 * becomes writable when it stands or has failed: net_sock_error() tells which (0, or an errno). */
must_check enum err net_sock_connect(const struct addr *from, const struct addr *to, int *fd);
int net_sock_error(int fd);

/* The address that a socket is bound to. */
must_check enum err net_sock_name(int fd, struct addr *out);

/* The DSCP that the far end of an accepted TCP connection began it with, in the place where the TOS byte has
 * it, ECN's bits zero. 0 where the kernel does not tell. */
uint8_t net_sock_dscp(int fd, bool v6);

/* Have a UDP socket tell the hop limit (TTL) of what it receives. */
void net_sock_tell_hops(int fd, bool v6);

/* Sets or clears DF on what a socket (`v6`: an IPv6 one) sends from now on; on IPv6 it means that nothing is
 * cut into fragments here. */
void net_sock_dont_fragment(int fd, bool v6, bool on);

/* Datagrams that its queue had no room for, modulo 2^32. */
uint32_t net_sock_overflow(int fd);

/* Have the kernel say of what arrives from now on when it came (struct net_rx), or no more. It costs a clock
 * read for each datagram of this host, so only for a moment. */
void net_sock_stamp(int fd, bool on);

/* Closes, if it is one; *fd becomes -1. */
void net_sock_close(int *fd);
