#include "store/quota.h"

#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/bug.h"
#include "base/list.h"

/* Somebody who has a limit of its own, or of whom something was told. */
struct user {
	struct hnode node;
	struct list order; /* the one made longest ago first */
	struct str realm, name;
	struct store_limits limits;
	char near[CONF_PERIOD_NAME], over[CONF_PERIOD_NAME]; /* the period in which it was told */
};

struct store_quotas {
	const struct conf *conf;
	struct logger *lg;
	struct hmap users;
	struct list order;
	uint64_t hash_key[2];
	uint64_t n_near, n_over;
};

enum err store_quotas_new(struct store_quotas **out, const struct conf *conf, struct logger *lg,
			  const uint64_t hash_key[2])
{
	struct store_quotas *q = calloc(1, sizeof *q);

	if (!q)
		return ERR_NOMEM;
	q->conf = conf;
	q->lg = lg;
	memcpy(q->hash_key, hash_key, sizeof q->hash_key);
	hmap_init(&q->users);
	list_init(&q->order);
	*out = q;
	return OK;
}

static void drop(struct store_quotas *q, struct user *u)
{
	hmap_remove(&q->users, &u->node);
	list_del(&u->order);
	free(u);
}

void store_quotas_free(struct store_quotas *q)
{
	if (!q)
		return;
	while (!list_empty(&q->order))
		drop(q, list_entry(q->order.next, struct user, order));
	hmap_fini(&q->users);
	free(q);
}

static uint64_t hash_of(const struct store_quotas *q, struct str realm, struct str name)
{
	const uint64_t key[2] = { q->hash_key[0], addr_siphash(q->hash_key, realm.p, realm.len) };

	return addr_siphash(key, name.p, name.len);
}

static struct user *find(const struct store_quotas *q, struct str realm, struct str name)
{
	struct hnode *n = hmap_find(&q->users, hash_of(q, realm, name));

	for (; n; n = hmap_same(n)) {
		struct user *u = container_of(n, struct user, node);

		if (str_eq(u->name, name) && str_eq(u->realm, realm))
			return u;
	}
	return NULL;
}

static struct user *make(struct store_quotas *q, struct str realm, struct str name)
{
	struct user *u = calloc(1, sizeof *u + realm.len + name.len + 1);
	char *text = u ? (char *)(u + 1) : NULL;

	if (!u)
		return NULL;
	if (q->users.n >= STORE_QUOTA_USERS)
		drop(q, list_entry(q->order.next, struct user, order));
	if (realm.len)
		memcpy(text, realm.p, realm.len);
	if (name.len)
		memcpy(text + realm.len, name.p, name.len);
	u->realm = (struct str){ text, realm.len };
	u->name = (struct str){ text + realm.len, name.len };
	u->limits = store_limits_none();
	hmap_insert(&q->users, &u->node, hash_of(q, realm, name));
	list_push(&q->order, &u->order);
	return u;
}

bool store_quota_is_news(const struct store_quotas *q, struct str realm, struct str user,
			 const struct store_limits *limits)
{
	const struct store_limits none = store_limits_none();
	const struct user *u = find(q, realm, user);

	return !store_limits_eq(u ? &u->limits : &none, limits);
}

void store_quota_learn(struct store_quotas *q, struct str realm, struct str user, const struct store_limits *limits)
{
	struct user *u;

	if (!store_quota_is_news(q, realm, user, limits))
		return;
	u = find(q, realm, user);
	if (!u)
		u = make(q, realm, user);
	if (u)
		u->limits = *limits;
}

/* The window that counts for the row's user now. A report of an earlier one (it waited for the database, or for
 * the next process) says nothing about what the user may. */
static bool is_of_now(const struct store_quotas *q, const struct store_limits *limits, const struct store_usage *row,
		      int64_t wall_s)
{
	char usual[CONF_PERIOD_NAME], window[CONF_PERIOD_NAME];

	conf_period_name((enum conf_period)q->conf->byte_quota_period, wall_s, usual);
	return strcmp(store_limits_window(limits, usual, wall_s, window), row->period) == 0;
}

static void tell(struct store_quotas *q, const struct store_usage *row, const char *event, int64_t limit)
{
	char user[96];

	log_warn(q->lg, NULL, event, "user=%s period=%s bytes=%llu limit=%lld", log_quote(row->user, user, sizeof user),
		 row->period, (unsigned long long)row->total_bytes, (long long)limit);
}

/* True for the first time in this period. */
static bool is_news(char told[CONF_PERIOD_NAME], const char *period)
{
	if (strcmp(told, period) == 0)
		return false;
	memcpy(told, period, CONF_PERIOD_NAME);
	return true;
}

bool store_quota_is_over(struct store_quotas *q, const struct store_usage *row, int64_t wall_s)
{
	struct user *u = find(q, row->realm, row->user);
	struct store_limits limits = row->has_limits ? row->limits : u ? u->limits : store_limits_none();
	int64_t limit = limits.max_bytes != CONF_LIVE_UNSET ? limits.max_bytes : q->conf->user_byte_quota;
	bool over;

	if (limit <= 0 || row->total_bytes < (uint64_t)limit / 100 * STORE_QUOTA_NEAR_PERCENT ||
	    !is_of_now(q, &limits, row, wall_s))
		return false;
	over = row->total_bytes >= (uint64_t)limit;
	if (!u)
		u = make(q, row->realm, row->user);
	if (!u)
		return over;
	if (!over && is_news(u->near, row->period)) {
		q->n_near++;
		tell(q, row, "byte_quota_near", limit);
	}
	if (over && is_news(u->over, row->period)) {
		q->n_over++;
		tell(q, row, "byte_quota_over", limit);
	}
	return over;
}

uint64_t store_quota_near(const struct store_quotas *q)
{
	return q->n_near;
}

uint64_t store_quota_over(const struct store_quotas *q)
{
	return q->n_over;
}
