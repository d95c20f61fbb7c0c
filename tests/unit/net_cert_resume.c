/* Sessions that are resumed, for as long as their ticket's key lives and no longer; OCSP
 * responses. */
#include <openssl/ocsp.h>
#include <time.h>

#include "base/bug.h"
#include "base/tick.h"
#include "net_shake.h"

enum { ROTATE_S = 3600 };

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static int open_with_pairs(void **state)
{
	const struct pki *p;

	pki_open(state);
	p = *state;
	pki_pair("first", p->ec, "DNS:first.example.org", 90);
	pki_pair("rsa", p->rsa, "DNS:first.example.org", 90);
	pki_pair("turn", p->ec, "DNS:turn.example.com", 90);
	return 0;
}

/* --- tickets --------------------------------------------------------------------- */

static struct net_tickets *new_tickets(void)
{
	struct net_tickets *t = NULL;

	assert_int_equal(net_tickets_new(&t, ROTATE_S), OK);
	return t;
}

static struct net_cert *load_with(struct net_tickets *t, const char *ca_file)
{
	struct pki_options o;

	pki_options(&o, (const char *const[]){ "first", "turn" }, 2);
	o.o.tickets = t;
	o.o.ca_file = ca_file;
	return pki_load(&o.o);
}

/* Time passes for the keys: they follow the latest that anybody tells them. */
static void pass(struct net_tickets *t, tick rotations)
{
	struct net_tickets_key k;

	net_tickets_current(t, tick_now() + SEC(rotations * ROTATE_S), &k);
}

/* Connects, and again with what ticket came of it; between the two `rotations` go by and
 * `first` becomes `then`. */
static bool comes_back(struct net_cert *first, struct net_cert *then, struct shake_client *who,
		       struct net_tickets *t, tick rotations)
{
	struct shake *s = shake(first, who), *again;
	bool resumed;

	assert_true(s->done);
	assert_false(s->resumed);
	assert_int_equal(s->n_tickets, 1);
	assert_non_null(s->session);
	if (rotations)
		pass(t, rotations);
	who->session = s->session;
	again = shake(then, who);
	assert_true(again->done);
	resumed = again->resumed;
	who->session = NULL;
	shake_free(s);
	shake_free(again);
	return resumed;
}

static void a_session_outlives_a_reload(void **state)
{
	struct net_tickets *t = new_tickets();
	struct net_cert *before = load_with(t, NULL), *after = load_with(t, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(versions) * 2; i++) {
		struct shake_client who = { .version = versions[i % 2],
					    .sni = i / 2 ? "turn.example.com" : NULL };

		assert_true(comes_back(before, after, &who, t, 0));
	}
	net_cert_drop(before);
	net_cert_drop(after);
	net_tickets_free(t);
}

static void a_ticket_is_good_for_two_rotations_and_not_for_three(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(versions) * 5; i++) {
		struct net_tickets *t = new_tickets();
		struct net_cert *c = load_with(t, NULL);
		struct shake_client who = { .version = versions[i % 2] };

		assert_int_equal(comes_back(c, c, &who, t, i / 2), i / 2 <= 2);
		net_cert_drop(c);
		net_tickets_free(t);
	}
}

static void keys_of_another_server_open_nothing(void **state)
{
	struct net_tickets *t = new_tickets(), *others = new_tickets();
	struct net_cert *c = load_with(t, NULL), *other = load_with(others, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(versions); i++)
		assert_false(comes_back(
			c, other, &(struct shake_client){ .version = versions[i] }, t, 0));
	net_cert_drop(c);
	net_cert_drop(other);
	net_tickets_free(t);
	net_tickets_free(others);
}

/* So that a client that comes back time and again never has to start anew. */
static void who_comes_back_gets_a_ticket_of_the_current_key(void **state)
{
	struct net_tickets *t = new_tickets();
	struct net_cert *c = load_with(t, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct shake_client who = { .version = versions[i] };
		struct shake *s = shake(c, &who), *next;

		for (int turn = 1; turn <= 6; turn++) {
			pass(t, (tick)turn + 6 * i);
			who.session = s->session;
			next = shake(c, &who);
			assert_true(next->done && next->resumed);
			assert_int_equal(next->n_tickets, versions[i] == TLS1_3_VERSION);
			shake_free(s);
			s = next;
		}
		shake_free(s);
	}
	net_cert_drop(c);
	net_tickets_free(t);
}

