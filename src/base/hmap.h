/*
 * Intrusive hash map. Nodes live in their objects; the map owns only its bucket array. Up to
 * four nodes need no memory at all; insertion cannot fail, for a map that cannot grow only gets
 * longer chains. The caller brings the hash (keyed, where peers choose the keys) and compares
 * the keys. One thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct hnode {
	struct hnode *next;
	uint64_t hash;
};

struct hmap {
	struct hnode **buckets; /* NULL: all nodes are in `first` */
	struct hnode *first;
	uint32_t mask; /* buckets - 1 */
	uint32_t n;
};

void hmap_init(struct hmap *m);

/* Frees the bucket array, not the nodes; the map is empty afterwards. */
void hmap_fini(struct hmap *m);

void hmap_insert(struct hmap *m, struct hnode *node, uint64_t hash);

/* The node must be in the map. */
void hmap_remove(struct hmap *m, struct hnode *node);

/* The first node with this hash, or NULL; compare the key, then hmap_same() for the next. */
static inline struct hnode *hmap_find(const struct hmap *m, uint64_t hash)
{
	struct hnode *n = m->buckets ? m->buckets[hash & m->mask] : m->first;

	while (n && n->hash != hash)
		n = n->next;
	return n;
}

static inline struct hnode *hmap_same(const struct hnode *node)
{
	struct hnode *n = node->next;

	while (n && n->hash != node->hash)
		n = n->next;
	return n;
}

/* Any node, or NULL when empty: for tearing down (remove it, then ask again). O(buckets). */
struct hnode *hmap_any(const struct hmap *m);

/* Empties the map and returns all nodes, chained by `next`: for walks that change the map. */
struct hnode *hmap_take_all(struct hmap *m);

/* Calls fn for every node, in no order; fn must not change the map. */
void hmap_each(const struct hmap *m, void (*fn)(struct hnode *node, void *arg), void *arg);
