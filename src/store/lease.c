#include "store/lease.h"

#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/bug.h"

struct held {
	struct hnode node; /* in leases.held, by id; in leases.giving no more */
	struct list order; /* in leases.renewed, the one renewed longest ago first; or in giving */
	tick renewed;
	struct store_held h; /* texts lie behind the struct */
};

struct store_leases {
	struct store_link *link;
	uint64_t hash_key[2];
	struct hmap held;
	struct list renewed, giving;
	size_t n_giving, n_ops;
	struct list deadlines;
	tick now, again; /* not before that, for the last one failed */
	bool failed;	 /* … and all that are held are to be renewed then */
};

/* A batch of renewals or releases under way. */
struct batch {
	struct store_asked asked;
	struct store_leases *l;
	struct store_held held[STORE_LEASE_BATCH];
	struct held *owned[STORE_LEASE_BATCH]; /* of a release: freed with it */
	char *texts[STORE_LEASE_BATCH];	       /* of a renewal: copies, for a lease may end meanwhile */
	bool done;
};

enum err store_leases_new(struct store_leases **out, struct store_link *link, const uint64_t hash_key[2])
{
	struct store_leases *l = calloc(1, sizeof *l);

	if (!l)
		return ERR_NOMEM;
	l->link = link;
	memcpy(l->hash_key, hash_key, sizeof l->hash_key);
	hmap_init(&l->held);
	list_init(&l->renewed);
	list_init(&l->giving);
	list_init(&l->deadlines);
	*out = l;
	return OK;
}

static void free_list(struct list *all)
{
	while (!list_empty(all)) {
		struct held *h = list_entry(all->next, struct held, order);

		list_del(&h->order);
		free(h);
	}
}

void store_leases_free(struct store_leases *l)
{
	if (!l)
		return;
	BUG_ON(l->n_ops);
	free_list(&l->renewed);
	free_list(&l->giving);
	hmap_fini(&l->held);
	free(l);
}

static struct held *make(struct str realm, struct str user, const char *id)
{
	struct held *h = calloc(1, sizeof *h + realm.len + user.len + 1);
	char *text = h ? (char *)(h + 1) : NULL;

	if (!h)
		return NULL;
	if (realm.len)
		memcpy(text, realm.p, realm.len);
	if (user.len)
		memcpy(text + realm.len, user.p, user.len);
	h->h.realm = (struct str){ text, realm.len };
	h->h.user = (struct str){ text + realm.len, user.len };
	strncpy(h->h.id, id, sizeof h->h.id - 1);
	list_init(&h->order);
	return h;
}

static struct held *find(const struct store_leases *l, const char *id)
{
	struct hnode *n = hmap_find(&l->held, addr_siphash(l->hash_key, id, strlen(id)));

	for (; n; n = hmap_same(n)) {
		struct held *h = container_of(n, struct held, node);

		if (strcmp(h->h.id, id) == 0)
			return h;
	}
	return NULL;
}

static bool is_counted(const struct store_leases *l)
{
	return l->link->kind->counts_leases;
}

/* NULL: it is not renewed, and ends by its time. */
static struct held *keep(struct store_leases *l, struct str realm, struct str user, const char *id)
{
	struct held *h = !is_counted(l) || find(l, id) ? NULL : make(realm, user, id);

	if (h)
		hmap_insert(&l->held, &h->node, addr_siphash(l->hash_key, id, strlen(id)));
	return h;
}

void store_leases_took(struct store_leases *l, struct str realm, struct str user, const char *id)
{
	struct held *h = keep(l, realm, user, id);

	if (!h)
		return;
	h->renewed = l->now;
	list_push(&l->renewed, &h->order);
}

void store_leases_hold(struct store_leases *l, struct str realm, struct str user, const char *id)
{
	struct held *h = keep(l, realm, user, id);

	if (!h)
		return;
	h->renewed = 0;
	list_push(l->renewed.next, &h->order); /* the first that is due */
}

/* Takes it. */
static void give(struct store_leases *l, struct held *h)
{
	if (l->n_giving == STORE_LEASE_GIVING) {
		free(h); /* it ends by its time */
		return;
	}
	list_push(&l->giving, &h->order);
	l->n_giving++;
}

void store_leases_gave(struct store_leases *l, struct str realm, struct str user, const char *id)
{
	struct held *h = find(l, id);

	if (!is_counted(l))
		return;
	if (h) {
		hmap_remove(&l->held, &h->node);
		list_del(&h->order);
	} else {
		h = make(realm, user, id); /* granted late: nobody held it, and it is there all the same */
	}
	if (h)
		give(l, h);
}

