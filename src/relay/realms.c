#include "relay/realms.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct relay_realms {
	pthread_mutex_t lock; /* of those who add a name */
	_Atomic unsigned n;   /* names that may be read */
	struct str names[RELAY_REALM_OTHERS];
};

static bool add(struct relay_realms *r, unsigned n, struct str realm)
{
	char *copy = malloc(realm.len + 1);

	if (!copy)
		return false;
	if (realm.len)
		memcpy(copy, realm.p, realm.len);
	r->names[n] = (struct str){ copy, realm.len };
	atomic_store_explicit(&r->n, n + 1, memory_order_release);
	return true;
}

enum err relay_realms_new(struct relay_realms **out, struct str own)
{
	struct relay_realms *r = calloc(1, sizeof *r);

	if (!r || !add(r, 0, own)) {
		free(r);
		return ERR_NOMEM;
	}
	pthread_mutex_init(&r->lock, NULL);
	*out = r;
	return OK;
}

void relay_realms_free(struct relay_realms *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < atomic_load(&r->n); i++)
		free((char *)r->names[i].p);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* Else *place is the next one, RELAY_REALM_OTHERS when all are taken. */
static bool find(const struct relay_realms *r, struct str realm, unsigned *place)
{
	unsigned n = atomic_load_explicit(&r->n, memory_order_acquire);

	for (*place = 0; *place < n; ++*place)
		if (str_eq(r->names[*place], realm))
			return true;
	return false;
}

unsigned relay_realms_place(struct relay_realms *r, struct str realm)
{
	unsigned i;

	/* names never go: when all places are taken, they stay so */
	if (find(r, realm, &i) || i == RELAY_REALM_OTHERS)
		return i;
	pthread_mutex_lock(&r->lock);
	/* another worker may have been first */
	if (!find(r, realm, &i) && i < RELAY_REALM_OTHERS && !add(r, i, realm))
		i = RELAY_REALM_OTHERS;
	pthread_mutex_unlock(&r->lock);
	return i;
}

size_t relay_realms_names(const struct relay_realms *r, struct str *out, size_t max)
{
	size_t n = atomic_load_explicit(&r->n, memory_order_acquire);

	for (size_t i = 0; i < n && i < max; i++)
		out[i] = r->names[i];
	return n;
}
