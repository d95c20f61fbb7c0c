/* DTLS between net/dtls.c and a client of OpenSSL's, in one thread, over wires that lose and swap
 * datagrams, with a clock that the tests drive. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/time.h>

#include "base/bug.h"
#include "net/cookie.h"
#include "net/dtls.h"
#include "net_pki.h"

enum { WIRE = 64, DATAGRAM = 17000, MAX_MS = 200000, STEP_MS = 50, ALL_DATAGRAMS = 16 };

static uint64_t clock_ms = 1000000;

/* In place of libc's: OpenSSL's timers live by it. */
int gettimeofday(struct timeval *tv, void *zone)
{
	(void)zone;
	tv->tv_sec = (time_t)(clock_ms / 1000);
	tv->tv_usec = (suseconds_t)(clock_ms % 1000 * 1000);
	return 0;
}

/* One direction; what is put in may be lost, or overtaken by the next. */
struct wire {
	struct {
		size_t len;
		uint8_t p[DATAGRAM];
	} queue[WIRE];
	size_t n, n_sent, longest;
	int lose, swap; /* the datagram of that number; -1: none */
};

struct world {
	struct wire up, down;
	struct net_cert *cert;
	struct net_cookie_maker maker;
	struct net_dtls_io *io;
	struct net_dtls *server; /* NULL: no state */
	unsigned n_cookies, n_new, n_timeouts;
	SSL_CTX *ctx;
	SSL *client;
	BIO_METHOD *method;
	enum net_tls_result last; /* of the server's reads */
	uint8_t got[DATAGRAM];
	size_t n_got, n_records;
};

static void put(struct wire *w, const uint8_t *p, size_t len)
{
	int number = (int)w->n_sent++;

	if (len > w->longest)
		w->longest = len;
	if (number == w->lose)
		return;
	assert_in_range(w->n, 0, WIRE - 1);
	assert_in_range(len, 1, DATAGRAM);
	memcpy(w->queue[w->n].p, p, len);
	w->queue[w->n++].len = len;
	if (w->swap >= 0 && number == w->swap + 1 && w->n >= 2) {
		w->queue[w->n] = w->queue[w->n - 1];
		w->queue[w->n - 1] = w->queue[w->n - 2];
		w->queue[w->n - 2] = w->queue[w->n];
	}
}

static bool take(struct wire *w, uint8_t *p, size_t *len)
{
	if (!w->n)
		return false;
	*len = w->queue[0].len;
	memcpy(p, w->queue[0].p, *len);
	w->n--;
	memmove(&w->queue[0], &w->queue[1], w->n * sizeof w->queue[0]);
	return true;
}

/* --- the client's side ----------------------------------------------------------- */

static int client_write(BIO *b, const char *p, int len)
{
	struct world *w = BIO_get_data(b);

	put(&w->up, (const uint8_t *)p, (size_t)len);
	return len;
}

static int client_read(BIO *b, char *p, int cap)
{
	struct world *w = BIO_get_data(b);
	static uint8_t buf[DATAGRAM];
	size_t len;

	BIO_clear_retry_flags(b);
	if (!take(&w->down, buf, &len)) {
		BIO_set_retry_read(b);
		return -1;
	}
	len = len < (size_t)cap ? len : (size_t)cap;
	memcpy(p, buf, len);
	return (int)len;
}

static long client_ctrl(BIO *b, int cmd, long num, void *p)
{
	(void)b;
	(void)num;
	(void)p;
	return cmd == BIO_CTRL_FLUSH ? 1 : cmd == BIO_CTRL_DGRAM_GET_MTU_OVERHEAD ? 28 : 0;
}

static void on_send(void *arg, const uint8_t *p, size_t len)
{
	struct world *w = arg;

	put(&w->down, p, len);
}