void store_leases_spare(struct store_leases *l, struct str realm, struct str user, const char *id)
{
	if (!find(l, id))
		store_leases_gave(l, realm, user, id);
}

static void on_answer(struct store_asked *a, enum store_status status)
{
	struct batch *b = container_of(a, struct batch, asked);

	b->done = b->done || status == STORE_OK || status == STORE_UNSUPPORTED;
}

/* What could not be given back is tried again, unless it is held since: then it would end what is renewed. And
 * what could not be renewed is. */
static void on_gone(struct store_asked *a)
{
	struct batch *b = container_of(a, struct batch, asked);
	struct store_leases *l = b->l;

	l->n_ops--;
	if (!b->done) {
		l->again = l->now + STORE_LEASE_AGAIN_MS;
		l->failed |= a->op.kind == STORE_RENEW;
	}
	for (size_t i = 0; i < b->asked.op.n_held; i++) {
		if (b->done || !b->owned[i] || find(l, b->owned[i]->h.id))
			free(b->owned[i]);
		else
			give(l, b->owned[i]);
		free(b->texts[i]);
	}
	free(b);
}

static struct batch *begin(struct store_leases *l, enum store_op_kind kind)
{
	struct batch *b = calloc(1, sizeof *b);

	if (!b)
		return NULL;
	b->l = l;
	b->asked.op = (struct store_op){ .kind = kind, .held = b->held, .ttl_ms = STORE_LEASE_MS };
	b->asked.answered = b->asked.late = on_answer;
	b->asked.gone = on_gone;
	l->n_ops++;
	return b;
}

static void send_batch(struct batch *b)
{
	struct store_leases *l = b->l;

	store_link_ask(l->link, &b->asked, &l->deadlines, l->now, STORE_LEASE_MS / 3);
}

static bool give_some(struct store_leases *l)
{
	struct batch *b = list_empty(&l->giving) ? NULL : begin(l, STORE_RELEASE);

	if (!b)
		return false;
	while (!list_empty(&l->giving) && b->asked.op.n_held < STORE_LEASE_BATCH) {
		struct held *h = list_entry(l->giving.next, struct held, order);
		size_t i = b->asked.op.n_held++;

		list_del(&h->order);
		l->n_giving--;
		b->owned[i] = h;
		b->held[i] = h->h;
	}
	send_batch(b);
	return true;
}

/* A copy of its texts, for the time of the op. */
static bool add_renewal(struct batch *b, const struct held *h)
{
	size_t i = b->asked.op.n_held;
	char *text = malloc(h->h.realm.len + h->h.user.len + 1);

	if (!text)
		return false;
	if (h->h.realm.len + h->h.user.len)
		memcpy(text, h->h.realm.p, h->h.realm.len + h->h.user.len); /* one behind the other */
	b->texts[i] = text;
	b->held[i] = h->h;
	b->held[i].realm.p = text;
	b->held[i].user.p = text + h->h.realm.len;
	b->asked.op.n_held++;
	return true;
}

static bool is_due(const struct store_leases *l)
{
	const struct held *h = list_empty(&l->renewed) ? NULL : list_entry(l->renewed.next, struct held, order);

	return h && l->now - h->renewed >= STORE_LEASE_MS / 3;
}

static bool renew_some(struct store_leases *l)
{
	struct batch *b = is_due(l) ? begin(l, STORE_RENEW) : NULL;

	if (!b)
		return false;
	while (is_due(l) && b->asked.op.n_held < STORE_LEASE_BATCH) {
		struct held *h = list_entry(l->renewed.next, struct held, order);

		if (!add_renewal(b, h))
			break;
		h->renewed = l->now;
		list_del(&h->order);
		list_push(&l->renewed, &h->order);
	}
	send_batch(b);
	return true;
}

void store_leases_run(struct store_leases *l, tick now)
{
	l->now = now;
	store_link_expire(&l->deadlines, now);
	if (!l->link->up || tick_before(now, l->again))
		return;
	if (l->failed)
		store_leases_renew_all(l);
	l->failed = false;
	while (l->n_ops < STORE_LEASE_IN_FLIGHT && !tick_before(now, l->again) && (give_some(l) || renew_some(l)))
		;
}

void store_leases_renew_all(struct store_leases *l)
{
	for (struct list *at = l->renewed.next; at != &l->renewed; at = at->next)
		list_entry(at, struct held, order)->renewed = 0;
	l->again = 0;
}

bool store_leases_idle(const struct store_leases *l)
{
	return list_empty(&l->giving) && l->n_ops == 0;
}

size_t store_leases_held(const struct store_leases *l)
{
	return l->held.n;
}
