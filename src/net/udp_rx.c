#include <time.h> /* errqueue.h wants it first */

#include <errno.h>

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "net/udp.h"

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum {
	CTL_LEN = 256, /* room for TOS, hop limit, UDP_GRO, a PKTINFO, SO_RXQ_OVFL and a time */
	STRIDE = NET_RX_HEAD + NET_RX_BUF, /* no datagram is so long that less than 3 bytes are left */
	ICMP4_UNREACHABLE = 3,
	ICMP4_FRAG_NEEDED = 4,
	ICMP4_TIME_EXCEEDED = 11,
	ICMP6_UNREACHABLE = 1,
	ICMP6_TOO_BIG = 2,
	ICMP6_TIME_EXCEEDED = 3,
};

struct net_rx_batch {
	struct mmsghdr msg[NET_RX_SLOTS];
	struct iovec iov[NET_RX_SLOTS];
	struct sockaddr_in6 from[NET_RX_SLOTS]; /* holds a sockaddr_in too */
	struct net_rx rx[NET_RX_SLOTS];
	union {
		struct cmsghdr align;
		uint8_t bytes[CTL_LEN];
	} ctl[NET_RX_SLOTS];
	uint8_t *bufs; /* mapped, so that pages that are never written cost nothing */
};

enum err net_rx_batch_new(struct net_rx_batch **out)
{
	struct net_rx_batch *b = calloc(1, sizeof *b);

	if (!b)
		return ERR_NOMEM;
	b->bufs = mmap(NULL, (size_t)NET_RX_SLOTS * STRIDE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (b->bufs == MAP_FAILED) {
		free(b);
		return ERR_NOMEM;
	}
	for (size_t i = 0; i < NET_RX_SLOTS; i++) {
		b->iov[i] = (struct iovec){ b->bufs + i * STRIDE + NET_RX_HEAD, NET_RX_BUF };
		b->msg[i].msg_hdr = (struct msghdr){
			.msg_name = &b->from[i],
			.msg_iov = &b->iov[i],
			.msg_iovlen = 1,
			.msg_control = &b->ctl[i],
		};
		b->rx[i].buf = b->iov[i].iov_base;
	}
	*out = b;
	return OK;
}

void net_rx_batch_free(struct net_rx_batch *b)
{
	if (!b)
		return;
	munmap(b->bufs, (size_t)NET_RX_SLOTS * STRIDE);
	free(b);
}

static void read_pktinfo(struct net_rx *rx, const struct cmsghdr *c)
{
	if (c->cmsg_level == IPPROTO_IP) {
		struct in_pktinfo info;

		memcpy(&info, CMSG_DATA(c), sizeof info);
		rx->to.family = ADDR_V4;
		memcpy(rx->to.ip, &info.ipi_addr, 4);
	} else {
		struct in6_pktinfo info;

		memcpy(&info, CMSG_DATA(c), sizeof info);
		rx->to.family = ADDR_V6;
		memcpy(rx->to.ip, &info.ipi6_addr, 16);
	}
}

/* What is seldom there. */
static void read_socket(struct net_rx *rx, const struct cmsghdr *c)
{
	struct timespec t;

	if (c->cmsg_type == SO_RXQ_OVFL) {
		memcpy(&rx->overflow, CMSG_DATA(c), sizeof rx->overflow);
	} else if (c->cmsg_type == SO_TIMESTAMPNS) {
		memcpy(&t, CMSG_DATA(c), sizeof t);
		rx->stamp_ns = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
	}
}

static void read_control(struct net_rx *rx, struct msghdr *m)
{
	int v;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
			memcpy(&v, CMSG_DATA(c), sizeof v);
			if (v > 0)
				rx->seg = (size_t)v;
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
			rx->mark.tos = *CMSG_DATA(c);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
			memcpy(&v, CMSG_DATA(c), sizeof v);
			rx->mark.tos = (uint8_t)v;
		} else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) ||
			   (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT)) {
			memcpy(&v, CMSG_DATA(c), sizeof v);
			rx->mark.hops = (uint8_t)v;
		} else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) ||
			   (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)) {
			read_pktinfo(rx, c);
		} else if (c->cmsg_level == SOL_SOCKET) {
			read_socket(rx, c);
		}
	}
}

