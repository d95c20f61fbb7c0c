/* A loopback of a test's own: on the shared one a port that another program gave back may be the next to
 * be drawn here, with that program's peers still sending to it. */
#pragma once

#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Moves this process into a new network namespace, with its loopback up; first thing in main(). Without
 * the privilege for it the test runs on the shared one. */
static inline void own_net(void)
{
	struct ifreq lo = { .ifr_flags = IFF_UP };
	int fd;

	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	strcpy(lo.ifr_name, "lo");
	(void)!ioctl(fd, SIOCSIFFLAGS, &lo);
	close(fd);
}
