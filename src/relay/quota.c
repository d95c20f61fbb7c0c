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
	size_t len;
	char name[];
};

struct stripe {
	pthread_mutex_t lock;
	struct hmap accounts; /* of users that hold anything */
};

struct relay_quota {
	uint64_t key[2]; /* users choose the names */
	_Atomic int64_t total;
	_Atomic uint64_t reserved; /* bytes per second */
	struct stripe stripes[STRIPES];
};

enum err relay_quota_new(struct relay_quota **out, struct rng *rng)
{
	struct relay_quota *q = calloc(1, sizeof *q);

	if (!q)
		return ERR_NOMEM;
	rng_bytes(rng, q->key, sizeof q->key);
	for (size_t i = 0; i < STRIPES; i++) {
		pthread_mutex_init(&q->stripes[i].lock, NULL);
		hmap_init(&q->stripes[i].accounts);
	}
	*out = q;
	return OK;
}

void relay_quota_free(struct relay_quota *q)
{
	if (!q)
		return;
	for (size_t i = 0; i < STRIPES; i++) {
		struct hnode *n;

		while ((n = hmap_any(&q->stripes[i].accounts))) {
			hmap_remove(&q->stripes[i].accounts, n);
			free(container_of(n, struct account, node));
		}
		hmap_fini(&q->stripes[i].accounts);
		pthread_mutex_destroy(&q->stripes[i].lock);
	}
	free(q);
}

static struct account *find(struct stripe *s, uint64_t hash, struct str user)
{
	struct hnode *n = hmap_find(&s->accounts, hash);

	for (; n; n = hmap_same(n)) {
		struct account *a = container_of(n, struct account, node);

		if (str_eq((struct str){ a->name, a->len }, user))
			return a;
	}
	return NULL;
}

static struct account *create(struct stripe *s, uint64_t hash, struct str user)
{
	struct account *a = malloc(sizeof *a + user.len);

	if (!a)
		return NULL;
	a->held = 0;
	a->drawn = false;
	a->len = user.len;
	if (user.len)
		memcpy(a->name, user.p, user.len);
	hmap_insert(&s->accounts, &a->node, hash);
	return a;
}

static bool take_total(struct relay_quota *q, int64_t max)
{
	int64_t held = atomic_load(&q->total);

	do {
		if (max > 0 && held >= max)
			return false;
	} while (!atomic_compare_exchange_weak(&q->total, &held, held + 1));
	return true;
}

/* What is refused has counted for nothing at no moment, or others would be refused for it. */
static enum err take_locked(struct relay_quota *q, struct stripe *s, uint64_t hash,
			    struct str user, int64_t user_max, int64_t total_max)
{
	struct account *a = find(s, hash, user);

	if (a && user_max > 0 && a->held >= user_max)
		return ERR_FULL;
	if (!take_total(q, total_max))
		return ERR_FULL;
	if (!a && !(a = create(s, hash, user))) {
		atomic_fetch_sub(&q->total, 1);
		return ERR_NOMEM;
	}
	a->held++;
	return OK;
}

enum err relay_quota_take(struct relay_quota *q, struct str user, int64_t user_max,
			  int64_t total_max)
{
	uint64_t hash = addr_siphash(q->key, user.p, user.len);
	struct stripe *s = &q->stripes[hash >> 58];
	enum err e;

	pthread_mutex_lock(&s->lock);
	e = take_locked(q, s, hash, user, user_max, total_max);
	pthread_mutex_unlock(&s->lock);
	return e;
}

void relay_quota_give(struct relay_quota *q, struct str user)
{
	uint64_t hash = addr_siphash(q->key, user.p, user.len);
	struct stripe *s = &q->stripes[hash >> 58];
	struct account *a;

	pthread_mutex_lock(&s->lock);
	a = find(s, hash, user);
	BUG_ON(!a);
	if (--a->held == 0) {
		hmap_remove(&s->accounts, &a->node);
		free(a);
	}
	pthread_mutex_unlock(&s->lock);
	atomic_fetch_sub(&q->total, 1);
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

uint64_t relay_quota_draw(struct relay_quota *q, struct str user,
			  const struct relay_quota_draw *d)
{
	uint64_t hash = addr_siphash(q->key, user.p, user.len), n = 0;
	struct stripe *s = &q->stripes[hash >> 58];
	struct account *a;

	pthread_mutex_lock(&s->lock);
	a = find(s, hash, user);
	if (a)
		n = draw_locked(a, d);
	pthread_mutex_unlock(&s->lock);
	return n;
}
