#include <stdlib.h>

#include "base/bug.h"
#include "store/inside.h"

void store_report_usage(struct store *s, struct store_job *job)
{
	for (size_t i = 0; i < job->n_usage; i++)
		store_delivery_add_usage(s->delivery[s->counts - s->link], &job->usage[i]);
	store_job_free(job);
}

void store_report_record(struct store *s, struct store_job *job)
{
	for (size_t i = 0; i < s->n_links && job->record; i++)
		if (s->link[i].records)
			store_delivery_add_record(s->delivery[i], job->record);
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

void store_report_flush(struct store *s)
{
	for (size_t i = 0; i < s->n_links; i++)
		if (s->delivery[i])
			store_delivery_flush(s->delivery[i]);
}
