#include "net/tickets.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/crypto.h"
#include "base/rng.h"

enum { N_KEYS = 3 }; /* the current one, and the two before it */

struct net_tickets {
	pthread_mutex_t
		lock; /* taken once or twice a handshake, which costs a thousand times more */
	int64_t rotate_s;
	tick since; /* when keys[0] became the current one; 0: nobody asked yet */
	struct net_tickets_key keys[N_KEYS]; /* newest first */
};

/* A generator of its own for each key: the pool of one that lives on would hold the next keys.
 * */
static void make_key(struct net_tickets_key *k)
{
	struct rng r;

	rng_init(&r);
	rng_bytes(&r, k, sizeof *k);
	crypto_wipe(&r, sizeof r);
}

enum err net_tickets_new(struct net_tickets **out, int64_t rotate_s)
{
	struct net_tickets *t = calloc(1, sizeof *t);

	BUG_ON(rotate_s <= 0);
	if (!t)
		return ERR_NOMEM;
	if (pthread_mutex_init(&t->lock, NULL) != 0) {
		free(t);
		return ERR_SYS;
	}
	t->rotate_s = rotate_s;
	for (size_t i = 0; i < N_KEYS; i++)
		make_key(&t->keys[i]);
	*out = t;
	return OK;
}

void net_tickets_free(struct net_tickets *t)
{
	if (!t)
		return;
	pthread_mutex_destroy(&t->lock);
	crypto_wipe(t, sizeof *t);
	free(t);
}

/* Nobody looks at the keys while nobody connects, so that rotations that fell due are made up
 * for; more than N_KEYS of them leave nothing of what was. */
static void rotate(struct net_tickets *t, tick now)
{
	const tick every = SEC((tick)t->rotate_s);
	tick due;

	if (t->since == 0)
		t->since = now;
	if (tick_before(now, t->since))
		return;
	due = (now - t->since) / every;
	t->since += due * every;
	for (tick i = 0; i < due && i < N_KEYS; i++) {
		memmove(&t->keys[1], &t->keys[0], (N_KEYS - 1) * sizeof t->keys[0]);
		make_key(&t->keys[0]);
	}
}

void net_tickets_current(struct net_tickets *t, tick now, struct net_tickets_key *out)
{
	pthread_mutex_lock(&t->lock);
	rotate(t, now);
	*out = t->keys[0];
	pthread_mutex_unlock(&t->lock);
}

bool net_tickets_find(struct net_tickets *t, tick now, const uint8_t name[NET_TICKETS_NAME],
		      struct net_tickets_key *out, bool *is_current)
{
	size_t i = 0;

	pthread_mutex_lock(&t->lock);
	rotate(t, now);
	while (i < N_KEYS && memcmp(t->keys[i].name, name, NET_TICKETS_NAME) != 0)
		i++;
	if (i < N_KEYS) {
		*out = t->keys[i];
		*is_current = i == 0;
	}
	pthread_mutex_unlock(&t->lock);
	return i < N_KEYS;
}

int64_t net_tickets_lifetime_s(const struct net_tickets *t)
{
	return t->rotate_s * (N_KEYS - 1);
}
