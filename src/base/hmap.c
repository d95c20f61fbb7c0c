#include "base/hmap.h"

#include <stdlib.h>

#include "base/bug.h"

enum {
	FEW = 4,	 /* nodes kept in one list without an array */
	MIN_BUCKETS = 8, /* a power of two above FEW */
	SPARSE = 8,	 /* buckets per node where it halves; far from 1, where it doubles */
};

void hmap_init(struct hmap *m)
{
	*m = (struct hmap){ 0 };
}

void hmap_fini(struct hmap *m)
{
	free(m->buckets);
	hmap_init(m);
}

static struct hnode **head_of(struct hmap *m, uint64_t hash)
{
	return m->buckets ? &m->buckets[hash & m->mask] : &m->first;
}

static size_t n_heads(const struct hmap *m)
{
	return m->buckets ? (size_t)m->mask + 1 : 1;
}

static struct hnode *const *heads(const struct hmap *m)
{
	return m->buckets ? m->buckets : &m->first;
}

static struct hnode *reversed(struct hnode *n)
{
	struct hnode *done = NULL;

	while (n) {
		struct hnode *next = n->next;

		n->next = done;
		done = n;
		n = next;
	}
	return done;
}

/* Moves every node of `from` into `to`. Nodes of one hash keep their order, so that a caller
 * may remove one while it steps through them with hmap_same(). */
static void move_all(struct hmap *to, const struct hmap *from)
{
	struct hnode *const *head = heads(from);

	for (size_t i = 0; i < n_heads(from); i++) {
		struct hnode *n = reversed(head[i]);

		while (n) {
			struct hnode *next = n->next;
			struct hnode **at = head_of(to, n->hash);

			n->next = *at;
			*at = n;
			n = next;
		}
	}
	to->n = from->n;
}

/* Without memory the map stays as it is: slower, never wrong. */
static void resize(struct hmap *m, size_t n_buckets)
{
	struct hmap to = { .mask = (uint32_t)(n_buckets - 1) };

	to.buckets = calloc(n_buckets, sizeof *to.buckets);
	if (!to.buckets)
		return;
	move_all(&to, m);
	free(m->buckets);
	*m = to;
}

static void drop_buckets(struct hmap *m)
{
	struct hmap to = { 0 };

	if (!m->buckets)
		return;
	move_all(&to, m);
	free(m->buckets);
	*m = to;
}

void hmap_insert(struct hmap *m, struct hnode *node, uint64_t hash)
{
	struct hnode **at;

	if (!m->buckets && m->n >= FEW)
		resize(m, MIN_BUCKETS);
	else if (m->buckets && m->n > m->mask && m->mask < UINT32_MAX / 2)
		resize(m, n_heads(m) * 2);
	at = head_of(m, hash);
	node->hash = hash;
	node->next = *at;
	*at = node;
	m->n++;
}

void hmap_remove(struct hmap *m, struct hnode *node)
{
	struct hnode **at = head_of(m, node->hash);

	while (*at && *at != node)
		at = &(*at)->next;
	BUG_ON(!*at);
	*at = node->next;
	m->n--;
	if (!m->buckets)
		return;
	if (m->n <= FEW / 2)
		drop_buckets(m);
	else if (n_heads(m) > MIN_BUCKETS && m->n < n_heads(m) / SPARSE)
		resize(m, n_heads(m) / 2);
}

struct hnode *hmap_any(const struct hmap *m)
{
	struct hnode *const *head = heads(m);

	for (size_t i = 0; i < n_heads(m); i++) {
		if (head[i])
			return head[i];
	}
	return NULL;
}

struct hnode *hmap_take_all(struct hmap *m)
{
	struct hnode *all;

	drop_buckets(m);
	all = m->first;
	m->first = NULL;
	m->n = 0;
	return all;
}

void hmap_each(const struct hmap *m, void (*fn)(struct hnode *node, void *arg), void *arg)
{
	struct hnode *const *head = heads(m);

	for (size_t i = 0; i < n_heads(m); i++) {
		for (struct hnode *n = head[i]; n; n = n->next)
			fn(n, arg);
	}
}