static void client_start(struct world *w, const char *alpn)
{
	BIO *b = BIO_new(w->method);

	SSL_free(w->client);
	w->client = SSL_new(w->ctx);
	assert_true(b && w->client);
	BIO_set_data(b, w);
	BIO_set_init(b, 1);
	SSL_set_bio(w->client, b, b);
	SSL_set_connect_state(w->client);
	SSL_set_options(w->client, SSL_OP_NO_QUERY_MTU);
	assert_true(DTLS_set_link_mtu(w->client, 600));
	if (alpn)
		assert_int_equal(SSL_set_alpn_protos(w->client, (const uint8_t *)alpn, (unsigned)strlen(alpn)),
				 0);
}

static struct world *world_new(struct pki *pki)
{
	static const char *const stem[] = { "ec" }, *const alpn[] = { "stun.turn" };
	struct world *w = calloc(1, sizeof *w);
	struct pki_options o;

	X509 *x = pki_cert(pki->ec, &(struct pki_says){ .cn = "turn.test", .days = 10 });

	pki_write_cert("ec.crt", "w", x);
	pki_write_key("ec.key", "w", pki->ec, NULL);
	X509_free(x);
	pki_options(&o, stem, 1);
	o.o.dtls = true;
	o.o.alpn = alpn;
	o.o.n_alpn = 1;
	w->cert = pki_load(&o.o);
	w->up.lose = w->up.swap = w->down.lose = w->down.swap = -1;
	w->maker.key[0] = 11;
	w->maker.key[1] = 12;
	assert_int_equal(addr_parse(str_of("192.0.2.1:5000"), 0, &w->maker.client), OK);
	assert_int_equal(addr_parse(str_of("198.51.100.1:3478"), 0, &w->maker.server), OK);
	assert_int_equal(net_dtls_io_new(&w->io, on_send), OK);
	w->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "client");
	assert_true(BIO_meth_set_write(w->method, client_write));
	assert_true(BIO_meth_set_read(w->method, client_read));
	assert_true(BIO_meth_set_ctrl(w->method, client_ctrl));
	w->ctx = SSL_CTX_new(DTLS_client_method());
	client_start(w, "\x09stun.turn");
	return w;
}

static void world_free(struct world *w)
{
	SSL_free(w->client);
	SSL_CTX_free(w->ctx);
	BIO_meth_free(w->method);
	net_dtls_free(w->server);
	net_dtls_io_free(w->io);
	net_cert_drop(w->cert);
	free(w);
}

/* --- the server's side, as relay/dtls.c has it ----------------------------------- */

static void say_cookie(struct world *w, const struct net_cookie_hello *h)
{
	uint8_t buf[NET_COOKIE_REQUEST];
	struct wr out = wr_init(buf, sizeof buf);

	net_cookie_request(h, &out);
	assert_false(out.bad);
	assert_int_equal(wr_len(&out), NET_COOKIE_REQUEST);
	put(&w->down, buf, sizeof buf);
	w->n_cookies++;
}

static void on_datagram(struct world *w, const uint8_t *p, size_t len)
{
	struct net_cookie_hello h;
	enum net_cookie_kind kind;
	size_t n;

	w->maker.now = clock_ms;
	kind = net_cookie_judge(&w->maker, p, len, &h);
	if (kind == NET_COOKIE_BARE) {
		assert_true(len > NET_COOKIE_REQUEST); /* never more than was asked with */
		say_cookie(w, &h);
		return;
	}
	if (!w->server) {
		if (kind == NET_COOKIE_PROVEN) {
			assert_int_equal(net_dtls_new(&w->server, w->io, w->cert, w, p, len), OK);
			w->n_new++;
		}
		return;
	}
	net_dtls_feed(w->server, p, len);
	while ((w->last = net_dtls_read(w->server, w->got, &n)) == NET_TLS_OK) {
		w->n_got = n;
		w->n_records++;
	}
}

/* All that waits is dealt with, both ways. */
static void settle(struct world *w)
{
	static uint8_t buf[DATAGRAM];
	size_t len;

	do {
		while (take(&w->up, buf, &len))
			on_datagram(w, buf, len);
		ERR_clear_error();
		if (!SSL_is_init_finished(w->client))
			SSL_do_handshake(w->client);
	} while (w->up.n || (w->down.n && !SSL_is_init_finished(w->client)));
}