static void prepare(struct msghdr *m)
{
	m->msg_namelen = sizeof(struct sockaddr_in6);
	m->msg_controllen = CTL_LEN;
	m->msg_flags = 0;
}

static void take(struct net_rx *rx, struct msghdr *m, size_t len)
{
	rx->len = len;
	rx->seg = len;
	rx->from = addr_from_sa(m->msg_name);
	rx->to = (struct addr){ 0 };
	rx->mark = (struct net_mark){ 0 };
	rx->overflow = 0;
	rx->stamp_ns = 0;
	rx->truncated = m->msg_flags & (MSG_TRUNC | MSG_CTRUNC);
	read_control(rx, m);
}

size_t net_rx_many(struct net_rx_batch *b, int fd, const struct net_rx **out)
{
	int n;

	for (size_t i = 0; i < NET_RX_SLOTS; i++)
		prepare(&b->msg[i].msg_hdr);
	n = recvmmsg(fd, b->msg, NET_RX_SLOTS, MSG_DONTWAIT, NULL);
	if (n <= 0)
		return 0;
	for (int i = 0; i < n; i++)
		take(&b->rx[i], &b->msg[i].msg_hdr, b->msg[i].msg_len);
	*out = b->rx;
	return (size_t)n;
}

bool net_rx_one(struct net_rx_batch *b, size_t slot, int fd, struct net_rx *out)
{
	struct msghdr *m = &b->msg[slot].msg_hdr;
	ssize_t n;

	prepare(m);
	n = recvmsg(fd, m, MSG_DONTWAIT);
	if (n < 0)
		return false;
	out->buf = b->rx[slot].buf;
	take(out, m, (size_t)n);
	return true;
}

/* RFC 8656 s.11.5: the types that are passed on. */
static bool is_wanted(const struct sock_extended_err *e, struct net_icmp *out)
{
	out->type = e->ee_type;
	out->code = e->ee_code;
	out->mtu = 0;
	if (e->ee_origin == SO_EE_ORIGIN_ICMP) {
		if (e->ee_type == ICMP4_UNREACHABLE && e->ee_code == ICMP4_FRAG_NEEDED)
			out->mtu = e->ee_info;
		return e->ee_type == ICMP4_UNREACHABLE || e->ee_type == ICMP4_TIME_EXCEEDED;
	}
	if (e->ee_origin != SO_EE_ORIGIN_ICMP6)
		return false;
	if (e->ee_type == ICMP6_TOO_BIG)
		out->mtu = e->ee_info;
	return e->ee_type >= ICMP6_UNREACHABLE && e->ee_type <= ICMP6_TIME_EXCEEDED;
}

bool net_rx_error(int fd, struct net_icmp *out)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[512];
	} ctl;
	struct sockaddr_storage to = { 0 }; /* not every error has an address */
	uint8_t byte;

	for (int tries = 0; tries < 64; tries++) {
		struct iovec iov = { &byte, 1 };
		struct msghdr m = { .msg_name = &to,
				    .msg_namelen = sizeof to,
				    .msg_iov = &iov,
				    .msg_iovlen = 1,
				    .msg_control = &ctl,
				    .msg_controllen = sizeof ctl };
		struct sock_extended_err e;

		if (recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return false;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
			if (!((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
			      (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR)))
				continue;
			memcpy(&e, CMSG_DATA(c), sizeof e);
			out->to = addr_from_sa((struct sockaddr *)&to);
			if (is_wanted(&e, out))
				return true;
		}
	}
	return false;
}
