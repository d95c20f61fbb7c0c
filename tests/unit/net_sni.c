/* Host names of certificates, and which certificate a client's name leads to. */
#include "base/bug.h"
#include "net/sni.h"
#include "net_pki.h"

static struct net_sni_names names_of(EVP_PKEY *key, const char *cn, const char *san)
{
	struct net_sni_names n = { 0 };
	X509 *x = pki_cert(key, &(struct pki_says){ .cn = cn, .san = san, .days = 1 });

	assert_int_equal(net_sni_names(x, &n), OK);
	X509_free(x);
	return n;
}

static void names_are_taken_from_the_certificate(void **state)
{
	static const struct {
		const char *cn, *san;
		const char *names[4];
	} rows[] = {
		{ "cn.example.org", NULL, { "cn.example.org" } },
		{ "CN.Example.org", "IP:192.0.2.1,email:a@example.org", { "cn.example.org" } },
		{ "cn.example.org", "DNS:a.example.org", { "a.example.org" } },
		{ "x",
		  "DNS:b.org,DNS:A.org,DNS:a.ORG,DNS:*.c.org",
		  { "*.c.org", "a.org", "b.org" } },
		{ "A TURN server", NULL, { NULL } },
	};
	const struct pki *p = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct net_sni_names n = names_of(p->ec, rows[i].cn, rows[i].san);
		size_t k = 0;

		for (; rows[i].names[k]; k++) {
			assert_true(k < n.n);
			assert_string_equal(n.p[k], rows[i].names[k]);
		}
		assert_int_equal(n.n, k);
		net_sni_free_names(&n);
		assert_null(n.p);
	}
}

/* A CA that signs "bank.example\0.evil.example" is fooled; we are not. */
static void a_name_with_a_zero_byte_is_none(void **state)
{
	const struct pki *p = *state;
	X509 *x = pki_cert(p->ec, &(struct pki_says){ .cn = "a.org", .days = 1 });
	X509_NAME *subject = X509_get_subject_name(x);
	struct net_sni_names n;

	X509_NAME_ENTRY_free(X509_NAME_delete_entry(subject, 0));
	assert_true(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
					       (const uint8_t *)"a.org\0.b", 8, -1, 0));
	assert_int_equal(net_sni_names(x, &n), OK);
	assert_int_equal(n.n, 0);
	net_sni_free_names(&n);
	X509_free(x);
}

static void a_name_leads_to_one_place(void **state)
{
	static const struct {
		const char *name;
		int place; /* -1: none */
	} rows[] = {
		{ "a.org", 0 },	  { "A.ORG", 0 },   { "a.org.", 0 },  { "b.org", 1 },
		{ "x.b.org", 1 }, { "y.b.org", 2 }, { "X.B.Org", 1 }, { "x.y.b.org", -1 },
		{ "org", -1 },	  { "", -1 },	    { ".", -1 },      { ".b.org", -1 },
		{ "xb.org", -1 }, { "c.org", -1 },  { "..", -1 },     { "b.org..", -1 },
	};
	const struct pki *p = *state;
	struct net_sni_names names[] = {
		names_of(p->ec, "x", "DNS:a.org"),
		names_of(p->ec, "x", "DNS:a.org,DNS:b.org,DNS:*.b.org"),
		names_of(p->ec, "x", "DNS:y.b.org,DNS:*.b.org"),
		names_of(p->ec, "x", "DNS:b.org"),
	};
	struct net_sni s;

	assert_int_equal(net_sni_init(&s, names, ARRAY_LEN(names)), OK);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t place = 99;

		assert_int_equal(net_sni_find(&s, rows[i].name, &place), rows[i].place >= 0);
		assert_int_equal(place, rows[i].place >= 0 ? rows[i].place : 99);
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(net_sni_leads_to(&s, i), i < 3);
	net_sni_fini(&s);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		net_sni_free_names(&names[i]);
}

static void the_longest_name_and_one_more(void **state)
{
	const struct pki *p = *state;
	struct net_sni_names n = names_of(p->ec, "x", "DNS:*.org");
	char name[300];
	struct net_sni s;
	size_t place = 99;

	assert_int_equal(net_sni_init(&s, &n, 1), OK);
	memset(name, 'a', sizeof name);
	memcpy(name + 255 - 4, ".org", 5);
	assert_true(net_sni_find(&s, name, &place));
	memset(name, 'a', sizeof name);
	memcpy(name + 256 - 4, ".org", 5);
	assert_false(net_sni_find(&s, name, &place));
	net_sni_fini(&s);
	net_sni_free_names(&n);
}

static void without_names_nothing_is_found(void **state)
{
	struct net_sni_names none = { 0 };
	struct net_sni s;
	size_t place;

	(void)state;
	assert_int_equal(net_sni_init(&s, &none, 1), OK);
	assert_false(net_sni_find(&s, "a.org", &place));
	assert_false(net_sni_leads_to(&s, 0));
	net_sni_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_taken_from_the_certificate),
		cmocka_unit_test(a_name_with_a_zero_byte_is_none),
		cmocka_unit_test(a_name_leads_to_one_place),
		cmocka_unit_test(the_longest_name_and_one_more),
		cmocka_unit_test(without_names_nothing_is_found),
	};

	return cmocka_run_group_tests(tests, pki_open, pki_close);
}
