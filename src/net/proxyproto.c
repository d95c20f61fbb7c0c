#include "net/proxyproto.h"

#include "base/bug.h"
#include "base/rd.h"
#include "base/wr.h"

enum {
	V1_MAX = 107, /* of a line, its end included */
	V2_HEADER_LEN = 16,
	V2_BELIEVED = 2048, /* bytes behind the fixed header */
	V2_INET_LEN = 2 * (4 + 2),
	V2_INET6_LEN = 2 * (16 + 2),
	V2_UNIX_LEN = 2 * 108,
};

enum { VERSION_2 = 0x20, COMMAND_LOCAL = 0, COMMAND_PROXY = 1 };
enum { FAMILY_UNSPEC, FAMILY_INET, FAMILY_INET6, FAMILY_UNIX, N_FAMILIES };
enum { PROTOCOL_UNSPEC, PROTOCOL_STREAM, PROTOCOL_DGRAM, N_PROTOCOLS };

static const struct str line_begin = { "PROXY ", 6 };
static const struct str signature = { "\r\n\r\n\0\r\nQUIT\n", 12 };

/* --- version 1: a line of text --- */

/* Where the line's CR LF stands, or len. What cannot be the end of a line is not waited for. */
static enum net_proxy find_end(const char *p, size_t len, size_t *end)
{
	size_t seen = len < V1_MAX ? len : V1_MAX;

	for (size_t i = 0; i < seen; i++) {
		if (p[i] == '\n' || !p[i])
			return NET_PROXY_BAD;
		if (p[i] != '\r' || i + 1 == seen)
			continue;
		*end = i;
		return p[i + 1] == '\n' ? NET_PROXY_OK : NET_PROXY_BAD;
	}
	return len < V1_MAX ? NET_PROXY_MORE : NET_PROXY_BAD;
}

/* The text up to the next space, which goes with it; the last word has none behind it. */
static struct str next_word(struct str *line)
{
	const char *space = line->len ? memchr(line->p, ' ', line->len) : NULL;
	struct str word = *line;

	if (!space)
		*line = (struct str){ NULL, 0 };
	else {
		word.len = (size_t)(space - line->p);
		*line = (struct str){ space + 1, line->len - word.len - 1 };
	}
	return word;
}

/* Without the brackets that other texts put around IPv6. */
static bool parse_ip(struct str word, uint8_t family, struct addr *out)
{
	return word.len && word.p[0] != '[' && !addr_parse_ip(word, out) &&
	       out->family == family;
}

static bool parse_port(struct str word, struct addr *out)
{
	uint32_t v = 0;

	if (!word.len || word.len > 5 || (word.len > 1 && word.p[0] == '0'))
		return false;
	for (size_t i = 0; i < word.len; i++) {
		if (word.p[i] < '0' || word.p[i] > '9')
			return false;
		v = v * 10 + (uint32_t)(word.p[i] - '0');
	}
	out->port = (uint16_t)v;
	return v <= UINT16_MAX;
}

static bool parse_line(struct str line, struct net_proxy_header *out)
{
	struct str word;
	uint8_t family;

	next_word(&line); /* PROXY */
	word = next_word(&line);
	if (str_eq(word, STR_LIT("UNKNOWN"))) {
		out->local = true; /* and whatever follows says nothing */
		return true;
	}
	if (str_eq(word, STR_LIT("TCP4")))
		family = ADDR_V4;
	else if (str_eq(word, STR_LIT("TCP6")))
		family = ADDR_V6;
	else
		return false;
	return parse_ip(next_word(&line), family, &out->client) &&
	       parse_ip(next_word(&line), family, &out->server) &&
	       parse_port(next_word(&line), &out->client) &&
	       parse_port(next_word(&line), &out->server) && !line.p;
}

static enum net_proxy decode_v1(const char *p, size_t len, struct net_proxy_header *out)
{
	struct net_proxy_header h = { 0 };
	enum net_proxy r;
	size_t end;

	r = find_end(p, len, &end);
	if (r)
		return r;
	if (!parse_line((struct str){ p, end }, &h))
		return NET_PROXY_BAD;
	h.len = end + 2;
	*out = h;
	return NET_PROXY_OK;
}

