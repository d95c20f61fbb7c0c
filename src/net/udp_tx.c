#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/bug.h"
#include "net/udp.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

static bool kernel_corrupts(const char *release)
{
	unsigned major = 0, minor = 0, patch = 0;

	if (sscanf(release, "%u.%u.%u", &major, &minor, &patch) < 2 || major != 7)
		return false;
	return minor == 0 || (minor == 1 && patch <= 4);
}

bool net_gso_usable(const char **why)
{
	int fd, seg = 1200, ok;
	struct utsname u;

	if (uname(&u) == 0 && kernel_corrupts(u.release)) {
		*why = "Linux 7.0 to 7.1.4 corrupt segmented sends";
		return false;
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ok = fd >= 0 && setsockopt(fd, SOL_UDP, UDP_SEGMENT, &seg, sizeof seg) == 0;
	if (fd >= 0)
		close(fd);
	*why = ok ? NULL : "the kernel has no UDP_SEGMENT";
	return ok;
}

void net_run_init(struct net_run *r, bool gso, struct counters *cnt)
{
	memset(r, 0, sizeof *r);
	r->gso = gso;
	r->cnt = cnt;
	r->fd = -1;
}

void net_run_start(struct net_run *r, int fd, const struct addr *to, const struct addr *from,
		   struct net_mark mark)
{
	BUG_ON(r->n_datagrams);
	r->fd = fd;
	r->mark = mark;
	r->closed = false;
	r->seg = r->bytes = r->n_iov = 0;
	r->to_addr = *to;
	r->to_len = addr_to_sa(to, &r->to);
	if (from)
		r->from = *from;
	else
		r->from.family = ADDR_NONE;
}

bool net_run_add(struct net_run *r, const struct iovec *parts, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += parts[i].iov_len;
	if (r->n_datagrams) {
		if (r->closed || len > r->seg || len == 0 ||
		    r->n_datagrams == NET_RUN_DATAGRAMS || r->bytes + len > NET_RUN_BYTES)
			return false;
	} else {
		r->seg = len;
	}
	if (len < r->seg || len == 0)
		r->closed = true;
	memcpy(&r->iov[r->n_iov], parts, n * sizeof *parts);
	r->n_iov += n;
	r->parts[r->n_datagrams++] = (uint8_t)n;
	r->bytes += len;
	return true;
}

static void add_cmsg(struct msghdr *m, int level, int type, const void *data, size_t len)
{
	struct cmsghdr *c = (struct cmsghdr *)((uint8_t *)m->msg_control + m->msg_controllen);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	m->msg_controllen += CMSG_SPACE(len);
}

static void add_mark(struct msghdr *m, const struct addr *to, struct net_mark mark)
{
	int tos = mark.tos, hops = mark.hops;
	bool v6 = to->family == ADDR_V6;

	if (tos && v6)
		add_cmsg(m, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
	else if (tos)
		add_cmsg(m, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
	if (hops && v6)
		add_cmsg(m, IPPROTO_IPV6, IPV6_HOPLIMIT, &hops, sizeof hops);
	else if (hops)
		add_cmsg(m, IPPROTO_IP, IP_TTL, &hops, sizeof hops);
}

static void add_source(struct msghdr *m, const struct addr *from)
{
	if (from->family == ADDR_V4) {
		struct in_pktinfo info = { 0 };

		memcpy(&info.ipi_spec_dst, from->ip, 4);
		add_cmsg(m, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
	} else if (from->family == ADDR_V6) {
		struct in6_pktinfo info = { 0 };

		memcpy(&info.ipi6_addr, from->ip, 16);
		add_cmsg(m, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
	}
}

/* An ICMP error of an earlier datagram is told once, in place of sending this one. */
static bool is_of_another(int no)
{
	return no == ECONNREFUSED || no == EHOSTUNREACH || no == ENETUNREACH || no == EPROTO ||
	       no == ENOPROTOOPT || no == EACCES;
}

/* What is in one piece and has nothing to be told of goes by the shorter way into the kernel. */
static ssize_t send_message(int fd, const struct msghdr *m)
{
	if (m->msg_control || m->msg_iovlen != 1)
		return sendmsg(fd, m, MSG_DONTWAIT);
	return sendto(fd, m->msg_iov->iov_base, m->msg_iov->iov_len, MSG_DONTWAIT, m->msg_name,
		      m->msg_namelen);
}

/* `seg` 0: a single datagram. */
static bool send_iov(struct net_run *r, struct iovec *iov, size_t n, uint16_t seg)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[128];
	} ctl;
	struct msghdr m = { .msg_name = &r->to,
			    .msg_namelen = r->to_len,
			    .msg_iov = iov,
			    .msg_iovlen = n,
			    .msg_control = &ctl };

	if (seg)
		add_cmsg(&m, SOL_UDP, UDP_SEGMENT, &seg, sizeof seg);
	add_mark(&m, &r->to_addr, r->mark);
	if (r->from.family != ADDR_NONE)
		add_source(&m, &r->from);
	if (!m.msg_controllen)
		m.msg_control = NULL;
	if (send_message(r->fd, &m) >= 0)
		return true;
	/* a burst that is too big is sent one by one, each of them tried twice then */
	if (is_of_another(errno) || (errno == EMSGSIZE && !seg))
		return send_message(r->fd, &m) >= 0;
	return false;
}

static size_t send_singly(struct net_run *r)
{
	struct iovec *iov = r->iov;
	size_t sent = 0;

	for (size_t i = 0; i < r->n_datagrams; i++) {
		sent += send_iov(r, iov, r->parts[i], 0);
		iov += r->parts[i];
	}
	return sent;
}

/* Many at once; where the kernel will not, one by one: EIO says that the device can never do it,
 * EMSGSIZE and EINVAL that these are too long for the path. */
static size_t send_burst(struct net_run *r)
{
	if (send_iov(r, r->iov, r->n_iov, (uint16_t)r->seg)) {
		count(r->cnt, gso_sends);
		return r->n_datagrams;
	}
	if (errno != EIO && errno != EMSGSIZE && errno != EINVAL)
		return 0;
	if (errno == EIO)
		r->gso = false;
	count(r->cnt, gso_refused);
	return send_singly(r);
}

size_t net_run_flush(struct net_run *r)
{
	size_t n = r->n_datagrams, sent;

	if (!n) {
		r->fd = -1;
		return 0;
	}
	sent = n > 1 && r->gso ? send_burst(r) : send_singly(r);
	count_n(r->cnt, drop_send, n - sent);
	r->n_datagrams = 0;
	r->fd = -1;
	return sent;
}

struct net_fan {
	struct counters *cnt;
	net_fan_fn *fn;
	void *arg;
	int fd; /* that they leave by */
	size_t n;
	struct mmsghdr msg[NET_FAN];
	struct iovec iov[NET_FAN][2];
	struct sockaddr_storage to[NET_FAN];
	void *tag[NET_FAN];
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + 2 * CMSG_SPACE(sizeof(int))];
	} ctl[NET_FAN];
	uint8_t head[NET_FAN][NET_FAN_HEAD];
};

enum err net_fan_new(struct net_fan **out, struct counters *cnt, net_fan_fn *fn, void *arg)
{
	struct net_fan *f = calloc(1, sizeof *f);

	if (!f)
		return ERR_NOMEM;
	f->cnt = cnt;
	f->fn = fn;
	f->arg = arg;
	*out = f;
	return OK;
}

void net_fan_free(struct net_fan *f)
{
	free(f);
}

size_t net_fan_waiting(const struct net_fan *f)
{
	return f->n;
}

void net_fan_add(struct net_fan *f, const struct net_fan_way *way, struct str head,
		 struct str body, void *tag)
{
	if (f->n && way->fd != f->fd)
		net_fan_flush(f);
	size_t i = f->n;
	struct msghdr *m = &f->msg[i].msg_hdr;

	BUG_ON(head.len > NET_FAN_HEAD);
	f->fd = way->fd;
	f->tag[i] = tag;
	memcpy(f->head[i], head.p, head.len);
	f->iov[i][0] = (struct iovec){ f->head[i], head.len };
	f->iov[i][1] = (struct iovec){ (void *)body.p, body.len };
	*m = (struct msghdr){ .msg_name = &f->to[i],
			      .msg_namelen = addr_to_sa(way->to, &f->to[i]),
			      .msg_iov = f->iov[i],
			      .msg_iovlen = body.len ? 2 : 1,
			      .msg_control = &f->ctl[i] };
	add_mark(m, way->to, way->mark);
	if (way->from)
		add_source(m, way->from);
	if (!m->msg_controllen)
		m->msg_control = NULL;
	if (++f->n == NET_FAN)
		net_fan_flush(f);
}

/* How many of those from `i` on the kernel takes. 0: not the first of them. */
static size_t send_some(struct net_fan *f, size_t i)
{
	int n = sendmmsg(f->fd, f->msg + i, (unsigned)(f->n - i), MSG_DONTWAIT);

	if (n < 0 && is_of_another(errno))
		n = sendmmsg(f->fd, f->msg + i, (unsigned)(f->n - i), MSG_DONTWAIT);
	return n > 0 ? (size_t)n : 0;
}

void net_fan_flush(struct net_fan *f)
{
	size_t i = 0;

	while (i < f->n) {
		size_t taken = send_some(f, i);
		size_t end = i + (taken ? taken : 1); /* one that fails keeps none back */

		count_n(f->cnt, drop_send, taken == 0);
		for (; i < end; i++)
			f->fn(f->arg, f->tag[i], f->iov[i][0].iov_len, f->iov[i][1].iov_len,
			      taken > 0);
	}
	f->n = 0;
}