static bool both_open(const struct world *w)
{
	return w->server && net_dtls_is_open(w->server) && SSL_is_init_finished(w->client);
}

static void timers(struct world *w)
{
	struct timeval left;

	clock_ms += STEP_MS;
	if (DTLSv1_get_timeout(w->client, &left) && !left.tv_sec && !left.tv_usec)
		DTLSv1_handle_timeout(w->client);
	if (w->server && net_dtls_timer_ms(w->server) == 0) {
		w->n_timeouts++;
		assert_int_equal(net_dtls_timeout(w->server), NET_TLS_OK);
	}
}

/* Until both are through; returns how long it took. */
static uint64_t shake(struct world *w)
{
	uint64_t start = clock_ms;

	SSL_do_handshake(w->client);
	settle(w);
	while (!both_open(w)) {
		if (clock_ms - start > MAX_MS)
			fail_msg("the handshake does not end: %s", SSL_state_string_long(w->client));
		timers(w);
		settle(w);
	}
	return clock_ms - start;
}

static void client_says(struct world *w, const void *p, size_t n)
{
	assert_int_equal(SSL_write(w->client, p, (int)n), n);
	settle(w);
}

static void exchange(struct world *w)
{
	char buf[16];

	w->up.lose = w->down.lose = w->up.swap = w->down.swap = -1;
	client_says(w, "ping", 4);
	assert_int_equal(w->n_got, 4);
	assert_memory_equal(w->got, "ping", 4);
	assert_int_equal(net_dtls_write(w->server, "pong!", 5), NET_TLS_OK);
	assert_int_equal(SSL_read(w->client, buf, sizeof buf), 5);
	assert_memory_equal(buf, "pong!", 5);
}

/* --- the tests ------------------------------------------------------------------- */

static void a_client_comes_in_and_talks(void **state)
{
	struct world *w = world_new(*state);
	const uint8_t *alpn;
	unsigned n;

	assert_int_equal(shake(w), 0); /* nothing was waited for */
	assert_int_equal(w->n_cookies, 1);
	assert_int_equal(w->n_new, 1);
	assert_int_equal(SSL_version(w->client), DTLS1_2_VERSION);
	SSL_get0_alpn_selected(w->client, &alpn, &n);
	assert_int_equal(n, 9);
	assert_memory_equal(alpn, "stun.turn", 9);
	assert_non_null(net_dtls_cipher(w->server));
	assert_int_equal(net_dtls_timer_ms(w->server), NET_DTLS_NO_TIMER);
	exchange(w);
	world_free(w);
}

/* Loses or swaps datagram `i` of one direction of the handshake. */
static void with_damage(void **state, bool up, bool swap)
{
	unsigned waited = 0;

	for (int i = 0; i < ALL_DATAGRAMS; i++) {
		struct world *w = world_new(*state);
		struct wire *wire = up ? &w->up : &w->down;

		*(swap ? &wire->swap : &wire->lose) = i;
		waited += shake(w) > 0;
		assert_int_equal(w->n_new, 1);
		exchange(w);
		world_free(w);
	}
	assert_true(swap || waited >= 2); /* else nothing was lost */
}

static void each_lost_datagram_is_made_up_for(void **state)
{
	with_damage(state, true, false);
	with_damage(state, false, false);
}

static void each_overtaken_datagram_does_no_harm(void **state)
{
	with_damage(state, true, true);
	with_damage(state, false, true);
}

/* The bytes of the client's hello, with the server's cookie if it has got one. */
static size_t hello(struct world *w, uint8_t *p)
{
	size_t len = 0;

	SSL_do_handshake(w->client);
	assert_true(take(&w->up, p, &len));
	return len;
}

static enum net_cookie_kind judge(struct world *w, const uint8_t *p, size_t len)
{
	struct net_cookie_hello h;

