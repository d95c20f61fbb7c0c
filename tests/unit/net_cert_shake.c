/* Certificates in use: which one a client sees, what it may negotiate, and whom it must be. */
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include "base/bug.h"
#include "net_shake.h"

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static int open_with_pairs(void **state)
{
	const struct pki *p;

	pki_open(state);
	p = *state;
	pki_pair("first", p->ec, "DNS:first.example.org", 90);
	pki_pair("turn", p->ec, "DNS:turn.example.com", 90);
	pki_pair("wild", p->ec, "DNS:*.example.com,DNS:example.com", 90);
	pki_pair("named.example.net", p->ec, NULL, 90);
	pki_pair("rsa", p->rsa, "DNS:first.example.org", 90);
	pki_pair("ed", p->ed, "DNS:first.example.org", 90);
	return 0;
}

static struct net_cert *load_first(void)
{
	struct pki_options o;

	pki_options(&o, (const char *const[]){ "first" }, 1);
	return pki_load(&o.o);
}

static void sni_chooses_among_the_certificates(void **state)
{
	static const char *const stems[] = { "first", "turn", "wild", "named.example.net" };
	static const struct {
		const char *sni, *cn;
	} rows[] = {
		{ NULL, "first" },
		{ "first.example.org", "first" },
		{ "turn.example.com", "turn" },
		{ "TURN.Example.COM", "turn" },
		{ "turn.example.com.", "turn" },
		{ "relay.example.com", "wild" },
		{ "RELAY.example.com", "wild" },
		{ "example.com", "wild" },
		{ "a.turn.example.com", "first" },
		{ "named.example.net", "named.example.net" },
		{ "unknown.example.net", "first" },
		{ ".example.com", "first" },
		{ "com", "first" },
	};
	struct pki_options o;
	struct net_cert *c;

	(void)state;
	pki_options(&o, stems, ARRAY_LEN(stems));
	c = pki_load(&o.o);
	for (size_t i = 0; i < ARRAY_LEN(rows) * ARRAY_LEN(versions); i++) {
		struct shake *s =
			shake(c, &(struct shake_client){ .sni = rows[i / 2].sni,
							 .version = versions[i % 2] });

		assert_true(s->done);
		assert_string_equal(s->cn, rows[i / 2].cn);
		shake_free(s);
	}
	net_cert_drop(c);
}

static void keys_of_each_kind_serve_together(void **state)
{
	static const struct {
		const char *sigalgs, *cn;
	} rows[] = {
		{ "ECDSA+SHA256", "first" },
		{ "RSA-PSS+SHA256", "rsa" },
		{ "ed25519", "ed" },
	};
	struct pki_options o;
	struct net_cert *c;

	(void)state;
	pki_options(&o, (const char *const[]){ "rsa", "ed", "first" }, 3);
	c = pki_load(&o.o);
	for (size_t i = 0; i < ARRAY_LEN(rows) * ARRAY_LEN(versions); i++) {
		struct shake *s =
			shake(c, &(struct shake_client){ .sigalgs = rows[i / 2].sigalgs,
							 .version = versions[i % 2] });

		assert_true(s->done);
		assert_string_equal(s->cn, rows[i / 2].cn);
		shake_free(s);
	}
	net_cert_drop(c);
}

static void the_whole_chain_is_shown(void **state)
{
	const struct pki *p = *state;
	X509 *root = pki_cert(p->rsa, &(struct pki_says){ .cn = "root", .days = 9 });
	const struct pki_says says = {
		.cn = "leaf", .days = 9, .issuer = root, .issuer_key = p->rsa
	};
	X509 *leaf = pki_cert(p->ec, &says);
	struct pki_options o;
	struct net_cert *c;
	struct shake *s;

	pki_write_cert("leaf.crt", "w", leaf);
	pki_write_cert("leaf.crt", "a", root);
	pki_write_key("leaf.key", "w", p->ec, NULL);
	pki_options(&o, (const char *const[]){ "leaf" }, 1);
	c = pki_load(&o.o);
	s = shake(c, &(struct shake_client){ 0 });
	assert_int_equal(s->n_chain, 2);
	assert_string_equal(s->cn, "leaf");
	shake_free(s);
	net_cert_drop(c);

	/* those whom clients are verified by are not made part of it */
	pki_write_cert("leaf.crt", "w", leaf);
	pki_write_cert("root.pem", "w", root);
	o.o.ca_file = "root.pem";
	c = pki_load(&o.o);
	s = shake(c, &(struct shake_client){ .cert = leaf, .key = p->ec });
	assert_true(s->done);
	assert_int_equal(s->n_chain, 1);
	shake_free(s);
	net_cert_drop(c);
	X509_free(leaf);
	X509_free(root);
}

