#include "relay/peruser.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct relay_peruser {
	char *name; /* the realm's, then the user's; NULL: the place is free */
	size_t realm_len, user_len;
	uint64_t sessions, left_at; /* left_at: when it had none any more, by relay_perusers.n_left */
	_Atomic uint64_t packets[2], bytes[2]; /* up, down: of several workers */
};

struct relay_perusers {
	pthread_mutex_t lock;
	size_t max, n; /* places, and those that have ever been taken */
	uint64_t n_left;
	struct relay_peruser places[];
};

enum err relay_perusers_new(struct relay_perusers **out, size_t max)
{
	struct relay_perusers *p = calloc(1, sizeof *p + max * sizeof p->places[0]);

	if (!p)
		return ERR_NOMEM;
	pthread_mutex_init(&p->lock, NULL);
	p->max = max;
	*out = p;
	return OK;
}

void relay_perusers_free(struct relay_perusers *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++)
		free(p->places[i].name);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* A place that nobody has, or whose user has had no session for longest. NULL: all are in use. */
static struct relay_peruser *find_free(struct relay_perusers *p)
{
	struct relay_peruser *idlest = NULL;

	if (p->n < p->max)
		return &p->places[p->n++];
	for (size_t i = 0; i < p->n; i++) {
		struct relay_peruser *u = &p->places[i];

		if (!u->name)
			return u;
		if (!u->sessions && (!idlest || u->left_at < idlest->left_at))
			idlest = u;
	}
	return idlest;
}

static struct relay_peruser *settle(struct relay_perusers *p, struct str realm, struct str user)
{
	struct relay_peruser *u = find_free(p);

	if (!u)
		return NULL;
	free(u->name);
	u->name = malloc(realm.len + user.len);
	if (!u->name)
		return NULL;
	if (realm.len)
		memcpy(u->name, realm.p, realm.len);
	memcpy(u->name + realm.len, user.p, user.len);
	u->realm_len = realm.len;
	u->user_len = user.len;
	for (int i = 0; i < 2; i++) {
		atomic_store(&u->packets[i], 0);
		atomic_store(&u->bytes[i], 0);
	}
	return u;
}

static struct str realm_of(const struct relay_peruser *u)
{
	return (struct str){ u->name, u->realm_len };
}

static struct str user_of(const struct relay_peruser *u)
{
	return (struct str){ u->name + u->realm_len, u->user_len };
}

static struct relay_peruser *find(struct relay_perusers *p, struct str realm, struct str user)
{
	for (size_t i = 0; i < p->n; i++) {
		struct relay_peruser *u = &p->places[i];

		if (u->name && str_eq(realm_of(u), realm) && str_eq(user_of(u), user))
			return u;
	}
	return NULL;
}

struct relay_peruser *relay_peruser_enter(struct relay_perusers *p, struct str realm, struct str user)
{
	struct relay_peruser *u;

	if (!user.len)
		return NULL;
	pthread_mutex_lock(&p->lock);
	u = find(p, realm, user);
	if (!u)
		u = settle(p, realm, user);
	if (u)
		u->sessions++;
	pthread_mutex_unlock(&p->lock);
	return u;
}

void relay_peruser_leave(struct relay_perusers *p, struct relay_peruser *u)
{
	pthread_mutex_lock(&p->lock);
	if (!--u->sessions)
		u->left_at = ++p->n_left;
	pthread_mutex_unlock(&p->lock);
}

void relay_peruser_add(struct relay_peruser *u, const struct turn_traffic *up, const struct turn_traffic *down)
{
	const struct turn_traffic *of[2] = { up, down };

	for (int i = 0; i < 2; i++) {
		if (!of[i]->packets)
			continue;
		atomic_fetch_add_explicit(&u->packets[i], of[i]->packets, memory_order_relaxed);
		atomic_fetch_add_explicit(&u->bytes[i], of[i]->bytes, memory_order_relaxed);
	}
}

void relay_perusers_walk(struct relay_perusers *p, void (*fn)(void *arg, const struct relay_peruser_row *row),
			 void *arg)
{
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->n; i++) {
		const struct relay_peruser *u = &p->places[i];
		struct relay_peruser_row row;

		if (!u->name)
			continue;
		row = (struct relay_peruser_row){
			realm_of(u),
			user_of(u),
			u->sessions,
			{ atomic_load(&u->packets[0]), atomic_load(&u->bytes[0]) },
			{ atomic_load(&u->packets[1]), atomic_load(&u->bytes[1]) },
		};

		fn(arg, &row);
	}
	pthread_mutex_unlock(&p->lock);
}
