#include "worker/ask.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/park.h"
#include "relay/record.h"
#include "worker/bridge.h"
#include "worker/worker.h"

enum { FINISH_MS = 2000 };

/* --- questions --- */

/* A copy of its own; *ok is false where there was no memory, and stays so. */
static struct str own(struct str s, bool *ok)
{
	char *p = malloc(s.len + 1);

	if (!p) {
		*ok = false;
		return (struct str){ NULL, 0 };
	}
	if (s.len)
		memcpy(p, s.p, s.len);
	p[s.len] = 0;
	return (struct str){ p, s.len };
}

static bool fill_lease(struct store_job *j, const struct relay_ask *q)
{
	struct store_lease *l = &j->lease;

	strncpy(l->id, q->id, sizeof l->id - 1);
	memcpy(l->period, q->period, sizeof l->period);
	l->user_max = q->user_max;
	l->total_max = q->total_max;
	l->bytes_max = q->bytes_max;
	l->ttl_ms = STORE_LEASE_MS;
	l->made_s = q->made_s;
	l->limits = store_limits_none();
	return true;
}

static bool fill_usage(struct store_job *j, const struct relay_ask *q)
{
	bool ok = true;

	j->usage = calloc(q->n_usage, sizeof *j->usage);
	if (!j->usage)
		return false;
	for (; j->n_usage < q->n_usage; j->n_usage++) {
		const struct relay_ask_usage *from = &q->usage[j->n_usage];
		struct store_usage *to = &j->usage[j->n_usage];

		*to = (struct store_usage){ .realm = own(from->realm, &ok),
					    .user = own(from->user, &ok),
					    .rx_bytes = from->rx.bytes,
					    .tx_bytes = from->tx.bytes,
					    .rx_packets = from->rx.packets,
					    .tx_packets = from->tx.packets,
					    .sessions = from->sessions,
					    .ttl_s = conf_period_keep_s(from->kind) };
		memcpy(to->period, from->period, sizeof to->period);
	}
	return ok;
}

static bool fill_record(struct store_job *j, const struct relay_ask *q)
{
	const struct relay_record *from = q->record;
	bool ok = true;

	j->record = calloc(1, sizeof *j->record);
	if (!j->record)
		return false;
	*j->record = (struct store_record){
		.node = own(from->node, &ok),
		.realm = own(from->realm, &ok),
		.user = own(from->user, &ok),
		.client = own(from->client, &ok),
		.transport = own(from->transport, &ok),
		.relayed = own(from->relayed, &ok),
		.reason = own(from->reason, &ok),
		.peers = own(from->peers, &ok),
		.drops = own(from->drops, &ok),
		.quality = own(from->quality, &ok),
		.opened_ms = from->opened_ms,
		.closed_ms = from->closed_ms,
		.rx_packets = from->rx.packets,
		.rx_bytes = from->rx.bytes,
		.tx_packets = from->tx.packets,
		.tx_bytes = from->tx.bytes,
		.dropped = from->dropped,
	};
	strncpy(j->record->id, from->id, sizeof j->record->id - 1);
	return ok;
}

static bool fill_events(struct store_job *j, const struct relay_ask *q)
{
	static const uint8_t kinds[] = { [RELAY_EVENT_SET] = STORE_EVENT_SET,
					 [RELAY_EVENT_DEL] = STORE_EVENT_DEL,
					 [RELAY_EVENT_PUBLISH] = STORE_EVENT_PUBLISH };
	bool ok = true;

	j->events = calloc(q->n_events, sizeof *j->events);
	if (!j->events)
		return false;
	for (; j->n_events < q->n_events; j->n_events++) {
		const struct relay_ask_event *from = &q->events[j->n_events];
		struct store_event *to = &j->events[j->n_events];

		to->kind = kinds[from->kind];
		to->key = own(from->key, &ok);
		to->value = own(from->value, &ok);
	}
	return ok;
}

static bool fill(struct store_job *j, const struct relay_ask *q)
{
	switch (q->kind) {
	case RELAY_ASK_LEASE:
		return fill_lease(j, q);
	case RELAY_ASK_HOLD:
	case RELAY_ASK_RELEASE:
		strncpy(j->lease.id, q->id, sizeof j->lease.id - 1);
		return true;
	case RELAY_ASK_USAGE:
		return fill_usage(j, q);
	case RELAY_ASK_RECORD:
		return fill_record(j, q);
	case RELAY_ASK_EVENT:
		return fill_events(j, q);
	default:
		return true;
	}
}

