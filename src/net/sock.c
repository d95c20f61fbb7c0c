#include "net/sock.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

/*
 * IPv4 without DF. Not IP_PMTUDISC_DONT: with that the kernel tells nobody that a datagram which had
 * DF was too big, once DF is off again; and it believes every path MTU that somebody makes up, which
 * ends segmented sends to that destination.
 */
enum { FRAGMENT = IP_PMTUDISC_OMIT };

enum {
	DSCP = 0xFC, /* in the TOS byte; the rest is ECN's */
	BACKLOG =
		4096, /* connections that wait to be accepted; the kernel cuts it to somaxconn */
	RELAY_BACKLOG =
		64, /* of one allocation: peers cannot pin more of the kernel's memory than that */
};

/* An option that the socket must have. */
static bool need(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

/* An option that helps where the kernel has it. */
static void like(int fd, int level, int name, int value)
{
	(void)!setsockopt(fd, level, name, &value, sizeof value);
}

/* A relay socket sends a burst at a time and never waits for room: the default does for that, and
 * sessions come and go faster without. */
static void set_buffers(int fd, int64_t bytes, enum net_sock_kind kind)
{
	/* the forced form needs a privilege, the other is cut to net.core.rmem_max */
	if (!need(fd, SOL_SOCKET, SO_RCVBUFFORCE, (int)bytes))
		like(fd, SOL_SOCKET, SO_RCVBUF, (int)bytes);
	if (kind == NET_SOCK_RELAY)
		return;
	if (!need(fd, SOL_SOCKET, SO_SNDBUFFORCE, (int)bytes))
		like(fd, SOL_SOCKET, SO_SNDBUF, (int)bytes);
}

static bool set_options(int fd, const struct addr *at, const struct net_sock_options *o)
{
	bool v6 = at->family == ADDR_V6, relay = o->kind == NET_SOCK_RELAY;
	bool ok = true;

	set_buffers(fd, o->buf_size, o->kind);
	if (o->broadcast)
		like(fd, SOL_SOCKET, SO_BROADCAST, 1);
	if (o->gro)
		like(fd, SOL_UDP, UDP_GRO, 1);
	if (relay) /* the kernel says nothing until its queue has overflowed */
		like(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
	if (v6) {
		ok = need(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) &&
		     need(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
		like(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
		if (relay)
			ok = ok && need(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
		else if (addr_is_any(at))
			ok = ok && need(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
		return ok;
	}
	/* RFC 8656 s.14, alternate behaviour: the DF bit of what comes in is taken to be 0 */
	ok = need(fd, IPPROTO_IP, IP_RECVTOS, 1) &&
	     need(fd, IPPROTO_IP, IP_MTU_DISCOVER, FRAGMENT);
	if (relay)
		ok = ok && need(fd, IPPROTO_IP, IP_RECVERR, 1);
	else if (addr_is_any(at))
		ok = ok && need(fd, IPPROTO_IP, IP_PKTINFO, 1);
	return ok;
}

enum err net_sock_udp(const struct addr *at, const struct net_sock_options *o, int *out)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sa(at, &sa);
	bool shared = o->kind == NET_SOCK_LISTENER;
	int saved, fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_from_errno(errno);
	if (!set_options(fd, at, o) ||
	    (shared && o->join && !need(fd, SOL_SOCKET, SO_REUSEPORT, 1)) ||
	    bind(fd, (struct sockaddr *)&sa, len) ||
	    (shared && !o->join && !need(fd, SOL_SOCKET, SO_REUSEPORT, 1))) {
		saved = errno;
		close(fd);
		errno = saved;
		return err_from_errno(saved);
	}
	*out = fd;
	return OK;
}

static enum err listen_at(const struct addr *at, bool join, int backlog, int *out)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sa(at, &sa);
	int saved, fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_from_errno(errno);
	/* SO_REUSEADDR: connections of the process before this one may still linger */
	if (!need(fd, SOL_SOCKET, SO_REUSEADDR, 1) ||
	    (at->family == ADDR_V6 && !need(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) ||
	    (join && !need(fd, SOL_SOCKET, SO_REUSEPORT, 1)) ||
	    bind(fd, (struct sockaddr *)&sa, len) ||
	    (!join && !need(fd, SOL_SOCKET, SO_REUSEPORT, 1)) || listen(fd, backlog)) {
		saved = errno;
		close(fd);
		errno = saved;
		return err_from_errno(saved);
	}
	*out = fd;
	return OK;
}

enum err net_sock_listen(const struct addr *at, bool join, int *out)
{
	return listen_at(at, join, BACKLOG, out);
}

enum err net_sock_listen_relay(const struct addr *at, int *out)
{
	return listen_at(at, false, RELAY_BACKLOG, out);
}

enum err net_sock_connect(const struct addr *from, const struct addr *to, int *out)
{
	struct sockaddr_storage local, remote;
	socklen_t local_len = addr_to_sa(from, &local), remote_len = addr_to_sa(to, &remote);
	int saved, fd = socket(local.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_from_errno(errno);
	like(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	/* beside the socket that listens there */
	if (!need(fd, SOL_SOCKET, SO_REUSEADDR, 1) || !need(fd, SOL_SOCKET, SO_REUSEPORT, 1) ||
	    bind(fd, (struct sockaddr *)&local, local_len) ||
	    (connect(fd, (struct sockaddr *)&remote, remote_len) && errno != EINPROGRESS)) {
		saved = errno;
		close(fd);
		errno = saved;
		return err_from_errno(saved);
	}
	*out = fd;
	return OK;
}

int net_sock_error(int fd)
{
	socklen_t len = sizeof(int);
	int no = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &no, &len) ? errno : no;
}

enum err net_sock_name(int fd, struct addr *out)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;

	if (getsockname(fd, (struct sockaddr *)&sa, &len))
		return err_from_errno(errno);
	*out = addr_from_sa((struct sockaddr *)&sa);
	return OK;
}

uint8_t net_sock_dscp(int fd, bool v6)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[128];
	} ctl;
	socklen_t len = sizeof ctl;
	int level = v6 ? IPPROTO_IPV6 : IPPROTO_IP, tos = 0;

	like(fd, level, v6 ? IPV6_RECVTCLASS : IP_RECVTOS, 1);
	if (getsockopt(fd, level, v6 ? IPV6_2292PKTOPTIONS : IP_PKTOPTIONS, &ctl, &len))
		return 0;
	struct msghdr m = { .msg_control = &ctl, .msg_controllen = len };

	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == level && c->cmsg_type == (v6 ? IPV6_TCLASS : IP_TOS) &&
		    c->cmsg_len >= CMSG_LEN(sizeof tos))
			memcpy(&tos, CMSG_DATA(c), sizeof tos);
	return (uint8_t)(tos & DSCP);
}

void net_sock_tell_hops(int fd, bool v6)
{
	if (v6)
		like(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
	else
		like(fd, IPPROTO_IP, IP_RECVTTL, 1);
}

void net_sock_dont_fragment(int fd, bool v6, bool on)
{
	if (v6) {
		like(fd, IPPROTO_IPV6, IPV6_DONTFRAG, on);
		return;
	}
	/* PROBE sets DF and ignores what is known of the path, so that the client learns it itself */
	like(fd, IPPROTO_IP, IP_MTU_DISCOVER, on ? IP_PMTUDISC_PROBE : FRAGMENT);
}

uint32_t net_sock_overflow(int fd)
{
	uint32_t info[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof info;

	return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) ? 0 : info[SK_MEMINFO_DROPS];
}

void net_sock_stamp(int fd, bool on)
{
	like(fd, SOL_SOCKET, SO_TIMESTAMPNS, on);
}

void net_sock_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}
