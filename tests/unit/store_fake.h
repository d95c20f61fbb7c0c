/* A database under the test's control: ops wait until the test answers them. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "store/link.h"

enum { FAKE_OPS = 4096 };

struct store_backend {
	struct store_env env;
	struct store_op *op[FAKE_OPS];
	size_t n;
	bool is_up;
	bool at_once; /* every op is answered STORE_OK as it comes */
	size_t n_started;
};

/* The one that was opened last. */
static struct store_backend *fake;

static enum err fake_open(struct store_backend **out, const struct store_env *env, const char *conninfo, char *why,
			  size_t why_len)
{
	(void)conninfo;
	(void)why;
	(void)why_len;
	*out = fake = calloc(1, sizeof *fake);
	if (!fake)
		return ERR_NOMEM;
	fake->env = *env;
	return OK;
}

static inline void fake_set_up(struct store_backend *b, bool up)
{
	b->is_up = up;
	b->env.changed(b->env.arg, b, up, up ? NULL : "the test says so");
}

/* Answers the oldest op that waits. */
static inline void fake_answer(struct store_backend *b, enum store_status status)
{
	struct store_op *op = b->op[0];

	BUG_ON(!b->n);
	memmove(&b->op[0], &b->op[1], --b->n * sizeof *b->op);
	op->done(op, status);
}

static void fake_close(struct store_backend *b)
{
	while (b->n)
		fake_answer(b, STORE_DOWN);
	free(b);
}

static void fake_start(struct store_backend *b, struct store_op *op)
{
	b->n_started++;
	if (b->at_once) {
		op->done(op, STORE_OK);
		return;
	}
	BUG_ON(b->n == FAKE_OPS);
	b->op[b->n++] = op;
}

static bool fake_is_up(const struct store_backend *b)
{
	return b->is_up;
}

static const struct store_kind fake_kind = {
	.name = "fake", .open = fake_open, .close = fake_close, .start = fake_start, .is_up = fake_is_up,
	.counts_leases = true,
};

static inline void fake_report(bool is_error, const char *text, void *arg)
{
	(void)is_error;
	(void)text;
	(void)arg;
}

static inline void fake_link(struct store_link *l)
{
	static const struct store_env env = { .hash_key = { 1, 2 } };

	memset(l, 0, sizeof *l);
	l->health.used_for = "tests";
	BUG_ON(store_link_open(l, &fake_kind, "", &env, fake_report, NULL));
	fake_set_up(l->b, true);
}
