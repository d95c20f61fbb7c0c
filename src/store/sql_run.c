#include "store/sql_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/crypto.h"
#include "store/sql_admin.h"
#include "store/sql_live.h"
#include "store/sql_ops.h"
#include "store/sql_schema.h"

enum { CHUNK_BYTES = 2048 };

struct store_sql_chunk {
	struct store_sql_chunk *next;
	size_t used, cap;
	_Alignas(16) char bytes[];
};

static const struct store_sql_plan *plan_of(const struct store_op *op)
{
	switch (op->kind) {
	case STORE_KEY:
		return &store_sql_ops_key;
	case STORE_LIVE:
		return &store_sql_live;
	case STORE_LEASE:
		return &store_sql_ops_lease;
	case STORE_USAGE:
	case STORE_RECORD:
		return &store_sql_ops_batch;
	case STORE_ADMIN:
		return op->admin_what == STORE_ADMIN_SCHEMA ? &store_sql_admin_schema : &store_sql_admin;
	default:
		return NULL;
	}
}

struct store_sql_run *store_sql_run_new(struct store_op *op, struct store_sql_facts *facts)
{
	struct store_sql_run *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	list_init(&r->node);
	r->op = op;
	r->facts = facts;
	r->plan = plan_of(op);
	r->status = r->plan ? STORE_OK : STORE_UNSUPPORTED;
	return r;
}

static void no_memory(struct store_sql_run *r)
{
	r->status = STORE_DOWN;
	snprintf(r->op->why, sizeof r->op->why, "no memory");
}

static bool needs_ours(const struct store_op *op)
{
	return op->kind == STORE_USAGE || op->kind == STORE_RECORD ||
	       (op->kind == STORE_ADMIN &&
		(op->admin_what == STORE_ADMIN_LIMIT || op->admin_what == STORE_ADMIN_USAGE ||
		 op->admin_what == STORE_ADMIN_REVOKED || op->admin_what == STORE_ADMIN_WITHDRAWN));
}

bool store_sql_run_plan(struct store_sql_run *r)
{
	bool looked = r->looking;

	if (!r->plan || r->status != STORE_OK)
		return false;
	r->n_calls = 0;
	r->n_done = 0;
	r->alone = r->looking = false;
	/* somebody may have run db init since the last look */
	if (r->phase == 0 && !looked && needs_ours(r->op) &&
	    (!r->facts->has_ours || r->facts->version > STORE_SQL_SCHEMA_VERSION)) {
		r->alone = r->looking = true;
		store_sql_run_call(r, STORE_SQL_STMT_VERSION, NULL, 0);
		return r->status == STORE_OK;
	}
	return r->plan->plan(r, r->phase++) && r->status == STORE_OK && r->n_calls > 0;
}

void store_sql_run_again(struct store_sql_run *r)
{
	r->n_done = 0;
	r->status = STORE_OK;
}

void store_sql_run_row(struct store_sql_run *r, size_t call, const struct str *cells)
{
	if (r->looking) {
		r->facts->has_ours = true;
		r->facts->version = (int)store_sql_run_cell(cells[0], 0);
	} else if (r->plan->row) {
		r->plan->row(r, call, cells);
	}
}

/* Libraries end their texts with line breaks, and put some in. */
static void one_line(char *text)
{
	size_t n = strlen(text);

	while (n && (text[n - 1] == '\n' || text[n - 1] == ' '))
		text[--n] = '\0';
	for (; *text; text++)
		if (*text == '\n' || *text == '\t')
			*text = ' ';
}

bool store_sql_run_fault(struct store_sql_run *r, size_t call, enum store_sql_fault fault, const char *text)
{
	if (r->looking && fault == STORE_SQL_NO_TABLE) {
		r->facts->has_ours = false;
		return true;
	}
	if (!r->looking && r->plan->excuse && r->plan->excuse(r, call, fault))
		return true;
	if (r->status != STORE_OK)
		return false;
	if (fault == STORE_SQL_BAD_TEXT && r->op->kind == STORE_KEY) {
		r->status = STORE_NONE;
		return false;
	}
	r->status = fault == STORE_SQL_LOST ? STORE_DOWN : STORE_REFUSED;
	snprintf(r->op->why, sizeof r->op->why, "%.180s", text);
	one_line(r->op->why);
	if (fault == STORE_SQL_NO_TABLE)
		strcat(r->op->why, "; run: taciturnctl db init");
	return false;
}

static void free_run(struct store_sql_run *r)
{
	while (r->chunks) {
		struct store_sql_chunk *c = r->chunks;

		r->chunks = c->next;
		crypto_wipe(c->bytes, c->used);
		free(c);
	}
	free(r->calls);
	free(r->rows);
	free(r);
}

void store_sql_run_finish(struct store_sql_run *r, struct logger *lg)
{
	struct store_op *op = r->op;
	enum store_status status = r->status;
	char text[320];

	if (r->note[0])
		log_warn(lg, NULL, "store_row", "note=%s", log_quote(str_of(r->note), text, sizeof text));
	for (size_t i = 0; i < r->n_rows && status == STORE_OK && op->row; i++)
		op->row(op, &r->rows[i]);
	free_run(r);
	op->done(op, status);
}

void store_sql_run_down(struct store_sql_run *r, const char *why, struct logger *lg)
{
	r->status = STORE_DOWN;
	snprintf(r->op->why, sizeof r->op->why, "%s", why);
	store_sql_run_finish(r, lg);
}

