#include "relay/quota.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/bucket.h"
#include "base/bug.h"
#include "base/hmap.h"

enum { STRIPES = 64 };

struct account {
	struct hnode node;
	int64_t held;
	bool drawn; /* the buckets are in use */
	struct bucket bandwidth[2]; /* down, up */
	size_t realm_len, len;
	char name[]; /* the realm, and the user behind it */
};

/* All users of a realm together. */
struct total {
	struct hnode node;
	int64_t held; /* > 0 */
	size_t len;
	char realm[];
};

struct stripe {
	pthread_mutex_t lock;
	struct hmap accounts; /* of users that hold anything */
};

struct relay_quota {
	uint64_t key[2]; /* users choose the names */
	pthread_mutex_t totals_lock; /* taken within a stripe's */
	struct hmap totals;
	_Atomic uint64_t reserved; /* bytes per second */
	struct stripe stripes[STRIPES];
};

enum err relay_quota_new(struct relay_quota **out, struct rng *rng)
{
	struct relay_quota *q = calloc(1, sizeof *q);

	if (!q)
		return ERR_NOMEM;
	rng_bytes(rng, q->key, sizeof q->key);
	pthread_mutex_init(&q->totals_lock, NULL);
	hmap_init(&q->totals);
	for (size_t i = 0; i < STRIPES; i++) {
		pthread_mutex_init(&q->stripes[i].lock, NULL);
		hmap_init(&q->stripes[i].accounts);
	}
	*out = q;
	return OK;
}

void relay_quota_free(struct relay_quota *q)
{
	struct hnode *n;

	if (!q)
		return;
	for (size_t i = 0; i < STRIPES; i++) {
		while ((n = hmap_any(&q->stripes[i].accounts))) {
			hmap_remove(&q->stripes[i].accounts, n);
			free(container_of(n, struct account, node));
		}
		hmap_fini(&q->stripes[i].accounts);
		pthread_mutex_destroy(&q->stripes[i].lock);
	}
	while ((n = hmap_any(&q->totals))) {
		hmap_remove(&q->totals, n);
		free(container_of(n, struct total, node));
	}
	hmap_fini(&q->totals);
	pthread_mutex_destroy(&q->totals_lock);
	free(q);
}

/* Of whom: users of two realms may have one name. */
struct who {
	struct str realm, user;
	uint64_t hash;
};

static struct who whose(const struct relay_quota *q, struct str realm, struct str user)
{
	const uint64_t key[2] = { q->key[0], addr_siphash(q->key, realm.p, realm.len) };

	return (struct who){ realm, user, addr_siphash(key, user.p, user.len) };
}

static struct account *find(struct stripe *s, const struct who *w)
{
	struct hnode *n = hmap_find(&s->accounts, w->hash);

	for (; n; n = hmap_same(n)) {
		struct account *a = container_of(n, struct account, node);

		if (str_eq((struct str){ a->name, a->realm_len }, w->realm) &&
		    str_eq((struct str){ a->name + a->realm_len, a->len }, w->user))
			return a;
	}
	return NULL;
}

static struct account *create(struct stripe *s, const struct who *w)
{
	struct account *a = malloc(sizeof *a + w->realm.len + w->user.len);

	if (!a)
		return NULL;
	a->held = 0;
	a->drawn = false;
	a->realm_len = w->realm.len;
	a->len = w->user.len;
	if (w->realm.len)
		memcpy(a->name, w->realm.p, w->realm.len);
	if (w->user.len)
		memcpy(a->name + w->realm.len, w->user.p, w->user.len);
	hmap_insert(&s->accounts, &a->node, w->hash);
	return a;
}

static struct total *find_total(struct relay_quota *q, struct str realm, uint64_t hash)
{
	struct hnode *n = hmap_find(&q->totals, hash);

	for (; n; n = hmap_same(n)) {
		struct total *t = container_of(n, struct total, node);

		if (str_eq((struct str){ t->realm, t->len }, realm))
			return t;
	}
	return NULL;
}

static struct total *create_total(struct relay_quota *q, struct str realm, uint64_t hash)
{
	struct total *t = malloc(sizeof *t + realm.len);

	if (!t)
		return NULL;
	t->held = 0;
	t->len = realm.len;
	if (realm.len)
		memcpy(t->realm, realm.p, realm.len);
	hmap_insert(&q->totals, &t->node, hash);
	return t;
}

