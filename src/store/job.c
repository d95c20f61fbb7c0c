#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "store/store.h"

static bool copy(struct str *out, struct str from)
{
	char *p = malloc(from.len + 1);

	if (!p)
		return false;
	if (from.len)
		memcpy(p, from.p, from.len);
	p[from.len] = '\0';
	*out = (struct str){ p, from.len };
	return true;
}

struct store_job *store_job_new(enum store_job_kind kind, struct str realm, struct str user)
{
	struct store_job *j = calloc(1, sizeof *j);

	if (!j)
		return NULL;
	j->kind = kind;
	if (!copy(&j->realm, realm) || !copy(&j->user, user)) {
		store_job_free(j);
		return NULL;
	}
	return j;
}

void store_job_free(struct store_job *j)
{
	if (!j)
		return;
	for (size_t i = 0; i < j->n_usage; i++) {
		free((char *)j->usage[i].realm.p);
		free((char *)j->usage[i].user.p);
	}
	for (size_t i = 0; i < j->n_events; i++) {
		free((char *)j->events[i].key.p);
		free((char *)j->events[i].value.p);
	}
	free(j->usage);
	free(j->events);
	store_record_free(j->record);
	free((char *)j->realm.p);
	free((char *)j->user.p);
	crypto_wipe(j->key, sizeof j->key);
	free(j);
}

void store_record_free(struct store_record *r)
{
	if (!r)
		return;
	free((char *)r->node.p);
	free((char *)r->realm.p);
	free((char *)r->user.p);
	free((char *)r->client.p);
	free((char *)r->transport.p);
	free((char *)r->relayed.p);
	free((char *)r->reason.p);
	free((char *)r->peers.p);
	free((char *)r->drops.p);
	free((char *)r->quality.p);
	free(r);
}
