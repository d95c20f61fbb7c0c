/* PROXY headers: what is taken, what is waited for, and what ends the connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bug.h"
#include "net/proxyproto.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(text) { (text), sizeof(text) - 1 }

static const char untouched = 0x5A;

/* From memory of exactly that size, so that a sanitizer sees a look behind it. */
static enum net_proxy decode(const void *p, size_t len, struct net_proxy_header *out)
{
	uint8_t *exact = malloc(len ? len : 1);
	enum net_proxy r;

	assert_non_null(exact);
	if (len)
		memcpy(exact, p, len);
	memset(out, untouched, sizeof *out);
	r = net_proxy_decode(exact, len, out);
	for (size_t i = 0; r && i < sizeof *out; i++)
		assert_int_equal(((char *)out)[i], untouched);
	free(exact);
	return r;
}

static struct addr at(const char *text)
{
	struct addr a = { .family = ADDR_NONE };

	if (text)
		assert_int_equal(addr_parse(str_of(text), 0, &a), OK);
	return a;
}

static const struct good {
	struct str bytes;
	bool local;
	const char *client, *server; /* NULL: unset */
} good[] = {
	{ BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"), false, "192.0.2.7:56324",
	  "198.51.100.1:443" },
	{ BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 0\r\n"), false,
	  "255.255.255.255:65535", "255.255.255.255:0" },
	{ BYTES("PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n"), false, "[2001:db8::7]:56324",
	  "[2001:db8::1]:443" },
	{ BYTES("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	  false, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
	  "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535" },
	{ BYTES("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n"), false, "[::ffff:192.0.2.7]:1", "[::1]:2" },
	{ BYTES("PROXY UNKNOWN\r\n"), true, NULL, NULL },
	{ BYTES("PROXY UNKNOWN and what else one may say\r\n"), true, NULL, NULL },
	{ BYTES("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	  true, NULL, NULL },
	{ BYTES(SIGNATURE "\x21\x11\0\x0C\xC0\0\2\x07\xC6\x33\x64\1\xDC\4\1\xBB"), false,
	  "192.0.2.7:56324", "198.51.100.1:443" },
	/* TLVs follow: an ALPN, and one whose length is a lie */
	{ BYTES(SIGNATURE "\x21\x11\0\x18\xC0\0\2\x07\xC6\x33\x64\1\xDC\4\1\xBB"
			  "\1\0\2h2\2\xFF\xFFxxxx"),
	  false, "192.0.2.7:56324", "198.51.100.1:443" },
	{ BYTES(SIGNATURE "\x21\x21\0\x24\x20\1\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\7"
			  "\x20\1\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\1\xDC\4\1\xBB"),
	  false, "[2001:db8::7]:56324", "[2001:db8::1]:443" },
	/* a datagram's addresses are addresses too */
	{ BYTES(SIGNATURE "\x21\x12\0\x0C\xC0\0\2\x07\xC6\x33\x64\1\xDC\4\1\xBB"), false,
	  "192.0.2.7:56324", "198.51.100.1:443" },
	/* LOCAL: its family and addresses are not to be looked at */
	{ BYTES(SIGNATURE "\x20\0\0\0"), true, NULL, NULL },
	{ BYTES(SIGNATURE "\x20\x11\0\x0C\xC0\0\2\x07\xC6\x33\x64\1\xDC\4\1\xBB"), true, NULL, NULL },
	{ BYTES(SIGNATURE "\x20\xFF\0\3xyz"), true, NULL, NULL },
	/* unspecified family or protocol */
	{ BYTES(SIGNATURE "\x21\0\0\0"), true, NULL, NULL },
	{ BYTES(SIGNATURE "\x21\0\0\5hello"), true, NULL, NULL },
	{ BYTES(SIGNATURE "\x21\x10\0\x0C\xC0\0\2\x07\xC6\x33\x64\1\xDC\4\1\xBB"), true, NULL, NULL },
};

static void check_good(const struct good *g, const struct net_proxy_header *h)
{
	struct addr client = at(g->client), server = at(g->server);

	assert_int_equal(h->len, g->bytes.len);
	assert_int_equal(h->local, g->local);
	assert_true(addr_eq(&h->client, &client));
	assert_true(addr_eq(&h->server, &server));
}

static void takes_what_the_protocol_allows(void **state)
{
	struct net_proxy_header h;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		if (decode(good[i].bytes.p, good[i].bytes.len, &h) != NET_PROXY_OK)
			fail_msg("good[%zu]", i);
		check_good(&good[i], &h);
	}
}

static void waits_at_every_byte_before_the_last(void **state)
{
	struct net_proxy_header h;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		for (size_t n = 0; n < good[i].bytes.len; n++)
			if (decode(good[i].bytes.p, n, &h) != NET_PROXY_MORE)
				fail_msg("good[%zu], the first %zu bytes", i, n);
}

/* What comes after is the connection's own. */
static void stops_where_the_header_ends(void **state)
{
	struct net_proxy_header h;
	char both[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		static const char tail[] = "\r\n\0\x16\x03\x01 1 2\r\n";

		memcpy(both, good[i].bytes.p, good[i].bytes.len);
		memcpy(both + good[i].bytes.len, tail, sizeof tail);
		assert_int_equal(decode(both, good[i].bytes.len + sizeof tail, &h), NET_PROXY_OK);
		check_good(&good[i], &h);
	}
}

static void a_unix_address_is_none_of_ours(void **state)
{
	static const char fixed[] = SIGNATURE "\x21\x31\0\xD8";
	char whole[sizeof fixed - 1 + 216] = { 0 };
	struct net_proxy_header h;

	(void)state;
	memcpy(whole, fixed, sizeof fixed - 1);
	memcpy(whole + 16, "/run/a", 6);
	assert_int_equal(decode(whole, sizeof whole, &h), NET_PROXY_OK);
	assert_int_equal(h.len, sizeof whole);
	assert_false(h.local);
	assert_int_equal(h.client.family, ADDR_NONE);
	assert_int_equal(h.server.family, ADDR_NONE);
	whole[15]--; /* and must have room for two paths */
	assert_int_equal(decode(whole, sizeof whole - 1, &h), NET_PROXY_BAD);
}

static const struct str bad[] = {
	/* something else altogether */
	BYTES("GET / HTTP/1.1\r\n"),
	BYTES("SSH-2.0-x\r\n"),
	BYTES("\x16\x03\x01"),
	BYTES("\0\1\0\0\x21\x12\xA4\x42"),
	BYTES("proxy TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"),
	BYTES("PROXX"),
	BYTES("PROXY\tTCP4"),
	BYTES(" PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"),
	/* words that are not the line's */
	BYTES("PROXY \r\n"),
	BYTES("PROXY  TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"),
	BYTES("PROXY UDP4 192.0.2.7 198.51.100.1 56324 443\r\n"),
	BYTES("PROXY TCP5 192.0.2.7 198.51.100.1 56324 443\r\n"),
	BYTES("PROXY TCP44 192.0.2.7 198.51.100.1 56324 443\r\n"),
	BYTES("PROXY UNKNOWNX\r\n"),
	/* too few, too many, too wide apart */
	BYTES("PROXY TCP4\r\n"),
	BYTES("PROXY TCP4 \r\n"),
	BYTES("PROXY TCP4 192.0.2.7\r\n"),
	BYTES("PROXY TCP4 192.0.2.7 198.51.100.1\r\n"),
	BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n"),
	BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 56324 \r\n"),
	BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443 \r\n"),
	BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443 1\r\n"),
	BYTES("PROXY TCP4 192.0.2.7  198.51.100.1 56324 443\r\n"),
	/* addresses */
	BYTES("PROXY TCP4 192.0.2 198.51.100.1 56324 443\r\n"),
	BYTES("PROXY TCP4 192.0.2.256 198.51.100.1 56324 443\r\n"),
	BYTES("PROXY TCP4 192.0.2.7:9 198.51.100.1 56324 443\r\n"),
	BYTES("PROXY TCP4 host.example 198.51.100.1 56324 443\r\n"),
	BYTES("PROXY TCP4 2001:db8::7 2001:db8::1 56324 443\r\n"),
	BYTES("PROXY TCP4 192.0.2.7 2001:db8::1 56324 443\r\n"),
	BYTES("PROXY TCP6 192.0.2.7 198.51.100.1 56324 443\r\n"),
	BYTES("PROXY TCP6 [2001:db8::7] [2001:db8::1] 56324 443\r\n"),
	BYTES("PROXY TCP6 fe80::1%lo fe80::2 56324 443\r\n"),
	/* ports */
	BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n"),
	BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 99999 443\r\n"),
	BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 4294967739 443\r\n"),
	BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 -1 443\r\n"),
	BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 +1 443\r\n"),
	BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 01 443\r\n"),
	BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 0x1 443\r\n"),
	/* ends of line; said without waiting for more */
	BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\n"),
	BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\rx"),
	BYTES("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\r\n"),
	BYTES("PROXY UNKNOWN \0"),
	/* version 2: other versions, commands, families, protocols */
	BYTES(SIGNATURE "\x11\x11\0\x0C\xC0\0\2\x07\xC6\x33\x64\1\xDC\4\1\xBB"),
	BYTES(SIGNATURE "\x31\x11\0\x0C\xC0\0\2\x07\xC6\x33\x64\1\xDC\4\1\xBB"),
	BYTES(SIGNATURE "\x22\x11\0\x0C\xC0\0\2\x07\xC6\x33\x64\1\xDC\4\1\xBB"),
	BYTES(SIGNATURE "\x2F\x11\0\x0C\xC0\0\2\x07\xC6\x33\x64\1\xDC\4\1\xBB"),
	BYTES(SIGNATURE "\x21\x41\0\x0C\xC0\0\2\x07\xC6\x33\x64\1\xDC\4\1\xBB"),
	BYTES(SIGNATURE "\x21\xF1\0\x0C\xC0\0\2\x07\xC6\x33\x64\1\xDC\4\1\xBB"),
	BYTES(SIGNATURE "\x21\x13\0\x0C\xC0\0\2\x07\xC6\x33\x64\1\xDC\4\1\xBB"),
	/* lengths that do not hold the addresses; said without waiting for those */
	BYTES(SIGNATURE "\x21\x11\0\0"),
	BYTES(SIGNATURE "\x21\x11\0\x0B"),
	BYTES(SIGNATURE "\x21\x21\0\x0C"),
	BYTES(SIGNATURE "\x21\x21\0\x23"),
	/* longer than any balancer's */
	BYTES(SIGNATURE "\x21\x11\x08\x01"),
	BYTES(SIGNATURE "\x21\x11\xFF\xFF"),
	BYTES(SIGNATURE "\x20\0\x08\x01"),
};

static void refuses_what_it_does_not(void **state)
{
	struct net_proxy_header h;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (decode(bad[i].p, bad[i].len, &h) != NET_PROXY_BAD)
			fail_msg("bad[%zu]: %.*s", i, STR_ARG(bad[i]));
}

static void one_wrong_byte_of_the_signature_is_refused_at_once(void **state)
{
	static const char fixed[] = SIGNATURE "\x20\0\0\0";
	struct net_proxy_header h;
	char wrong[sizeof fixed];

	(void)state;
	for (size_t i = 0; i < 12; i++) {
		memcpy(wrong, fixed, sizeof fixed);
		wrong[i] ^= 1;
		if (decode(wrong, i + 1, &h) != NET_PROXY_BAD)
			fail_msg("byte %zu", i);
	}
}

static void a_line_is_at_most_107_bytes(void **state)
{
	struct net_proxy_header h;
	char line[200];

	(void)state;
	memset(line, 'x', sizeof line);
	memcpy(line, "PROXY UNKNOWN ", 14);
	memcpy(line + 105, "\r\n", 2);
	assert_int_equal(decode(line, 106, &h), NET_PROXY_MORE);
	assert_int_equal(decode(line, 107, &h), NET_PROXY_OK);
	assert_int_equal(h.len, 107);
	memcpy(line + 105, "x\r\n", 3);
	assert_int_equal(decode(line, 106, &h), NET_PROXY_MORE);
	assert_int_equal(decode(line, 107, &h), NET_PROXY_BAD);
	assert_int_equal(decode(line, sizeof line, &h), NET_PROXY_BAD);
}

static void two_kilobytes_are_believed(void **state)
{
	static const char fixed[] = SIGNATURE "\x21\x11\x08\0\xC0\0\2\x07\xC6\x33\x64\1\xDC\4\1\xBB";
	char whole[16 + 2048] = { 0 };
	struct net_proxy_header h;

	(void)state;
	memcpy(whole, fixed, sizeof fixed - 1);
	assert_int_equal(decode(whole, sizeof whole - 1, &h), NET_PROXY_MORE);
	assert_int_equal(decode(whole, sizeof whole, &h), NET_PROXY_OK);
	assert_int_equal(h.len, sizeof whole);
	assert_int_equal(h.client.port, 56324);
}

static void writes_what_it_reads(void **state)
{
	static const struct {
		const char *client, *server;
		struct str bytes;
	} row[] = {
		{ "192.0.2.7:56324", "198.51.100.1:443",
		  BYTES(SIGNATURE "\x21\x11\0\x0C\xC0\0\2\x07\xC6\x33\x64\1\xDC\4\1\xBB") },
		{ "[2001:db8::7]:56324", "[2001:db8::1]:443",
		  BYTES(SIGNATURE "\x21\x21\0\x24\x20\1\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\7"
				  "\x20\1\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\1\xDC\4\1\xBB") },
	};
	struct net_proxy_header h;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct addr client = at(row[i].client), server = at(row[i].server);
		uint8_t *buf = malloc(52); /* the least that the caller may give */
		size_t n;

		assert_non_null(buf);
		n = net_proxy_encode(&client, &server, buf);
		assert_int_equal(n, row[i].bytes.len);
		assert_memory_equal(buf, row[i].bytes.p, n);
		assert_int_equal(decode(buf, n, &h), NET_PROXY_OK);
		assert_false(h.local);
		assert_true(addr_eq(&h.client, &client));
		assert_true(addr_eq(&h.server, &server));
		free(buf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_the_protocol_allows),
		cmocka_unit_test(waits_at_every_byte_before_the_last),
		cmocka_unit_test(stops_where_the_header_ends),
		cmocka_unit_test(a_unix_address_is_none_of_ours),
		cmocka_unit_test(refuses_what_it_does_not),
		cmocka_unit_test(one_wrong_byte_of_the_signature_is_refused_at_once),
		cmocka_unit_test(a_line_is_at_most_107_bytes),
		cmocka_unit_test(two_kilobytes_are_believed),
		cmocka_unit_test(writes_what_it_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
