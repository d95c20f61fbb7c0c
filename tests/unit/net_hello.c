/* The name in a ClientHello, whole, in pieces, in many records, and damaged. */
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/hello.h"

struct hello {
	uint8_t p[NET_HELLO_PEEK];
	size_t n;
};

/* What OpenSSL says first when it wants `name` (NULL: no name). */
static void say(struct hello *h, const char *name, int version)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl;
	BIO *out = BIO_new(BIO_s_mem());
	int n;

	assert_true(SSL_CTX_set_max_proto_version(ctx, version));
	ssl = SSL_new(ctx);
	if (name)
		SSL_set_tlsext_host_name(ssl, name);
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
	SSL_set_connect_state(ssl);
	SSL_do_handshake(ssl);
	n = BIO_read(out, h->p, sizeof h->p);
	assert_true(n > 0);
	h->n = (size_t)n;
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

/* From memory of exactly that size. */
static enum net_hello name_of(const uint8_t *p, size_t n, char *name)
{
	uint8_t *exact = malloc(n ? n : 1);
	enum net_hello r;

	memcpy(exact, p, n);
	strcpy(name, "untouched");
	r = net_hello_name(exact, n, name);
	free(exact);
	return r;
}

static void the_name_is_found(void **state)
{
	static const struct {
		const char *asked, *found;
	} row[] = {
		{ "www.example.org", "www.example.org" }, { "WWW.Example.ORG", "www.example.org" },
		{ "www.example.org.", "www.example.org" }, { NULL, "" },
	};
	static const int version[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	char name[NET_HELLO_NAME];
	struct hello h;

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		say(&h, row[i % 4].asked, version[i / 4]);
		assert_int_equal(name_of(h.p, h.n, name), NET_HELLO_OK);
		assert_string_equal(name, row[i % 4].found);
	}
}

static void each_part_of_it_is_waited_for(void **state)
{
	char name[NET_HELLO_NAME];
	struct hello h;

	(void)state;
	say(&h, "www.example.org", TLS1_3_VERSION);
	for (size_t n = 0; n < h.n; n++)
		assert_int_equal(name_of(h.p, n, name), NET_HELLO_MORE);
	h.p[h.n] = 0xff; /* what follows is not looked at */
	assert_int_equal(name_of(h.p, h.n + 1, name), NET_HELLO_OK);
}

/* The same message in records of `each` bytes. */
static void chop(const struct hello *h, size_t each, struct hello *out)
{
	out->n = 0;
	for (size_t at = 5; at < h->n; at += each) {
		size_t n = h->n - at < each ? h->n - at : each;
		const uint8_t head[5] = { 22, 3, 1, (uint8_t)(n >> 8), (uint8_t)n };

		memcpy(out->p + out->n, head, 5);
		memcpy(out->p + out->n + 5, h->p + at, n);
		out->n += 5 + n;
	}
}

static void many_records_are_one_message(void **state)
{
	char name[NET_HELLO_NAME];
	struct hello h, chopped;

	(void)state;
	say(&h, "www.example.org", TLS1_3_VERSION);
	for (size_t each = 1; each < 60; each++) {
		chop(&h, each, &chopped);
		assert_int_equal(name_of(chopped.p, chopped.n - 1, name), NET_HELLO_MORE);
		assert_int_equal(name_of(chopped.p, chopped.n, name), NET_HELLO_OK);
		assert_string_equal(name, "www.example.org");
	}
}

static void what_is_none_is_bad(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
	} row[] = {
		{ "GET / HTTP/1.1\r\n", 16 },
		{ "\x17\x03\x03\x00\x01x", 6 },	      /* application data */
		{ "\x16\x02\x01\x00\x01\x01", 6 },     /* not of TLS */
		{ "\x16\x03\x01\x00\x00", 5 },	      /* an empty record */
		{ "\x16\x03\x01\x40\x01", 5 },	      /* a record too long */
		{ "\x16\x03\x01\x00\x04\x02\x00\x00\x00", 9 }, /* a ServerHello */
		{ "\x16\x03\x01\x00\x04\x01\x00\x40\x00", 9 }, /* longer than is believed */
		{ "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03", 10 }, /* cut inside */
	};
	char name[NET_HELLO_NAME];

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++)
		assert_int_equal(name_of((const uint8_t *)row[i].bytes, row[i].n, name), NET_HELLO_BAD);
}

/* Lengths that lie end in BAD, or do not matter; the sanitizers watch. */
static void every_byte_may_lie(void **state)
{
	char name[NET_HELLO_NAME];
	struct hello h;

	(void)state;
	say(&h, "www.example.org", TLS1_3_VERSION);
	for (size_t i = 0; i < h.n; i++)
		for (int v = 0; v < 256; v += 51) {
			uint8_t was = h.p[i];

			h.p[i] = (uint8_t)v;
			if (name_of(h.p, h.n, name) == NET_HELLO_OK)
				assert_in_range(strlen(name), 0, NET_HELLO_NAME - 1);
			h.p[i] = was;
		}
}

static void names_that_are_no_text_are_none(void **state)
{
	char name[NET_HELLO_NAME];
	struct hello h;
	uint8_t *at;

	(void)state;
	say(&h, "www.example.org", TLS1_3_VERSION);
	at = memmem(h.p, h.n, "www.example.org", 15);
	assert_non_null(at);
	at[3] = '\0';
	assert_int_equal(name_of(h.p, h.n, name), NET_HELLO_OK);
	assert_string_equal(name, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_name_is_found),
		cmocka_unit_test(each_part_of_it_is_waited_for),
		cmocka_unit_test(many_records_are_one_message),
		cmocka_unit_test(what_is_none_is_bad),
		cmocka_unit_test(every_byte_may_lie),
		cmocka_unit_test(names_that_are_no_text_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
