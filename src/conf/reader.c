#include "conf/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/bug.h"
#include "base/crypto.h"
#include "conf/value.h"

enum { REPORT_MAX = 1024 };

static enum err set_default(struct conf *c, const struct conf_row *row)
{
	void *field = conf_table_field(c, row);

	switch (row->type) {
	case CONF_BOOL:
		*(bool *)field = row->num != 0;
		return OK;
	case CONF_INT:
	case CONF_SIZE:
	case CONF_TIME:
		*(int64_t *)field = row->num;
		return OK;
	case CONF_ENUM:
		*(int *)field = (int)row->num;
		return OK;
	case CONF_STR:
		if (!row->text)
			return OK;
		*(char **)field = strdup(row->text);
		return *(char **)field ? OK : ERR_NOMEM;
	case CONF_LIST:
		return OK;
	}
	return OK;
}

enum err conf_reader_init(struct conf_reader *r, conf_report_fn *report, void *arg)
{
	struct conf *c = calloc(1, sizeof *c);

	if (!c)
		return ERR_NOMEM;
	*r = (struct conf_reader){ .conf = c, .report = report, .arg = arg, .file = "" };
	atomic_init(&c->refs, 1);
	hmap_init(&c->users);
	for (size_t i = 0; i < CONF_N_ROWS; i++) {
		r->at[i] = CONF_AT_NOWHERE;
		if (set_default(c, &conf_table_rows[i])) {
			conf_drop(c);
			return ERR_NOMEM;
		}
	}
	return OK;
}

static void report(struct conf_reader *r, bool is_error, int at, const char *name,
		   const char *text)
{
	char line[REPORT_MAX];
	const char *place = at == CONF_AT_ARGV ? "command line: " : "";
	const char *colon = name ? ": " : "";

	if (at > 0)
		snprintf(line, sizeof line, "%s:%d: %s%s%s", r->file, at, name ? name : "",
			 colon, text);
	else
		snprintf(line, sizeof line, "%s%s%s%s", place, name ? name : "", colon, text);
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	r->report(is_error, line, r->arg);
}

