/* Keys, certificates and the files they are in, made anew by each program in a folder of its
 * own, which is where it works from then on. */
#pragma once

#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/cert.h"

struct pki {
	char dir[32];
	EVP_PKEY *rsa, *ec, *ec2, *ed;
};

static inline int pki_open(void **state)
{
	struct pki *p = calloc(1, sizeof *p);

	assert_non_null(p);
	snprintf(p->dir, sizeof p->dir, "/tmp/net_pki.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	assert_int_equal(chmod(p->dir, 0755), 0);
	assert_int_equal(chdir(p->dir), 0);
	p->rsa = EVP_RSA_gen(2048);
	p->ec = EVP_EC_gen("P-256");
	p->ec2 = EVP_EC_gen("P-256");
	p->ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	assert_true(p->rsa && p->ec && p->ec2 && p->ed);
	*state = p;
	return 0;
}

static inline int pki_close(void **state)
{
	struct pki *p = *state;
	DIR *d = opendir(".");

	assert_non_null(d);
	for (const struct dirent *e; (e = readdir(d));)
		unlink(e->d_name);
	closedir(d);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(p->dir), 0);
	EVP_PKEY_free(p->rsa);
	EVP_PKEY_free(p->ec);
	EVP_PKEY_free(p->ec2);
	EVP_PKEY_free(p->ed);
	free(p);
	return 0;
}

/* What a certificate says. */
struct pki_says {
	const char *cn, *san; /* san: as in openssl.cnf, "DNS:a,DNS:b"; NULL: none */
	long serial, days;    /* days from now until it expires */
	X509 *issuer;	      /* NULL: signed by its own key, and an authority */
	EVP_PKEY *issuer_key;
};

static inline void pki_extend(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(e);
	assert_true(X509_add_ext(x, e, -1));
	X509_EXTENSION_free(e);
}

static inline X509 *pki_cert(EVP_PKEY *key, const struct pki_says *s)
{
	X509 *x = X509_new();
	EVP_PKEY *by = s->issuer ? s->issuer_key : key;
	X509_NAME *name;

	assert_non_null(x);
	assert_true(X509_set_version(x, X509_VERSION_3));
	assert_true(ASN1_INTEGER_set(X509_get_serialNumber(x), s->serial ? s->serial : 1));
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(x), -100 * 86400L));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x), s->days * 86400L));
	name = X509_get_subject_name(x);
	assert_true(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)s->cn,
					       -1, -1, 0));
	assert_true(
		X509_set_issuer_name(x, s->issuer ? X509_get_subject_name(s->issuer) : name));
	assert_true(X509_set_pubkey(x, key));
	if (!s->issuer)
		pki_extend(x, NID_basic_constraints, "critical,CA:TRUE");
	if (s->san)
		pki_extend(x, NID_subject_alt_name, s->san);
	assert_true(X509_sign(x, by,
			      EVP_PKEY_get_base_id(by) == EVP_PKEY_ED25519 ? NULL
									   : EVP_sha256()) > 0);
	return x;
}

/* --- files ----------------------------------------------------------------------- */

static inline void pki_write(const char *file, const char *mode, const void *bytes, size_t len)
{
	FILE *f = fopen(file, mode);

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static inline void pki_write_cert(const char *file, const char *mode, X509 *x)
{
	FILE *f = fopen(file, mode);

	assert_non_null(f);
	assert_true(PEM_write_X509(f, x));
	assert_int_equal(fclose(f), 0);
}

/* password: NULL for none. */
static inline void pki_write_key(const char *file, const char *mode, EVP_PKEY *key,
				 const char *password)
{
	FILE *f = fopen(file, mode);

	assert_non_null(f);
	assert_true(PEM_write_PrivateKey(f, key, password ? EVP_aes_128_cbc() : NULL, NULL, 0,
					 NULL, (void *)password));
	assert_int_equal(fclose(f), 0);
}

/* STEM.crt and STEM.key, the certificate's CN being STEM. */
static inline void pki_pair(const char *stem, EVP_PKEY *key, const char *san, long days)
{
	const struct pki_says says = { .cn = stem, .san = san, .days = days };
	X509 *x = pki_cert(key, &says);
	char file[64];

	snprintf(file, sizeof file, "%s.crt", stem);
	pki_write_cert(file, "w", x);
	snprintf(file, sizeof file, "%s.key", stem);
	pki_write_key(file, "w", key, NULL);
	X509_free(x);
}

/* --- loading --------------------------------------------------------------------- */

enum { PKI_PAIRS = 6 };

/* Options for STEM.crt and STEM.key of each stem; to be altered before they are used. */
struct pki_options {
	struct net_cert_pair pair[PKI_PAIRS];
	char file[2 * PKI_PAIRS][32];
	struct net_cert_options o;
};

static inline void pki_options(struct pki_options *p, const char *const *stems, size_t n)
{
	assert_in_range(n, 1, PKI_PAIRS);
	for (size_t i = 0; i < n; i++) {
		snprintf(p->file[2 * i], sizeof p->file[0], "%s.crt", stems[i]);
		snprintf(p->file[2 * i + 1], sizeof p->file[0], "%s.key", stems[i]);
		p->pair[i] = (struct net_cert_pair){ p->file[2 * i], p->file[2 * i + 1] };
	}
	p->o = (struct net_cert_options){ .pairs = p->pair,
					  .n_pairs = n,
					  .min_version = TLS1_2_VERSION };
}

static inline struct net_cert *pki_load(const struct net_cert_options *o)
{
	struct net_cert *c = NULL;
	char why[256] = "";

	if (net_cert_load(&c, o, why, sizeof why) != OK)
		fail_msg("not loaded: %s", why);
	assert_non_null(c);
	return c;
}
