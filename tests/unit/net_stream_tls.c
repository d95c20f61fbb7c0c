/* A client's connection under TLS: the same promises as without, and those about records. */
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/cert.h"
#include "net_stream_world.h"
#include "own_net.h"

enum { FOREVER = 1000000000, TINY = 1 };

/* The far end: a TLS client whose bytes go through here, so that they can be held back and counted. */
struct peer {
	struct world w;
	SSL *ssl;
	BIO *in, *out;
	unsigned n_records; /* of data, from the server */
};

/* What all tests share: made once, for keys take time. */
struct shared {
	struct net_cert *cert;
	SSL_CTX *client;
};

static void on_record(int write_p, int version, int type, const void *p, size_t len, SSL *ssl, void *arg)
{
	struct peer *c = arg;

	(void)version;
	(void)ssl;
	if (!write_p && type == SSL3_RT_HEADER && len == SSL3_RT_HEADER_LENGTH)
		c->n_records += *(const uint8_t *)p == SSL3_RT_APPLICATION_DATA;
}

static void peer_open(struct peer *c, const struct shared *sh, int version, tick queue_ms)
{
	int fd[2], size = TINY;
	struct net_tls *tls;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	assert_int_equal(setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
	world_init(&c->w, fd, queue_ms);
	assert_int_equal(net_tls_new(&tls, sh->cert, fd[0]), OK);
	net_stream_set_tls(&c->w.s, tls);
	c->ssl = SSL_new(sh->client);
	c->in = BIO_new(BIO_s_mem());
	c->out = BIO_new(BIO_s_mem());
	assert_true(c->ssl && c->in && c->out);
	BIO_set_mem_eof_return(c->in, -1);
	SSL_set_bio(c->ssl, c->in, c->out);
	SSL_set_connect_state(c->ssl);
	assert_true(SSL_set_max_proto_version(c->ssl, version));
	SSL_set_msg_callback(c->ssl, on_record);
	SSL_set_msg_callback_arg(c->ssl, c);
	c->n_records = 0;
}

static void peer_close(struct peer *c)
{
	SSL_free(c->ssl);
	world_fini(&c->w);
}

/* What the client has to say, as bytes on the wire. */
static size_t peer_flush(struct peer *c, size_t n)
{
	uint8_t buf[4096];
	size_t total = 0;

	while (total < n) {
		size_t want = n - total < sizeof buf ? n - total : sizeof buf;
		int k = BIO_read(c->out, buf, (int)want);

		if (k <= 0)
			break;
		assert_int_equal(write(c->w.far, buf, (size_t)k), k);
		total += (size_t)k;
	}
	return total;
}

/* The client takes up to n bytes off the wire, and what can be read of them. 0: nothing was there. */
static size_t peer_read(struct peer *c, size_t n)
{
	uint8_t buf[20000];
	size_t total = 0, k_data;
	ssize_t k;

	while (total < n) {
		size_t want = n - total < sizeof buf ? n - total : sizeof buf;

		k = recv(c->w.far, buf, want, 0);
		if (k <= 0)
			break;
		assert_int_equal(BIO_write(c->in, buf, (int)k), k);
		total += (size_t)k;
	}
	while (SSL_read_ex(c->ssl, buf, sizeof buf, &k_data))
		world_got(&c->w, buf, k_data);
	return total;
}

static void shake_hands(struct peer *c)
{
	struct net_stream *s = &c->w.s;
	bool more;

	while (!net_tls_is_open(s->tls) || !SSL_is_init_finished(c->ssl)) {
		SSL_do_handshake(c->ssl);
		peer_flush(c, SIZE_MAX);
		assert_int_equal(net_stream_read(s, c->w.scratch, &more), 0);
		assert_false(more);
		assert_int_equal(s->end, NET_STREAM_OPEN);
		peer_read(c, SIZE_MAX);
	}
	c->n_records = 0;
}

static void peer_start(struct peer *c, const struct shared *sh, int version, tick queue_ms)
{
	peer_open(c, sh, version, queue_ms);
	shake_hands(c);
}

static void peer_say(struct peer *c, const void *p, size_t n)
{
	size_t done;

	assert_int_equal(SSL_write_ex(c->ssl, p, n, &done), 1);
	assert_int_equal(done, n);
}

static void on_far(int fd, void *arg)
{
	(void)fd;
	peer_read(arg, SIZE_MAX);
}

static void drain(struct peer *c)
{
	struct world *w = &c->w;

	assert_int_equal(net_loop_watch(w->loop, &w->far_watch, w->far, on_far, c), OK);
	while (w->s.out_watched)
		assert_int_equal(net_loop_turn(w->loop), OK);
	net_loop_unwatch(&w->far_watch);
	assert_int_equal(w->s.end, NET_STREAM_OPEN);
	assert_null(w->s.pending);
	assert_int_equal(w->s.queued_media + w->s.queued_control, 0);
	peer_read(c, SIZE_MAX); /* a socket pair has all at once */
	world_check_got(w);
}

/* --- out --- */

static void a_burst_is_as_few_records_as_hold_it(void **state)
{
	static const struct {
		uint32_t n, len;
		unsigned records;
	} row[] = {
		{ 1, 100, 1 }, { 64, 100, 1 }, { 3, 1200, 1 }, { 2, 2000, 1 },
	};
	static struct peer c;

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		peer_start(&c, *state, TLS1_3_VERSION, FOREVER);
		for (uint32_t k = 1; k <= row[i].n; k++)
			world_add(&c.w, k, row[i].len, k % 2, 0);
		world_flush(&c.w, net_loop_now(c.w.loop));
		drain(&c);
		assert_int_equal(c.w.n_numbers, row[i].n);
		assert_int_equal(c.n_records, row[i].records);
		peer_close(&c);
	}
}

