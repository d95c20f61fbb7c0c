#include "net/preface.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

static bool has_ended(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0 && p.revents & (POLLRDHUP | POLLHUP | POLLERR);
}

enum net_preface net_preface_peek(int fd, void *buf, size_t cap, size_t before, size_t *n)
{
	ssize_t got = recv(fd, buf, cap, MSG_PEEK | MSG_DONTWAIT);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? NET_PREFACE_NONE : NET_PREFACE_ERROR;
	if (got == 0)
		return NET_PREFACE_CLOSED;
	if ((size_t)got <= before)
		return has_ended(fd) ? NET_PREFACE_CLOSED : NET_PREFACE_NONE;
	*n = (size_t)got;
	return NET_PREFACE_SOME;
}

void net_preface_await(int fd, size_t n)
{
	int low = (int)n + 1;

	(void)!setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof low);
}

bool net_preface_take(int fd, size_t n)
{
	char sink[512];

	while (n) {
		ssize_t got = recv(fd, sink, n < sizeof sink ? n : sizeof sink, MSG_DONTWAIT);

		if (got <= 0)
			return false;
		n -= (size_t)got;
	}
	return true;
}