static void versions_before_the_oldest_are_refused(void **state)
{
	static const struct {
		int min, client;
		bool spoken;
	} rows[] = {
		{ TLS1_2_VERSION, TLS1_VERSION, false },
		{ TLS1_2_VERSION, TLS1_1_VERSION, false },
		{ TLS1_2_VERSION, TLS1_2_VERSION, true },
		{ TLS1_2_VERSION, TLS1_3_VERSION, true },
		{ TLS1_3_VERSION, TLS1_2_VERSION, false },
		{ TLS1_3_VERSION, TLS1_3_VERSION, true },
	};
	struct pki_options o;

	(void)state;
	pki_options(&o, (const char *const[]){ "first", "turn" }, 2);
	/* level 0: it is not for want of a signature with SHA-1 that TLS 1.0 is refused */
	o.o.cipher_list = "TLS_AES_128_GCM_SHA256:ALL:@SECLEVEL=0";
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct net_cert *c;
		struct shake *s;

		o.o.min_version = rows[i].min;
		c = pki_load(&o.o);
		s = shake(c, &(struct shake_client){ .version = rows[i].client,
						     .sni = "turn.example.com" });
		assert_int_equal(s->done, rows[i].spoken);
		assert_int_equal(s->version, rows[i].spoken ? rows[i].client : 0);
		assert_int_equal(s->server_reason,
				 rows[i].spoken ? 0 : SSL_R_UNSUPPORTED_PROTOCOL);
		shake_free(s);
		net_cert_drop(c);
	}
}

static void alpn_is_chosen_by_our_preference(void **state)
{
	static const char *const ours[] = { "stun.turn", "stun.nat-discovery" };
	static const struct {
		const char *theirs, *chosen;
	} rows[] = {
		{ NULL, "" },
		{ "\x09stun.turn", "stun.turn" },
		{ "\x12stun.nat-discovery", "stun.nat-discovery" },
		{ "\x12stun.nat-discovery\x08http/1.1\x09stun.turn", "stun.turn" },
		{ "\x02h2\x08http/1.1", "" }, /* and no alert */
		{ "\x08stun.tur", "" },
	};
	struct pki_options o;
	struct net_cert *c;

	(void)state;
	pki_options(&o, (const char *const[]){ "first", "turn" }, 2);
	o.o.alpn = ours;
	o.o.n_alpn = ARRAY_LEN(ours);
	c = pki_load(&o.o);
	for (size_t i = 0; i < ARRAY_LEN(rows) * 2; i++) {
		struct shake *s = shake(
			c, &(struct shake_client){ .alpn = rows[i / 2].theirs,
						   .sni = i % 2 ? "turn.example.com" : NULL });

		assert_true(s->done);
		assert_string_equal(s->alpn, rows[i / 2].chosen);
		shake_free(s);
	}
	net_cert_drop(c);
}

static void a_mixed_list_of_ciphers_rules_both_versions(void **state)
{
	static const char chacha13[] = "TLS_CHACHA20_POLY1305_SHA256",
			  aes13[] = "TLS_AES_128_GCM_SHA256";
	static const char aes12[] = "ECDHE-ECDSA-AES128-GCM-SHA256",
			  big12[] = "ECDHE-ECDSA-AES256-GCM-SHA384";
	static const struct {
		const char *list;
		int version;
		const char *cipher; /* NULL: none is common */
	} rows[] = {
		{ "TLS_AES_128_GCM_SHA256:ECDHE-ECDSA-AES256-GCM-SHA384", TLS1_2_VERSION,
		  big12 },
		{ "ECDHE-ECDSA-AES256-GCM-SHA384:TLS_AES_128_GCM_SHA256", TLS1_3_VERSION,
		  aes13 },
		{ "ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES256-GCM-SHA384", TLS1_2_VERSION,
		  aes12 },
		{ "TLS_CHACHA20_POLY1305_SHA256", TLS1_3_VERSION, chacha13 },
		{ "TLS_CHACHA20_POLY1305_SHA256", TLS1_2_VERSION, NULL },
		{ "HIGH:!AESGCM:!CHACHA20", TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384" },
	};
	struct pki_options o;

	(void)state;
	pki_options(&o, (const char *const[]){ "first" }, 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct net_cert *c;
		struct shake *s;

		o.o.cipher_list = rows[i].list;
		c = pki_load(&o.o);
		s = shake(c, &(struct shake_client){ .version = rows[i].version });
		assert_int_equal(s->done, rows[i].cipher != NULL);
		assert_string_equal(s->cipher, rows[i].cipher ? rows[i].cipher : "");
		shake_free(s);
		net_cert_drop(c);
	}
}

static void without_a_list_small_suites_go_first(void **state)
{
	static const struct {
		const char *suites, *cipher;
	} rows[] = {
		{ "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256" },
		{ "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384" },
		/* its processor has no instructions for AES */
		{ "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256",
		  "TLS_CHACHA20_POLY1305_SHA256" },
		{ "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256" },
	};
	struct pki_options o;
	struct net_cert *c;

	(void)state;
	pki_options(&o, (const char *const[]){ "first" }, 1);
	c = pki_load(&o.o);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct shake *s = shake(c, &(struct shake_client){ .version = TLS1_3_VERSION,
								   .suites = rows[i].suites });

		assert_true(s->done);
		assert_string_equal(s->cipher, rows[i].cipher);
		shake_free(s);
	}
	net_cert_drop(c);
}