static enum err take_total(struct relay_quota *q, struct str realm, int64_t max)
{
	uint64_t hash = addr_siphash(q->key, realm.p, realm.len);
	enum err e = OK;
	struct total *t;

	pthread_mutex_lock(&q->totals_lock);
	t = find_total(q, realm, hash);
	if (t && max > 0 && t->held >= max)
		e = ERR_FULL;
	else if (!t && !(t = create_total(q, realm, hash)))
		e = ERR_NOMEM;
	else
		t->held++;
	pthread_mutex_unlock(&q->totals_lock);
	return e;
}

static void give_total(struct relay_quota *q, struct str realm)
{
	struct total *t;

	pthread_mutex_lock(&q->totals_lock);
	t = find_total(q, realm, addr_siphash(q->key, realm.p, realm.len));
	BUG_ON(!t);
	if (--t->held == 0) {
		hmap_remove(&q->totals, &t->node);
		free(t);
	}
	pthread_mutex_unlock(&q->totals_lock);
}

/* What is refused has counted for nothing at no moment, or others would be refused for it: the account is there
 * before the total, and held after it. */
static enum err take_locked(struct relay_quota *q, struct stripe *s, const struct who *w,
			    int64_t user_max, int64_t total_max)
{
	struct account *a = find(s, w);
	enum err e;

	if (a && user_max > 0 && a->held >= user_max)
		return ERR_FULL;
	if (!a && !(a = create(s, w)))
		return ERR_NOMEM;
	e = take_total(q, w->realm, total_max);
	if (!e) {
		a->held++;
	} else if (!a->held) {
		hmap_remove(&s->accounts, &a->node);
		free(a);
	}
	return e;
}

enum err relay_quota_take(struct relay_quota *q, struct str realm, struct str user, int64_t user_max,
			  int64_t total_max)
{
	const struct who w = whose(q, realm, user);
	struct stripe *s = &q->stripes[w.hash >> 58];
	enum err e;

	pthread_mutex_lock(&s->lock);
	e = take_locked(q, s, &w, user_max, total_max);
	pthread_mutex_unlock(&s->lock);
	return e;
}

void relay_quota_give(struct relay_quota *q, struct str realm, struct str user)
{
	const struct who w = whose(q, realm, user);
	struct stripe *s = &q->stripes[w.hash >> 58];
	struct account *a;

	pthread_mutex_lock(&s->lock);
	a = find(s, &w);
	BUG_ON(!a);
	if (--a->held == 0) {
		hmap_remove(&s->accounts, &a->node);
		free(a);
	}
	give_total(q, realm);
	pthread_mutex_unlock(&s->lock);
}

bool relay_quota_reserve(struct relay_quota *q, uint64_t bps, uint64_t capacity)
{
	uint64_t held = atomic_load(&q->reserved);

	do {
		if (held > capacity || bps > capacity - held)
			return false;
	} while (!atomic_compare_exchange_weak(&q->reserved, &held, held + bps));
	return true;
}

void relay_quota_unreserve(struct relay_quota *q, uint64_t bps)
{
	atomic_fetch_sub(&q->reserved, bps);
}

/* The depth of a user's bucket: a second's worth, and room for the largest datagram. */
static uint64_t depth(uint64_t rate)
{
	return rate > 65536 ? rate : 65536;
}

static uint64_t draw_locked(struct account *a, const struct relay_quota_draw *d)
{
	struct bucket *b = &a->bandwidth[d->up];
	uint64_t n;

	if (!a->drawn) {
		bucket_init(&a->bandwidth[0], depth(d->rate), d->now);
		bucket_init(&a->bandwidth[1], depth(d->rate), d->now);
		a->drawn = true;
	}
	bucket_give(b, d->back, depth(d->rate));
	n = bucket_level(b, d->rate, depth(d->rate), d->now);
	n = n < d->want ? n : d->want;
	return bucket_take(b, n, d->rate, depth(d->rate), d->now) ? n : 0;
}

uint64_t relay_quota_draw(struct relay_quota *q, struct str realm, struct str user,
			  const struct relay_quota_draw *d)
{
	const struct who w = whose(q, realm, user);
	struct stripe *s = &q->stripes[w.hash >> 58];
	uint64_t n = 0;
	struct account *a;

	pthread_mutex_lock(&s->lock);
	a = find(s, &w);
	if (a)
		n = draw_locked(a, d);
	pthread_mutex_unlock(&s->lock);
	return n;
}
