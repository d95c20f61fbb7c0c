#include "conf/live.h"

#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/bug.h"
#include "base/crypto.h"
#include "conf/origin.h"

static enum err copy(struct str *out, struct str from)
{
	char *p = malloc(from.len + 1);

	if (!p)
		return ERR_NOMEM;
	if (from.len)
		memcpy(p, from.p, from.len);
	p[from.len] = '\0';
	*out = (struct str){ p, from.len };
	return OK;
}

static void free_text(struct str *s)
{
	if (s->p)
		crypto_wipe((char *)s->p, s->len);
	free((char *)s->p);
	*s = (struct str){ NULL, 0 };
}

/* Rows may come in any order: each adds its hash. The kind and the lengths are part of it, so that no two
 * different rows read alike. */
static void digest(struct conf_live *l, char kind, struct str a, struct str b, struct str c)
{
	const struct str parts[] = { a, b, c };
	uint64_t h = (unsigned char)kind;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		const uint64_t key[2] = { l->hash_key[0] ^ h, l->hash_key[1] + parts[i].len };

		h = addr_siphash(key, parts[i].p, parts[i].len);
	}
	l->digest += h;
}

/* Room for one more of `size` bytes; the array stays as it was when there is none. */
static void *grow(void *v, size_t n, size_t size)
{
	if (n & (n - 1)) /* room for twice as many was made at each power of two */
		return v;
	return realloc(v, (n ? n * 2 : 1) * size);
}

enum err conf_live_new(struct conf_live **out, const uint64_t hash_key[2])
{
	struct conf_live *l = calloc(1, sizeof *l);

	if (!l)
		return ERR_NOMEM;
	atomic_init(&l->refs, 1);
	memcpy(l->hash_key, hash_key, sizeof l->hash_key);
	hmap_init(&l->origins);
	hmap_init(&l->revoked);
	*out = l;
	return OK;
}

const struct conf_live_realm *conf_live_find_realm(const struct conf_live *l, struct str name)
{
	for (size_t i = 0; l && i < l->n_realms; i++)
		if (str_eq(l->realms[i].name, name))
			return &l->realms[i];
	return NULL;
}

enum err conf_live_realm(struct conf_live *l, struct str name, struct conf_live_realm **out)
{
	const struct conf_live_realm *found = conf_live_find_realm(l, name);
	struct conf_live_realm *all, *r;

	if (found) {
		*out = &l->realms[found - l->realms];
		return OK;
	}
	all = grow(l->realms, l->n_realms, sizeof *all);
	if (!all)
		return ERR_NOMEM;
	l->realms = all;
	r = &all[l->n_realms];
	*r = (struct conf_live_realm){ .max_bps = CONF_LIVE_UNSET,
				       .total_quota = CONF_LIVE_UNSET,
				       .user_quota = CONF_LIVE_UNSET };
	if (copy(&r->name, name))
		return ERR_NOMEM;
	l->n_realms++;
	*out = r;
	return OK;
}

enum err conf_live_add_secret(struct conf_live *l, struct str realm, struct str secret)
{
	struct conf_live_realm *r;
	struct str *all;
	enum err e = conf_live_realm(l, realm, &r);

	if (e)
		return e;
	all = grow(r->secrets, r->n_secrets, sizeof *all);
	if (!all)
		return ERR_NOMEM;
	r->secrets = all;
	e = copy(&r->secrets[r->n_secrets], secret);
	if (e)
		return e;
	r->n_secrets++;
	digest(l, 's', realm, secret, STR_LIT(""));
	return OK;
}

enum err conf_live_add_peer(struct conf_live *l, struct str realm, bool allowed, struct str range)
{
	struct prefix_range parsed;
	struct conf_live_realm *r;
	enum err e;

	if (prefix_parse(range, &parsed))
		return ERR_MALFORMED;
	e = conf_live_realm(l, realm, &r);
	if (!e)
		e = prefix_add(allowed ? &r->allowed : &r->denied, &parsed);
	if (!e)
		digest(l, allowed ? 'a' : 'd', realm, range, STR_LIT(""));
	return e;
}

