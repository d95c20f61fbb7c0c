/* Certificates: what loads, what does not and how it is told, when the first of them expires.
 * */
#include <openssl/ocsp.h>
#include <time.h>

#include "base/bug.h"
#include "net_pki.h"

enum { DAY = 86400 };

static const char *const only_ec[] = { "ec" };

/* `cert` and `pkey` must be refused with `e`, and the text name each of `said`. */
static void refused(const struct net_cert_options *o, enum err e, const char *const *said)
{
	struct net_cert *c = NULL;
	char why[512] = "";

	assert_int_equal(net_cert_load(&c, o, why, sizeof why), e);
	assert_null(c);
	assert_null(strchr(why, '\n'));
	for (; *said; said++) {
		if (!strstr(why, *said))
			fail_msg("\"%s\" does not say \"%s\"", why, *said);
	}
}

static void refused_pair(const char *cert, const char *pkey, const char *password, enum err e,
			 const char *const *said)
{
	const struct net_cert_pair pair = { cert, pkey };

	refused(&(struct net_cert_options){ .pairs = &pair,
					    .n_pairs = 1,
					    .pkey_password = password,
					    .min_version = TLS1_2_VERSION },
		e, said);
}

static void write_odd_files(const struct pki *p)
{
	pki_pair("ec", p->ec, "DNS:turn.example.org", 90);
	pki_pair("rsa", p->rsa, "DNS:turn.example.org", 30);
	pki_write("garbage", "w", "\x30\x82\x01\x0atn", 6);
	pki_write("text", "w", "no PEM at all\n", 14);
	pki_write("empty", "w", "", 0);
	pki_write("broken", "w",
		  "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", 59);
	pki_write("cut", "w", "-----BEGIN CERTIFICATE-----\nMIIB\n", 33);
	pki_write_key("locked", "w", p->ec, "open sesame");
}

static int open_with_files(void **state)
{
	pki_open(state);
	write_odd_files(*state);
	return 0;
}