/* --- version 2: binary --- */

static void read_addr(struct rd *r, uint8_t family, struct addr *out)
{
	size_t n = family == ADDR_V4 ? 4 : 16;
	const uint8_t *ip = rd_take(r, n);

	if (!ip)
		return;
	out->family = family;
	memcpy(out->ip, ip, n);
}

static void read_addrs(struct rd *r, uint8_t family, struct net_proxy_header *h)
{
	read_addr(r, family, &h->client);
	read_addr(r, family, &h->server);
	h->client.port = rd_u16(r);
	h->server.port = rd_u16(r);
}

/* The first four bytes behind the signature: values that are not defined end the connection. */
static bool fixed_is_good(uint8_t version, uint8_t family, uint16_t len)
{
	static const uint16_t least[N_FAMILIES] = {
		[FAMILY_INET] = V2_INET_LEN,
		[FAMILY_INET6] = V2_INET6_LEN,
		[FAMILY_UNIX] = V2_UNIX_LEN,
	};

	if (len > V2_BELIEVED)
		return false;
	if (version == (VERSION_2 | COMMAND_LOCAL))
		return true; /* the rest is to be ignored, its family included */
	return version == (VERSION_2 | COMMAND_PROXY) && family >> 4 < N_FAMILIES &&
	       (family & 15) < N_PROTOCOLS && len >= least[family >> 4];
}

/* What follows the addresses (TLVs) says nothing that we need. */
static enum net_proxy decode_v2(struct rd r, size_t len, struct net_proxy_header *out)
{
	struct net_proxy_header h = { 0 };
	uint8_t version, family;
	uint16_t n;

	if (len < V2_HEADER_LEN)
		return NET_PROXY_MORE;
	rd_take(&r, signature.len);
	version = rd_u8(&r);
	family = rd_u8(&r);
	n = rd_u16(&r);
	if (!fixed_is_good(version, family, n))
		return NET_PROXY_BAD;
	if (rd_left(&r) < n)
		return NET_PROXY_MORE;
	h.len = V2_HEADER_LEN + (size_t)n;
	h.local = version == (VERSION_2 | COMMAND_LOCAL) || family >> 4 == FAMILY_UNSPEC ||
		  (family & 15) == PROTOCOL_UNSPEC;
	if (!h.local && family >> 4 == FAMILY_INET)
		read_addrs(&r, ADDR_V4, &h);
	else if (!h.local && family >> 4 == FAMILY_INET6)
		read_addrs(&r, ADDR_V6, &h);
	*out = h;
	return NET_PROXY_OK;
}

/* --- both --- */

/* Do p[0 .. len) and the word agree as far as both go? */
static bool begins(const void *p, size_t len, struct str word)
{
	return !memcmp(p, word.p, len < word.len ? len : word.len);
}

enum net_proxy net_proxy_decode(const void *p, size_t len, struct net_proxy_header *out)
{
	if (!len)
		return NET_PROXY_MORE;
	if (begins(p, len, line_begin))
		return len < line_begin.len ? NET_PROXY_MORE : decode_v1(p, len, out);
	if (begins(p, len, signature))
		return decode_v2(rd_init(p, len), len, out);
	return NET_PROXY_BAD;
}

size_t net_proxy_encode(const struct addr *client, const struct addr *server, void *buf)
{
	size_t n = addr_ip_len(client);
	struct wr w = wr_init(buf, V2_HEADER_LEN + V2_INET6_LEN);

	BUG_ON(!n || client->family != server->family);
	wr_bytes(&w, signature.p, signature.len);
	wr_u8(&w, VERSION_2 | COMMAND_PROXY);
	wr_u8(&w, (uint8_t)((n == 4 ? FAMILY_INET : FAMILY_INET6) << 4 | PROTOCOL_STREAM));
	wr_u16(&w, n == 4 ? V2_INET_LEN : V2_INET6_LEN);
	wr_bytes(&w, client->ip, n);
	wr_bytes(&w, server->ip, n);
	wr_u16(&w, client->port);
	wr_u16(&w, server->port);
	return wr_len(&w);
}