enum err conf_live_add_store(struct conf_live *l, const struct addr *at)
{
	struct prefix_range r = { *at, *at };

	if (addr_is_loopback(at))
		return OK;
	r.from.port = r.to.port = 0;
	if (prefix_has(&l->stores, at))
		return OK;
	if (prefix_add(&l->stores, &r))
		return ERR_NOMEM;
	digest(l, 'p', (struct str){ (const char *)at->ip, sizeof at->ip }, STR_LIT(""), STR_LIT(""));
	return OK;
}

bool conf_live_is_store(const struct conf_live *l, const struct addr *a)
{
	return l && prefix_has(&l->stores, a);
}

/* Digits, and few enough that the value fits. */
static bool number(struct str s, int64_t *out)
{
	int64_t v = 0;

	if (s.len == 0 || s.len > 18)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (s.p[i] - '0');
	}
	*out = v;
	return true;
}

enum err conf_live_add_option(struct conf_live *l, struct str realm, struct str name, struct str value)
{
	struct conf_live_realm *r;
	int64_t v;
	enum err e;

	if (!number(value, &v))
		return ERR_MALFORMED;
	if (!str_eq(name, STR_LIT("max-bps")) && !str_eq(name, STR_LIT("total-quota")) &&
	    !str_eq(name, STR_LIT("user-quota")))
		return ERR_MALFORMED;
	e = conf_live_realm(l, realm, &r);
	if (e)
		return e;
	if (str_eq(name, STR_LIT("max-bps")))
		r->max_bps = v;
	else if (str_eq(name, STR_LIT("total-quota")))
		r->total_quota = v;
	else
		r->user_quota = v;
	digest(l, 'o', realm, name, value);
	return OK;
}

static enum err add_origin_realm(struct conf_live *l, struct str realm)
{
	struct str *all;
	enum err e;

	if (conf_live_find_origin_realm(l, realm))
		return OK;
	all = grow(l->origin_realms, l->n_origin_realms, sizeof *all);
	if (!all)
		return ERR_NOMEM;
	l->origin_realms = all;
	e = copy(&all[l->n_origin_realms], realm);
	l->n_origin_realms += !e;
	return e;
}

static struct conf_live_origin *find_origin(const struct conf_live *l, struct str canon)
{
	struct hnode *n = hmap_find(&l->origins, addr_siphash(l->hash_key, canon.p, canon.len));

	for (; n; n = hmap_same(n)) {
		struct conf_live_origin *o = container_of(n, struct conf_live_origin, node);

		if (str_eq(o->origin, canon))
			return o;
	}
	return NULL;
}

static void free_origin(struct conf_live_origin *o)
{
	free_text(&o->origin);
	free_text(&o->realm);
	free(o);
}

static enum err make_origin(struct conf_live *l, struct str canon, struct str realm)
{
	struct conf_live_origin *o = calloc(1, sizeof *o);

	if (!o)
		return ERR_NOMEM;
	if (copy(&o->origin, canon) || copy(&o->realm, realm)) {
		free_origin(o);
		return ERR_NOMEM;
	}
	hmap_insert(&l->origins, &o->node, addr_siphash(l->hash_key, canon.p, canon.len));
	l->n_origins++;
	return OK;
}

enum err conf_live_add_origin(struct conf_live *l, struct str origin, struct str realm)
{
	char text[CONF_ORIGIN_MAX];
	struct str canon = conf_origin_canon(origin, text), other;
	struct conf_live_origin *o;
	enum err e;

	if (!canon.len || !realm.len || realm.len > CONF_LIVE_REALM_MAX)
		return ERR_MALFORMED;
	e = add_origin_realm(l, realm);
	if (e)
		return e;
	o = find_origin(l, canon);
	if (o) {
		e = copy(&other, realm);
		if (e)
			return e;
		free_text(&o->realm);
		o->realm = other;
	} else {
		e = make_origin(l, canon, realm);
	}
	if (!e)
		digest(l, 'g', origin, realm, STR_LIT(""));
	return e;
}

