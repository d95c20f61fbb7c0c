/* The store of a server that has no database: usage, limits and revocations are kept in this process, so that
 * they work on one node, until it ends; there are no users. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/bug.h"
#include "base/list.h"
#include "store/backend.h"

enum {
	MAX_ROWS = 200000, /* of usage: users and periods; the oldest goes for a new one */
	MAX_SET = 100000,  /* users with limits, or revoked; more are refused */
};

/* What one user relayed in a period; or, where the period is empty, what was set for the user. */
struct row {
	struct hnode node;
	struct list order; /* in usage or set */
	struct store_usage u; /* texts lie behind the struct */
	struct store_limits limits;
	int64_t revoked_s; /* 0: not */
};

struct store_backend {
	struct store_env env;
	struct hmap rows;
	struct list usage, set;
	size_t n_usage, n_set;
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
	list_init(&b->usage);
	list_init(&b->set);
	*out = b;
	env->changed(env->arg, b, true, NULL);
	return OK;
}

static void drop(struct store_backend *b, struct row *r)
{
	hmap_remove(&b->rows, &r->node);
	list_del(&r->order);
	*(r->u.period[0] ? &b->n_usage : &b->n_set) -= 1;
	free(r);
}

static void drop_all(struct store_backend *b, struct list *all)
{
	while (!list_empty(all))
		drop(b, list_entry(all->next, struct row, order));
}

