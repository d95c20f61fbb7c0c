#include "net/certfile.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"

/* A distribution's bundle of all authorities is a quarter of a megabyte. */
enum { FILE_MAX = 4 << 20 };

struct blob {
	uint8_t *p;
	size_t len;
};

enum err net_certfile_fail(const struct net_certfile_why *why, enum err e, const char *format,
			   ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(why->p, why->len, format, ap);
	va_end(ap);
	return e;
}

const char *net_certfile_reason(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_last_error());

	return text ? text : "no reason given";
}

static enum err no_memory(const char *path, const struct net_certfile_why *why)
{
	return net_certfile_fail(why, ERR_NOMEM, "%s: out of memory", path);
}

/* --- a file's bytes -------------------------------------------------------------- */

static void blob_free(struct blob *b)
{
	if (b->p)
		crypto_wipe(b->p, b->len); /* it may be a key */
	free(b->p);
}

/* A file that is being written meanwhile comes torn, fails to parse, and is read again when it
 * changes. */
static bool read_all(int fd, struct blob *b)
{
	size_t n = 0;

	while (n < b->len) {
		ssize_t got = read(fd, b->p + n, b->len - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	b->len = n;
	return true;
}

static enum err read_fd(int fd, const char *path, const struct net_certfile_why *why,
			struct blob *out)
{
	struct blob b;
	struct stat st;

	if (fstat(fd, &st) != 0)
		return net_certfile_fail(why, err_from_errno(errno), "%s: %s", path,
					 strerror(errno));
	if (!S_ISREG(st.st_mode))
		return net_certfile_fail(why, ERR_CONF, "%s is not a regular file", path);
	if (st.st_size == 0)
		return net_certfile_fail(why, ERR_CONF, "%s is empty", path);
	if (st.st_size > FILE_MAX)
		return net_certfile_fail(why, ERR_CONF,
					 "%s is larger than %d MiB: it cannot be what is meant",
					 path, FILE_MAX >> 20);
	b = (struct blob){ malloc((size_t)st.st_size), (size_t)st.st_size };
	if (!b.p)
		return no_memory(path, why);
	if (!read_all(fd, &b)) {
		enum err e = net_certfile_fail(why, err_from_errno(errno), "%s: %s", path,
					       strerror(errno));

		blob_free(&b);
		return e;
	}
	*out = b;
	return OK;
}

/* Without O_NONBLOCK a FIFO would be waited for. */
static enum err read_file(const char *path, const struct net_certfile_why *why,
			  struct blob *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	enum err e;

	if (fd < 0 && errno == EACCES)
		return net_certfile_fail(
			why, ERR_PERM,
			"%s: permission denied: let uid %u read it, and pass its folders", path,
			(unsigned)geteuid());
	if (fd < 0)
		return net_certfile_fail(why, err_from_errno(errno), "%s: %s", path,
					 strerror(errno));
	e = read_fd(fd, path, why, out);
	close(fd);
	return e;
}

/* --- PEM ------------------------------------------------------------------------- */

struct passphrase {
	const char *text; /* NULL: none */
	bool asked;	  /* the file is encrypted */
};

/* pem_password_cb; OpenSSL wipes what it was given. */
static int give_password(char *buf, int size, int rwflag, void *arg)
{
	struct passphrase *pass = arg;
	size_t len = pass->text ? strlen(pass->text) : 0;

	(void)rwflag;
	pass->asked = true;
	if (!pass->text || len > (size_t)size)
		return -1;
	memcpy(buf, pass->text, len);
	return (int)len;
}

static void free_certs(STACK_OF(X509) * all)
{
	sk_X509_pop_free(all, X509_free);
}

/* Up to the first thing that is none. False: no memory. */
static bool take_certs(BIO *bio, STACK_OF(X509) * all)
{
	struct passphrase none = { 0 };
	X509 *x;

	while ((x = PEM_read_bio_X509(bio, NULL, give_password, &none))) {
		if (sk_X509_push(all, x))
			continue;
		X509_free(x);
		return false;
	}
	return true;
}

/* ERR_peek_last_error() tells why there were no more. */
static enum err judge_certs(const char *path, const struct net_certfile_why *why, int n)
{
	unsigned long last = ERR_peek_last_error();

	if (ERR_GET_LIB(last) != ERR_LIB_PEM || ERR_GET_REASON(last) != PEM_R_NO_START_LINE)
		return net_certfile_fail(why, ERR_CONF,
					 "%s: certificate %d in it is damaged: %s", path, n + 1,
					 net_certfile_reason());
	if (n == 0)
		return net_certfile_fail(
			why, ERR_CONF,
			"%s: no certificate in it: PEM is expected, with a line "
			"-----BEGIN CERTIFICATE-----",
			path);
	return OK;
}

/* All certificates in `b`, one at least. */
static enum err parse_certs(const char *path, const struct net_certfile_why *why,
			    const struct blob *b, STACK_OF(X509) * *out)
{
	BIO *bio = BIO_new_mem_buf(b->p, (int)b->len);
	STACK_OF(X509) *all = sk_X509_new_null();
	enum err e;

	ERR_clear_error();
	if (!bio || !all || !take_certs(bio, all))
		e = no_memory(path, why);
	else
		e = judge_certs(path, why, sk_X509_num(all));
	BIO_free(bio);
	if (e) {
		free_certs(all);
		return e;
	}
	*out = all;
	return OK;
}

enum err net_certfile_chain(const char *path, const struct net_certfile_why *why, X509 **leaf,
			    STACK_OF(X509) * *chain)
{
	STACK_OF(X509) * all;
	struct blob b;
	enum err e = read_file(path, why, &b);

	if (e)
		return e;
	e = parse_certs(path, why, &b, &all);
	blob_free(&b); /* coturn's users keep key and certificate in one file */
	if (e)
		return e;
	*leaf = sk_X509_shift(all);
	*chain = all;
	return OK;
}

static enum err judge_key(const char *path, const struct net_certfile_why *why,
			  const struct passphrase *pass)
{
	if (pass->asked && !pass->text)
		return net_certfile_fail(why, ERR_CONF,
					 "%s: the key is encrypted: set pkey-pwd", path);
	if (pass->asked)
		return net_certfile_fail(why, ERR_CONF,
					 "%s: the key cannot be decrypted: pkey-pwd is wrong, "
					 "or the file damaged",
					 path);
	return net_certfile_fail(
		why, ERR_CONF,
		"%s: no private key in it that can be read: PEM is expected, with a line "
		"-----BEGIN PRIVATE KEY----- or alike",
		path);
}

enum err net_certfile_key(const char *path, const char *password,
			  const struct net_certfile_why *why, EVP_PKEY **key)
{
	struct passphrase pass = { .text = password };
	struct blob b;
	BIO *bio;
	enum err e = read_file(path, why, &b);

	if (e)
		return e;
	bio = BIO_new_mem_buf(b.p, (int)b.len);
	if (!bio) {
		blob_free(&b);
		return no_memory(path, why);
	}
	*key = PEM_read_bio_PrivateKey(bio, NULL, give_password, &pass);
	BIO_free(bio);
	blob_free(&b);
	return *key ? OK : judge_key(path, why, &pass);
}

/* --- authorities ----------------------------------------------------------------- */

void net_certfile_free_authorities(struct net_certfile_authorities *a)
{
	X509_STORE_free(a->store);
	sk_X509_NAME_pop_free(a->names, X509_NAME_free);
	*a = (struct net_certfile_authorities){ 0 };
}

static bool add_authority(struct net_certfile_authorities *a, X509 *x)
{
	X509_NAME *name;

	if (!X509_STORE_add_cert(a->store, x))
		return false;
	name = X509_NAME_dup(X509_get_subject_name(x));
	if (name && sk_X509_NAME_push(a->names, name))
		return true;
	X509_NAME_free(name);
	return false;
}

static bool add_authorities(struct net_certfile_authorities *a, STACK_OF(X509) * all)
{
	a->store = X509_STORE_new();
	a->names = sk_X509_NAME_new_null();
	if (!a->store || !a->names)
		return false;
	for (int i = 0; i < sk_X509_num(all); i++) {
		if (!add_authority(a, sk_X509_value(all, i)))
			return false;
	}
	return true;
}

enum err net_certfile_authorities(const char *path, const struct net_certfile_why *why,
				  struct net_certfile_authorities *out)
{
	struct net_certfile_authorities a = { 0 };
	STACK_OF(X509) *all = NULL;
	struct blob b;
	enum err e = read_file(path, why, &b);

	if (e)
		return e;
	e = parse_certs(path, why, &b, &all);
	if (!e && (!EVP_Digest(b.p, b.len, a.digest, NULL, EVP_sha256(), NULL) ||
		   !add_authorities(&a, all)))
		e = net_certfile_fail(why, ERR_CRYPTO, "%s: %s", path, net_certfile_reason());
	free_certs(all);
	blob_free(&b);
	if (e) {
		net_certfile_free_authorities(&a);
		return e;
	}
	*out = a;
	return OK;
}

/* --- OCSP ------------------------------------------------------------------------ */

bool net_certfile_time(const ASN1_TIME *at, time_t *out)
{
	struct tm tm;

	if (!at || !ASN1_TIME_to_tm(at, &tm))
		return false;
	*out = timegm(&tm);
	return true;
}

/* What the response says of `cert`; NULL: nothing. The serial number is enough to tell that a
 * certificate was renewed and its response not. */
static OCSP_SINGLERESP *answer_about(OCSP_BASICRESP *basic, X509 *cert)
{
	for (int i = 0; i < OCSP_resp_count(basic); i++) {
		OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);
		OCSP_CERTID *id = (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(single);
		ASN1_INTEGER *serial;

		if (OCSP_id_get0_info(NULL, NULL, NULL, &serial, id) &&
		    ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(cert)) == 0)
			return single;
	}
	return NULL;
}

static enum err judge_response(const char *path, X509 *cert, const struct net_certfile_why *why,
			       OCSP_RESPONSE *response, time_t *until)
{
	OCSP_BASICRESP *basic;
	OCSP_SINGLERESP *single;
	ASN1_GENERALIZEDTIME *next = NULL;
	time_t at = 0;

	if (!response)
		return net_certfile_fail(why, ERR_CONF, "%s is not an OCSP response in DER",
					 path);
	basic = OCSP_response_get1_basic(response);
	if (!basic)
		return net_certfile_fail(why, ERR_CONF,
					 "%s: the responder refused to answer: ask it again",
					 path);
	single = answer_about(basic, cert);
	if (single)
		OCSP_single_get0_status(single, NULL, NULL, NULL, &next);
	if (next && !net_certfile_time(next, &at))
		at = 1; /* an end that nobody can read has passed */
	OCSP_BASICRESP_free(basic);
	if (!single)
		return net_certfile_fail(
			why, ERR_CONF,
			"%s tells of another certificate than the one served: fetch it anew",
			path);
	*until = at;
	return OK;
}

enum err net_certfile_staple(const char *path, X509 *cert, const struct net_certfile_why *why,
			     struct net_certfile_staple *out)
{
	OCSP_RESPONSE *response;
	const uint8_t *at;
	struct blob b;
	time_t until = 0;
	enum err e = read_file(path, why, &b);

	if (e)
		return e;
	at = b.p;
	response = d2i_OCSP_RESPONSE(NULL, &at, (long)b.len);
	e = judge_response(path, cert, why, response, &until);
	OCSP_RESPONSE_free(response);
	if (e) {
		blob_free(&b);
		return e;
	}
	*out = (struct net_certfile_staple){ b.p, b.len, until };
	return OK;
}
