/* The raw sockets send and are never read: whatever a stranger sends must not wait in them. */
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bug.h"
#include "net/icmp.h"
#include "net/sock.h"
#include "own_net.h"

static struct sockaddr_storage loopback(bool v6, socklen_t *len)
{
	struct addr at = { .family = v6 ? ADDR_V6 : ADDR_V4 };
	struct sockaddr_storage sa;

	if (v6)
		at.ip[15] = 1;
	else
		memcpy(at.ip, (const uint8_t[]){ 127, 0, 0, 1 }, 4);
	*len = addr_to_sa(&at, &sa);
	return sa;
}

/* A socket that hears all of it, by which it is known that a packet has come. */
static int open_ear(bool v6)
{
	return socket(v6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

/* Sends ICMP of that type to this host, and waits until it is there. */
static void receive(int ear, bool v6, uint8_t type)
{
	uint8_t out[8] = { type }, in[256];
	socklen_t len;
	struct sockaddr_storage sa = loopback(v6, &len);
	size_t head = v6 ? 0 : 20;
	ssize_t n;

	out[2] = (uint8_t)~type; /* the checksum of IPv4's; the kernel does the other */
	out[3] = 0xff;
	assert_int_equal(sendto(ear, out, sizeof out, 0, (struct sockaddr *)&sa, len), sizeof out);
	do {
		n = recv(ear, in, sizeof in, 0);
		assert_true(n >= (ssize_t)head + 8);
	} while (in[head] != type);
}

static void nothing_waits_in_them(void **state)
{
	static const uint8_t types[] = { ICMP_ECHO, ICMP_DEST_UNREACH, ICMP_TIME_EXCEEDED, 31, 32, 42, 200, 255 };

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		int fd = net_icmp_open(v6), ear = open_ear(v6);
		uint8_t byte;

		if (fd < 0 || ear < 0)
			skip();
		for (size_t i = 0; i < ARRAY_LEN(types); i++) {
			receive(ear, v6, types[i]);
			if (recv(fd, &byte, 1, MSG_DONTWAIT | MSG_TRUNC) >= 0)
				fail_msg("%s: type %u waits in it", v6 ? "ICMPv6" : "ICMP", types[i]);
		}
		close(ear);
		close(fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_waits_in_them),
	};

	own_net();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
