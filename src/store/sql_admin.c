#include "store/sql_admin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "store/sql_schema.h"
#include "store/withdraw.h"

enum { WORD_LEN = 64, CELLS_TEXT = 256 };

/* By enum store_admin_what; N_STORE_SQL_STMT: there is no such. */
static const struct {
	enum store_sql_stmt list, set, del;
	bool is_ours;
	bool by_name; /* the primary key is the name alone */
} whats[] = {
	[STORE_ADMIN_USER] = { STORE_SQL_STMT_USERS, STORE_SQL_STMT_SET + 0, STORE_SQL_STMT_DEL + 0, false, false },
	[STORE_ADMIN_SECRET] = { STORE_SQL_STMT_SECRETS, STORE_SQL_STMT_SET + 1, STORE_SQL_STMT_DEL + 1, false,
				 false },
	[STORE_ADMIN_OPTION] = { STORE_SQL_STMT_OPTIONS, STORE_SQL_STMT_SET + 2, STORE_SQL_STMT_DEL + 2, false,
				 false },
	[STORE_ADMIN_ORIGIN] = { STORE_SQL_STMT_ORIGINS, STORE_SQL_STMT_SET + 3, STORE_SQL_STMT_DEL + 3, false,
				 true },
	[STORE_ADMIN_ALLOWED] = { STORE_SQL_STMT_ALLOWED, STORE_SQL_STMT_SET + 4, STORE_SQL_STMT_DEL + 4, false,
				  false },
	[STORE_ADMIN_DENIED] = { STORE_SQL_STMT_DENIED, STORE_SQL_STMT_SET + 5, STORE_SQL_STMT_DEL + 5, false,
				 false },
	[STORE_ADMIN_OAUTH] = { STORE_SQL_STMT_OAUTH, STORE_SQL_STMT_SET + 6, STORE_SQL_STMT_DEL + 6, false, true },
	[STORE_ADMIN_ADMIN] = { STORE_SQL_STMT_ADMINS, STORE_SQL_STMT_SET + 7, STORE_SQL_STMT_DEL + 7, false,
				true },
	[STORE_ADMIN_LIMIT] = { STORE_SQL_STMT_LIMITS, STORE_SQL_STMT_SET_LIMIT, STORE_SQL_STMT_DEL_LIMIT, true,
				false },
	[STORE_ADMIN_USAGE] = { STORE_SQL_STMT_USAGE, N_STORE_SQL_STMT, N_STORE_SQL_STMT, true, false },
	[STORE_ADMIN_WITHDRAWN] = { STORE_SQL_STMT_WITHDRAWN, STORE_SQL_STMT_SET_WITHDRAWN,
				    STORE_SQL_STMT_DEL_WITHDRAWN, true, false },
	[STORE_ADMIN_REVOKED] = { STORE_SQL_STMT_REVOKED, STORE_SQL_STMT_SET_REVOKED, STORE_SQL_STMT_DEL_REVOKED,
				  true, false },
};

/* --- NAME=VALUE words in a value -------------------------------------------------------------- */

/* The value of `name` in "word name=value …", terminated; NULL: it is not there, or is too long. */
static const char *word(struct str s, const char *name, char out[WORD_LEN])
{
	size_t n = strlen(name), i = 0;

	while (i < s.len) {
		size_t end = i;

		while (end < s.len && s.p[end] != ' ')
			end++;
		if (end - i > n && memcmp(s.p + i, name, n) == 0 && s.p[i + n] == '=' &&
		    end - i - n - 1 < WORD_LEN) {
			memcpy(out, s.p + i + n + 1, end - i - n - 1);
			out[end - i - n - 1] = '\0';
			return out;
		}
		i = end + 1;
	}
	return NULL;
}

static bool is_number(const char *s)
{
	return *s && strlen(s) <= 18 && strspn(s, "0123456789") == strlen(s);
}

/* The number called `name` as a parameter; NULL: there is none, which is NULL in SQL too. */
static const char *number_word(struct store_sql_run *r, const char *name)
{
	char text[WORD_LEN];

	if (!word(r->op->admin.value, name, text))
		return NULL;
	if (!is_number(text)) {
		store_sql_run_refuse(r, "%s=%s: a number is expected", name, text);
		return NULL;
	}
	return store_sql_run_number(r, strtoll(text, NULL, 10));
}

static const char *text_word(struct store_sql_run *r, const char *name)
{
	char text[WORD_LEN];

	return word(r->op->admin.value, name, text) ? store_sql_run_text(r, str_of(text), NULL) : "";
}

