#include "relay/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "relay/relay.h"

enum { MIN_SLOTS = 64 };

static uint64_t hash_of(const struct relay_table *t, const struct turn_tuple *tuple)
{
	return addr_siphash(t->key, tuple, sizeof *tuple) | 1; /* 0 marks an empty slot */
}

enum err relay_table_init(struct relay_table *t, const uint64_t key[2])
{
	t->slots = calloc(MIN_SLOTS, sizeof *t->slots);
	if (!t->slots)
		return ERR_NOMEM;
	memcpy(t->key, key, sizeof t->key);
	t->mask = MIN_SLOTS - 1;
	t->n = 0;
	return OK;
}

void relay_table_fini(struct relay_table *t)
{
	free(t->slots);
	t->slots = NULL;
}

static size_t home(const struct relay_table *t, uint64_t hash)
{
	return hash >> 1 & t->mask;
}

struct relay_session *relay_table_find(const struct relay_table *t,
				       const struct turn_tuple *tuple)
{
	uint64_t hash = hash_of(t, tuple);

	for (size_t i = home(t, hash); t->slots[i].hash; i = (i + 1) & t->mask)
		if (t->slots[i].hash == hash &&
		    memcmp(&t->slots[i].session->turn.tuple, tuple, sizeof *tuple) == 0)
			return t->slots[i].session;
	return NULL;
}

static void put(struct relay_table *t, struct relay_slot slot)
{
	size_t i = home(t, slot.hash);

	while (t->slots[i].hash)
		i = (i + 1) & t->mask;
	t->slots[i] = slot;
}

static enum err resize(struct relay_table *t, size_t n_slots)
{
	struct relay_slot *old = t->slots, *fresh = calloc(n_slots, sizeof *fresh);
	size_t old_mask = t->mask;

	if (!fresh)
		return ERR_NOMEM;
	t->slots = fresh;
	t->mask = n_slots - 1;
	for (size_t i = 0; i <= old_mask; i++)
		if (old[i].hash)
			put(t, old[i]);
	free(old);
	return OK;
}

enum err relay_table_insert(struct relay_table *t, struct relay_session *s)
{
	/* at most three quarters full */
	if ((t->n + 1) * 4 > (t->mask + 1) * 3) {
		enum err e = resize(t, (t->mask + 1) * 2);

		if (e)
			return e;
	}
	put(t, (struct relay_slot){ hash_of(t, &s->turn.tuple), s });
	t->n++;
	return OK;
}

/* Closes the gap at i, so that no search ends too early. */
static void shift_back(struct relay_table *t, size_t i)
{
	for (size_t j = (i + 1) & t->mask; t->slots[j].hash; j = (j + 1) & t->mask) {
		size_t want = home(t, t->slots[j].hash);

		/* may move when its home is not between the gap and where it is */
		if (((j - want) & t->mask) >= ((j - i) & t->mask)) {
			t->slots[i] = t->slots[j];
			i = j;
		}
	}
	t->slots[i] = (struct relay_slot){ 0, NULL };
}

void relay_table_remove(struct relay_table *t, struct relay_session *s)
{
	uint64_t hash = hash_of(t, &s->turn.tuple);
	size_t i = home(t, hash);

	while (t->slots[i].session != s) {
		BUG_ON(!t->slots[i].hash);
		i = (i + 1) & t->mask;
	}
	shift_back(t, i);
	t->n--;
	if (t->mask >= MIN_SLOTS && t->n * 8 < t->mask + 1)
		(void)!resize(t, (t->mask + 1) / 2); /* smaller is a wish, not a need */
}