static void memory_close(struct store_backend *b)
{
	drop_all(b, &b->usage);
	drop_all(b, &b->set);
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

static struct row *make(struct store_backend *b, struct str realm, struct str user, const char *period)
{
	struct row *r = calloc(1, sizeof *r + realm.len + user.len + 1);
	char *text = r ? (char *)(r + 1) : NULL;

	if (!r)
		return NULL;
	if (*period && b->n_usage >= MAX_ROWS)
		drop(b, list_entry(b->usage.next, struct row, order));
	if (realm.len)
		memcpy(text, realm.p, realm.len);
	if (user.len)
		memcpy(text + realm.len, user.p, user.len);
	r->u.realm = (struct str){ text, realm.len };
	r->u.user = (struct str){ text + realm.len, user.len };
	snprintf(r->u.period, sizeof r->u.period, "%s", period);
	r->limits = store_limits_none();
	hmap_insert(&b->rows, &r->node, hash_of(b, realm, user));
	list_push(*period ? &b->usage : &b->set, &r->order);
	*(*period ? &b->n_usage : &b->n_set) += 1;
	return r;
}

static struct store_limits limits_of(const struct store_backend *b, struct str realm, struct str user)
{
	const struct row *set = find(b, realm, user, "");

	return set ? set->limits : store_limits_none();
}

/* --- what is counted --- */

static enum store_status add_usage(struct store_backend *b, struct store_op *op)
{
	for (size_t i = 0; i < op->n_usage; i++) {
		struct store_usage *from = &op->usage[i];
		struct row *r = find(b, from->realm, from->user, from->period);

		if (!r)
			r = make(b, from->realm, from->user, from->period);
		if (!r)
			continue;
		r->u.rx_bytes += from->rx_bytes;
		r->u.tx_bytes += from->tx_bytes;
		r->u.rx_packets += from->rx_packets;
		r->u.tx_packets += from->tx_packets;
		r->u.sessions += from->sessions;
		from->total_bytes = r->u.rx_bytes + r->u.tx_bytes;
		from->limits = limits_of(b, from->realm, from->user);
		from->has_limits = true;
	}
	return STORE_OK;
}

/* This node counts the allocations; the bytes are counted here. */
static enum store_status lease(struct store_backend *b, struct store_op *op)
{
	struct store_lease *l = &op->lease;
	const struct row *set = find(b, op->realm, op->user, ""), *used;
	char window[CONF_PERIOD_NAME];
	int64_t max;

	l->limits = set ? set->limits : store_limits_none();
	used = find(b, op->realm, op->user, store_limits_window(&l->limits, l->period, tick_wall_s(), window));
	l->used_bytes = used ? used->u.rx_bytes + used->u.tx_bytes : 0;
	l->counted = false;
	max = l->limits.max_bytes == CONF_LIVE_UNSET ? l->bytes_max : l->limits.max_bytes;
	if (set && set->revoked_s > l->made_s)
		return STORE_REVOKED;
	return max > 0 && l->used_bytes >= (uint64_t)max ? STORE_FULL_BYTES : STORE_OK;
}

/* --- what is set --- */

static enum store_status refuse(struct store_op *op, const char *why)
{
	snprintf(op->why, sizeof op->why, "%s", why);
	return STORE_REFUSED;
}

static void drop_if_unset(struct store_backend *b, struct row *r)
{
	const struct store_limits none = store_limits_none();

	if (!r->revoked_s && store_limits_eq(&r->limits, &none))
		drop(b, r);
}

static bool seconds(struct str s, int64_t *out)
{
	char text[24];

	snprintf(text, sizeof text, "%.*s", STR_ARG(s));
	*out = strtoll(text, NULL, 10);
	return s.len < sizeof text && *out > 0;
}

static enum store_status set(struct store_backend *b, struct store_op *op)
{
	bool of_limits = op->admin_what == STORE_ADMIN_LIMIT;
	const struct store_row *a = &op->admin;
	struct store_limits limits = store_limits_none();
	int64_t revoked_s = 0;
	char why[128];
	struct row *r;

	if (of_limits && !store_limits_parse(a->value, &limits, why))
		return refuse(op, why);
	if (!of_limits && !seconds(a->value, &revoked_s))
		return refuse(op, "a number is expected as the value");
	r = find(b, a->realm, a->name, "");
	if (!r && b->n_set >= MAX_SET)
		return refuse(op, "too many users with limits for memory: configure a database");
	if (!r)
		r = make(b, a->realm, a->name, "");
	if (!r)
		return refuse(op, "no memory");
	if (of_limits)
		r->limits = limits;
	else
		r->revoked_s = revoked_s;
	drop_if_unset(b, r);
	return STORE_OK;
}

static enum store_status del(struct store_backend *b, struct store_op *op)
{
	const struct store_limits none = store_limits_none();
	bool of_limits = op->admin_what == STORE_ADMIN_LIMIT;
	struct row *r = find(b, op->admin.realm, op->admin.name, "");

	if (!r || (of_limits ? store_limits_eq(&r->limits, &none) : !r->revoked_s))
		return STORE_NONE;
	if (of_limits)
		r->limits = none;
	else
		r->revoked_s = 0;
	drop_if_unset(b, r);
	return STORE_OK;
}

static void emit(struct store_op *op, const struct row *r)
{
	struct store_row out = { r->u.realm, r->u.user, { NULL, 0 } };
	char value[256];

	if (op->admin_what == STORE_ADMIN_USAGE) {
		out.name = str_of(r->u.period);
		snprintf(value, sizeof value,
			 "rx_bytes=%llu tx_bytes=%llu rx_packets=%llu tx_packets=%llu sessions=%llu",
			 (unsigned long long)r->u.rx_bytes, (unsigned long long)r->u.tx_bytes,
			 (unsigned long long)r->u.rx_packets, (unsigned long long)r->u.tx_packets,
			 (unsigned long long)r->u.sessions);
	} else if (op->admin_what == STORE_ADMIN_LIMIT) {
		store_limits_print(&r->limits, value, sizeof value);
	} else {
		snprintf(value, sizeof value, "%lld", (long long)r->revoked_s);
	}
	out.value = str_of(value);
	op->row(op, &out);
}

static bool is_listed(const struct store_op *op, const struct row *r)
{
	const struct store_limits none = store_limits_none();

	if (op->admin.realm.len && !str_eq(op->admin.realm, r->u.realm))
		return false;
	if (op->admin_what == STORE_ADMIN_USAGE)
		return str_eq(op->admin.name, r->u.user);
	return op->admin_what == STORE_ADMIN_LIMIT ? !store_limits_eq(&r->limits, &none) : r->revoked_s;
}

static enum store_status administer(struct store_backend *b, struct store_op *op)
{
	const struct list *all = op->admin_what == STORE_ADMIN_USAGE ? &b->usage : &b->set;

	if (op->admin_what != STORE_ADMIN_LIMIT && op->admin_what != STORE_ADMIN_REVOKED &&
	    !(op->admin_what == STORE_ADMIN_USAGE && op->admin_do == STORE_ADMIN_LIST))
		return STORE_UNSUPPORTED;
	if (op->admin_do == STORE_ADMIN_SET)
		return set(b, op);
	if (op->admin_do == STORE_ADMIN_DEL)
		return del(b, op);
	if (op->admin_do != STORE_ADMIN_LIST)
		return STORE_UNSUPPORTED;
	for (const struct list *n = all->next; n != all; n = n->next)
		if (is_listed(op, list_entry(n, struct row, order)))
			emit(op, list_entry(n, struct row, order));
	return STORE_OK;
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
	case STORE_ADMIN:
		status = administer(b, op);
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