static void a_record_is_cut_between_messages(void **state)
{
	static struct peer c;
	int big = 1 << 20;

	peer_start(&c, *state, TLS1_3_VERSION, FOREVER);
	assert_int_equal(setsockopt(c.w.s.fd, SOL_SOCKET, SO_SNDBUF, &big, sizeof big), 0);
	for (uint32_t k = 1; k <= 40; k++)
		world_add(&c.w, k, 1200, false, 0);
	world_flush(&c.w, 0);
	assert_false(c.w.s.out_watched);
	drain(&c);
	assert_int_equal(c.w.n_numbers, 40);
	assert_int_equal(c.n_records, 4); /* 13 in each */
	peer_close(&c);
}

static void a_message_longer_than_a_record_arrives(void **state)
{
	static struct peer c;
	int big = 1 << 20;

	for (int fits = 0; fits < 2; fits++) {
		peer_start(&c, *state, TLS1_3_VERSION, FOREVER);
		if (fits)
			assert_int_equal(setsockopt(c.w.s.fd, SOL_SOCKET, SO_SNDBUF, &big, sizeof big), 0);
		world_add(&c.w, 1, 100, false, 0);
		world_add(&c.w, 2, 65540, false, 0);
		world_add(&c.w, 3, 100, true, 0);
		world_add(&c.w, 4, NET_TLS_RECORD + 1, false, 0);
		world_add(&c.w, 5, NET_TLS_RECORD, false, 0);
		world_flush(&c.w, net_loop_now(c.w.loop));
		assert_int_equal(c.w.s.out_watched, !fits);
		drain(&c);
		assert_int_equal(c.w.n_numbers, 5);
		peer_close(&c);
	}
}