/* --- SET and DEL ------------------------------------------------------------------------------ */

static bool value_is_good(struct store_sql_run *r)
{
	struct str v = r->op->admin.value;
	char text[WORD_LEN];

	if (r->op->admin_what == STORE_ADMIN_USER) {
		size_t n = 0;

		while (n < v.len && memchr("0123456789abcdefABCDEF", v.p[n], 22))
			n++;
		if (n == v.len && n == 2 * STORE_KEY_LEN)
			return true;
		store_sql_run_refuse(r, "the key of a user is 32 hex digits");
		return false;
	}
	if (r->op->admin_what == STORE_ADMIN_OPTION || r->op->admin_what == STORE_ADMIN_REVOKED ||
	    r->op->admin_what == STORE_ADMIN_WITHDRAWN) {
		if (v.len && v.len < sizeof text) {
			memcpy(text, v.p, v.len);
			text[v.len] = '\0';
			if (is_number(text))
				return true;
		}
		store_sql_run_refuse(r, "a number is expected as the value");
		return false;
	}
	return true;
}

/* NULL, which is NULL in SQL too: it is unset. */
static const char *limit(struct store_sql_run *r, int64_t v)
{
	return v == CONF_LIVE_UNSET ? NULL : store_sql_run_number(r, v);
}

static void set_limit(struct store_sql_run *r, const char *p[6])
{
	struct store_limits l;
	char why[128];

	if (!store_limits_parse(r->op->admin.value, &l, why)) {
		store_sql_run_refuse(r, "%s", why);
		return;
	}
	p[2] = limit(r, l.max_allocations);
	p[3] = limit(r, l.max_bps);
	p[4] = limit(r, l.max_bytes);
	p[5] = store_sql_run_text(r, str_of(l.period), NULL);
	store_sql_run_call(r, STORE_SQL_STMT_SET_LIMIT, p, 6);
}

/* "IKM_BASE64 timestamp=N lifetime=N alg=A": what is not there is as coturn's defaults. */
static void set_oauth(struct store_sql_run *r, const char *p[6])
{
	struct str v = r->op->admin.value;
	const char *end = v.len ? memchr(v.p, ' ', v.len) : NULL;

	p[2] = store_sql_run_text(r, (struct str){ v.p, end ? (size_t)(end - v.p) : v.len }, NULL);
	p[3] = number_word(r, "timestamp");
	p[4] = number_word(r, "lifetime");
	p[3] = p[3] ? p[3] : "0";
	p[4] = p[4] ? p[4] : "0";
	p[5] = text_word(r, "alg");
	store_sql_run_call(r, STORE_SQL_STMT_SET + 6, p, 6);
}

/* Marks of long ago go on this occasion. */
static void set_withdrawn(struct store_sql_run *r, const char *p[6])
{
	const char *oldest = store_sql_run_number(r, strtoll(p[2], NULL, 10) - STORE_WITHDRAW_KEEP_S);

	store_sql_run_call(r, STORE_SQL_STMT_SET_WITHDRAWN, p, 3);
	store_sql_run_call(r, STORE_SQL_STMT_WITHDRAWN_PURGE, &oldest, 1);
}

static void plan_set(struct store_sql_run *r, const char *p[6])
{
	enum store_admin_what what = r->op->admin_what;
	bool clean = true;

	p[2] = store_sql_run_text(r, r->op->admin.value, &clean);
	if (!clean) {
		store_sql_run_refuse(r, "an SQL database holds neither NUL nor what is not UTF-8");
		return;
	}
	if (!value_is_good(r))
		return;
	if (what == STORE_ADMIN_LIMIT)
		set_limit(r, p);
	else if (what == STORE_ADMIN_WITHDRAWN)
		set_withdrawn(r, p);
	else if (what == STORE_ADMIN_OAUTH)
		set_oauth(r, p);
	else if (what == STORE_ADMIN_ORIGIN)
		store_sql_run_call(r, whats[what].set, p + 1, 2);
	else if (what == STORE_ADMIN_SECRET || what == STORE_ADMIN_ALLOWED || what == STORE_ADMIN_DENIED)
		store_sql_run_call(r, whats[what].set, p, 2);
	else
		store_sql_run_call(r, whats[what].set, p, 3);
}

