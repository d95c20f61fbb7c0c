/* ICMP errors of our own, by raw sockets: the privilege is needed to open them only. Any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* A socket that sends ICMP (v6: ICMPv6) and receives nothing; -1 where that is not permitted. */
int net_icmp_open(bool v6);

/* Tells `sender` that the datagram it sent to `at`, an address of this host, with these `len` bytes had no hop
 * left: "time exceeded". The quotation ends where a router's would. What the kernel does not take is lost. */
void net_icmp_expired(int fd, const struct addr *at, const struct addr *sender, const uint8_t *p,
		      size_t len);
