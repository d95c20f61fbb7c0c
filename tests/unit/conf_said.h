/* What conf reported, kept for a test to look at; and a snapshot made from text or words. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bug.h"
#include "conf/conf.h"

struct said {
	char errors[8192], warnings[16384]; /* a line each */
	unsigned n_errors, n_warnings;
};

static inline void said_add(bool is_error, const char *text, void *arg)
{
	struct said *s = arg;
	char *to = is_error ? s->errors : s->warnings;
	size_t cap = is_error ? sizeof s->errors : sizeof s->warnings;
	size_t n = strlen(to);

	snprintf(to + n, cap - n, "%s\n", text);
	is_error ? s->n_errors++ : s->n_warnings++;
}

static inline void said_expect(const char *in, const char *part)
{
	if (!strstr(in, part))
		fail_msg("expected \"%s\" in \"%s\"", part, in);
}

static inline void said_not(const struct said *s, const char *part)
{
	if (strstr(s->errors, part) || strstr(s->warnings, part))
		fail_msg("\"%s\" was shown", part);
}

/* A good configuration, or the test fails. Tests without credentials say no-auth. */
static inline struct conf *said_load(struct said *s, const char *text)
{
	struct conf *c = NULL;

	memset(s, 0, sizeof *s);
	if (conf_from_text(text, said_add, s, &c))
		fail_msg("refused: %s", s->errors);
	assert_int_equal(s->n_errors, 0);
	return c;
}

/* A configuration that must be refused, with that in its errors. */
static inline void said_refuse(struct said *s, const char *text, const char *part)
{
	struct conf *c = NULL;

	memset(s, 0, sizeof *s);
	if (conf_from_text(text, said_add, s, &c) != ERR_CONF)
		fail_msg("accepted: %s", text);
	assert_null(c);
	said_expect(s->errors, part);
}

/* The command line, from words that end with NULL; the copies can be looked at afterwards. */
struct words {
	char *v[32];
	int n;
};

static inline void words_init(struct words *w, const char *const *from)
{
	w->n = 0;
	w->v[w->n++] = strdup("taciturn");
	for (; *from; from++)
		w->v[w->n++] = strdup(*from);
	w->v[w->n] = NULL;
}

static inline void words_fini(struct words *w)
{
	while (w->n)
		free(w->v[--w->n]);
}
