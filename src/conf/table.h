/* The two tables of names as data: options.def (what we have) and legacy.def (what coturn has
 * and we have not). Constant; any thread. Inside of conf/ only. */
#pragma once

#include "conf/conf.h"

/* flags of a row of options.def */
enum {
	OPT_RELOAD = 1, /* could change under way; no server reads its file anew, so nobody asks yet */
	OPT_BARE = 2,	/* may stand without a value and means its default then */
	OPT_SECRET = 4, /* the value is never shown, and wiped */
};

enum conf_type { CONF_BOOL, CONF_INT, CONF_SIZE, CONF_TIME, CONF_STR, CONF_LIST, CONF_ENUM };

struct conf_row {
	const char *name;
	size_t offset;	   /* of the field in struct conf */
	int64_t num;	   /* default of the numbers, BOOL and ENUM */
	int64_t min, max;  /* of INT, SIZE, TIME */
	const char *text;  /* default of STR, or NULL */
	const char *words; /* of ENUM: "a|b|c" */
	const char *help;
	unsigned flags;
	enum conf_type type;
	char letter; /* the short option, or 0 */
};

/* An option's place in conf_table_rows: CONF_ROW_ and the field's name. */
enum conf_row_id {
#define OPT(field, name, short_name, type, def, min, max, flags, help) CONF_ROW_##field,
#include "conf/options.def"
#undef OPT
	CONF_N_ROWS
};

enum conf_legacy_what {
	CONF_LEGACY_IGNORE, /* leaving it out changes nothing that matters: said once */
	CONF_LEGACY_WARN,   /* promises something that is absent: said once, it starts */
	CONF_LEGACY_REFUSE, /* an error for good */
	CONF_LEGACY_LATER,  /* an error until this server has it */
};

enum conf_legacy_value { CONF_LEGACY_FLAG, CONF_LEGACY_VALUE, CONF_LEGACY_SECRET };

struct conf_legacy {
	const char *name;
	const char *reason;
	enum conf_legacy_what what;
	enum conf_legacy_value value;
	char letter; /* coturn's short option, or 0 */
};

enum {
	CONF_N_LEGACY = 0
#define LEGACY(name, short_name, value, what, reason) +1
#include "conf/legacy.def"
#undef LEGACY
};

extern const struct conf_row conf_table_rows[CONF_N_ROWS];
extern const struct conf_legacy conf_table_legacy[CONF_N_LEGACY];

/* A name that was looked up: at most one of the two is set. */
struct conf_name {
	const struct conf_row *row;
	const struct conf_legacy *legacy;
};

struct conf_name conf_table_find(struct str name);
struct conf_name conf_table_find_letter(char letter);
/* How many options have names that begin so; the first two of them, the others stay untouched. */
unsigned conf_table_find_prefix(struct str prefix, struct conf_name *first, struct conf_name *second);

/* The option whose name is nearest, or NULL when none is near. */
const struct conf_row *conf_table_nearest(struct str name);

/* The row's field in a configuration. */
static inline void *conf_table_field(struct conf *c, const struct conf_row *row)
{
	return (char *)c + row->offset;
}
