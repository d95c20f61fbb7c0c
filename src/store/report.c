#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "store/inside.h"

enum { USAGE_TTL_DAY_S = 2 * 86400, USAGE_TTL_MONTH_S = 62 * 86400 };

void store_report_usage(struct store *s, struct store_job *job)
{
	for (size_t i = 0; i < job->n_usage; i++)
		if (store_usage_add(s->usage, &job->usage[i]) && log_seldom(&s->n_unusable))
			log_error(s->lg, NULL, "store_lost", "store=%s rows=1 reason=no_memory", s->counts->kind->name);
	store_job_free(job);
}

static bool copy_text(struct str *s)
{
	char *p = malloc(s->len + 1);

	if (p && s->len)
		memcpy(p, s->p, s->len);
	s->p = p;
	return p;
}

/* A second copy, for a second database. */
static bool copy_record(struct store_record *r)
{
	struct str *const text[] = { &r->node,	  &r->realm,  &r->user,	 &r->client, &r->transport,
				     &r->relayed, &r->reason, &r->peers, &r->drops,  &r->quality };
	bool ok = true;

	for (size_t i = 0; i < ARRAY_LEN(text); i++)
		ok &= copy_text(text[i]);
	return ok;
}

static void flush_records(struct store *s, size_t i, tick now)
{
	if (!s->records[i])
		return;
	store_delivery_put(s->delivery[i], s->records[i], now);
	s->records[i] = NULL;
}

void store_report_record(struct store *s, struct store_job *job)
{
	tick now = net_loop_now(s->loop);

	for (size_t i = 0; i < s->n_links && job->record; i++) {
		struct store_record r = *job->record;

		if (!s->link[i].records || !copy_record(&r))
			continue;
		if (!s->records[i])
			s->records[i] = store_batch_new(str_of(s->node), s->epoch);
		if (!s->records[i] || store_batch_add_record(s->records[i], &r))
			continue;
		if (store_batch_rows(s->records[i]) == STORE_BATCH_ROWS)
			flush_records(s, i, now);
	}
	store_job_free(job);
}

struct publication {
	struct store_asked asked;
	struct store *s;
	struct store_job *job;
};

static void on_published(struct store_asked *a, enum store_status status)
{
	(void)a;
	(void)status;
}

static void on_publication_gone(struct store_asked *a)
{
	struct publication *p = container_of(a, struct publication, asked);

	p->s->n_events--;
	store_job_free(p->job);
	free(p);
}

/* Who listens to publications wants them now or not at all. */
void store_report_event(struct store *s, struct store_job *job)
{
	struct publication *p = s->n_events < STORE_EVENTS_MAX && s->counts->up ? calloc(1, sizeof *p) : NULL;

	if (!p) {
		store_job_free(job);
		return;
	}
	p->s = s;
	p->job = job;
	p->asked.op = (struct store_op){ .kind = STORE_EVENT, .events = job->events, .n_events = job->n_events };
	p->asked.answered = on_published;
	p->asked.gone = on_publication_gone;
	s->n_events++;
	store_link_ask(s->counts, &p->asked, &s->waiting, net_loop_now(s->loop), 0);
}

static int64_t usage_ttl_s(const struct conf *conf)
{
	/* design: keys expire after two periods; byte-quota-period is month, day or 30d */
	return conf->byte_quota_period == 1 ? USAGE_TTL_DAY_S : USAGE_TTL_MONTH_S;
}

void store_report_flush(struct store *s, tick now)
{
	struct store_batch *b;

	while (!store_usage_take(s->usage, str_of(s->node), s->epoch, &b) && b) {
		b->usage_ttl_s = usage_ttl_s(s->conf);
		store_delivery_put(s->delivery[s->counts - s->link], b, now);
	}
	for (size_t i = 0; i < s->n_links; i++)
		flush_records(s, i, now);
}
