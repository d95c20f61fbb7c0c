/* The store of a server that has no database: usage is kept in this process, so that byte quotas work on one
 * node; there are no users. */
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/bug.h"
#include "base/list.h"
#include "store/backend.h"

enum { MAX_ROWS = 200000 }; /* users and periods; the oldest goes for a new one */

struct row {
	struct hnode node;
	struct list order;
	struct store_usage u; /* texts lie behind the struct */
};

struct store_backend {
	struct store_env env;
	struct hmap rows;
	struct list order;
};

static enum err memory_open(struct store_backend **out, const struct store_env *env, const char *conninfo, char *why,
			    size_t why_len)
{
	struct store_backend *b = calloc(1, sizeof *b);

	(void)conninfo;
	(void)why;
	(void)why_len;
	if (!b)
		return ERR_NOMEM;
	b->env = *env;
	hmap_init(&b->rows);
	list_init(&b->order);
	*out = b;
	env->changed(env->arg, b, true, NULL);
	return OK;
}

static void drop(struct store_backend *b, struct row *r)
{
	hmap_remove(&b->rows, &r->node);
	list_del(&r->order);
	free(r);
}

static void memory_close(struct store_backend *b)
{
	while (!list_empty(&b->order))
		drop(b, list_entry(b->order.next, struct row, order));
	hmap_fini(&b->rows);
	free(b);
}

static uint64_t hash_of(const struct store_backend *b, struct str realm, struct str user)
{
	const uint64_t key[2] = { b->env.hash_key[0], addr_siphash(b->env.hash_key, realm.p, realm.len) };

	return addr_siphash(key, user.p, user.len);
}

static struct row *find(const struct store_backend *b, struct str realm, struct str user, const char *period)
{
	struct hnode *n = hmap_find(&b->rows, hash_of(b, realm, user));

	for (; n; n = hmap_same(n)) {
		struct row *r = container_of(n, struct row, node);

		if (str_eq(r->u.user, user) && str_eq(r->u.realm, realm) && strcmp(r->u.period, period) == 0)
			return r;
	}
	return NULL;
}

static struct row *make(struct store_backend *b, const struct store_usage *from)
{
	struct row *r = calloc(1, sizeof *r + from->realm.len + from->user.len + 1);
	char *text = r ? (char *)(r + 1) : NULL;

	if (!r)
		return NULL;
	if (b->rows.n >= MAX_ROWS)
		drop(b, list_entry(b->order.next, struct row, order));
	if (from->realm.len)
		memcpy(text, from->realm.p, from->realm.len);
	if (from->user.len)
		memcpy(text + from->realm.len, from->user.p, from->user.len);
	r->u.realm = (struct str){ text, from->realm.len };
	r->u.user = (struct str){ text + from->realm.len, from->user.len };
	memcpy(r->u.period, from->period, sizeof r->u.period);
	hmap_insert(&b->rows, &r->node, hash_of(b, from->realm, from->user));
	list_push(&b->order, &r->order);
	return r;
}

static enum store_status add_usage(struct store_backend *b, struct store_op *op)
{
	for (size_t i = 0; i < op->n_usage; i++) {
		struct store_usage *from = &op->usage[i];
		struct row *r = find(b, from->realm, from->user, from->period);

		if (!r)
			r = make(b, from);
		if (!r)
			continue;
		r->u.rx_bytes += from->rx_bytes;
		r->u.tx_bytes += from->tx_bytes;
		r->u.rx_packets += from->rx_packets;
		r->u.tx_packets += from->tx_packets;
		r->u.sessions += from->sessions;
		from->total_bytes = r->u.rx_bytes + r->u.tx_bytes;
	}
	return STORE_OK;
}

/* This node counts the allocations; the bytes are counted here. */
static enum store_status lease(struct store_backend *b, struct store_op *op)
{
	struct store_lease *l = &op->lease;
	const struct row *r = find(b, op->realm, op->user, l->period);

	l->limits = (struct store_limits){ CONF_LIVE_UNSET, CONF_LIVE_UNSET, CONF_LIVE_UNSET, "" };
	l->used_bytes = r ? r->u.rx_bytes + r->u.tx_bytes : 0;
	l->counted = false;
	return l->bytes_max && l->used_bytes >= (uint64_t)l->bytes_max ? STORE_FULL_BYTES : STORE_OK;
}

static void memory_start(struct store_backend *b, struct store_op *op)
{
	enum store_status status = STORE_UNSUPPORTED;

	switch (op->kind) {
	case STORE_KEY:
		status = STORE_NONE;
		break;
	case STORE_LEASE:
		status = lease(b, op);
		break;
	case STORE_RENEW:
	case STORE_RELEASE:
		status = STORE_OK;
		break;
	case STORE_USAGE:
		status = add_usage(b, op);
		break;
	default:
		break;
	}
	op->done(op, status);
}

static bool memory_is_up(const struct store_backend *b)
{
	(void)b;
	return true;
}

const struct store_kind store_memory = {
	.name = "memory",
	.open = memory_open,
	.close = memory_close,
	.start = memory_start,
	.is_up = memory_is_up,
};