const struct str *conf_live_find_origin(const struct conf_live *l, struct str origin)
{
	char text[CONF_ORIGIN_MAX];
	struct str canon = conf_origin_canon(origin, text);
	const struct conf_live_origin *o = l && canon.len ? find_origin(l, canon) : NULL;

	return o ? &o->realm : NULL;
}

const struct str *conf_live_find_origin_realm(const struct conf_live *l, struct str realm)
{
	for (size_t i = 0; l && i < l->n_origin_realms; i++)
		if (str_eq(l->origin_realms[i], realm))
			return &l->origin_realms[i];
	return NULL;
}

static uint64_t hash_of(const struct conf_live *l, struct str realm, struct str user)
{
	const uint64_t key[2] = { l->hash_key[0], addr_siphash(l->hash_key, realm.p, realm.len) };

	return addr_siphash(key, user.p, user.len);
}

static struct conf_live_revoked *find_revoked(const struct conf_live *l, struct str realm, struct str user)
{
	struct hnode *n = hmap_find(&l->revoked, hash_of(l, realm, user));

	for (; n; n = hmap_same(n)) {
		struct conf_live_revoked *r = container_of(n, struct conf_live_revoked, node);

		if (str_eq(r->realm, realm) && str_eq(r->user, user))
			return r;
	}
	return NULL;
}

enum err conf_live_add_revoked(struct conf_live *l, struct str realm, struct str user, int64_t before_s)
{
	struct conf_live_revoked *r = find_revoked(l, realm, user);
	const struct str when = { (const char *)&before_s, sizeof before_s };

	if (!r) {
		r = calloc(1, sizeof *r);
		if (!r)
			return ERR_NOMEM;
		if (copy(&r->realm, realm) || copy(&r->user, user)) {
			free_text(&r->realm);
			free(r);
			return ERR_NOMEM;
		}
		hmap_insert(&l->revoked, &r->node, hash_of(l, realm, user));
	}
	if (r->before_s < before_s)
		r->before_s = before_s;
	digest(l, 'r', realm, user, when);
	return OK;
}

enum err conf_live_add_withdrawn(struct conf_live *l, struct str mark)
{
	struct str *all = grow(l->withdrawn, l->n_withdrawn, sizeof *all);
	enum err e;

	if (!all)
		return ERR_NOMEM;
	l->withdrawn = all;
	e = copy(&all[l->n_withdrawn], mark);
	if (e)
		return e;
	l->n_withdrawn++;
	digest(l, 'w', mark, STR_LIT(""), STR_LIT(""));
	return OK;
}

int64_t conf_live_revoked_before(const struct conf_live *l, struct str realm, struct str user)
{
	const struct conf_live_revoked *r = l ? find_revoked(l, realm, user) : NULL;

	return r ? r->before_s : 0;
}

/* More than any key has: an algorithm that is not known. Nothing is A256GCM, which RFC 7635 s.4.1.1 requires. */
static size_t oauth_key_len(struct str alg)
{
	if (str_eq(alg, STR_LIT("A128GCM")))
		return 16;
	return !alg.len || str_eq(alg, STR_LIT("A256GCM")) ? 32 : SIZE_MAX;
}

/* Room for one more; what the keys leave behind where they were is wiped. */
static enum err grow_oauth(struct conf_live *l)
{
	size_t n = l->n_oauth, size = n * sizeof *l->oauth;
	struct conf_live_oauth *all;

	if (n & (n - 1))
		return OK;
	all = malloc(n ? 2 * size : sizeof *all);
	if (!all)
		return ERR_NOMEM;
	if (n) {
		memcpy(all, l->oauth, size);
		crypto_wipe(l->oauth, size);
	}
	free(l->oauth);
	l->oauth = all;
	return OK;
}

/* Such that sums of them fit. */
static bool is_time(int64_t s)
{
	return s >= 0 && s <= INT64_C(1) << 48;
}