void conf_reader_error(struct conf_reader *r, int at, const char *name, const char *fmt, ...)
{
	char text[REPORT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	r->n_errors++;
	report(r, true, at, name, text);
}

void conf_reader_warn(struct conf_reader *r, int at, const char *name, const char *fmt, ...)
{
	char text[REPORT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	report(r, false, at, name, text);
}

static void give_bool(struct conf_reader *r, int at, const struct conf_row *row,
		      const struct str *value)
{
	struct str text = value ? *value : STR_LIT("");

	if (conf_value_bool(text, conf_table_field(r->conf, row)))
		conf_reader_error(r, at, row->name, "'%.*s' is neither yes nor no",
				  STR_ARG(text));
}

static enum err parse_number(const struct conf_row *row, struct str text, int64_t *out)
{
	if (row->type == CONF_SIZE)
		return conf_value_size(text, out);
	if (row->type == CONF_TIME)
		return conf_value_time(text, out);
	return conf_value_int(text, out);
}

static const char *number_form(const struct conf_row *row)
{
	if (row->type == CONF_SIZE)
		return "a size: digits, and K M G Ki Mi or Gi at most";
	if (row->type == CONF_TIME)
		return "a time: digits, and s m h or d at most";
	return "a number";
}

static void give_number(struct conf_reader *r, int at, const struct conf_row *row,
			struct str text)
{
	int64_t n;
	enum err e = parse_number(row, text, &n);

	if (e == ERR_RANGE)
		conf_reader_error(r, at, row->name, "%.*s is too large", STR_ARG(text));
	else if (e)
		conf_reader_error(r, at, row->name, "'%.*s' is not %s", STR_ARG(text),
				  number_form(row));
	else if (n < row->min)
		conf_reader_error(r, at, row->name, "%.*s is below %lld", STR_ARG(text),
				  (long long)row->min);
	else if (n > row->max)
		conf_reader_error(r, at, row->name, "%.*s is above %lld", STR_ARG(text),
				  (long long)row->max);
	else
		*(int64_t *)conf_table_field(r->conf, row) = n;
}

static void give_enum(struct conf_reader *r, int at, const struct conf_row *row,
		      struct str text)
{
	if (conf_value_enum(text, row->words, conf_table_field(r->conf, row)))
		conf_reader_error(r, at, row->name, "'%.*s' is none of %s", STR_ARG(text),
				  row->words);
}

static void give_text(struct conf_reader *r, const struct conf_row *row, struct str text)
{
	char **field = conf_table_field(r->conf, row);
	char *copy = strndup(text.p, text.len);

	if (!copy) {
		r->no_memory = true;
		return;
	}
	if (*field && (row->flags & OPT_SECRET))
		crypto_wipe(*field, strlen(*field));
	free(*field);
	*field = copy;
}

static enum err list_append(struct conf_list *l, int at, struct str text)
{
	char *copy = strndup(text.p, text.len);
	int *line = realloc(l->line, (l->n + 1) * sizeof *line);
	char **v = realloc(l->v, (l->n + 1) * sizeof *v);

	/* what grew stays grown: the list remains whole either way */
	if (line)
		l->line = line;
	if (v)
		l->v = v;
	if (!copy || !line || !v) {
		if (copy)
			crypto_wipe(copy, text.len);
		free(copy);
		return ERR_NOMEM;
	}
	l->line[l->n] = at;
	l->v[l->n++] = copy;
	return OK;
}

/* The last one wins; that it was given before in the same place is likely a slip. */
static void note_place(struct conf_reader *r, int at, const struct conf_row *row)
{
	int *before = &r->at[row - conf_table_rows];
	bool again = at > 0 ? *before > 0 : *before == CONF_AT_ARGV;

	if (again && row->type != CONF_LIST && at > 0)
		conf_reader_warn(r, at, row->name, "given again; line %d no longer counts",
				 *before);
	else if (again && row->type != CONF_LIST && row->type != CONF_BOOL)
		conf_reader_warn(r, at, row->name, "given again; the last one counts");
	*before = at;
}

static void give_row(struct conf_reader *r, int at, const struct conf_row *row,
		     const struct str *value)
{
	note_place(r, at, row);
	if (row->type == CONF_BOOL) {
		give_bool(r, at, row, value);
		return;
	}
	if (!value || value->len == 0) {
		if (row->flags & OPT_BARE)
			*(int64_t *)conf_table_field(r->conf, row) = row->num;
		else
			conf_reader_error(r, at, row->name, "needs a value");
		return;
	}
	if (row->type == CONF_STR)
		give_text(r, row, *value);
	else if (row->type == CONF_ENUM)
		give_enum(r, at, row, *value);
	else if (row->type != CONF_LIST)
		give_number(r, at, row, *value);
	else if (list_append(conf_table_field(r->conf, row), at, *value))
		r->no_memory = true;
}

/* A value that says "not used". Only these words: what merely begins with such a letter may be the
 * name of a file, a device or a host. */
static bool is_none(struct str value)
{
	static const struct str none[] = { STR_LIT("0"), STR_LIT("no"), STR_LIT("off") };

	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		if (value.len == none[i].len && strncasecmp(value.p, none[i].p, value.len) == 0)
			return true;
	return false;
}

/* Switched off is what this server does anyway. */
static bool is_off(const struct conf_legacy *old, struct str value)
{
	bool on;

	if (old->what == CONF_LEGACY_IGNORE)
		return false;
	if (old->value == CONF_LEGACY_FLAG)
		return conf_value_bool(value, &on) == OK && !on;
	return old->what != CONF_LEGACY_WARN && is_none(value);
}

static void give_legacy(struct conf_reader *r, int at, const struct conf_legacy *old,
			const struct str *value)
{
	size_t i = (size_t)(old - conf_table_legacy);

	if (value && is_off(old, *value))
		return;
	if (old->what == CONF_LEGACY_REFUSE) {
		conf_reader_error(r, at, old->name, "%s", old->reason);
		return;
	}
	if (old->what == CONF_LEGACY_LATER) {
		conf_reader_error(r, at, old->name, "not available in this version: %s",
				  old->reason);
		return;
	}
	if (r->said[i])
		return;
	r->said[i] = true;
	if (old->what == CONF_LEGACY_WARN)
		conf_reader_warn(r, at, old->name, "HAS NO EFFECT: %s", old->reason);
	else
		conf_reader_warn(r, at, old->name, "ignored: %s", old->reason);
}

void conf_reader_give(struct conf_reader *r, int at, struct conf_name name,
		      const struct str *value)
{
	if (name.row)
		give_row(r, at, name.row, value);
	else if (name.legacy)
		give_legacy(r, at, name.legacy, value);
}

void conf_reader_unknown(struct conf_reader *r, int at, const char *dashes, struct str name)
{
	enum { SHOWN = 40 }; /* a line that is no option at all may be anything, a secret too */
	const struct conf_row *near = conf_table_nearest(name);
	int n = name.len > SHOWN ? SHOWN : (int)name.len;

	if (near)
		conf_reader_error(r, at, NULL, "unknown option '%s%.*s'; did you mean %s%s?",
				  dashes, n, name.p, dashes, near->name);
	else
		conf_reader_error(r, at, NULL, "unknown option '%s%.*s'%s", dashes, n, name.p,
				  name.len > SHOWN ? " (cut)" : "");
}