	return net_cookie_judge(&w->maker, p, len, &h);
}

/* A hello with a good cookie, its length; clock and maker as when it was good. */
static size_t proven(struct world *w, uint8_t *p)
{
	size_t len = hello(w, p);

	on_datagram(w, p, len);
	assert_null(w->server); /* a cookie was sent, and nothing kept */
	assert_int_equal(w->n_cookies, 1);
	len = hello(w, p);
	assert_int_equal(judge(w, p, len), NET_COOKIE_PROVEN);
	return len;
}

static void a_silent_client_is_sent_the_flight_again_then_given_up(void **state)
{
	struct world *w = world_new(*state);
	uint64_t start = clock_ms;
	uint8_t p[DATAGRAM];
	size_t len = proven(w, p), first;

	on_datagram(w, p, len);
	assert_non_null(w->server);
	first = w->down.n_sent;
	for (; net_dtls_timeout(w->server) == NET_TLS_OK; w->n_timeouts++) {
		int ms = net_dtls_timer_ms(w->server);

		assert_in_range(ms, 21, 60000);
		w->down.n = 0;
		clock_ms += (uint64_t)ms - 20; /* OpenSSL takes 15 ms for none */
		assert_int_equal(net_dtls_timeout(w->server), NET_TLS_OK);
		assert_int_equal(w->down.n, 0); /* not yet */
		clock_ms += 20;
	}
	assert_in_range(w->n_timeouts, 4, 20);
	assert_in_range(w->down.n_sent - first, 4, 100);
	assert_in_range(clock_ms - start, 60000, 1000000);
	assert_int_equal(net_dtls_timer_ms(w->server), NET_DTLS_NO_TIMER);
	world_free(w);
}

static void a_cookie_is_good_for_its_client_and_its_time(void **state)
{
	struct world *w = world_new(*state);
	uint8_t p[DATAGRAM];
	size_t len = proven(w, p);
	const struct net_cookie_maker good = w->maker;

	w->maker.client.port ^= 1;
	assert_int_equal(judge(w, p, len), NET_COOKIE_BARE);
	w->maker = good;
	w->maker.server.ip[0] ^= 1;
	assert_int_equal(judge(w, p, len), NET_COOKIE_BARE);
	w->maker = good;
	w->maker.key[1] ^= 1;
	assert_int_equal(judge(w, p, len), NET_COOKIE_BARE);
	w->maker = good;
	w->maker.now += SEC(NET_COOKIE_TTL_S);
	assert_int_equal(judge(w, p, len), NET_COOKIE_PROVEN);
	w->maker.now += SEC(1);
	assert_int_equal(judge(w, p, len), NET_COOKIE_BARE);
	w->maker.now = good.now - SEC(1); /* from the future */
	assert_int_equal(judge(w, p, len), NET_COOKIE_BARE);
	world_free(w);
}

/* Every byte of a good hello is altered in turn, and every one cut off: what was covered makes it bare,
 * what makes no sense makes it nothing, and never is anything kept. */
static void what_a_cookie_covers_cannot_be_altered(void **state)
{
	enum { FIRST = 25, COOKIE = 25 + 2 + 32 + 1 + 1, COOKIE_END = COOKIE + NET_COOKIE_LEN };
	struct world *w = world_new(*state);
	uint8_t p[DATAGRAM];
	size_t len = proven(w, p);

	assert_int_equal(p[COOKIE - 1], NET_COOKIE_LEN);
	for (size_t i = FIRST; i < COOKIE_END; i++) {
		p[i] ^= 0x41;
		assert_int_not_equal(judge(w, p, len), NET_COOKIE_PROVEN);
		p[i] ^= 0x41;
	}
	p[18] ^= 1; /* the message's number: a first hello cannot know a cookie */
	assert_int_equal(judge(w, p, len), NET_COOKIE_BARE);
	p[18] ^= 1;
	for (size_t i = 0; i < len; i++) { /* exact memory, so that a sanitizer sees what is beyond it */
		uint8_t *cut = malloc(i + 1);

		memcpy(cut, p, i);
		assert_int_equal(judge(w, cut, i), NET_COOKIE_NO_HELLO);
		free(cut);
	}
	world_free(w);
}

