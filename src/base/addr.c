#include "base/addr.h"

#include <arpa/inet.h>
#include <endian.h>

#include "base/bug.h"

enum { PORT_DIGITS = 5 };

/* inet_pton() wants a terminator, and would stop at a zero byte that the text may contain. */
static bool ip_text(struct str text, char *buf, size_t cap)
{
	if (text.len == 0 || text.len >= cap || memchr(text.p, 0, text.len))
		return false;
	memcpy(buf, text.p, text.len);
	buf[text.len] = 0;
	return true;
}

static bool in_brackets(struct str text)
{
	return text.len >= 2 && text.p[0] == '[' && text.p[text.len - 1] == ']';
}

enum err addr_parse_ip(struct str text, struct addr *out)
{
	struct addr a = { .family = ADDR_NONE };
	bool only_v6 = in_brackets(text);
	char buf[ADDR_IP_TEXT];

	if (only_v6)
		text = (struct str){ text.p + 1, text.len - 2 };
	if (!ip_text(text, buf, sizeof buf))
		return ERR_MALFORMED;
	if (inet_pton(AF_INET6, buf, a.ip) == 1)
		a.family = ADDR_V6;
	else if (!only_v6 && inet_pton(AF_INET, buf, a.ip) == 1)
		a.family = ADDR_V4;
	else
		return ERR_MALFORMED;
	*out = a;
	return OK;
}

/* Digits only, and no zero in front: some would read it as octal. */
static bool parse_port(struct str text, uint16_t *out)
{
	uint32_t v = 0;

	if (text.len == 0 || text.len > PORT_DIGITS || (text.len > 1 && text.p[0] == '0'))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		v = v * 10 + (uint32_t)(text.p[i] - '0');
	}
	if (v > UINT16_MAX)
		return false;
	*out = (uint16_t)v;
	return true;
}

/* Where the colon before a port stands; text.len when there is no port. An IPv6 address without
 * brackets has no port, for its last group could be meant as well. */
static size_t port_colon(struct str text)
{
	const char *colon;

	if (text.len == 0)
		return 0;
	if (text.p[0] == '[') {
		const char *close = memchr(text.p, ']', text.len);

		return close ? (size_t)(close - text.p) + 1 : text.len;
	}
	colon = memchr(text.p, ':', text.len);
	if (!colon || memchr(colon + 1, ':', text.len - (size_t)(colon + 1 - text.p)))
		return text.len;
	return (size_t)(colon - text.p);
}

enum err addr_parse(struct str text, uint16_t port, struct addr *out)
{
	size_t colon = port_colon(text);
	struct addr a;
	enum err e;

	if (colon < text.len) {
		struct str digits = { text.p + colon + 1, text.len - colon - 1 };

		if (text.p[colon] != ':' || !parse_port(digits, &port))
			return ERR_MALFORMED;
	}
	e = addr_parse_ip((struct str){ text.p, colon }, &a);
	if (e)
		return e;
	a.port = port;
	*out = a;
	return OK;
}

/* Decimal digits of v at `to`; returns where they end. Addresses are in every session's log lines, and
 * printf takes ten times as long. */