static void clients_must_show_a_certificate_that_is_verified(void **state)
{
	const struct pki *p = *state;
	X509 *root = pki_cert(p->rsa, &(struct pki_says){ .cn = "clients", .days = 9 });
	const struct pki_says says = {
		.cn = "client", .days = 9, .issuer = root, .issuer_key = p->rsa
	};
	const struct pki_says old = {
		.cn = "old", .days = -1, .issuer = root, .issuer_key = p->rsa
	};
	X509 *certs[] = { pki_cert(p->ec2, &says), NULL, pki_cert(p->ec2, &old),
			  pki_cert(p->ec2, &(struct pki_says){ .cn = "client", .days = 9 }) };
	static const int reasons[] = { 0, SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE,
				       SSL_R_CERTIFICATE_VERIFY_FAILED,
				       SSL_R_CERTIFICATE_VERIFY_FAILED };
	struct pki_options o;
	struct net_cert *c;

	pki_write_cert("clients.pem", "w", root);
	pki_options(&o, (const char *const[]){ "first", "turn" }, 2);
	o.o.ca_file = "clients.pem";
	c = pki_load(&o.o);
	for (size_t i = 0; i < ARRAY_LEN(reasons) * 4; i++) {
		struct shake *s = shake(
			c, &(struct shake_client){ .cert = certs[i / 4],
						   .key = p->ec2,
						   .version = versions[i % 2],
						   .sni = i & 2 ? "turn.example.com" : NULL });

		assert_int_equal(s->done, reasons[i / 4] == 0);
		assert_int_equal(s->server_reason, reasons[i / 4]);
		assert_int_equal(s->n_authorities, s->done ? 1 : 0);
		shake_free(s);
	}
	net_cert_drop(c);
	for (size_t i = 0; i < ARRAY_LEN(certs); i++)
		X509_free(certs[i]);
	X509_free(root);
}

/* Video comes in bursts of a dozen records: one read(2) has to take them all. */
static void reads_many_records_at_once(void **state)
{
	struct net_cert *c = load_first();
	struct shake s = { 0 };
	SSL_CTX *ctx = shake_context(&(struct shake_client){ 0 }, &s);
	SSL *client = shake_open_client(ctx, &(struct shake_client){ 0 }),
	    *server = SSL_new(net_cert_context(c));
	static const uint8_t payload[1200];
	uint8_t got[sizeof payload];
	size_t n;
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	assert_true(SSL_set_fd(client, fd[0]) && SSL_set_fd(server, fd[1]));
	SSL_set_accept_state(server);
	shake_run(server, client, &s);
	assert_true(s.done);
	for (int i = 0; i < 20; i++)
		assert_true(SSL_write_ex(client, payload, sizeof payload, &n));
	assert_true(SSL_read_ex(server, got, sizeof got, &n));
	assert_int_equal(poll(&(struct pollfd){ .fd = fd[1], .events = POLLIN }, 1, 0), 0);
	for (int i = 1; i < 20; i++)
		assert_true(SSL_read_ex(server, got, sizeof got, &n) && n == sizeof got);
	assert_false(SSL_has_pending(server));
	SSL_free(client);
	SSL_free(server);
	SSL_SESSION_free(s.session);
	SSL_CTX_free(ctx);
	close(fd[0]);
	close(fd[1]);
	net_cert_drop(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sni_chooses_among_the_certificates),
		cmocka_unit_test(keys_of_each_kind_serve_together),
		cmocka_unit_test(the_whole_chain_is_shown),
		cmocka_unit_test(versions_before_the_oldest_are_refused),
		cmocka_unit_test(alpn_is_chosen_by_our_preference),
		cmocka_unit_test(a_mixed_list_of_ciphers_rules_both_versions),
		cmocka_unit_test(without_a_list_small_suites_go_first),
		cmocka_unit_test(clients_must_show_a_certificate_that_is_verified),
		cmocka_unit_test(reads_many_records_at_once),
	};

	return cmocka_run_group_tests(tests, open_with_pairs, pki_close);
}