static void without_tickets_nothing_is_resumed(void **state)
{
	struct net_cert *c = load_with(NULL, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct shake *s = shake(c, &(struct shake_client){ .version = versions[i] });

		assert_true(s->done);
		assert_int_equal(s->n_tickets, 0);
		assert_null(s->session);
		shake_free(s);
	}
	net_cert_drop(c);
}

/* Clients would come with tickets that nobody can open any more, or throw good ones away. */
static void a_ticket_tells_how_long_it_is_good(void **state)
{
	static const struct {
		int64_t rotate_s;
		unsigned long hint_s;
	} rows[] = { { ROTATE_S, 2 * ROTATE_S }, { 86400 * 30, 604800 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows) * ARRAY_LEN(versions); i++) {
		struct net_tickets *t = NULL;
		struct net_cert *c;
		struct shake *s;

		assert_int_equal(net_tickets_new(&t, rows[i / 2].rotate_s), OK);
		c = load_with(t, NULL);
		s = shake(c, &(struct shake_client){ .version = versions[i % 2] });
		assert_non_null(s->session);
		assert_int_equal(SSL_SESSION_get_ticket_lifetime_hint(s->session),
				 rows[i / 2].hint_s);
		shake_free(s);
		net_cert_drop(c);
		net_tickets_free(t);
	}
}

/* A ticket must not stand in for a certificate that was never verified, or no longer would be.
 * */
static void a_ticket_does_not_get_around_the_authorities(void **state)
{
	const struct pki *p = *state;
	X509 *one = pki_cert(p->rsa, &(struct pki_says){ .cn = "one", .days = 9 });
	X509 *two = pki_cert(p->rsa, &(struct pki_says){ .cn = "two", .days = 9 });
	const struct pki_says says = {
		.cn = "client", .days = 9, .issuer = one, .issuer_key = p->rsa
	};
	X509 *client = pki_cert(p->ec2, &says);
	struct net_tickets *t = new_tickets();
	struct net_cert *open, *by_one, *by_both;

	pki_write_cert("one.pem", "w", one);
	pki_write_cert("both.pem", "w", one);
	pki_write_cert("both.pem", "a", two);
	open = load_with(t, NULL);
	by_one = load_with(t, "one.pem");
	by_both = load_with(t, "both.pem");
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct shake_client who = { .version = versions[i],
					    .cert = client,
					    .key = p->ec2 };

		assert_true(comes_back(by_one, by_one, &who, t, 0));
		assert_false(comes_back(by_one, by_both, &who, t, 0));
		assert_false(comes_back(open, by_one, &who, t, 0));
		assert_false(comes_back(by_one, open, &who, t, 0));
	}
	net_cert_drop(open);
	net_cert_drop(by_one);
	net_cert_drop(by_both);
	net_tickets_free(t);
	X509_free(one);
	X509_free(two);
	X509_free(client);
}

/* --- OCSP ------------------------------------------------------------------------ */

static X509 *read_cert(const char *file)
{
	FILE *f = fopen(file, "r");
	X509 *x;

	assert_non_null(f);
	x = PEM_read_X509(f, NULL, NULL, NULL);
	assert_non_null(x);
	fclose(f);
	return x;
}

/* A response about `cert`, signed by its own key; good for `days` from now, 0: it names no end.
 * Returns its length. */
static size_t write_staple(const char *file, const char *cert, EVP_PKEY *key, long days)
{
	X509 *x = read_cert(cert);
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	OCSP_CERTID *id = OCSP_cert_to_id(NULL, x, x);
	ASN1_TIME *since = X509_gmtime_adj(NULL, -86400 * 2),
		  *until = X509_gmtime_adj(NULL, 86400 * days);
	OCSP_RESPONSE *r;
	uint8_t *der = NULL;
	int len;

	assert_non_null(OCSP_basic_add1_status(basic, id, V_OCSP_CERTSTATUS_GOOD, 0, NULL,
					       since, days ? until : NULL));
	assert_true(OCSP_basic_sign(basic, x, key, EVP_sha256(), NULL, 0));
	r = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	len = i2d_OCSP_RESPONSE(r, &der);
	assert_in_range(len, 1, sizeof((struct shake *)0)->staple);
	pki_write(file, "w", der, (size_t)len);
	OPENSSL_free(der);
	OCSP_RESPONSE_free(r);
	OCSP_BASICRESP_free(basic);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(since);
	ASN1_TIME_free(until);
	X509_free(x);
	return (size_t)len;
}