static void hellos_without_cookies_keep_nothing(void **state)
{
	struct world *w = world_new(*state);
	uint8_t p[DATAGRAM];
	size_t len = hello(w, p);

	for (int i = 0; i < 1000; i++) {
		p[30] = (uint8_t)i;
		on_datagram(w, p, len);
		w->down.n = 0;
	}
	assert_int_equal(w->n_cookies, 1000);
	assert_null(w->server);
	world_free(w);
}

static void garbage_does_no_harm(void **state)
{
	struct world *w = world_new(*state);
	uint8_t p[200];

	shake(w);
	for (unsigned i = 0; i < 20000; i++) {
		size_t len = 1 + i % sizeof p;

		for (size_t k = 0; k < len; k++)
			p[k] = (uint8_t)(i * 7919 >> k % 13);
		p[0] = (uint8_t)(20 + i % 44);
		if (len > 2 && i % 2) {
			p[1] = 0xfe;
			p[2] = 0xfd;
		}
		if (len > 12 && i % 3 == 0) { /* a record of the right epoch and length */
			memset(p + 3, 0, 8);
			p[4] = 1;
			p[11] = 0;
			p[12] = (uint8_t)(len - 13);
		}
		on_datagram(w, p, len);
		assert_int_equal(w->last, NET_TLS_AGAIN);
	}
	w->down.n = 0;
	exchange(w);
	world_free(w);
}

static void a_record_is_a_datagram_and_a_message(void **state)
{
	static const size_t lengths[] = { 1, 100, 1200, 1500, 9000, NET_TLS_RECORD };
	static uint8_t p[NET_TLS_RECORD], back[NET_TLS_RECORD];
	struct world *w = world_new(*state);

	shake(w);
	assert_in_range(w->down.longest, 100, NET_DTLS_MTU - 48);
	w->down.longest = 0;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		size_t n = lengths[i], sent = w->down.n_sent;

		memset(p, (int)i, n);
		assert_int_equal(net_dtls_write(w->server, p, n), NET_TLS_OK);
		assert_int_equal(w->down.n_sent, sent + 1);
		assert_in_range(w->down.longest, n + 1, n + NET_DTLS_OVERHEAD);
		assert_int_equal(SSL_read(w->client, back, sizeof back), n);
		assert_memory_equal(p, back, n);
	}
	world_free(w);
}

static void several_records_of_one_datagram_are_read_all(void **state)
{
	struct world *w = world_new(*state);
	uint8_t p[DATAGRAM], q[DATAGRAM];
	size_t n = 0, m = 0;

	shake(w);
	assert_int_equal(SSL_write(w->client, "one", 3), 3);
	assert_int_equal(SSL_write(w->client, "three", 5), 5);
	assert_true(take(&w->up, p, &n) && take(&w->up, q, &m));
	memcpy(p + n, q, m);
	on_datagram(w, p, n + m);
	assert_int_equal(w->n_records, 2);
	assert_memory_equal(w->got, "three", 5);
	on_datagram(w, p, n + m); /* heard before: RFC 6347 s.4.1.2.6 */
	assert_int_equal(w->n_records, 2);
	world_free(w);
}

static void goodbye_is_heard_and_said(void **state)
{
	struct world *w = world_new(*state);
	char c;

	shake(w);
	SSL_shutdown(w->client);
	settle(w);
	assert_int_equal(w->last, NET_TLS_CLOSED);
	world_free(w);

	w = world_new(*state);
	shake(w);
	net_dtls_free(w->server);
	w->server = NULL;
	assert_int_equal(SSL_read(w->client, &c, 1), 0);
	assert_int_equal(SSL_get_shutdown(w->client), SSL_RECEIVED_SHUTDOWN);
	world_free(w);
}

