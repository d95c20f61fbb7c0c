/*
 * Datagrams in bursts: many at once in (recvmmsg and UDP_GRO), many at once out (UDP_SEGMENT),
 * without copying a payload. One thread each.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/addr.h"
#include "base/counter.h"
#include "base/str.h"

enum {
	NET_RX_SLOTS = 32,	/* datagrams or bursts read at once from a listener */
	NET_RX_BUF = 65536,	/* a burst of UDP_GRO is at most this long */
	NET_RX_HEAD = 64, /* bytes before what was read that may be written; a cache line */
	NET_RUN_DATAGRAMS = 64, /* UDP_MAX_SEGMENTS of older kernels */
	NET_RUN_BYTES = 65000,	/* of one UDP_SEGMENT send, headers of ours counted in */
	NET_FAN = NET_RX_SLOTS, /* datagrams to different destinations in one system call */
	NET_FAN_HEAD = 1024,	/* bytes of one that are copied */
};

/* What of an IP header goes with a datagram. */
struct net_mark {
	uint8_t tos;  /* DSCP and ECN */
	uint8_t hops; /* hop limit, or TTL; 0: not told, and for what is sent the system's */
};

static inline bool net_mark_eq(struct net_mark a, struct net_mark b)
{
	return a.tos == b.tos && a.hops == b.hops;
}

/* What one read gave: datagrams of `seg` bytes, of one source, one after another in buf; the last
 * may be shorter. */
struct net_rx {
	uint8_t *buf; /* what is read may be written to, NET_RX_HEAD bytes before it, and 3 behind */
	size_t len, seg;
	struct addr from;
	struct addr to; /* the address that was reached; family ADDR_NONE: the socket's own */
	struct net_mark mark;
	uint32_t overflow; /* net_sock_overflow() as it came, once there was any and it is told */
	uint64_t stamp_ns; /* when it came, since 1970; 0: not told, see net_sock_stamp() */
	bool truncated; /* did not fit: to be dropped */
};

struct net_rx_batch; /* buffers for NET_RX_SLOTS reads */

must_check enum err net_rx_batch_new(struct net_rx_batch **out);
void net_rx_batch_free(struct net_rx_batch *b);

/* Reads up to NET_RX_SLOTS bursts into the batch's buffers, which are valid until the next read;
 * returns how many. 0: nothing waits, or an error. */
size_t net_rx_many(struct net_rx_batch *b, int fd, const struct net_rx **out);

/* Reads one burst into the batch's buffer number `slot`. False: nothing waits, or the socket has an
 * error to tell (net_rx_error). */
bool net_rx_one(struct net_rx_batch *b, size_t slot, int fd, struct net_rx *out);

/* An ICMP error about something that a relay socket sent. */
struct net_icmp {
	struct addr to; /* where it had been sent */
	uint8_t type, code;
	uint32_t mtu; /* for "fragmentation needed" and "packet too big", else 0 */
};

/* Fetches the next ICMP error; false when there is none (other errors are passed over). */
bool net_rx_error(int fd, struct net_icmp *out);

/* Whether this kernel can cut bursts into datagrams (UDP_SEGMENT), and does it right: Linux 7.0 to
 * 7.1.4 corrupt bursts of equal parts. *why gets the reason for a no. */
bool net_gso_usable(const char **why);

/*
 * A run: datagrams of one socket to one destination, all of one length but the last, which may be
 * shorter. They leave in one system call. Filled by net_run_add(), which says no when a datagram
 * cannot join; then net_run_flush() and start anew. The memory that is added is borrowed until the
 * flush.
 */
struct net_run {
	bool gso; /* many at once; false: one by one. Cleared for good when the device cannot */
	struct counters *cnt;

	int fd; /* -1: no run has been started */
	struct net_mark mark;
	bool closed; /* a shorter datagram or an empty one ended it */
	size_t seg;  /* bytes of every datagram but the last */
	size_t bytes, n_datagrams, n_iov;
	struct sockaddr_storage to;
	socklen_t to_len;
	struct addr from; /* source address to use; ADDR_NONE: the socket's own */
	struct addr to_addr;
	struct iovec iov[NET_RUN_DATAGRAMS * 3];
	uint8_t parts[NET_RUN_DATAGRAMS]; /* iovecs of each datagram */
};

void net_run_init(struct net_run *r, bool gso, struct counters *cnt);

/* Starts an empty run. Nothing may wait in it. */
void net_run_start(struct net_run *r, int fd, const struct addr *to, const struct addr *from,
		   struct net_mark mark);

/* True when a run to this destination is open. */
static inline bool net_run_is(const struct net_run *r, int fd, const struct addr *to,
			      struct net_mark mark)
{
	return r->fd == fd && net_mark_eq(r->mark, mark) && addr_eq(&r->to_addr, to);
}

/* Adds one datagram of n <= 3 parts; false when it has to go into another run. A new run takes
 * any. */
bool net_run_add(struct net_run *r, const struct iovec *parts, size_t n);

/* Sends what waits; returns how many datagrams the kernel took. The run is over. */
size_t net_run_flush(struct net_run *r);

/*
 * A fan: datagrams of one socket, each to a destination of its own, that leave in one system call. Sent one
 * after another they would wake the host they go to for each.
 */
struct net_fan;

/* Where one goes. */
struct net_fan_way {
	int fd;
	const struct addr *to, *from; /* from: source address to use; NULL: the socket's own */
	struct net_mark mark;
};

/* What became of one: `tag` as given, bytes of its head and of its body. */
typedef void net_fan_fn(void *arg, void *tag, size_t head, size_t body, bool sent);

must_check enum err net_fan_new(struct net_fan **out, struct counters *cnt, net_fan_fn *fn,
				void *arg);
/* Forgets what waits. */
void net_fan_free(struct net_fan *f);

/* How many wait: at most NET_FAN - 1, for one that is full is flushed by itself. */
size_t net_fan_waiting(const struct net_fan *f);

/* Adds a datagram: a copy of `head`, at most NET_FAN_HEAD bytes, and `body`, which is borrowed until the
 * flush. What waits for another socket is sent first. */
void net_fan_add(struct net_fan *f, const struct net_fan_way *way, struct str head,
		 struct str body, void *tag);

/* Sends what waits; what the kernel does not take is dropped and counted. */
void net_fan_flush(struct net_fan *f);
