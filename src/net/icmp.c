#include "net/icmp.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/wr.h"
#include "net/sock.h"

enum {
	QUOTE4 = 576 - 20 - 8,	 /* RFC 1812 s.4.3.2.3: the error has 576 bytes at most */
	QUOTE6 = 1280 - 40 - 8,	 /* RFC 4443 s.3.3: the least MTU */
	TIME_EXCEEDED4 = 11,
	TIME_EXCEEDED6 = 3,
	UDP_HEADER = 8,
};

/* ICMP_FILTER would let types from 32 on through. */
static bool deafen(int fd)
{
	struct sock_filter nothing[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	const struct sock_fprog filter = { 1, nothing };
	uint8_t byte;

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter))
		return false;
	while (recv(fd, &byte, 1, MSG_DONTWAIT) >= 0) /* what was faster */
		;
	return true;
}

int net_icmp_open(bool v6)
{
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
			v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);

	if (fd >= 0 && !deafen(fd))
		net_sock_close(&fd);
	return fd;
}

/* RFC 1071. */
static uint16_t checksum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* The IP header as it was when it arrived here. What the socket does not tell (identification, class, options)
 * is zero. */
static void quote_ip(struct wr *w, const struct addr *sender, const struct addr *at, size_t len)
{
	size_t from = wr_len(w);

	if (sender->family == ADDR_V6) {
		wr_u32(w, UINT32_C(6) << 28);
		wr_u16(w, (uint16_t)(UDP_HEADER + len));
		wr_u16(w, IPPROTO_UDP << 8 | 1); /* next header, hop limit */
		wr_bytes(w, sender->ip, 16);
		wr_bytes(w, at->ip, 16);
		return;
	}
	wr_u16(w, 0x4500);
	wr_u16(w, (uint16_t)(20 + UDP_HEADER + len));
	wr_u32(w, 0);
	wr_u16(w, 1 << 8 | IPPROTO_UDP); /* TTL, protocol */
	wr_u16(w, 0);
	wr_bytes(w, sender->ip, 4);
	wr_bytes(w, at->ip, 4);
	if (!w->bad)
		wr_patch16(w, from + 10, checksum(w->start + from, 20));
}

static void send_from(int fd, const struct addr *at, const struct addr *to, struct iovec *iov)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} ctl = { 0 };
	struct sockaddr_storage sa;
	struct addr host = *to;
	struct msghdr m = { .msg_name = &sa, .msg_iov = iov, .msg_iovlen = 1,
			    .msg_control = &ctl };
	struct cmsghdr *c = &ctl.align;

	host.port = 0; /* of raw sockets it is the protocol */
	m.msg_namelen = addr_to_sa(&host, &sa);
	if (at->family == ADDR_V6) {
		struct in6_pktinfo info = { 0 };

		memcpy(&info.ipi6_addr, at->ip, 16);
		*c = (struct cmsghdr){ CMSG_LEN(sizeof info), IPPROTO_IPV6, IPV6_PKTINFO };
		memcpy(CMSG_DATA(c), &info, sizeof info);
		m.msg_controllen = CMSG_SPACE(sizeof info);
	} else {
		struct in_pktinfo info = { 0 };

		memcpy(&info.ipi_spec_dst, at->ip, 4);
		*c = (struct cmsghdr){ CMSG_LEN(sizeof info), IPPROTO_IP, IP_PKTINFO };
		memcpy(CMSG_DATA(c), &info, sizeof info);
		m.msg_controllen = CMSG_SPACE(sizeof info);
	}
	(void)!sendmsg(fd, &m, MSG_DONTWAIT);
}

void net_icmp_expired(int fd, const struct addr *at, const struct addr *sender, const uint8_t *p,
		      size_t len)
{
	bool v6 = sender->family == ADDR_V6;
	size_t room = (v6 ? QUOTE6 - 40 : QUOTE4 - 20) - UDP_HEADER;
	uint8_t buf[QUOTE6 + 8];
	struct wr w = wr_init(buf, sizeof buf);

	wr_u16(&w, (uint16_t)((v6 ? TIME_EXCEEDED6 : TIME_EXCEEDED4) << 8)); /* code 0: in transit */
	wr_u16(&w, 0);
	wr_u32(&w, 0);
	quote_ip(&w, sender, at, len);
	wr_u16(&w, sender->port);
	wr_u16(&w, at->port);
	wr_u16(&w, (uint16_t)(UDP_HEADER + len));
	wr_u16(&w, 0);
	wr_bytes(&w, p, len < room ? len : room);
	if (w.bad)
		return;
	if (!v6) /* the kernel does ICMPv6's */
		wr_patch16(&w, 2, checksum(buf, wr_len(&w)));
	struct iovec iov = { buf, wr_len(&w) };

	send_from(fd, at, sender, &iov);
}