static void plan_change(struct store_sql_run *r)
{
	enum store_admin_what what = r->op->admin_what;
	bool clean = true;
	const char *p[6] = { store_sql_run_text(r, r->op->admin.realm, &clean),
			     store_sql_run_text(r, r->op->admin.name, &clean) };

	if (whats[what].set == N_STORE_SQL_STMT) {
		r->status = STORE_UNSUPPORTED;
	} else if (r->op->admin_do == STORE_ADMIN_DEL) {
		if (clean && whats[what].by_name)
			store_sql_run_call(r, whats[what].del, p + 1, 1);
		else if (clean)
			store_sql_run_call(r, whats[what].del, p, 2);
		else
			r->status = STORE_NONE;
	} else if (!clean) {
		store_sql_run_refuse(r, "an SQL database holds neither NUL nor what is not UTF-8");
	} else {
		plan_set(r, p);
	}
}

static bool plan(struct store_sql_run *r, unsigned phase)
{
	struct store_op *op = r->op;

	if (phase > 0) {
		if (op->admin_do == STORE_ADMIN_DEL && !r->seen)
			r->status = STORE_NONE;
		return false;
	}
	if ((unsigned)op->admin_what >= ARRAY_LEN(whats) || op->admin_do > STORE_ADMIN_DEL) {
		r->status = STORE_UNSUPPORTED;
		return false;
	}
	if (whats[op->admin_what].is_ours && !store_sql_run_has_ours(r))
		return false;
	if (op->admin_do != STORE_ADMIN_LIST) {
		plan_change(r);
	} else if (op->admin_what == STORE_ADMIN_USAGE) {
		const char *const p[] = { store_sql_run_text(r, op->admin.realm, NULL),
					  store_sql_run_text(r, op->admin.name, NULL) };

		store_sql_run_call(r, STORE_SQL_STMT_USAGE, p, ARRAY_LEN(p));
	} else {
		store_sql_run_call(r, whats[op->admin_what].list, NULL, 0);
	}
	return true;
}

/* --- LIST ------------------------------------------------------------------------------------- */

/* Adds " name=value", without the blank at the start; nothing for NULL. */
static void add_word(char text[CELLS_TEXT], const char *name, struct str value)
{
	size_t n = strlen(text);

	if (value.p && value.len)
		snprintf(text + n, CELLS_TEXT - n, "%s%s=%.*s", n ? " " : "", name, STR_ARG(value));
}

static void list_oauth(struct store_sql_run *r, const struct str *cells)
{
	char text[2 * CELLS_TEXT];
	size_t n = (size_t)snprintf(text, sizeof text, "%.*s", STR_ARG(cells[2]));
	char words[CELLS_TEXT] = "";

	if (n >= CELLS_TEXT) /* coturn's column has no room for that either */
		return;
	if (store_sql_run_cell(cells[3], 0))
		add_word(words, "timestamp", cells[3]);
	if (store_sql_run_cell(cells[4], 0))
		add_word(words, "lifetime", cells[4]);
	add_word(words, "alg", cells[5]);
	if (words[0])
		n += (size_t)snprintf(text + n, sizeof text - n, " %s", words);
	store_sql_run_list(r, cells[0], cells[1], (struct str){ text, n });
}

static void list_words(struct store_sql_run *r, const struct str *cells)
{
	static const char *const limits[] = { "max_allocations", "max_bps", "max_bytes", "period" };
	static const char *const usage[] = { "rx_bytes", "tx_bytes", "rx_packets", "tx_packets", "sessions" };
	bool is_limit = r->op->admin_what == STORE_ADMIN_LIMIT;
	char text[CELLS_TEXT] = "";

	for (size_t i = 0; i < (is_limit ? ARRAY_LEN(limits) : ARRAY_LEN(usage)); i++)
		add_word(text, is_limit ? limits[i] : usage[i], cells[2 + i]);
	store_sql_run_list(r, cells[0], cells[1], str_of(text));
}

/* char(128) is padded with blanks, which are no part of a key. */
static struct str unpadded(struct str s)
{
	while (s.len && s.p[s.len - 1] == ' ')
		s.len--;
	return s;
}

static void row(struct store_sql_run *r, size_t call, const struct str *cells)
{
	struct store_op *op = r->op;

	(void)call;
	r->seen = 1;
	if (op->admin_do != STORE_ADMIN_LIST)
		return;
	/* of origins the realm is the value */
	if (op->admin.realm.len && op->admin_what != STORE_ADMIN_ORIGIN && !str_eq(op->admin.realm, cells[0]))
		return;
	switch (op->admin_what) {
	case STORE_ADMIN_LIMIT:
	case STORE_ADMIN_USAGE:
		list_words(r, cells);
		break;
	case STORE_ADMIN_OAUTH:
		list_oauth(r, cells);
		break;
	case STORE_ADMIN_SECRET:
	case STORE_ADMIN_ALLOWED:
	case STORE_ADMIN_DENIED:
		store_sql_run_list(r, cells[0], cells[1], STR_LIT(""));
		break;
	case STORE_ADMIN_USER:
		store_sql_run_list(r, cells[0], cells[1], unpadded(cells[2]));
		break;
	default:
		store_sql_run_list(r, cells[0], cells[1], cells[2]);
	}
}

