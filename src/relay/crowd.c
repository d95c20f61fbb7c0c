#include "relay/crowd.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"

struct relay_prefix {
	struct hnode node; /* in crowd.prefixes, by ip */
	struct addr ip;
	uint32_t n; /* never 0 */
};

void relay_crowd_init(struct relay_crowd *c, const uint64_t key[2], uint32_t max_per_prefix)
{
	hmap_init(&c->prefixes);
	memcpy(c->key, key, sizeof c->key);
	c->n = 0;
	c->max_per_prefix = max_per_prefix;
}

void relay_crowd_fini(struct relay_crowd *c)
{
	BUG_ON(c->n);
	hmap_fini(&c->prefixes);
}

static struct addr prefix_of(const struct addr *client)
{
	struct addr p = *client;

	p.port = 0;
	if (p.family == ADDR_V6)
		memset(p.ip + 8, 0, 8);
	return p;
}

static struct relay_prefix *find(struct relay_crowd *c, const struct addr *ip)
{
	struct hnode *n = hmap_find(&c->prefixes, addr_hash(c->key, ip));

	for (; n; n = hmap_same(n)) {
		struct relay_prefix *p = container_of(n, struct relay_prefix, node);

		if (addr_eq(&p->ip, ip))
			return p;
	}
	return NULL;
}

static struct relay_prefix *enter(struct relay_crowd *c, const struct addr *client,
				  uint32_t max)
{
	struct addr ip = prefix_of(client);
	struct relay_prefix *p = find(c, &ip);

	if (p && p->n >= max)
		return NULL;
	if (!p) {
		p = calloc(1, sizeof *p);
		if (!p)
			return NULL;
		p->ip = ip;
		hmap_insert(&c->prefixes, &p->node, addr_hash(c->key, &ip));
	}
	p->n++;
	c->n++;
	return p;
}

struct relay_prefix *relay_crowd_enter(struct relay_crowd *c, const struct addr *client)
{
	return enter(c, client, c->max_per_prefix);
}

struct relay_prefix *relay_crowd_enter_any(struct relay_crowd *c, const struct addr *client)
{
	return enter(c, client, UINT32_MAX);
}

void relay_crowd_leave(struct relay_crowd *c, struct relay_prefix **p)
{
	struct relay_prefix *left = *p;

	if (!left)
		return;
	*p = NULL;
	c->n--;
	if (--left->n == 0) {
		hmap_remove(&c->prefixes, &left->node);
		free(left);
	}
}
