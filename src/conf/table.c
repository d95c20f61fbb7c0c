#include "conf/table.h"

#include <stddef.h>

#include "base/bug.h"

#define ROW(f, n, s, t, fl, h)                                                       \
	.name = (n), .offset = offsetof(struct conf, f), .letter = (s), .type = (t), \
	.flags = (fl), .help = (h)

#define ROW_NUM(f, n, s, t, d, lo, hi, fl, h) \
	{ ROW(f, n, s, t, fl, h), .num = (d), .min = (lo), .max = (hi) },
#define ROW_BOOL(f, n, s, d, lo, hi, fl, h) { ROW(f, n, s, CONF_BOOL, fl, h), .num = (d) },
#define ROW_INT(f, n, s, d, lo, hi, fl, h)  ROW_NUM(f, n, s, CONF_INT, d, lo, hi, fl, h)
#define ROW_SIZE(f, n, s, d, lo, hi, fl, h) ROW_NUM(f, n, s, CONF_SIZE, d, lo, hi, fl, h)
#define ROW_TIME(f, n, s, d, lo, hi, fl, h) ROW_NUM(f, n, s, CONF_TIME, d, lo, hi, fl, h)
#define ROW_STR(f, n, s, d, lo, hi, fl, h)  { ROW(f, n, s, CONF_STR, fl, h), .text = d },
#define ROW_LIST(f, n, s, d, lo, hi, fl, h) { ROW(f, n, s, CONF_LIST, fl, h) },
#define ROW_ENUM(f, n, s, d, lo, hi, fl, h) \
	{ ROW(f, n, s, CONF_ENUM, fl, h), .num = (d), .words = (lo) },

const struct conf_row conf_table_rows[CONF_N_ROWS] = {
#define OPT(field, name, short_name, type, def, min, max, flags, help) \
	ROW_##type(field, name, short_name, def, min, max, flags, help)
#include "conf/options.def"
#undef OPT
};

const struct conf_legacy conf_table_legacy[CONF_N_LEGACY] = {
#define LEGACY(n, s, v, w, r)       \
	{ .name = (n),              \
	  .letter = (s),            \
	  .value = CONF_LEGACY_##v, \
	  .what = CONF_LEGACY_##w,  \
	  .reason = (r) },
#include "conf/legacy.def"
#undef LEGACY
};

/* Further names of coturn's for the same option. */
static struct str real_name(struct str name)
{
	if (str_eq(name, STR_LIT("sql-userdb")))
		return STR_LIT("psql-userdb");
	if (str_eq(name, STR_LIT("db")))
		return STR_LIT("userdb");
	return name;
}

struct conf_name conf_table_find(struct str name)
{
	name = real_name(name);
	for (size_t i = 0; i < CONF_N_ROWS; i++)
		if (str_eq(name, str_of(conf_table_rows[i].name)))
			return (struct conf_name){ .row = &conf_table_rows[i] };
	for (size_t i = 0; i < CONF_N_LEGACY; i++)
		if (str_eq(name, str_of(conf_table_legacy[i].name)))
			return (struct conf_name){ .legacy = &conf_table_legacy[i] };
	return (struct conf_name){ 0 };
}

struct conf_name conf_table_find_letter(char letter)
{
	if (!letter)
		return (struct conf_name){ 0 };
	for (size_t i = 0; i < CONF_N_ROWS; i++)
		if (conf_table_rows[i].letter == letter)
			return (struct conf_name){ .row = &conf_table_rows[i] };
	for (size_t i = 0; i < CONF_N_LEGACY; i++)
		if (conf_table_legacy[i].letter == letter)
			return (struct conf_name){ .legacy = &conf_table_legacy[i] };
	return (struct conf_name){ 0 };
}

static bool begins_with(const char *name, struct str prefix)
{
	return prefix.len && strncmp(name, prefix.p, prefix.len) == 0;
}

unsigned conf_table_find_prefix(struct str prefix, struct conf_name *first, struct conf_name *second)
{
	struct conf_name *const out[] = { first, second };
	unsigned n = 0;

	for (size_t i = 0; i < CONF_N_ROWS; i++)
		if (begins_with(conf_table_rows[i].name, prefix) && n++ < 2)
			*out[n - 1] = (struct conf_name){ .row = &conf_table_rows[i] };
	for (size_t i = 0; i < CONF_N_LEGACY; i++)
		if (begins_with(conf_table_legacy[i].name, prefix) && n++ < 2)
			*out[n - 1] = (struct conf_name){ .legacy = &conf_table_legacy[i] };
	return n;
}

enum { NAME_MAX_LEN = 40 }; /* no option is longer; what is longer is near to none */

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Insertions, removals, replacements and swaps of neighbours that turn one text into the other
 * (Levenshtein's distance with swaps). Three rows of its matrix are kept in turn. */
static unsigned distance(struct str a, struct str b)
{
	unsigned rows[3][NAME_MAX_LEN + 1];

	for (unsigned j = 0; j <= b.len; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		unsigned *now = rows[i % 3], *above = rows[(i + 2) % 3];
		unsigned *two = rows[(i + 1) % 3];

		now[0] = i;
		for (unsigned j = 1; j <= b.len; j++) {
			bool same = a.p[i - 1] == b.p[j - 1];
			bool swap = i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] &&
				    a.p[i - 2] == b.p[j - 1];

			now[j] = min3(above[j] + 1, now[j - 1] + 1, above[j - 1] + !same);
			if (swap && two[j - 2] + 1 < now[j])
				now[j] = two[j - 2] + 1;
		}
	}
	return rows[a.len % 3][b.len];
}

const struct conf_row *conf_table_nearest(struct str name)
{
	/* a third of the letters may be wrong, but never so many that short words all match */
	unsigned best = (unsigned)(name.len / 3 < 4 ? name.len / 3 : 4) + 1;
	const struct conf_row *found = NULL;

	if (name.len > NAME_MAX_LEN)
		return NULL;
	for (size_t i = 0; i < CONF_N_ROWS; i++) {
		struct str candidate = str_of(conf_table_rows[i].name);
		unsigned d;

		BUG_ON(candidate.len > NAME_MAX_LEN);
		d = distance(name, candidate);
		if (d < best) {
			best = d;
			found = &conf_table_rows[i];
		}
	}
	return found;
}