/* A list of what an old coturn has no table for is empty. */
static bool excuse(struct store_sql_run *r, size_t call, enum store_sql_fault fault)
{
	enum store_admin_what what = r->op->admin_what;

	(void)call;
	return fault == STORE_SQL_NO_TABLE && r->op->admin_do == STORE_ADMIN_LIST &&
	       (what == STORE_ADMIN_OPTION || what == STORE_ADMIN_ORIGIN || what == STORE_ADMIN_OAUTH ||
		what == STORE_ADMIN_ADMIN);
}

const struct store_sql_plan store_sql_admin = { plan, row, excuse };

/* --- the schema ------------------------------------------------------------------------------- */

static void plan_init(struct store_sql_run *r)
{
	size_t n;
	const struct store_sql_schema_table *tables = store_sql_schema_tables(&n);
	const char *version = store_sql_run_number(r, STORE_SQL_SCHEMA_VERSION);

	for (size_t i = 0; i < n; i++)
		store_sql_run_adhoc(r, tables[i].create);
	store_sql_run_call(r, STORE_SQL_STMT_VERSION_SET, &version, 1);
}

/* The version, then each table: what is not there is remembered, as bits of run->seen. */
static void plan_look(struct store_sql_run *r)
{
	size_t n;
	const struct store_sql_schema_table *tables = store_sql_schema_tables(&n);

	r->alone = true;
	store_sql_run_call(r, STORE_SQL_STMT_VERSION, NULL, 0);
	for (size_t i = 0; i < n && r->op->admin_do == STORE_ADMIN_CHECK; i++) {
		char *text = store_sql_run_alloc(r, 80);

		if (!text)
			return;
		snprintf(text, 80, "SELECT 1 FROM %s WHERE 1 = 0", tables[i].name);
		store_sql_run_adhoc(r, text);
	}
}

static void judge(struct store_sql_run *r)
{
	size_t n, n_ours = 0, n_missing_ours = 0;
	const struct store_sql_schema_table *tables = store_sql_schema_tables(&n), *missing = NULL;

	for (size_t i = 0; i < n; i++) {
		bool is_missing = r->seen & (1u << i);

		n_ours += tables[i].is_ours;
		n_missing_ours += tables[i].is_ours && is_missing;
		if (is_missing && !tables[i].may_be_absent && !missing)
			missing = &tables[i];
	}
	if (missing && missing->is_ours && n_missing_ours == n_ours) {
		r->status = STORE_NONE;
		snprintf(r->op->why, sizeof r->op->why,
			 "the tables are coturn's alone: users work, limits, usage and session records do not; "
			 "run: taciturnctl db init");
	} else if (missing) {
		store_sql_run_refuse(r, "there is no table %s; run: taciturnctl db init", missing->name);
	} else {
		store_sql_run_has_ours(r); /* refuses a version that is too new */
	}
}

static bool plan_schema(struct store_sql_run *r, unsigned phase)
{
	bool is_init = r->op->admin_do == STORE_ADMIN_INIT;

	if (!is_init && r->op->admin_do != STORE_ADMIN_CHECK) {
		r->status = STORE_UNSUPPORTED;
		return false;
	}
	if (phase == 0) {
		plan_look(r);
		return true;
	}
	if (!is_init) {
		judge(r);
		return false;
	}
	if (phase == 1) {
		if (r->facts->has_ours && !store_sql_run_has_ours(r))
			return false;
		plan_init(r);
		return true;
	}
	r->facts->has_ours = true;
	r->facts->version = STORE_SQL_SCHEMA_VERSION;
	return false;
}

static void row_schema(struct store_sql_run *r, size_t call, const struct str *cells)
{
	if (!r->alone || call != 0)
		return;
	r->facts->has_ours = true;
	r->facts->version = (int)store_sql_run_cell(cells[0], 0);
}

static bool excuse_schema(struct store_sql_run *r, size_t call, enum store_sql_fault fault)
{
	if (!r->alone || fault != STORE_SQL_NO_TABLE)
		return false;
	if (call == 0)
		r->facts->has_ours = false;
	else
		r->seen |= 1u << (call - 1);
	return true;
}

const struct store_sql_plan store_sql_admin_schema = { plan_schema, row_schema, excuse_schema };
