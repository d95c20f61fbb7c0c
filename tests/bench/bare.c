/* bare: about the least that a user-space relay can do: no authentication, permissions, timers or
 * counters. It answers Allocate and ChannelBind just enough for turnload, and forwards. It is a
 * yardstick for "close to the limit", not a model. bare IP PORT GRO(0|1) */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#define UDP_GRO_ 104
#define UDP_SEG_ 103
enum { MAXS = 1 << 17, BATCH = 32, BUF = 65536 };
struct s {
	int fd;
	struct sockaddr_in client, peer;
	uint16_t relay_port;
	uint8_t used;
	uint8_t hdr[4];
};
static struct s S[MAXS];
static int ns, lfd, ep, gro;
static struct sockaddr_in me;
static uint32_t hidx[1 << 18];
static unsigned h(const struct sockaddr_in *a)
{
	return (ntohl(a->sin_addr.s_addr) * 2654435761u ^ ntohs(a->sin_port) * 40503u) &
	       ((1 << 18) - 1);
}
static struct s *find(const struct sockaddr_in *a, int make)
{
	for (unsigned i = h(a);; i = (i + 1) & ((1 << 18) - 1)) {
		if (!hidx[i]) {
			if (!make)
				return NULL;
			S[++ns].client = *a;
			hidx[i] = ns;
			return &S[ns];
		}
		struct s *p = &S[hidx[i]];
		if (p->client.sin_port == a->sin_port &&
		    p->client.sin_addr.s_addr == a->sin_addr.s_addr)
			return p;
	}
}
static void put16(uint8_t *p, unsigned v)
{
	p[0] = v >> 8;
	p[1] = v;
}
static unsigned get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}
static uint8_t buf[BATCH][BUF];
static void gso_send(int fd, struct iovec *iov, int n, int seg, struct sockaddr_in *to)
{
	uint8_t ctl[CMSG_SPACE(2)] = { 0 };
	struct msghdr m = { .msg_iov = iov,
			    .msg_iovlen = n,
			    .msg_name = to,
			    .msg_namelen = to ? sizeof *to : 0 };
	if (seg) {
		m.msg_control = ctl;
		m.msg_controllen = sizeof ctl;
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_UDP;
		c->cmsg_type = UDP_SEG_;
		c->cmsg_len = CMSG_LEN(2);
		uint16_t v = seg;
		memcpy(CMSG_DATA(c), &v, 2);
	}
	sendmsg(fd, &m, MSG_DONTWAIT);
}
static void stun(struct sockaddr_in *from, uint8_t *b, size_t n)
{
	if (n < 20)
		return;
	unsigned t = get16(b);
	struct s *p = find(from, 1);
	uint8_t r[64];
	size_t k = 20;
	memcpy(r, b, 20);
	put16(r, t | 0x100);
	if (t == 3) {
		if (!p->used) {
			int one = 1, big = 4 << 20;
			p->used = 1;
			p->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
			struct sockaddr_in a = me;
			a.sin_port = 0;
			socklen_t l = sizeof a;
			bind(p->fd, (void *)&a, l);
			getsockname(p->fd, (void *)&a, &l);
			if (gro)
				setsockopt(p->fd, SOL_UDP, UDP_GRO_, &one, 4);
			setsockopt(p->fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, 4);
			p->relay_port = ntohs(a.sin_port);
			struct epoll_event e = { EPOLLIN, { .u32 = (uint32_t)(p - S) } };
			epoll_ctl(ep, EPOLL_CTL_ADD, p->fd, &e);
		}
		put16(r + k, 0x16);
		put16(r + k + 2, 8);
		r[k + 4] = 0;
		r[k + 5] = 1;
		put16(r + k + 6, p->relay_port ^ 0x2112);
		uint32_t x = ntohl(me.sin_addr.s_addr) ^ 0x2112A442;
		put16(r + k + 8, x >> 16);
		put16(r + k + 10, x);
		k += 12;
	} else if (t == 9) {
		for (size_t i = 20; i + 4 <= n; i += 4 + (get16(b + i + 2) + 3) / 4 * 4)
			if (get16(b + i) == 0x12) {
				p->peer.sin_family = AF_INET;
				p->peer.sin_port = htons(get16(b + i + 6) ^ 0x2112);
				p->peer.sin_addr.s_addr = htonl(
					((uint32_t)get16(b + i + 8) << 16 | get16(b + i + 10)) ^
					0x2112A442);
				connect(p->fd, (void *)&p->peer, sizeof p->peer);
			}
	}
	put16(r + 2, k - 20);
	sendto(lfd, r, k, 0, (void *)from, sizeof *from);
}
static int seg_of(struct msghdr *m, int n)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO_) {
			int v;
			memcpy(&v, CMSG_DATA(c), 4);
			return v;
		}
	return n;
}
static int rx(int fd, struct mmsghdr *mm, struct iovec *iov, struct sockaddr_in *from,
	      uint8_t (*ctl)[64])
{
	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ buf[i], BUF };
		mm[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i],
						 .msg_iovlen = 1,
						 .msg_name = from ? &from[i] : NULL,
						 .msg_namelen = from ? sizeof *from : 0,
						 .msg_control = gro ? ctl[i] : NULL,
						 .msg_controllen = gro ? 64 : 0 };
	}
	return recvmmsg(fd, mm, BATCH, MSG_DONTWAIT, NULL);
}
int main(int argc, char **argv)
{
	(void)argc;
	int one = 1, big = 8 << 20;
	gro = atoi(argv[3]);
	struct rlimit rl;
	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
	me.sin_family = AF_INET;
	inet_pton(AF_INET, argv[1], &me.sin_addr);
	struct sockaddr_in a = me;
	a.sin_port = htons(atoi(argv[2]));
	lfd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	bind(lfd, (void *)&a, sizeof a);
	if (gro)
		setsockopt(lfd, SOL_UDP, UDP_GRO_, &one, 4);
	setsockopt(lfd, SOL_SOCKET, SO_RCVBUFFORCE, &big, 4);
	ep = epoll_create1(0);
	struct epoll_event e = { EPOLLIN, { .u32 = 0 } };
	epoll_ctl(ep, EPOLL_CTL_ADD, lfd, &e);
	static struct mmsghdr mm[BATCH];
	static struct iovec iov[BATCH];
	static struct sockaddr_in from[BATCH];
	static uint8_t ctl[BATCH][64];
	static struct mmsghdr om[BATCH];
	static struct iovec oi[BATCH * 2];
	struct epoll_event ev[256];
	for (;;) {
		int k = epoll_wait(ep, ev, 256, -1);
		for (int j = 0; j < k; j++) {
			struct s *p = &S[ev[j].data.u32];
			if (!ev[j].data.u32)
				for (;;) {
					int n = rx(lfd, mm, iov, from, ctl);
					if (n <= 0)
						break;
					for (int i = 0; i < n; i++) {
						int len = mm[i].msg_len,
						    seg = gro ? seg_of(&mm[i].msg_hdr, len)
							      : len;
						if (buf[i][0] < 0x40) {
							for (int o = 0; o < len; o += seg)
								stun(&from[i], buf[i] + o,
								     len - o < seg ? len - o
										   : seg);
							continue;
						}
						struct s *q = find(&from[i], 0);
						if (!q)
							continue;
						struct iovec v[64];
						int c = 0;
						for (int o = 0; o < len && c < 64; o += seg)
							v[c++] = (struct iovec){ buf[i] + o + 4,
										 get16(buf[i] +
										       o + 2) };
						gso_send(q->fd, v, c, c > 1 ? seg - 4 : 0,
							 NULL);
					}
					if (n < BATCH)
						break;
				}
			else
				for (;;) {
					int n = rx(p->fd, mm, iov, NULL, ctl);
					if (n <= 0)
						break;
					int no = 0;
					for (int i = 0; i < n; i++) {
						int len = mm[i].msg_len,
						    seg = gro ? seg_of(&mm[i].msg_hdr, len)
							      : len;
						if (len > seg) {
							static uint8_t hd[64][4];
							struct iovec v[128];
							int c = 0;
							for (int o = 0; o < len && c < 128;
							     o += seg) {
								int l = len - o < seg ? len - o
										      : seg;
								put16(hd[c / 2], 0x4000);
								put16(hd[c / 2] + 2, l);
								v[c] = (struct iovec){
									hd[c / 2], 4
								};
								v[c + 1] = (struct iovec){
									buf[i] + o, l
								};
								c += 2;
							}
							gso_send(lfd, v, c, seg + 4,
								 &p->client);
							continue;
						}
						static uint8_t hh[BATCH][4];
						put16(hh[no], 0x4000);
						put16(hh[no] + 2, len);
						oi[no * 2] = (struct iovec){ hh[no], 4 };
						oi[no * 2 + 1] = (struct iovec){ buf[i], len };
						om[no].msg_hdr = (struct msghdr){
							.msg_iov = &oi[no * 2],
							.msg_iovlen = 2,
							.msg_name = &p->client,
							.msg_namelen = sizeof p->client
						};
						no++;
					}
					if (no)
						sendmmsg(lfd, om, no, MSG_DONTWAIT);
					if (n < BATCH)
						break;
				}
		}
	}
}
