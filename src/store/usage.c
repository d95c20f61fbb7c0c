#include "store/usage.h"

#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/bug.h"

struct row {
	struct hnode node;
	struct list order; /* in usages.order, as they came */
	struct store_usage u; /* texts owned */
};

struct store_usages {
	struct hmap rows;
	struct list order;
	uint64_t hash_key[2];
};

enum err store_usage_new(struct store_usages **out, const uint64_t hash_key[2])
{
	struct store_usages *u = calloc(1, sizeof *u);

	if (!u)
		return ERR_NOMEM;
	hmap_init(&u->rows);
	list_init(&u->order);
	memcpy(u->hash_key, hash_key, sizeof u->hash_key);
	*out = u;
	return OK;
}

static void free_row(struct row *r)
{
	free((char *)r->u.realm.p);
	free((char *)r->u.user.p);
	free(r);
}

static struct row *first(struct store_usages *u)
{
	return list_empty(&u->order) ? NULL : list_entry(u->order.next, struct row, order);
}

static void unlink_row(struct store_usages *u, struct row *r)
{
	hmap_remove(&u->rows, &r->node);
	list_del(&r->order);
}

void store_usage_free(struct store_usages *u)
{
	struct row *r;

	if (!u)
		return;
	while ((r = first(u))) {
		unlink_row(u, r);
		free_row(r);
	}
	hmap_fini(&u->rows);
	free(u);
}

static uint64_t hash_of(const struct store_usages *u, const struct store_usage *row)
{
	const uint64_t key[2] = { addr_siphash(u->hash_key, row->realm.p, row->realm.len),
				  addr_siphash(u->hash_key, row->period, strlen(row->period)) };

	return addr_siphash(key, row->user.p, row->user.len);
}

static bool is_same(const struct store_usage *a, const struct store_usage *b)
{
	return str_eq(a->user, b->user) && str_eq(a->realm, b->realm) && strcmp(a->period, b->period) == 0;
}

static struct str own(struct str s)
{
	char *p = malloc(s.len + 1);

	if (p && s.len)
		memcpy(p, s.p, s.len);
	return (struct str){ p, s.len };
}

static struct row *make(struct store_usages *u, const struct store_usage *from, uint64_t hash)
{
	struct row *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	r->u.realm = own(from->realm);
	r->u.user = own(from->user);
	if (!r->u.realm.p || !r->u.user.p) {
		free_row(r);
		return NULL;
	}
	memcpy(r->u.period, from->period, sizeof r->u.period);
	hmap_insert(&u->rows, &r->node, hash);
	list_push(&u->order, &r->order);
	return r;
}

enum err store_usage_add(struct store_usages *u, const struct store_usage *row)
{
	uint64_t hash = hash_of(u, row);
	struct hnode *n = hmap_find(&u->rows, hash);
	struct row *r;

	while (n && !is_same(&container_of(n, struct row, node)->u, row))
		n = hmap_same(n);
	if (!n && u->rows.n >= STORE_USAGE_ROWS)
		return ERR_FULL;
	r = n ? container_of(n, struct row, node) : make(u, row, hash);
	if (!r)
		return ERR_NOMEM;
	r->u.ttl_s = row->ttl_s;
	r->u.rx_bytes += row->rx_bytes;
	r->u.tx_bytes += row->tx_bytes;
	r->u.rx_packets += row->rx_packets;
	r->u.tx_packets += row->tx_packets;
	r->u.sessions += row->sessions;
	return OK;
}

enum err store_usage_take(struct store_usages *u, struct str node, int64_t epoch, struct store_batch **out)
{
	struct store_batch *b;
	struct row *r;

	*out = NULL;
	if (u->rows.n == 0)
		return OK;
	b = store_batch_new(node, epoch);
	if (!b)
		return ERR_NOMEM;
	while ((r = first(u)) && !store_batch_add_usage(b, &r->u)) { /* full, or no memory: the rest next time */
		unlink_row(u, r);
		free(r);
	}
	if (b->n_usage == 0) {
		store_batch_free(b);
		return ERR_NOMEM;
	}
	*out = b;
	return OK;
}

size_t store_usage_count(const struct store_usages *u)
{
	return u->rows.n;
}