static void a_file_that_is_none_of_its_kind_is_told(void **state)
{
	static const struct {
		const char *cert, *pkey, *password;
		enum err e;
		const char *said[4];
	} rows[] = {
		{ "absent.crt",
		  "ec.key",
		  NULL,
		  ERR_NOTFOUND,
		  { "absent.crt", "No such file" } },
		{ "ec.crt",
		  "absent.key",
		  NULL,
		  ERR_NOTFOUND,
		  { "absent.key", "No such file" } },
		{ ".", "ec.key", NULL, ERR_CONF, { ". is not a regular file" } },
		{ "/dev/zero",
		  "ec.key",
		  NULL,
		  ERR_CONF,
		  { "/dev/zero is not a regular file" } },
		{ "empty", "ec.key", NULL, ERR_CONF, { "empty is empty" } },
		{ "garbage", "ec.key", NULL, ERR_CONF, { "garbage", "no certificate", "PEM" } },
		{ "text", "ec.key", NULL, ERR_CONF, { "text", "no certificate", "PEM" } },
		{ "ec.key", "ec.key", NULL, ERR_CONF, { "ec.key", "no certificate" } },
		{ "broken",
		  "ec.key",
		  NULL,
		  ERR_CONF,
		  { "broken", "certificate 1 in it is damaged" } },
		{ "cut",
		  "ec.key",
		  NULL,
		  ERR_CONF,
		  { "cut", "certificate 1 in it is damaged" } },
		{ "ec.crt", "garbage", NULL, ERR_CONF, { "garbage", "no private key" } },
		{ "ec.crt", "text", NULL, ERR_CONF, { "text", "no private key" } },
		{ "ec.crt", "ec.crt", NULL, ERR_CONF, { "ec.crt", "no private key" } },
		{ "ec.crt", "rsa.key", NULL, ERR_CONF, { "rsa.key is not the key of ec.crt" } },
		{ "ec.crt",
		  "locked",
		  NULL,
		  ERR_CONF,
		  { "locked", "encrypted", "set pkey-pwd" } },
		{ "ec.crt",
		  "locked",
		  "close sesame",
		  ERR_CONF,
		  { "locked", "pkey-pwd is wrong" } },
		{ "ec.crt", "locked", "", ERR_CONF, { "locked", "pkey-pwd is wrong" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		refused_pair(rows[i].cert, rows[i].pkey, rows[i].password, rows[i].e,
			     rows[i].said);
}

static void a_password_too_long_for_openssl_is_wrong_and_no_more(void **state)
{
	static const char *const said[] = { "pkey-pwd is wrong", NULL };
	char password[5000];

	(void)state;
	memset(password, 'x', sizeof password - 1);
	password[sizeof password - 1] = '\0';
	refused_pair("ec.crt", "locked", password, ERR_CONF, said);
}

/* Root may read everything, so that it has to become somebody else. */
static void a_file_that_may_not_be_read_is_told(void **state)
{
	static const char *const said[] = { "shut.key", "permission denied", "let uid", NULL };
	const uid_t me = geteuid();
	const struct pki *p = *state;

	pki_write_key("shut.key", "w", p->ec, NULL);
	assert_int_equal(chmod("shut.key", 0), 0);
	assert_int_equal(chmod("ec.crt", 0644), 0);
	if (me == 0)
		assert_int_equal(seteuid(65534), 0);
	refused_pair("ec.crt", "shut.key", NULL, ERR_PERM, said);
	if (me == 0)
		assert_int_equal(seteuid(0), 0);
}

static void a_fifo_is_not_waited_for(void **state)
{
	static const char *const said[] = { "fifo is not a regular file", NULL };

	(void)state;
	assert_int_equal(mkfifo("fifo", 0600), 0);
	refused_pair("fifo", "ec.key", NULL, ERR_CONF, said);
}

static void a_damaged_certificate_further_down_is_told(void **state)
{
	static const char *const said[] = { "chain.crt", "certificate 2 in it is damaged",
					    NULL };
	const struct pki *p = *state;
	X509 *x = pki_cert(p->ec, &(struct pki_says){ .cn = "chain", .days = 9 });

	pki_write_cert("chain.crt", "w", x);
	pki_write("chain.crt", "a",
		  "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", 59);
	refused_pair("chain.crt", "ec.key", NULL, ERR_CONF, said);
	X509_free(x);
}

static void a_key_that_is_too_weak_is_told(void **state)
{
	static const char *const said[] = { "weak.crt", "key too small", NULL };
	EVP_PKEY *weak = EVP_RSA_gen(512);
	struct pki_options p;

	(void)state;
	pki_pair("weak", weak, NULL, 9);
	refused_pair("weak.crt", "weak.key", NULL, ERR_CRYPTO, said);
	pki_options(&p, (const char *const[]){ "weak" }, 1);
	p.o.cipher_list = "ALL:@SECLEVEL=0";
	net_cert_drop(pki_load(&p.o));
	EVP_PKEY_free(weak);
}

static void an_encrypted_key_loads_with_its_password(void **state)
{
	const struct net_cert_pair pair = { "ec.crt", "locked" };

	(void)state;
	net_cert_drop(pki_load(&(struct net_cert_options){ .pairs = &pair,
							   .n_pairs = 1,
							   .pkey_password = "open sesame",
							   .min_version = TLS1_2_VERSION }));
}

static void key_and_certificate_may_share_a_file(void **state)
{
	const struct pki *p = *state;
	const struct net_cert_pair pair = { "both", "both" };
	X509 *x = pki_cert(p->ec, &(struct pki_says){ .cn = "both", .days = 9 });

	pki_write_cert("both", "w", x);
	pki_write_key("both", "a", p->ec, NULL);
	net_cert_drop(pki_load(&(struct net_cert_options){
		.pairs = &pair, .n_pairs = 1, .min_version = TLS1_2_VERSION }));
	pki_write_key("both", "w", p->ec, NULL);
	pki_write_cert("both", "a", x);
	net_cert_drop(pki_load(&(struct net_cert_options){
		.pairs = &pair, .n_pairs = 1, .min_version = TLS1_2_VERSION }));
	X509_free(x);
}

static void tells_when_the_first_expires(void **state)
{
	const struct pki *p = *state;
	struct pki_options two, past;
	struct net_cert *c;
	time_t now = time(NULL);

	pki_options(&two, (const char *const[]){ "ec", "rsa" }, 2);
	c = pki_load(&two.o);
	assert_in_range(net_cert_expires(c), now + 30 * DAY - 600, now + 30 * DAY + 600);
	assert_int_equal(net_cert_staple_expires(c), 0);
	net_cert_drop(c);

	pki_pair("past", p->ed, NULL, -1);
	pki_options(&past, (const char *const[]){ "ec", "past" }, 2);
	c = pki_load(&past.o);
	assert_in_range(net_cert_expires(c), now - DAY - 600, now - DAY + 600);
	net_cert_drop(c);
}

static void a_certificate_that_could_never_be_chosen_is_refused(void **state)
{
	static const char *const said[] = { "twin.crt would never be used", NULL };
	const struct pki *p = *state;
	struct pki_options o;

	pki_pair("twin", p->ec2, "DNS:TURN.example.org", 90);
	pki_options(&o, (const char *const[]){ "ec", "rsa", "twin" }, 3);
	refused(&o.o, ERR_CONF, said);
}

static void a_cipher_list_that_yields_nothing_is_refused(void **state)
{
	static const struct {
		const char *list;
		int min_version;
		const char *said[3];
	} rows[] = {
		{ "", TLS1_2_VERSION, { "cipher-list is empty" } },
		{ ": ,", TLS1_2_VERSION, { "cipher-list is empty" } },
		{ "NO-SUCH", TLS1_2_VERSION, { "cipher-list", "no cipher of these: NO-SUCH" } },
		{ "TLS_NO_SUCH", TLS1_2_VERSION, { "TLS 1.3 suite of these: TLS_NO_SUCH" } },
		{ "TLS_NO_SUCH:HIGH",
		  TLS1_2_VERSION,
		  { "TLS 1.3 suite of these: TLS_NO_SUCH" } },
		{ "TLS_AES_128_GCM_SHA256:NO-SUCH",
		  TLS1_2_VERSION,
		  { "no cipher of these: NO-SUCH" } },
		{ "TLS_RSA_WITH_NO_SUCH",
		  TLS1_2_VERSION,
		  { "no cipher of these: TLS_RSA_WITH" } },
		{ "HIGH", TLS1_3_VERSION, { "no suite of TLS 1.3", "tls-min-version" } },
	};
	struct pki_options o;

	(void)state;
	pki_options(&o, only_ec, 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		o.o.cipher_list = rows[i].list;
		o.o.min_version = rows[i].min_version;
		refused(&o.o, ERR_CONF, rows[i].said);
	}
}

static void a_file_of_authorities_without_any_is_refused(void **state)
{
	static const char *const none[] = { "ec.key", "no certificate", NULL };
	static const char *const absent[] = { "absent.pem", "No such file", NULL };
	struct pki_options o;

	(void)state;
	pki_options(&o, only_ec, 1);
	o.o.ca_file = "ec.key";
	refused(&o.o, ERR_CONF, none);
	o.o.ca_file = "absent.pem";
	refused(&o.o, ERR_NOTFOUND, absent);
}

static void write_ocsp(const char *file, int status)
{
	OCSP_RESPONSE *r = OCSP_response_create(status, NULL);
	uint8_t *der = NULL;
	int len = i2d_OCSP_RESPONSE(r, &der);

	assert_true(len > 0);
	pki_write(file, "w", der, (size_t)len);
	OPENSSL_free(der);
	OCSP_RESPONSE_free(r);
}

static void what_is_no_ocsp_response_is_refused(void **state)
{
	static const char *const none[] = { "text is not an OCSP response", NULL };
	static const char *const later[] = { "later.der", "refused to answer", NULL };
	struct pki_options o;

	(void)state;
	pki_options(&o, only_ec, 1);
	o.o.ocsp_file = "text";
	refused(&o.o, ERR_CONF, none);
	write_ocsp("later.der", OCSP_RESPONSE_STATUS_TRYLATER);
	o.o.ocsp_file = "later.der";
	refused(&o.o, ERR_CONF, later);
}

/* --- without memory -------------------------------------------------------------- */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strndup(const char *s, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strndup(const char *s, size_t n);

static int grants = -1; /* allocations of ours that succeed from here on; -1: all */

static bool granted(void)
{
	if (grants < 0)
		return true;
	return grants > 0 && grants--;
}

void *__wrap_malloc(size_t n)
{
	return granted() ? __real_malloc(n) : NULL;
}

void *__wrap_calloc(size_t n, size_t size)
{
	return granted() ? __real_calloc(n, size) : NULL;
}

void *__wrap_realloc(void *p, size_t n)
{
	return granted() ? __real_realloc(p, n) : NULL;
}

char *__wrap_strndup(const char *s, size_t n)
{
	return granted() ? __real_strndup(s, n) : NULL;
}

/* What was had by then is given back: the sanitizer counts. */
static void each_allocation_may_fail(void **state)
{
	static const char *const alpn[] = { "stun.turn" };
	struct pki_options p;
	struct net_cert *c = NULL;
	enum err e = ERR_NOMEM;
	int n = 0;

	(void)state;
	pki_options(&p, (const char *const[]){ "ec", "rsa" }, 2);
	p.o.ca_file = "ec.crt";
	p.o.cipher_list = "HIGH";
	p.o.alpn = alpn;
	p.o.n_alpn = 1;
	for (; e; n++) {
		char why[256] = "";

		grants = n;
		e = net_cert_load(&c, &p.o, why, sizeof why);
		grants = -1;
		assert_true(e == OK || (e == ERR_NOMEM && strstr(why, "out of memory")));
	}
	assert_in_range(n, 15, 40);
	net_cert_drop(c);
}

/* The last to drop it frees it: a leak, or a use after that, is the sanitizer's to find. */
static void is_there_while_anybody_holds_it(void **state)
{
	struct pki_options o;
	struct net_cert *c, *again;

	(void)state;
	pki_options(&o, only_ec, 1);
	c = pki_load(&o.o);
	again = net_cert_hold(c);
	assert_ptr_equal(c, again);
	net_cert_drop(c);
	assert_non_null(net_cert_context(again));
	net_cert_drop(again);
	net_cert_drop(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_that_is_none_of_its_kind_is_told),
		cmocka_unit_test(a_password_too_long_for_openssl_is_wrong_and_no_more),
		cmocka_unit_test(a_file_that_may_not_be_read_is_told),
		cmocka_unit_test(a_fifo_is_not_waited_for),
		cmocka_unit_test(a_damaged_certificate_further_down_is_told),
		cmocka_unit_test(a_key_that_is_too_weak_is_told),
		cmocka_unit_test(an_encrypted_key_loads_with_its_password),
		cmocka_unit_test(key_and_certificate_may_share_a_file),
		cmocka_unit_test(tells_when_the_first_expires),
		cmocka_unit_test(a_certificate_that_could_never_be_chosen_is_refused),
		cmocka_unit_test(a_cipher_list_that_yields_nothing_is_refused),
		cmocka_unit_test(a_file_of_authorities_without_any_is_refused),
		cmocka_unit_test(what_is_no_ocsp_response_is_refused),
		cmocka_unit_test(each_allocation_may_fail),
		cmocka_unit_test(is_there_while_anybody_holds_it),
	};

	return cmocka_run_group_tests(tests, open_with_files, pki_close);
}