/* Whatever the client takes at a time. */
static void nothing_is_lost_that_is_not_dropped(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	static struct peer c;

	for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
		uint32_t dice = 1, number = 0;
		tick now;

		peer_start(&c, *state, versions[v], FOREVER);
		now = net_loop_now(c.w.loop);
		for (int i = 0; i < 300; i++) {
			for (uint32_t n = dice % 9; n; n--) {
				dice = dice * 1103515245 + 12345;
				world_add(&c.w, ++number, HEAD + (dice >> 8) % 1500, dice >> 28 == 0, now);
			}
			dice = dice * 1103515245 + 12345;
			world_flush(&c.w, now);
			peer_read(&c, (dice >> 8) % 7000);
			world_turn(&c.w);
		}
		drain(&c);
		assert_int_equal(c.w.s.dropped, 0);
		assert_int_equal(c.w.n_numbers, number);
		peer_close(&c);
	}
}

static void only_whole_media_is_dropped(void **state)
{
	static struct peer c;
	static bool control[MAX_NUMBERS];
	uint32_t dice = 7, number = 0, n_control = 0, n_came = 0;
	tick now;

	peer_start(&c, *state, TLS1_3_VERSION, 20);
	now = net_loop_now(c.w.loop) - FOREVER;
	for (int i = 0; i < 400; i++, now += 7) {
		for (uint32_t n = (dice >> 5) % 6; n; n--) {
			dice = dice * 1103515245 + 12345;
			control[++number] = dice >> 29 == 0;
			n_control += control[number];
			world_add(&c.w, number, HEAD + (dice >> 8) % 1500, control[number], now);
		}
		dice = dice * 1103515245 + 12345;
		world_flush(&c.w, now);
		peer_read(&c, (dice >> 8) % 2000);
		if (i % 16 == 0)
			world_turn(&c.w);
	}
	drain(&c);
	assert_true(c.w.s.dropped > 0);
	assert_int_equal(c.w.n_numbers + c.w.s.dropped, number);
	for (size_t i = 0; i < c.w.n_numbers; i++)
		n_came += control[c.w.number[i]];
	assert_int_equal(n_came, n_control);
	peer_close(&c);
}

/* --- in --- */

static void a_handshake_and_a_record_may_come_byte_by_byte(void **state)
{
	static struct peer c;
	struct net_stream *s = &c.w.s;
	bool more = true;
	size_t n;

	peer_open(&c, *state, TLS1_3_VERSION, FOREVER);
	while (!net_tls_is_open(s->tls)) {
		SSL_do_handshake(c.ssl);
		while (peer_flush(&c, 1)) {
			assert_int_equal(net_stream_read(s, c.w.scratch, &more), 0);
			assert_false(more);
		}
		peer_read(&c, SIZE_MAX);
	}
	peer_say(&c, "hello", 5);
	do {
		assert_int_equal(peer_flush(&c, 1), 1);
		n = net_stream_read(s, c.w.scratch, &more);
		assert_false(more); /* a part of a record is not worth another call */
	} while (!n);
	assert_int_equal(n, 5);
	assert_memory_equal(c.w.scratch, "hello", 5);
	assert_int_equal(peer_flush(&c, 1), 0);
	assert_int_equal(s->end, NET_STREAM_OPEN);
	peer_close(&c);
}

/* However small the client makes its records, none is left behind; and no read takes them all. */
static void many_small_records_take_many_reads(void **state)
{
	static struct peer c;
	size_t total = 0;
	bool more = true;

	peer_start(&c, *state, TLS1_3_VERSION, FOREVER);
	for (int i = 0; i < 300; i++)
		peer_say(&c, "x", 1);
	peer_flush(&c, SIZE_MAX);
	for (;;) {
		struct pollfd in = { c.w.s.fd, POLLIN, 0 };
		size_t n;

		if (!more && poll(&in, 1, 0) == 0)
			break;
		n = net_stream_read(&c.w.s, c.w.scratch, &more);
		assert_true(n <= 64);
		total += n;
	}
	assert_int_equal(total, 300);
	peer_close(&c);
}