void *store_sql_run_alloc(struct store_sql_run *r, size_t size)
{
	struct store_sql_chunk *c = r->chunks;
	void *p;

	size = (size + 15) & ~(size_t)15;
	if (!c || c->cap - c->used < size) {
		size_t cap = size > CHUNK_BYTES ? size : CHUNK_BYTES;

		c = malloc(sizeof *c + cap);
		if (!c) {
			no_memory(r);
			return NULL;
		}
		*c = (struct store_sql_chunk){ .next = r->chunks, .cap = cap };
		r->chunks = c;
	}
	p = c->bytes + c->used;
	c->used += size;
	return p;
}

/* The length of the UTF-8 character at p, or 0: neither that, nor NUL. */
static size_t utf8(const unsigned char *p, size_t left)
{
	static const unsigned least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = *p < 0x80 ? 1 : *p < 0xc2 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : 0;
	unsigned v = n > 1 ? *p & (0xffu >> (n + 1)) : *p;

	if (n == 0 || n > left || *p == 0)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (p[i] & 0x3f);
	}
	return v >= least[n] && v <= 0x10ffff && (v < 0xd800 || v > 0xdfff) ? n : 0;
}

const char *store_sql_run_text(struct store_sql_run *r, struct str s, bool *clean)
{
	char *out = store_sql_run_alloc(r, s.len * 4 + 1), *o = out;

	if (!out)
		return "";
	for (size_t i = 0; i < s.len;) {
		size_t n = utf8((const unsigned char *)s.p + i, s.len - i);

		if (n) {
			memcpy(o, s.p + i, n);
			o += n;
			i += n;
			continue;
		}
		o += snprintf(o, 5, "\\x%02x", (unsigned char)s.p[i++]);
		if (clean)
			*clean = false;
	}
	*o = '\0';
	return out;
}

const char *store_sql_run_number(struct store_sql_run *r, int64_t v)
{
	char *out = store_sql_run_alloc(r, 24);

	if (!out)
		return "0";
	snprintf(out, 24, "%lld", (long long)v);
	return out;
}

static struct store_sql_call *add_call(struct store_sql_run *r)
{
	if (r->n_calls == r->cap_calls) {
		size_t cap = r->cap_calls ? r->cap_calls * 4 : 2;
		struct store_sql_call *all = realloc(r->calls, cap * sizeof *all);

		if (!all) {
			no_memory(r);
			return NULL;
		}
		r->calls = all;
		r->cap_calls = cap;
	}
	r->calls[r->n_calls] = (struct store_sql_call){ 0 };
	return &r->calls[r->n_calls++];
}

void store_sql_run_call(struct store_sql_run *r, enum store_sql_stmt stmt, const char *const *params, unsigned n)
{
	struct store_sql_call *c = add_call(r);
	const char **copy = c && n ? store_sql_run_alloc(r, n * sizeof *copy) : NULL;

	if (!c || (n && !copy))
		return;
	if (n)
		memcpy(copy, params, n * sizeof *copy);
	c->stmt = stmt;
	c->params = copy;
	c->n_params = n;
}

void store_sql_run_adhoc(struct store_sql_run *r, const char *text)
{
	struct store_sql_call *c = add_call(r);

	if (!c)
		return;
	c->stmt = N_STORE_SQL_STMT;
	c->adhoc = text;
}

static struct str keep(struct store_sql_run *r, struct str s)
{
	char *p = store_sql_run_alloc(r, s.len + 1);

	if (!p)
		return STR_LIT("");
	if (s.len)
		memcpy(p, s.p, s.len);
	p[s.len] = '\0';
	return (struct str){ p, s.len };
}

void store_sql_run_list(struct store_sql_run *r, struct str realm, struct str name, struct str value)
{
	if (r->n_rows == r->cap_rows) {
		size_t cap = r->cap_rows ? r->cap_rows * 2 : 16;
		struct store_row *all = realloc(r->rows, cap * sizeof *all);

		if (!all) {
			no_memory(r);
			return;
		}
		r->rows = all;
		r->cap_rows = cap;
	}
	r->rows[r->n_rows++] = (struct store_row){ keep(r, realm), keep(r, name), keep(r, value) };
}

void store_sql_run_refuse(struct store_sql_run *r, const char *fmt, ...)
{
	va_list args;

	r->status = STORE_REFUSED;
	va_start(args, fmt);
	vsnprintf(r->op->why, sizeof r->op->why, fmt, args);
	va_end(args);
}

bool store_sql_run_has_ours(struct store_sql_run *r)
{
	if (!r->facts->has_ours) {
		store_sql_run_refuse(r, "the database has no tables of taciturn's (taciturn_schema); "
					"run: taciturnctl db init");
		return false;
	}
	if (r->facts->version > STORE_SQL_SCHEMA_VERSION) {
		store_sql_run_refuse(r, "the tables are of version %d, this program knows %d: install a newer "
					"taciturn here",
				     r->facts->version, STORE_SQL_SCHEMA_VERSION);
		return false;
	}
	return true;
}

int64_t store_sql_run_cell(struct str cell, int64_t other)
{
	char text[24];

	if (!cell.p || cell.len == 0 || cell.len >= sizeof text)
		return other;
	memcpy(text, cell.p, cell.len);
	text[cell.len] = '\0';
	return strtoll(text, NULL, 10);
}