static struct store_job *make(const struct worker *w, const struct relay_ask *q)
{
	static const enum store_job_kind kinds[] = {
		[RELAY_ASK_KEY] = STORE_JOB_KEY,	 [RELAY_ASK_LEASE] = STORE_JOB_LEASE,
		[RELAY_ASK_RELEASE] = STORE_JOB_RELEASE, [RELAY_ASK_USAGE] = STORE_JOB_USAGE,
		[RELAY_ASK_RECORD] = STORE_JOB_RECORD,	 [RELAY_ASK_EVENT] = STORE_JOB_EVENT,
		[RELAY_ASK_HOLD] = STORE_JOB_HOLD,
	};
	struct store_job *j = store_job_new(kinds[q->kind], q->realm, q->user);

	if (!j)
		return NULL;
	j->worker = w->index;
	j->ticket = q->ticket;
	if (fill(j, q))
		return j;
	store_job_free(j);
	return NULL;
}

/* May it wait here for room? What is asked for now is of no use later. */
static bool may_wait(const struct relay_ask *q)
{
	return q->kind == RELAY_ASK_HOLD || q->kind == RELAY_ASK_RELEASE || q->kind == RELAY_ASK_RECORD ||
	       (q->kind == RELAY_ASK_USAGE && q->last);
}

static bool hand_over(struct worker *w, struct store_job *j, bool may_wait)
{
	struct worker_outbox *out = &w->outbox;

	if (!out->n && !store_send(worker_bridge_store(w->bridge), j))
		return true;
	if (!may_wait) { /* what waits goes first, but nobody waits behind it for an answer */
		if (out->n && !store_send(worker_bridge_store(w->bridge), j))
			return true;
		store_job_free(j);
		return false;
	}
	if (out->n == WORKER_ASK_WAITING) {
		store_job_free(j);
		return false;
	}
	j->next = NULL;
	*(out->first ? &out->last->next : &out->first) = j;
	out->last = j;
	out->n++;
	return true;
}

bool worker_ask(void *arg, const struct relay_ask *q)
{
	struct worker *w = arg;
	struct store_job *j = make(w, q);

	return j && hand_over(w, j, may_wait(q));
}

void worker_ask_return(struct worker *w, struct store_job *job)
{
	if (job->kind != STORE_JOB_LEASE || job->status != STORE_OK || !job->lease.counted) {
		store_job_free(job);
		return;
	}
	job->kind = STORE_JOB_RELEASE;
	if (!hand_over(w, job, true))
		count(&w->relay->cnt, store_lost);
}

/* --- answers --- */

static enum relay_ask_status status_of(enum store_status s)
{
	switch (s) {
	case STORE_OK:
		return RELAY_ASK_OK;
	case STORE_NONE:
	case STORE_UNSUPPORTED:
		return RELAY_ASK_NONE;
	case STORE_FULL_USER:
		return RELAY_ASK_FULL_USER;
	case STORE_FULL_REALM:
		return RELAY_ASK_FULL_REALM;
	case STORE_FULL_BYTES:
		return RELAY_ASK_FULL_BYTES;
	case STORE_REVOKED:
		return RELAY_ASK_REVOKED;
	default:
		return RELAY_ASK_FAILED;
	}
}

void worker_ask_answer(struct worker *w, struct store_job *job)
{
	struct relay_answer a = {
		.ticket = job->ticket,
		.kind = job->kind == STORE_JOB_LEASE ? RELAY_ASK_LEASE : RELAY_ASK_KEY,
		.status = status_of(job->status),
		.realm = job->realm,
		.user = job->user,
		.id = job->lease.id,
		.max_allocations = job->lease.limits.max_allocations,
		.max_bps = job->lease.limits.max_bps,
		.counted = job->status == STORE_OK && job->lease.counted,
	};

	_Static_assert(sizeof a.key == sizeof job->key, "both are long-term keys");
	_Static_assert(sizeof a.period == sizeof job->lease.limits.period, "both are words");
	memcpy(a.key, job->key, sizeof a.key);
	memcpy(a.period, job->lease.limits.period, sizeof a.period);
	relay_clock(w->relay);
	relay_park_answer(w->relay, &a);
	crypto_wipe(a.key, sizeof a.key);
	store_job_free(job);
}

/* --- what waits --- */

void worker_ask_tick(struct worker *w)
{
	struct worker_outbox *out = &w->outbox;

	while (out->first) {
		struct store_job *j = out->first, *next = j->next;

		if (store_send(worker_bridge_store(w->bridge), j))
			return;
		out->first = next;
		out->n--;
	}
}

void worker_ask_finish(struct worker *w)
{
	struct worker_outbox *out = &w->outbox;

	worker_ask_tick(w);
	for (int ms = 0; out->first && ms < FINISH_MS; ms++) {
		usleep(1000);
		worker_ask_tick(w);
	}
	if (out->first)
		log_error(w->relay->lg, NULL, "store_lost", "worker=%u jobs=%zu reason=queue_full",
			  w->index, out->n);
	while (out->first) {
		struct store_job *j = out->first;

		out->first = j->next;
		store_job_free(j);
	}
	out->n = 0;
}
