#include "store/cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/bug.h"
#include "base/crypto.h"
#include "base/list.h"

struct entry {
	struct hnode node;
	struct list age; /* in cache.answers, oldest first; alone while asked for */
	struct str realm, user;
	struct store_job *waiting; /* asked for, and these want to know */
	enum store_status status;
	uint8_t key[STORE_KEY_LEN];
	tick expires;
	bool asked;
};

struct store_cache {
	struct hmap entries;
	struct list answers;
	uint64_t hash_key[2];
	tick ttl_ms;
};

enum err store_cache_new(struct store_cache **out, tick ttl_ms, const uint64_t hash_key[2])
{
	struct store_cache *c = calloc(1, sizeof *c);

	if (!c)
		return ERR_NOMEM;
	hmap_init(&c->entries);
	list_init(&c->answers);
	memcpy(c->hash_key, hash_key, sizeof c->hash_key);
	c->ttl_ms = ttl_ms;
	*out = c;
	return OK;
}

static uint64_t hash_of(const struct store_cache *c, struct str realm, struct str user)
{
	const uint64_t key[2] = { c->hash_key[0], addr_siphash(c->hash_key, realm.p, realm.len) };

	return addr_siphash(key, user.p, user.len);
}

static struct entry *find(const struct store_cache *c, struct str realm, struct str user)
{
	struct hnode *n = hmap_find(&c->entries, hash_of(c, realm, user));

	for (; n; n = hmap_same(n)) {
		struct entry *e = container_of(n, struct entry, node);

		if (str_eq(e->realm, realm) && str_eq(e->user, user))
			return e;
	}
	return NULL;
}

static void drop(struct store_cache *c, struct entry *e)
{
	hmap_remove(&c->entries, &e->node);
	list_del(&e->age);
	while (e->waiting) {
		struct store_job *j = e->waiting;

		e->waiting = j->next;
		store_job_free(j);
	}
	crypto_wipe(e->key, sizeof e->key);
	free(e);
}

void store_cache_free(struct store_cache *c)
{
	struct hnode *n;

	if (!c)
		return;
	while ((n = hmap_any(&c->entries)))
		drop(c, container_of(n, struct entry, node));
	hmap_fini(&c->entries);
	free(c);
}

/* Text lies behind the struct. */
static struct entry *make(struct store_cache *c, struct str realm, struct str user)
{
	struct entry *e;
	char *text;

	if (c->entries.n >= STORE_CACHE_MAX) {
		if (list_empty(&c->answers))
			return NULL; /* all of them are asked for */
		drop(c, list_entry(c->answers.next, struct entry, age));
	}
	e = calloc(1, sizeof *e + realm.len + user.len + 1);
	if (!e)
		return NULL;
	text = (char *)(e + 1);
	if (realm.len)
		memcpy(text, realm.p, realm.len);
	if (user.len)
		memcpy(text + realm.len, user.p, user.len);
	e->realm = (struct str){ text, realm.len };
	e->user = (struct str){ text + realm.len, user.len };
	list_init(&e->age);
	hmap_insert(&c->entries, &e->node, hash_of(c, realm, user));
	return e;
}

static void wait_for(struct entry *e, struct store_job *job)
{
	job->next = e->waiting;
	e->waiting = job;
}

enum store_cache_found store_cache_look(struct store_cache *c, struct store_job *job, tick now)
{
	struct entry *e = find(c, job->realm, job->user);

	if (e && !e->asked && !tick_before(now, e->expires)) {
		drop(c, e);
		e = NULL;
	}
	if (e && !e->asked) {
		job->status = e->status;
		memcpy(job->key, e->key, sizeof job->key);
		return STORE_CACHE_KNOWN;
	}
	if (e) {
		wait_for(e, job);
		return STORE_CACHE_JOINED;
	}
	e = make(c, job->realm, job->user);
	if (!e)
		return STORE_CACHE_FULL;
	e->asked = true;
	wait_for(e, job);
	return STORE_CACHE_ASK;
}

static struct store_job *take_waiting(struct entry *e)
{
	struct store_job *jobs = e->waiting;

	for (struct store_job *j = jobs; j; j = j->next) {
		j->status = e->status;
		memcpy(j->key, e->key, sizeof j->key);
	}
	e->waiting = NULL;
	return jobs;
}

struct store_job *store_cache_answer(struct store_cache *c, struct str realm, struct str user,
				     enum store_status status, const uint8_t key[STORE_KEY_LEN], tick now)
{
	struct entry *e = find(c, realm, user);
	struct store_job *jobs;

	if (!e) /* late: asked for, given up, and dropped */
		return NULL;
	e->status = status;
	if (status == STORE_OK)
		memcpy(e->key, key, sizeof e->key);
	jobs = take_waiting(e);
	e->asked = false;
	if ((status != STORE_OK && status != STORE_NONE) || c->ttl_ms == 0) {
		drop(c, e);
		return jobs;
	}
	e->expires = now + c->ttl_ms;
	list_del(&e->age);
	list_push(&c->answers, &e->age);
	return jobs;
}

void store_cache_forget(struct store_cache *c)
{
	while (!list_empty(&c->answers))
		drop(c, list_entry(c->answers.next, struct entry, age));
}