static char *put_number(char *to, unsigned v)
{
	char digits[10];
	size_t n = 0;

	do {
		digits[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	while (n)
		*to++ = digits[--n];
	return to;
}

const char *addr_print_ip(const struct addr *a, char *buf)
{
	char *to = buf;

	if (a->family == ADDR_NONE) {
		memcpy(buf, "-", 2);
		return buf;
	}
	if (a->family == ADDR_V6) {
		BUG_ON(!inet_ntop(AF_INET6, a->ip, buf, ADDR_IP_TEXT));
		return buf;
	}
	for (int i = 0; i < 4; i++) {
		to = put_number(to, a->ip[i]);
		*to++ = i < 3 ? '.' : '\0';
	}
	return buf;
}

const char *addr_print(const struct addr *a, char *buf)
{
	bool v6 = a->family == ADDR_V6;
	char *to;

	addr_print_ip(a, buf + v6);
	if (a->family == ADDR_NONE)
		return buf;
	to = buf + v6 + strlen(buf + v6);
	if (v6) {
		buf[0] = '[';
		*to++ = ']';
	}
	*to++ = ':';
	*put_number(to, a->port) = '\0';
	return buf;
}

/* By memcpy: a socket address out of a control message or a packet need not be aligned. */
const char *addr_print_masked(const struct addr *a, enum addr_mask mask, char *buf)
{
	struct addr net = *a;
	size_t kept = a->family == ADDR_V4 ? 3 : 6; /* bytes */

	if (mask == ADDR_MASK_FULL)
		return addr_print(a, buf);
	if (mask == ADDR_MASK_NONE || a->family == ADDR_NONE)
		return strcpy(buf, "-");
	memset(net.ip + kept, 0, sizeof net.ip - kept);
	addr_print_ip(&net, buf);
	strcat(buf, a->family == ADDR_V4 ? "/24" : "/48");
	return buf;
}

struct addr addr_from_sa(const struct sockaddr *sa)
{
	struct addr a = { .family = ADDR_NONE };
	struct sockaddr_in6 sin6;
	struct sockaddr_in sin;

	if (sa->sa_family == AF_INET) {
		memcpy(&sin, sa, sizeof sin);
		memcpy(a.ip, &sin.sin_addr, 4);
		a.port = ntohs(sin.sin_port);
		a.family = ADDR_V4;
	} else if (sa->sa_family == AF_INET6) {
		memcpy(&sin6, sa, sizeof sin6);
		memcpy(a.ip, &sin6.sin6_addr, 16);
		a.port = ntohs(sin6.sin6_port);
		a.family = ADDR_V6;
	}
	return a;
}

socklen_t addr_to_sa(const struct addr *a, struct sockaddr_storage *sa)
{
	if (a->family == ADDR_V4) {
		struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(a->port) };

		memcpy(&sin.sin_addr, a->ip, 4);
		memcpy(sa, &sin, sizeof sin);
		return sizeof sin;
	}
	if (a->family == ADDR_V6) {
		struct sockaddr_in6 sin6 = {
			.sin6_family = AF_INET6,
			.sin6_port = htons(a->port),
		};

		memcpy(&sin6.sin6_addr, a->ip, 16);
		memcpy(sa, &sin6, sizeof sin6);
		return sizeof sin6;
	}
	sa->ss_family = AF_UNSPEC;
	return 0;
}

static inline uint64_t rotl(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static inline void sip_rounds(uint64_t v[4], unsigned n)
{
	while (n-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotl(v[1], 13) ^ v[0];
		v[3] = rotl(v[3], 16) ^ v[2];
		v[0] = rotl(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotl(v[1], 17) ^ v[2];
		v[3] = rotl(v[3], 21) ^ v[0];
		v[2] = rotl(v[2], 32);
	}
}

/* SipHash-c-d of Aumasson and Bernstein; the initial words spell their sentence. */
static inline uint64_t siphash(const uint64_t key[2], const uint8_t *p, size_t n, unsigned c,
			       unsigned d)
{
	uint64_t v[4] = {
		key[0] ^ 0x736f6d6570736575,
		key[1] ^ 0x646f72616e646f6d,
		key[0] ^ 0x6c7967656e657261,
		key[1] ^ 0x7465646279746573,
	};
	uint64_t last = (uint64_t)n << 56; /* the length mod 256 closes the last word */
	uint64_t word;

	for (; n >= 8; p += 8, n -= 8) {
		memcpy(&word, p, 8);
		word = le64toh(word);
		v[3] ^= word;
		sip_rounds(v, c);
		v[0] ^= word;
	}
	for (size_t i = 0; i < n; i++)
		last |= (uint64_t)p[i] << (8 * i);
	v[3] ^= last;
	sip_rounds(v, c);
	v[0] ^= last;
	v[2] ^= 0xff;
	sip_rounds(v, d);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* One and three rounds: a table needs no more, for its user never shows a hash to a peer. */
uint64_t addr_siphash(const uint64_t key[2], const void *bytes, size_t n)
{
	return siphash(key, bytes, n, 1, 3);
}

uint64_t addr_siphash_mac(const uint64_t key[2], const void *bytes, size_t n)
{
	return siphash(key, bytes, n, 2, 4);
}

bool addr_is_any(const struct addr *a)
{
	static const uint8_t zero[16];

	return a->family != ADDR_NONE && memcmp(a->ip, zero, 16) == 0;
}

bool addr_is_loopback(const struct addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	if (a->family == ADDR_V4)
		return a->ip[0] == 127;
	return a->family == ADDR_V6 && memcmp(a->ip, one, 16) == 0;
}

/* RFC 3927: 169.254/16. RFC 4291 s.2.5.6: fe80::/10. */
bool addr_is_link_local(const struct addr *a)
{
	if (a->family == ADDR_V4)
		return a->ip[0] == 169 && a->ip[1] == 254;
	return a->family == ADDR_V6 && a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}
