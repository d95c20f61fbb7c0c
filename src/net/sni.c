#include "net/sni.h"

#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_LEN_MAX = 255 }; /* of a DNS name */

/* --- the names of a certificate -------------------------------------------------- */

void net_sni_free_names(struct net_sni_names *n)
{
	for (size_t i = 0; i < n->n; i++)
		free(n->p[i]);
	free(n->p);
	*n = (struct net_sni_names){ 0 };
}

static void lower(char *text)
{
	for (char *c = text; *c; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c + ('a' - 'A'));
	}
}

/* What no client could ask for is passed over. False: no memory. */
static bool add_name(struct net_sni_names *names, const ASN1_STRING *s)
{
	static const char fit[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.*";
	size_t len = (size_t)ASN1_STRING_length(s);
	char *text = strndup((const char *)ASN1_STRING_get0_data(s), len), **more;

	if (!text)
		return false;
	lower(text);
	if (len == 0 || strspn(text, fit) != len) {
		free(text);
		return true;
	}
	more = realloc(names->p, (names->n + 1) * sizeof *more);
	if (!more) {
		free(text);
		return false;
	}
	names->p = more;
	more[names->n++] = text;
	return true;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_names(struct net_sni_names *names)
{
	size_t last = 0;

	if (names->n == 0)
		return;
	qsort(names->p, names->n, sizeof *names->p, by_text);
	for (size_t i = 1; i < names->n; i++) {
		if (strcmp(names->p[last], names->p[i]) == 0)
			free(names->p[i]);
		else
			names->p[++last] = names->p[i];
	}
	names->n = last + 1;
}

static bool add_alternatives(struct net_sni_names *names, const GENERAL_NAMES *alt)
{
	for (int i = 0; i < sk_GENERAL_NAME_num(alt); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(alt, i);

		if (name->type == GEN_DNS && !add_name(names, name->d.dNSName))
			return false;
	}
	return true;
}

static bool add_common_name(struct net_sni_names *names, const X509 *cert)
{
	X509_NAME *subject = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	if (at < 0)
		return true;
	return add_name(names, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

enum err net_sni_names(const X509 *cert, struct net_sni_names *out)
{
	struct net_sni_names names = { 0 };
	GENERAL_NAMES *alt = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	bool good = add_alternatives(&names, alt);

	GENERAL_NAMES_free(alt);
	/* RFC 6125 s.6.4.4: only where there is no DNS name */
	if (good && names.n == 0)
		good = add_common_name(&names, cert);
	if (!good) {
		net_sni_free_names(&names);
		return ERR_NOMEM;
	}
	sort_names(&names);
	*out = names;
	return OK;
}

bool net_sni_same_names(const struct net_sni_names *a, const struct net_sni_names *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (strcmp(a->p[i], b->p[i]) != 0)
			return false;
	}
	return true;
}

/* --- from names to places -------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const struct net_sni_route *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int by_name_and_place(const void *a, const void *b)
{
	const struct net_sni_route *x = a, *y = b;
	int order = by_name(a, b);

	return order ? order : (x->place > y->place) - (x->place < y->place);
}

enum err net_sni_init(struct net_sni *s, const struct net_sni_names *names, size_t n)
{
	struct net_sni_route *routes;
	size_t all = 0, kept = 0;

	for (size_t i = 0; i < n; i++)
		all += names[i].n;
	routes = calloc(all + 1, sizeof *routes);
	if (!routes)
		return ERR_NOMEM;
	all = 0;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < names[i].n; k++)
			routes[all++] = (struct net_sni_route){ names[i].p[k], i };
	}
	qsort(routes, all, sizeof *routes, by_name_and_place);
	for (size_t i = 0; i < all; i++) {
		if (kept == 0 || by_name(&routes[kept - 1], &routes[i]) != 0)
			routes[kept++] = routes[i];
	}
	*s = (struct net_sni){ routes, kept };
	return OK;
}

void net_sni_fini(struct net_sni *s)
{
	free(s->routes);
	*s = (struct net_sni){ 0 };
}

static const struct net_sni_route *find(const struct net_sni *s, const char *name)
{
	const struct net_sni_route want = { .name = name };

	return bsearch(&want, s->routes, s->n, sizeof want, by_name);
}

bool net_sni_find(const struct net_sni *s, const char *name, size_t *place)
{
	char text[NAME_LEN_MAX + 1];
	const struct net_sni_route *r;
	size_t n = strlen(name);
	char *dot;

	if (n == 0 || n > NAME_LEN_MAX)
		return false;
	memcpy(text, name, n + 1);
	lower(text);
	if (text[n - 1] == '.') /* not allowed (RFC 6066 s.3), and sent by some */
		text[n - 1] = '\0';
	r = find(s, text);
	dot = strchr(text, '.');
	if (!r && dot && dot > text) { /* RFC 6125 s.6.4.3: a star is one whole label */
		*--dot = '*';
		r = find(s, dot);
	}
	if (r)
		*place = r->place;
	return r;
}

bool net_sni_leads_to(const struct net_sni *s, size_t place)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->routes[i].place == place)
			return true;
	}
	return false;
}