static void expect_staple(const struct net_cert *c, const struct shake_client *who,
			  const char *file, size_t len)
{
	struct shake *s = shake(c, who);
	uint8_t bytes[sizeof s->staple];

	assert_true(s->done);
	assert_int_equal(s->staple_len, len);
	if (len) {
		FILE *f = fopen(file, "r");

		assert_non_null(f);
		assert_int_equal(fread(bytes, 1, sizeof bytes, f), len);
		assert_memory_equal(s->staple, bytes, len);
		fclose(f);
	}
	shake_free(s);
}

static void the_response_is_stapled_to_the_first_certificate_alone(void **state)
{
	const struct pki *p = *state;
	size_t len = write_staple("staple.der", "first.crt", p->ec, 3);
	struct pki_options o;
	struct net_cert *c;
	time_t now = time(NULL);

	pki_options(&o, (const char *const[]){ "first", "rsa", "turn" }, 3);
	o.o.ocsp_file = "staple.der";
	c = pki_load(&o.o);
	assert_in_range(net_cert_staple_expires(c), now + 3 * 86400 - 600,
			now + 3 * 86400 + 600);
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct shake_client who = { .version = versions[i], .sigalgs = "ECDSA+SHA256" };

		expect_staple(c, &who, NULL, 0);
		who.asks_status = true;
		expect_staple(c, &who, "staple.der", len);
		who.sni = "turn.example.com";
		expect_staple(c, &who, NULL, 0);
		who.sni = NULL;
		who.sigalgs = "RSA-PSS+SHA256";
		expect_staple(c, &who, NULL, 0);
	}
	net_cert_drop(c);
}

static void a_response_past_its_time_is_not_stapled(void **state)
{
	const struct pki *p = *state;
	const struct shake_client who = { .asks_status = true };
	struct pki_options o;
	struct net_cert *c;
	size_t len;

	pki_options(&o, (const char *const[]){ "first" }, 1);
	o.o.ocsp_file = "old.der";
	write_staple("old.der", "first.crt", p->ec, -1);
	c = pki_load(&o.o);
	expect_staple(c, &who, NULL, 0);
	net_cert_drop(c);

	len = write_staple("old.der", "first.crt", p->ec, 0);
	c = pki_load(&o.o);
	assert_int_equal(net_cert_staple_expires(c), 0);
	expect_staple(c, &who, "old.der", len);
	net_cert_drop(c);
}

static void a_response_about_another_certificate_is_refused(void **state)
{
	const struct pki *p = *state;
	X509 *x =
		pki_cert(p->ec, &(struct pki_says){ .cn = "renewed", .serial = 2, .days = 90 });
	struct net_cert *c = NULL;
	struct pki_options o;
	char why[256];

	pki_write_cert("renewed.crt", "w", x);
	pki_write_key("renewed.key", "w", p->ec, NULL);
	write_staple("stale.der", "first.crt", p->ec, 3);
	pki_options(&o, (const char *const[]){ "renewed" }, 1);
	o.o.ocsp_file = "stale.der";
	assert_int_equal(net_cert_load(&c, &o.o, why, sizeof why), ERR_CONF);
	assert_non_null(strstr(why, "stale.der tells of another certificate"));
	assert_null(c);
	X509_free(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_outlives_a_reload),
		cmocka_unit_test(a_ticket_is_good_for_two_rotations_and_not_for_three),
		cmocka_unit_test(keys_of_another_server_open_nothing),
		cmocka_unit_test(who_comes_back_gets_a_ticket_of_the_current_key),
		cmocka_unit_test(without_tickets_nothing_is_resumed),
		cmocka_unit_test(a_ticket_tells_how_long_it_is_good),
		cmocka_unit_test(a_ticket_does_not_get_around_the_authorities),
		cmocka_unit_test(the_response_is_stapled_to_the_first_certificate_alone),
		cmocka_unit_test(a_response_past_its_time_is_not_stapled),
		cmocka_unit_test(a_response_about_another_certificate_is_refused),
	};

	return cmocka_run_group_tests(tests, open_with_pairs, pki_close);
}
