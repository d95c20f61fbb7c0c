#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/crypto.h"
#include "store/inside.h"

/* False: there is no room now. */
static bool hand_over(struct store *s, struct store_job *job)
{
	switch (s->hooks.answer(s->hooks.arg, job)) {
	case STORE_TAKEN:
		return true;
	case STORE_LATER:
		return false;
	default:
		if (job->kind == STORE_JOB_LEASE && job->status == STORE_OK && job->lease.counted)
			store_leases_gave(s->leases, job->realm, job->user, job->lease.id);
		store_job_free(job);
		return true;
	}
}

/* To its worker, now or when there is room. */
static void answer(struct store *s, struct store_job *job)
{
	job->next = NULL;
	if (!s->unanswered && hand_over(s, job))
		return;
	*s->unanswered_end = job;
	s->unanswered_end = &job->next;
}

void store_question_again(struct store *s)
{
	while (s->unanswered) {
		struct store_job *job = s->unanswered, *next = job->next;

		if (!hand_over(s, job))
			return;
		s->unanswered = next;
	}
	s->unanswered_end = &s->unanswered;
}

/* --- one question about one user --- */

/* A question at a database: the job is given back with the answer; a key's is in the cache meanwhile. */
struct question {
	struct store_asked asked;
	struct store *s;
	struct store_job *job; /* LEASE */
	bool was_up;	       /* when it was asked: it may have come to the database */
	struct str realm, user; /* KEY: lie behind the struct */
};

static struct question *ask(struct store *s, struct str realm, struct str user)
{
	struct question *q = calloc(1, sizeof *q + realm.len + user.len + 1);
	char *text = q ? (char *)(q + 1) : NULL;

	if (!q)
		return NULL;
	if (realm.len)
		memcpy(text, realm.p, realm.len);
	if (user.len)
		memcpy(text + realm.len, user.p, user.len);
	q->realm = (struct str){ text, realm.len };
	q->user = (struct str){ text + realm.len, user.len };
	q->s = s;
	q->asked.op.realm = q->realm;
	q->asked.op.user = q->user;
	s->n_asked++;
	return q;
}

static void on_question_gone(struct store_asked *a)
{
	struct question *q = container_of(a, struct question, asked);

	q->s->n_asked--;
	crypto_wipe(q->asked.op.key, sizeof q->asked.op.key);
	free(q);
}

static void answer_all(struct store *s, struct store_job *jobs)
{
	while (jobs) {
		struct store_job *next = jobs->next;

		answer(s, jobs);
		jobs = next;
	}
}

static void on_key(struct store_asked *a, enum store_status status)
{
	struct question *q = container_of(a, struct question, asked);

	answer_all(q->s, store_cache_answer(q->s->cache, q->realm, q->user, status, a->op.key,
					    net_loop_now(q->s->loop)));
}

void store_question_key(struct store *s, struct store_job *job)
{
	tick now = net_loop_now(s->loop);
	struct question *q;

	job->status = STORE_NONE;
	if (!s->users) {
		answer(s, job);
		return;
	}
	switch (store_cache_look(s->cache, job, now)) {
	case STORE_CACHE_JOINED:
		return;
	case STORE_CACHE_ASK:
		break;
	case STORE_CACHE_FULL:
		job->status = STORE_DOWN;
		answer(s, job);
		return;
	default: /* known */
		answer(s, job);
		return;
	}
	q = s->n_asked < STORE_ASKED_MAX ? ask(s, job->realm, job->user) : NULL;
	if (!q) {
		answer_all(s, store_cache_answer(s->cache, job->realm, job->user, STORE_DOWN, job->key, now));
		return;
	}
	q->asked.op.kind = STORE_KEY;
	q->asked.answered = on_key;
	q->asked.gone = on_question_gone;
	store_link_ask(s->users, &q->asked, &s->waiting, now, STORE_ANSWER_MS);
}

void store_question_learn(struct store *s, struct str realm, struct str user, const struct store_limits *limits)
{
	if (store_quota_is_news(s->quotas, realm, user, limits) && s->hooks.limits(s->hooks.arg, realm, user, limits))
		store_quota_learn(s->quotas, realm, user, limits);
}

static void on_lease(struct store_asked *a, enum store_status status)
{
	struct question *q = container_of(a, struct question, asked);
	struct store_job *job = q->job;

	q->job = NULL;
	job->status = status;
	if (status == STORE_OK) {
		job->lease = a->op.lease;
		if (job->lease.counted)
			store_leases_took(q->s->leases, job->realm, job->user, job->lease.id);
		store_question_learn(q->s, job->realm, job->user, &job->lease.limits);
	} else if (status == STORE_DOWN && q->was_up) {
		store_leases_spare(q->s->leases, job->realm, job->user, job->lease.id);
	}
	answer(q->s, job);
}

/* Nobody waits for it any more. */
static void on_late_lease(struct store_asked *a, enum store_status status)
{
	struct question *q = container_of(a, struct question, asked);

	if (status == STORE_OK && a->op.lease.counted)
		store_leases_spare(q->s->leases, q->realm, q->user, a->op.lease.id);
}

void store_question_hold(struct store *s, struct store_job *job)
{
	const struct store_limits unknown = store_limits_none();

	store_leases_hold(s->leases, job->realm, job->user, job->lease.id);
	store_quota_learn(s->quotas, job->realm, job->user, &unknown); /* what it has is news to the session */
	store_job_free(job);
}

void store_question_lease(struct store *s, struct store_job *job)
{
	struct question *q = s->n_asked < STORE_ASKED_MAX ? ask(s, job->realm, job->user) : NULL;

	if (!q) {
		job->status = STORE_DOWN;
		answer(s, job);
		return;
	}
	q->job = job;
	q->was_up = s->counts->up;
	q->asked.op.kind = STORE_LEASE;
	q->asked.op.lease = job->lease;
	q->asked.answered = on_lease;
	q->asked.late = on_late_lease;
	q->asked.gone = on_question_gone;
	store_link_ask(s->counts, &q->asked, &s->waiting, net_loop_now(s->loop), STORE_ANSWER_MS);
}