static void much_is_read_in_full_records(void **state)
{
	static uint8_t much[NET_STREAM_READ];
	static struct peer c;
	int big = 1 << 20;
	size_t total = 0, kept = 0;
	bool more;

	peer_start(&c, *state, TLS1_3_VERSION, FOREVER);
	assert_int_equal(setsockopt(c.w.far, SOL_SOCKET, SO_SNDBUF, &big, sizeof big), 0);
	for (size_t i = 0; i < sizeof much; i++)
		much[i] = world_byte(1, i);
	peer_say(&c, much, sizeof much);
	peer_flush(&c, SIZE_MAX);
	while (total < sizeof much) {
		size_t n = net_stream_read(&c.w.s, c.w.scratch, &more);

		assert_true(n > kept && n <= NET_STREAM_READ + kept);
		total += n - kept;
		kept = total < sizeof much ? 7 : 0;
		assert_memory_equal(c.w.scratch + n - 7, much + total - 7, 7);
		assert_int_equal(net_stream_keep(&c.w.s, c.w.scratch + n - kept, kept), OK);
	}
	peer_close(&c);
}

/* The descriptor says nothing of what lies decrypted: the owner has to be called. */
static void what_tls_holds_is_told_of_when_reading_goes_on(void **state)
{
	static struct peer c;
	struct world *w = &c.w;
	uint32_t number = 1;
	size_t n = 0;
	bool more;

	peer_start(&c, *state, TLS1_3_VERSION, FOREVER);
	for (int i = 0; i < 100; i++)
		peer_say(&c, "x", 1);
	peer_flush(&c, SIZE_MAX);
	n = net_stream_read(&w->s, w->scratch, &more);
	assert_true(n > 0 && n < 100);
	while (!w->s.in_paused)
		world_say(w, number++, 5000, true, net_loop_now(w->loop));
	assert_int_equal(net_stream_read(&w->s, w->scratch, &more), 0);
	assert_false(more);
	world_turn(w);
	assert_int_equal(w->n_input, 0);
	drain(&c);
	assert_true(w->n_input > 0);
	do {
		n += net_stream_read(&w->s, w->scratch, &more);
	} while (more);
	assert_int_equal(n, 100);
	assert_int_equal(w->n_numbers, number - 1);
	peer_close(&c);
}

/* --- ends --- */

static void ends_are_told_apart(void **state)
{
	enum way { GOODBYE, CLOSE, GARBAGE };
	static const struct {
		enum way way;
		enum net_stream_end end;
	} row[] = {
		{ GOODBYE, NET_STREAM_CLOSED },
		{ CLOSE, NET_STREAM_CLOSED }, /* most clients just go */
		{ GARBAGE, NET_STREAM_TLS_ERROR },
	};
	static struct peer c;
	bool more;

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		peer_start(&c, *state, TLS1_3_VERSION, FOREVER);
		peer_say(&c, "last", 4);
		if (row[i].way == GOODBYE)
			SSL_shutdown(c.ssl);
		peer_flush(&c, SIZE_MAX);
		if (row[i].way == GARBAGE)
			assert_int_equal(write(c.w.far, "GET / HTTP/1.1\r\n\r\n", 18), 18);
		if (row[i].way == CLOSE)
			assert_int_equal(shutdown(c.w.far, SHUT_WR), 0);
		assert_int_equal(net_stream_read(&c.w.s, c.w.scratch, &more), 4); /* what came before counts */
		assert_memory_equal(c.w.scratch, "last", 4);
		assert_false(more);
		assert_int_equal(net_stream_read(&c.w.s, c.w.scratch, &more), 0);
		if (c.w.s.end != row[i].end)
			fail_msg("row %zu: %d", i, c.w.s.end);
		peer_close(&c);
	}
}

static void no_tls_at_all_is_an_error(void **state)
{
	static const char *const said[] = { "\x16\x03\x01 what is this, then?", "GET / HTTP/1.1\r\n\r\n" };
	static struct peer c;
	bool more;

	for (size_t i = 0; i < ARRAY_LEN(said); i++) {
		peer_open(&c, *state, TLS1_3_VERSION, FOREVER);
		assert_true(write(c.w.far, said[i], strlen(said[i])) > 0);
		for (int k = 0; k < 3 && !c.w.s.end; k++)
			assert_int_equal(net_stream_read(&c.w.s, c.w.scratch, &more), 0);
		if (i == 1)
			assert_int_equal(c.w.s.end, NET_STREAM_TLS_ERROR);
		peer_close(&c); /* in the middle of a handshake, and after it failed */
	}
}

