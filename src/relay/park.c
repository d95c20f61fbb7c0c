#include "relay/park.h"

#include <stdlib.h>
#include <string.h>

#include "relay/crowd.h"
#include "relay/lease.h"

struct relay_park {
	struct hmap by_ticket, by_tuple;
	struct relay_crowd crowd;
	uint64_t last_ticket; /* counts up: none is ever used twice */
};

enum err relay_park_new(struct relay *r)
{
	struct relay_park *park = calloc(1, sizeof *park);

	if (!park)
		return ERR_NOMEM;
	hmap_init(&park->by_ticket);
	hmap_init(&park->by_tuple);
	relay_crowd_init(&park->crowd, r->env.hash_key, RELAY_PARK_PER_PREFIX);
	r->park = park;
	return OK;
}

void relay_park_free(struct relay *r)
{
	struct hnode *n;

	if (!r->park)
		return;
	while ((n = hmap_any(&r->park->by_ticket)))
		relay_park_drop(r, container_of(n, struct relay_parked, by_ticket));
	hmap_fini(&r->park->by_ticket);
	hmap_fini(&r->park->by_tuple);
	relay_crowd_fini(&r->park->crowd);
	free(r->park);
	r->park = NULL;
}

static uint64_t tuple_hash(const struct relay *r, const struct turn_tuple *tuple)
{
	return addr_siphash(r->env.hash_key, tuple, sizeof *tuple);
}

static uint64_t ticket_hash(uint64_t ticket)
{
	return ticket * UINT64_C(0x9E3779B97F4A7C15) >> 32;
}

static struct relay_parked *of_tuple(struct hnode *n)
{
	return container_of(n, struct relay_parked, by_tuple);
}

bool relay_park_has(const struct relay *r, const struct turn_tuple *tuple,
		    const uint8_t txid[STUN_TXID_LEN])
{
	struct hnode *n;

	if (!r->park || !r->park->by_tuple.n)
		return false;
	n = hmap_find(&r->park->by_tuple, tuple_hash(r, tuple));
	for (; n; n = hmap_same(n))
		if (memcmp(&of_tuple(n)->tuple, tuple, sizeof *tuple) == 0 &&
		    memcmp(of_tuple(n)->txid, txid, STUN_TXID_LEN) == 0)
			return true;
	return false;
}

static void on_timeout(struct wheel_timer *t, tick now, void *arg)
{
	struct relay_parked *p = container_of(t, struct relay_parked, timer);
	struct turn_env *env = arg;
	const struct relay_answer none = { .ticket = p->ticket,
					   .kind = p->waits_for,
					   .status = RELAY_ASK_FAILED };

	(void)now;
	relay_park_answer(env->arg, &none);
}

struct relay_parked *relay_park_copy(struct relay *r, const struct relay_path *path,
				     const struct turn_tx *tx)
{
	struct relay_park *park = r->park;
	size_t len = tx->req->raw_len;
	struct relay_parked *p = NULL;
	struct relay_prefix *prefix;

	if (len > RELAY_PARK_BYTES || park->crowd.n >= RELAY_PARK_MAX)
		return NULL;
	prefix = relay_crowd_enter(&park->crowd, &tx->tuple.client);
	if (prefix)
		p = calloc(1, sizeof *p + len);
	if (!p) {
		relay_crowd_leave(&park->crowd, &prefix);
		return NULL;
	}
	p->prefix = prefix;
	p->path = *path;
	p->tuple = tx->tuple;
	memcpy(p->txid, tx->req->txid, sizeof p->txid);
	p->len = len;
	memcpy(p->bytes, tx->req->raw, len);
	wheel_timer_init(&p->timer, on_timeout);
	return p;
}

uint64_t relay_park_wait(struct relay *r, struct relay_parked *p, enum relay_ask_kind what)
{
	p->ticket = ++r->park->last_ticket;
	p->waits_for = what;
	hmap_insert(&r->park->by_ticket, &p->by_ticket, ticket_hash(p->ticket));
	hmap_insert(&r->park->by_tuple, &p->by_tuple, tuple_hash(r, &p->tuple));
	wheel_arm(&r->wheel, &p->timer, r->env.now + RELAY_PARK_MS);
	return p->ticket;
}

void relay_park_wake(struct relay *r, struct relay_parked *p)
{
	hmap_remove(&r->park->by_ticket, &p->by_ticket);
	hmap_remove(&r->park->by_tuple, &p->by_tuple);
	wheel_cancel(&r->wheel, &p->timer);
	p->ticket = 0;
}

void relay_park_drop(struct relay *r, struct relay_parked *p)
{
	if (!p)
		return;
	if (p->ticket)
		relay_park_wake(r, p);
	relay_crowd_leave(&r->park->crowd, &p->prefix);
	crypto_wipe(&p->given, sizeof p->given);
	free(p);
}

static struct relay_parked *find(const struct relay *r, const struct relay_answer *a)
{
	struct hnode *n =
		r->park ? hmap_find(&r->park->by_ticket, ticket_hash(a->ticket)) : NULL;

	for (; n; n = hmap_same(n)) {
		struct relay_parked *p = container_of(n, struct relay_parked, by_ticket);

		if (p->ticket == a->ticket && p->waits_for == a->kind)
			return p;
	}
	return NULL;
}

static void learn_key(struct relay_parked *p, const struct relay_answer *a)
{
	p->is_given = true;
	p->given.state = a->status == RELAY_ASK_OK     ? AUTH_GIVEN_KEY
			 : a->status == RELAY_ASK_NONE ? AUTH_GIVEN_NONE
						       : AUTH_GIVEN_FAILED;
	if (a->status == RELAY_ASK_OK)
		memcpy(p->given.key, a->key, sizeof p->given.key);
}

/* A lease that nobody waits for any more: the session's that was let in without it, else given back. */
static void came_late(struct relay *r, const struct relay_answer *a)
{
	uint64_t id = strtoull(a->id + strlen(r->shared->prefix), NULL, 10); /* relay_session_id() */
	struct relay_session *s = relay_listing_find(r, id);

	if (s && s->bill)
		s->bill->leased = true;
	else
		relay_lease_release(r, a->realm, a->user, a->id);
}

void relay_park_answer(struct relay *r, const struct relay_answer *a)
{
	struct relay_parked *p = find(r, a);

	if (!p) {
		if (a->kind == RELAY_ASK_LEASE && a->counted)
			came_late(r, a);
		return;
	}
	relay_park_wake(r, p);
	if (a->kind == RELAY_ASK_KEY)
		learn_key(p, a);
	relay_request_again(r, p, a);
}

void relay_park_forget(struct relay *r, const struct turn_tuple *tuple)
{
	struct hnode *n, *next;
	uint64_t hash;

	if (!r->park || !r->park->by_tuple.n)
		return;
	hash = tuple_hash(r, tuple);
	for (n = hmap_find(&r->park->by_tuple, hash); n; n = next) {
		next = hmap_same(n);
		if (memcmp(&of_tuple(n)->tuple, tuple, sizeof *tuple) == 0)
			relay_park_drop(r, of_tuple(n));
	}
}