static void digest_oauth(struct conf_live *l, const struct conf_live_oauth *k, struct str ikm_base64)
{
	const int64_t times[] = { k->timestamp_s, k->lifetime_s };

	digest(l, 'k', k->kid, ikm_base64, k->realm);
	digest(l, 't', k->kid, k->alg, (struct str){ (const char *)times, sizeof times });
}

enum err conf_live_add_oauth(struct conf_live *l, const struct conf_live_oauth *key, struct str ikm_base64)
{
	struct conf_live_oauth k = { .timestamp_s = key->timestamp_s, .lifetime_s = key->lifetime_s };
	enum err e;

	if (key->realm.len > CONF_LIVE_REALM_MAX || !is_time(k.timestamp_s) || !is_time(k.lifetime_s))
		return ERR_MALFORMED;
	e = grow_oauth(l);
	if (e)
		return e;
	e = crypto_b64_decode(ikm_base64, k.key, sizeof k.key, &k.key_len);
	if (e || k.key_len < oauth_key_len(key->alg)) {
		crypto_wipe(&k, sizeof k);
		return ERR_MALFORMED;
	}
	e = copy(&k.kid, key->kid);
	if (!e)
		e = copy(&k.realm, key->realm);
	if (!e)
		e = copy(&k.alg, key->alg);
	if (e) {
		free_text(&k.kid);
		free_text(&k.realm);
	} else {
		l->oauth[l->n_oauth++] = k;
		digest_oauth(l, &k, ikm_base64);
	}
	crypto_wipe(&k, sizeof k);
	return e;
}

const struct conf_live_oauth *conf_live_find_oauth(const struct conf_live *l, struct str kid)
{
	for (size_t i = 0; l && i < l->n_oauth; i++)
		if (str_eq(l->oauth[i].kid, kid))
			return &l->oauth[i];
	return NULL;
}

struct conf_live *conf_live_hold(struct conf_live *l)
{
	if (l)
		atomic_fetch_add(&l->refs, 1);
	return l;
}

static void free_realm(struct conf_live_realm *r)
{
	for (size_t i = 0; i < r->n_secrets; i++)
		free_text(&r->secrets[i]);
	free(r->secrets);
	prefix_fini(&r->allowed);
	prefix_fini(&r->denied);
	free_text(&r->name);
}

static void free_revoked(struct conf_live *l)
{
	struct hnode *n;

	while ((n = hmap_any(&l->revoked))) {
		struct conf_live_revoked *r = container_of(n, struct conf_live_revoked, node);

		hmap_remove(&l->revoked, n);
		free_text(&r->realm);
		free_text(&r->user);
		free(r);
	}
	hmap_fini(&l->revoked);
}

static void free_origins(struct conf_live *l)
{
	struct hnode *n;

	while ((n = hmap_any(&l->origins))) {
		hmap_remove(&l->origins, n);
		free_origin(container_of(n, struct conf_live_origin, node));
	}
	hmap_fini(&l->origins);
	for (size_t i = 0; i < l->n_origin_realms; i++)
		free_text(&l->origin_realms[i]);
	free(l->origin_realms);
}

void conf_live_drop(struct conf_live *l)
{
	if (!l || atomic_fetch_sub(&l->refs, 1) != 1)
		return;
	for (size_t i = 0; i < l->n_realms; i++)
		free_realm(&l->realms[i]);
	prefix_fini(&l->stores);
	free_origins(l);
	for (size_t i = 0; i < l->n_oauth; i++) {
		free_text(&l->oauth[i].kid);
		free_text(&l->oauth[i].realm);
		free_text(&l->oauth[i].alg);
		crypto_wipe(l->oauth[i].key, sizeof l->oauth[i].key);
	}
	for (size_t i = 0; i < l->n_withdrawn; i++)
		free_text(&l->withdrawn[i]);
	free(l->realms);
	free(l->withdrawn);
	free(l->oauth);
	free_revoked(l);
	free(l);
}