static void goodbye_is_said(void **state)
{
	static struct peer c;
	int far;

	peer_start(&c, *state, TLS1_3_VERSION, FOREVER);
	far = dup(c.w.far);
	assert_true(far >= 0);
	net_stream_fini(&c.w.s);
	peer_read(&c, SIZE_MAX);
	assert_int_equal(SSL_get_shutdown(c.ssl), SSL_RECEIVED_SHUTDOWN);
	assert_int_equal(net_stream_init(&c.w.s, c.w.loop, far, 0, world_on_input, &c.w), OK);
	peer_close(&c);
}

static void memory_comes_back_with_all_in_it(void **state)
{
	static struct peer c;

	peer_start(&c, *state, TLS1_3_VERSION, FOREVER);
	for (uint32_t i = 1; i < 100; i++)
		world_say(&c.w, i, 5000, i % 2, net_loop_now(c.w.loop));
	assert_non_null(c.w.s.pending);
	assert_int_equal(net_stream_keep(&c.w.s, c.w.scratch, 100), OK);
	peer_close(&c);
}

/* A certificate that is its own issuer, and its key, into a new file of the template `path`. */
static bool pem_write(char *path)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);
	int fd = mkstemp(path);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	bool ok;

	ok = key && f && X509_set_version(cert, X509_VERSION_3) &&
	     ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) && X509_gmtime_adj(X509_getm_notBefore(cert), 0) &&
	     X509_gmtime_adj(X509_getm_notAfter(cert), 86400) && X509_set_pubkey(cert, key) &&
	     X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"turn.example", -1, -1, 0) &&
	     X509_set_issuer_name(cert, name) && X509_sign(cert, key, EVP_sha256()) &&
	     PEM_write_X509(f, cert) && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	if (f)
		ok = !fclose(f) && ok;
	X509_free(cert);
	EVP_PKEY_free(key);
	return ok;
}

static int make_shared(void **state)
{
	static struct shared sh;
	char path[] = "/tmp/net_stream_tls.XXXXXX", why[256] = "";
	const struct net_cert_pair pair = { path, path };
	const struct net_cert_options o = { .pairs = &pair, .n_pairs = 1, .min_version = TLS1_2_VERSION };
	bool written = pem_write(path);
	enum err e = written ? net_cert_load(&sh.cert, &o, why, sizeof why) : ERR_SYS;

	unlink(path);
	if (e)
		fprintf(stderr, "no certificate: %s %s\n", err_text(e), why);
	sh.client = SSL_CTX_new(TLS_client_method());
	*state = &sh;
	return e != OK || !sh.client;
}

static int free_shared(void **state)
{
	struct shared *sh = *state;

	net_cert_drop(sh->cert);
	SSL_CTX_free(sh->client);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_is_as_few_records_as_hold_it),
		cmocka_unit_test(a_record_is_cut_between_messages),
		cmocka_unit_test(a_message_longer_than_a_record_arrives),
		cmocka_unit_test(nothing_is_lost_that_is_not_dropped),
		cmocka_unit_test(only_whole_media_is_dropped),
		cmocka_unit_test(a_handshake_and_a_record_may_come_byte_by_byte),
		cmocka_unit_test(many_small_records_take_many_reads),
		cmocka_unit_test(much_is_read_in_full_records),
		cmocka_unit_test(what_tls_holds_is_told_of_when_reading_goes_on),
		cmocka_unit_test(ends_are_told_apart),
		cmocka_unit_test(no_tls_at_all_is_an_error),
		cmocka_unit_test(goodbye_is_said),
		cmocka_unit_test(memory_comes_back_with_all_in_it),
	};

	own_net();
	return cmocka_run_group_tests(tests, make_shared, free_shared);
}
