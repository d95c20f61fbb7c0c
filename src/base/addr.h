/* A transport address in 20 bytes: IPv4 or IPv6 and a port. A plain value: copy it, compare it
 * with memcmp semantics (addr_eq), hash it. Any thread. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/str.h"

enum addr_family { ADDR_NONE = 0, ADDR_V4 = 4, ADDR_V6 = 6 };

struct addr {
	uint8_t ip[16]; /* network order; IPv4 in the first four, the rest 0 */
	uint16_t port;	/* host order */
	uint8_t family; /* enum addr_family */
	uint8_t zero;	/* 0, so that memcmp compares */
};

_Static_assert(sizeof(struct addr) == 20, "addr must have no padding");

enum {
	ADDR_IP_TEXT = 46,  /* an address alone, terminator included */
	ADDR_TEXT_LEN = 56, /* "[v6]:65535" and terminator */
};

static inline bool addr_eq(const struct addr *a, const struct addr *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

static inline bool addr_ip_eq(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, 16) == 0;
}

/* Bytes of an address of that family: 4 or 16; 0 for ADDR_NONE. */
static inline size_t addr_ip_len(const struct addr *a)
{
	return a->family == ADDR_V4 ? 4 : a->family == ADDR_V6 ? 16 : 0;
}

/* Parses an address without a port ("192.0.2.1", "2001:db8::1", "[2001:db8::1]"): port 0.
 * Scope ids are refused. ERR_MALFORMED leaves *out untouched. */
must_check enum err addr_parse_ip(struct str text, struct addr *out);

/* Parses "IP", "IPv4:PORT" or "[IPv6]:PORT"; a missing port becomes `port`. */
must_check enum err addr_parse(struct str text, uint16_t port, struct addr *out);

/* "192.0.2.1" / "2001:db8::1" into buf of at least ADDR_IP_TEXT bytes; returns buf. */
const char *addr_print_ip(const struct addr *a, char *buf);

/* "192.0.2.1:3478" / "[2001:db8::1]:3478" into buf of at least ADDR_TEXT_LEN; returns buf. */
const char *addr_print(const struct addr *a, char *buf);

/* How much of an address may be written down. */
enum addr_mask {
	ADDR_MASK_FULL,
	ADDR_MASK_PREFIX, /* the IPv4 /24 or IPv6 /48 that it is of, and no port */
	ADDR_MASK_NONE,	  /* "-" */
};

/* As addr_print(), as far as `mask` allows: "192.0.2.0/24", "2001:db8:1::/48". */
const char *addr_print_masked(const struct addr *a, enum addr_mask mask, char *buf);

/* From a socket address of family AF_INET or AF_INET6 (v4-mapped stays IPv6); any other gives
 * family ADDR_NONE. */
struct addr addr_from_sa(const struct sockaddr *sa);

/* Into a socket address; returns its length. */
socklen_t addr_to_sa(const struct addr *a, struct sockaddr_storage *sa);

/* SipHash-1-3 of `n` bytes under a 128-bit key: for tables whose keys peers choose. */
uint64_t addr_siphash(const uint64_t key[2], const void *bytes, size_t n);

/* SipHash-2-4: a message authentication code of 64 bits, for what is checked online only. */
uint64_t addr_siphash_mac(const uint64_t key[2], const void *bytes, size_t n);

static inline uint64_t addr_hash(const uint64_t key[2], const struct addr *a)
{
	return addr_siphash(key, a, sizeof *a);
}

/* The hash of the address alone, without the port. */
static inline uint64_t addr_ip_hash(const uint64_t key[2], const struct addr *a)
{
	struct addr ip = *a;

	ip.port = 0;
	return addr_hash(key, &ip);
}

bool addr_is_any(const struct addr *a);	     /* 0.0.0.0, :: */
bool addr_is_loopback(const struct addr *a); /* 127/8, ::1 */
bool addr_is_link_local(const struct addr *a);