static void version_1_0_is_refused(void **state)
{
	struct world *w = world_new(*state);
	uint8_t p[DATAGRAM];
	struct net_dtls *d = NULL;
	size_t len;

	SSL_set_security_level(w->client, 0);
	assert_true(SSL_set_min_proto_version(w->client, DTLS1_VERSION));
	assert_true(SSL_set_max_proto_version(w->client, DTLS1_VERSION));
	len = proven(w, p);
	assert_int_equal(net_dtls_new(&d, w->io, w->cert, w, p, len), ERR_MALFORMED);
	assert_null(d);
	world_free(w);
}

/* Two certificates, chosen by name as under TLS; and ECDSA beside RSA for one of them. */
static void names_choose_certificates_as_under_tls(void **state)
{
	static const char *const stem[] = { "one", "two" };
	static const char *const name[] = { "one.test", "two.test", "other.test" };
	struct pki *pki = *state;
	struct world *w = world_new(*state);
	struct pki_options o;
	char cn[64];

	for (int i = 0; i < 2; i++) {
		char file[16], san[32];
		X509 *x;

		snprintf(san, sizeof san, "DNS:%s", name[i]);
		x = pki_cert(i ? pki->rsa : pki->ec, &(struct pki_says){ .cn = name[i], .san = san, .days = 9 });
		snprintf(file, sizeof file, "%s.crt", stem[i]);
		pki_write_cert(file, "w", x);
		snprintf(file, sizeof file, "%s.key", stem[i]);
		pki_write_key(file, "w", i ? pki->rsa : pki->ec, NULL);
		X509_free(x);
	}
	pki_options(&o, stem, 2);
	o.o.dtls = true;
	net_cert_drop(w->cert);
	w->cert = pki_load(&o.o);
	for (int i = 0; i < 3; i++) {
		net_dtls_free(w->server);
		w->server = NULL;
		w->down.n = 0;
		client_start(w, NULL);
		assert_true(SSL_set_tlsext_host_name(w->client, name[i]));
		shake(w);
		X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(w->client)),
					  NID_commonName, cn, sizeof cn);
		assert_string_equal(cn, name[i % 2]);
	}
	world_free(w);
}

static void without_dtls_there_is_no_context(void **state)
{
	static const char *const stem[] = { "ec" };
	struct world *w = world_new(*state);
	struct pki_options o;
	struct net_cert *cert;
	struct net_dtls *d = NULL;
	uint8_t p[DATAGRAM];
	size_t len = proven(w, p);

	pki_options(&o, stem, 1);
	cert = pki_load(&o.o);
	assert_null(net_cert_dtls_context(cert));
	assert_int_equal(net_dtls_new(&d, w->io, cert, w, p, len), ERR_CRYPTO);
	assert_null(d);
	net_cert_drop(cert);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_comes_in_and_talks),
		cmocka_unit_test(each_lost_datagram_is_made_up_for),
		cmocka_unit_test(each_overtaken_datagram_does_no_harm),
		cmocka_unit_test(a_silent_client_is_sent_the_flight_again_then_given_up),
		cmocka_unit_test(a_cookie_is_good_for_its_client_and_its_time),
		cmocka_unit_test(what_a_cookie_covers_cannot_be_altered),
		cmocka_unit_test(hellos_without_cookies_keep_nothing),
		cmocka_unit_test(garbage_does_no_harm),
		cmocka_unit_test(a_record_is_a_datagram_and_a_message),
		cmocka_unit_test(several_records_of_one_datagram_are_read_all),
		cmocka_unit_test(goodbye_is_heard_and_said),
		cmocka_unit_test(version_1_0_is_refused),
		cmocka_unit_test(names_choose_certificates_as_under_tls),
		cmocka_unit_test(without_dtls_there_is_no_context),
	};

	return cmocka_run_group_tests(tests, pki_open, pki_close);
}
