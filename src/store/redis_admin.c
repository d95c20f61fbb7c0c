#include "store/redis.h"

#include <stdlib.h>

#include "store/withdraw.h"

/*
 * taciturnctl's tables in coturn's keys, and ours. After a change the set of realms and the generation say so,
 * so that servers need no SCAN to see it at their next reading.
 */

static const char *const oauth_fields[] = { "realm" };
static const char *const limit_fields[] = { "max_allocations", "max_bps", "max_bytes", "period" };
static const char *const usage_fields[] = { "rx_bytes", "tx_bytes", "rx_packets", "tx_packets", "sessions" };

/* How a table lies in Redis. A key is BEFORE realm MIDDLE name AFTER, without what it does not have. */
struct table {
	enum { T_STRING, T_SET, T_HASH, T_FIELD } type; /* FIELD: the name is a field of the realm's hash */
	bool has_realm, has_name, is_coded;
	const char *before, *middle, *after;
	const char *const *fields; /* of a hash, that a list shows */
	size_t n_fields;
};

static const struct table tables[] = {
	[STORE_ADMIN_USER] = { T_STRING, true, true, false, "turn/realm/", "/user/", "/key", NULL, 0 },
	[STORE_ADMIN_SECRET] = { T_SET, true, false, false, "turn/realm/", "/secret", "", NULL, 0 },
	[STORE_ADMIN_OPTION] = { T_STRING, true, true, false, "turn/realm/", "/", "", NULL, 0 },
	[STORE_ADMIN_ORIGIN] = { T_STRING, false, true, false, "turn/origin/", "", "", NULL, 0 },
	[STORE_ADMIN_ALLOWED] = { T_SET, true, false, false, "turn/realm/", "/allowed-peer-ip", "", NULL, 0 },
	[STORE_ADMIN_DENIED] = { T_SET, true, false, false, "turn/realm/", "/denied-peer-ip", "", NULL, 0 },
	[STORE_ADMIN_OAUTH] = { T_HASH, false, true, false, "turn/oauth/kid/", "", "", oauth_fields, 1 },
	[STORE_ADMIN_ADMIN] = { T_HASH, false, true, false, "turn/admin_user/", "", "", oauth_fields, 1 },
	[STORE_ADMIN_LIMIT] = { T_HASH, true, true, true, "taciturn:{", "}:quota:", "", limit_fields, 4 },
	[STORE_ADMIN_USAGE] = { T_HASH, true, true, true, "taciturn:{", "}:usage:", "", usage_fields, 5 },
	[STORE_ADMIN_WITHDRAWN] = { T_FIELD, true, false, true, "taciturn:{", "}:withdrawn", "", NULL, 0 },
	[STORE_ADMIN_REVOKED] = { T_FIELD, true, false, true, "taciturn:{", "}:revoked", "", NULL, 0 },
};

static void put_part(struct store_redis_args *a, const struct table *t, struct str s)
{
	if (t->is_coded)
		store_redis_args_put_coded(a, s);
	else
		store_redis_args_put(a, s);
}

static void add_key(struct store_redis_args *a, const struct table *t, struct str realm, struct str name)
{
	store_redis_args_put(a, str_of(t->before));
	if (t->has_realm)
		put_part(a, t, realm);
	store_redis_args_put(a, str_of(t->middle));
	if (t->has_name)
		put_part(a, t, name);
	store_redis_args_add(a, str_of(t->after));
}

static void on_nothing(struct store_redis_job *j, unsigned index, const redisReply *r)
{
	(void)j;
	(void)index;
	(void)r;
}

static void on_deleted(struct store_redis_job *j, unsigned index, const redisReply *r)
{
	if (index == 0 && r->type == REDIS_REPLY_INTEGER && r->integer == 0)
		j->status = STORE_NONE;
}

/* What every change ends with. */
static void send_changed(struct store_redis_job *j, const struct table *t)
{
	struct store_redis_args a;

	if (t->has_realm && j->op->admin_do == STORE_ADMIN_SET) {
		store_redis_args_init(&a);
		store_redis_args_add(&a, STR_LIT("SADD"));
		store_redis_args_add(&a, STR_LIT("taciturn:realms"));
		store_redis_args_add(&a, j->op->admin.realm);
		store_redis_job_send(j, &a);
	}
	store_redis_args_init(&a);
	store_redis_args_add(&a, STR_LIT("INCR"));
	store_redis_args_add(&a, STR_LIT("taciturn:generation"));
	store_redis_job_send(j, &a);
}

/* --- SET and DEL ----------------------------------------------------------------------------------- */

static bool next_pair(struct str *text, struct str *key, struct str *value)
{
	size_t i = 0, eq;

	while (text->len && *text->p == ' ')
		*text = (struct str){ text->p + 1, text->len - 1 };
	while (i < text->len && text->p[i] != ' ')
		i++;
	for (eq = 0; eq < i && text->p[eq] != '='; eq++)
		;
	*key = (struct str){ text->p, eq };
	*value = eq < i ? (struct str){ text->p + eq + 1, i - eq - 1 } : (struct str){ "", 0 };
	*text = (struct str){ text->p + i, text->len - i };
	return i > 0;
}

/* "max_allocations=N period=P": what is not named is unset. */
static void set_limit(struct store_redis_job *j, const struct table *t)
{
	struct str text = j->op->admin.value, key, value;
	struct store_limits limits;
	struct store_redis_args a;
	char why[128];
	size_t n = 0;

	if (!store_limits_parse(text, &limits, why)) {
		store_redis_job_fail(j, STORE_REFUSED, why);
		return;
	}
	store_redis_args_init(&a);
	store_redis_args_add(&a, STR_LIT("DEL"));
	add_key(&a, t, j->op->admin.realm, j->op->admin.name);
	store_redis_job_send(j, &a);
	store_redis_args_init(&a);
	store_redis_args_add(&a, STR_LIT("HSET"));
	add_key(&a, t, j->op->admin.realm, j->op->admin.name);
	while (next_pair(&text, &key, &value)) {
		store_redis_args_add(&a, key);
		store_redis_args_add(&a, value);
		n++;
	}
	if (n)
		store_redis_job_send(j, &a);
	else
		store_redis_args_fini(&a);
}

static void set_hash(struct store_redis_job *j, const struct table *t)
{
	const struct store_row *row = &j->op->admin;
	struct store_redis_args a;

	store_redis_args_init(&a);
	store_redis_args_add(&a, STR_LIT("HSET"));
	add_key(&a, t, row->realm, row->name);
	store_redis_args_add(&a, str_of(j->op->admin_what == STORE_ADMIN_OAUTH ? "ikm_key" : "password"));
	store_redis_args_add(&a, row->value);
	store_redis_args_add(&a, STR_LIT("realm"));
	store_redis_args_add(&a, row->realm);
	store_redis_job_send(j, &a);
}

static void set(struct store_redis_job *j, const struct table *t)
{
	const struct store_row *row = &j->op->admin;
	struct store_redis_args a;

	j->answer = on_nothing;
	if (j->op->admin_what == STORE_ADMIN_USAGE) {
		j->status = STORE_UNSUPPORTED;
		return;
	}
	if (j->op->admin_what == STORE_ADMIN_LIMIT) {
		set_limit(j, t);
	} else if (t->type == T_HASH) {
		set_hash(j, t);
	} else {
		store_redis_args_init(&a);
		store_redis_args_add(&a, str_of(t->type == T_SET ? "SADD" : t->type == T_FIELD ? "HSET" : "SET"));
		add_key(&a, t, row->realm, row->name);
		if (t->type != T_STRING)
			store_redis_args_add(&a, row->name);
		if (t->type != T_SET)
			store_redis_args_add(&a, row->value);
		store_redis_job_send(j, &a);
	}
	if (j->op->admin_what == STORE_ADMIN_WITHDRAWN) {
		store_redis_args_init(&a);
		store_redis_args_add(&a, STR_LIT("EXPIRE"));
		add_key(&a, t, row->realm, row->name);
		store_redis_args_u64(&a, STORE_WITHDRAW_KEEP_S);
		store_redis_job_send(j, &a);
	}
	send_changed(j, t);
}

static void del(struct store_redis_job *j, const struct table *t)
{
	const struct store_row *row = &j->op->admin;
	struct store_redis_args a;

	j->answer = on_deleted;
	if (j->op->admin_what == STORE_ADMIN_USAGE) {
		j->status = STORE_UNSUPPORTED;
		return;
	}
	store_redis_args_init(&a);
	store_redis_args_add(&a, str_of(t->type == T_SET ? "SREM" : t->type == T_FIELD ? "HDEL" : "DEL"));
	add_key(&a, t, row->realm, row->name);
	if (t->type == T_SET || t->type == T_FIELD)
		store_redis_args_add(&a, row->name);
	store_redis_job_send(j, &a);
	send_changed(j, t);
}

/* --- LIST: SCAN for the keys, then read what is in them --------------------------------------------- */

struct list_job {
	struct store_redis_args keys; /* what was found */
	unsigned first_read;
	bool is_reading;
};

static void list_fini(struct store_redis_job *j)
{
	struct list_job *l = j->state;

	if (l)
		store_redis_args_fini(&l->keys);
}

static struct str key_at(const struct list_job *l, size_t i)
{
	size_t from = i ? l->keys.ends[i - 1] : 0;

	return (struct str){ l->keys.bytes + from, l->keys.ends[i] - from };
}

/* A part of a pattern: what was named, or anything. */
static void put_pattern(struct store_redis_args *a, const struct table *t, struct str s)
{
	if (s.len)
		store_redis_args_put_literal(a, s, t->is_coded);
	else
		store_redis_args_put(a, STR_LIT("*"));
}

static void send_scan(struct store_redis_job *j, const struct table *t, struct str cursor)
{
	struct str name = j->op->admin.name;
	struct store_redis_args a;

	store_redis_args_init(&a);
	store_redis_args_add(&a, STR_LIT("SCAN"));
	store_redis_args_add(&a, cursor);
	store_redis_args_add(&a, STR_LIT("MATCH"));
	store_redis_args_put(&a, str_of(t->before));
	if (t->has_realm)
		put_pattern(&a, t, j->op->admin.realm);
	store_redis_args_put(&a, str_of(t->middle));
	if (t->has_name)
		put_pattern(&a, t, name);
	if (j->op->admin_what == STORE_ADMIN_USAGE && name.len)
		store_redis_args_put(&a, STR_LIT(":*"));
	store_redis_args_add(&a, str_of(t->after));
	store_redis_args_add(&a, STR_LIT("COUNT"));
	store_redis_args_u64(&a, STORE_REDIS_SCAN_STEP);
	store_redis_job_send(j, &a);
}

/* Where `part` begins last (or first) in s, or s.len. */
static size_t find_part(struct str s, const char *part, bool last)
{
	size_t n = strlen(part), found = s.len;

	for (size_t i = 0; i + n <= s.len; i++) {
		if (memcmp(s.p + i, part, n) == 0) {
			found = i;
			if (!last)
				break;
		}
	}
	return found;
}

/* A key back to a realm and a name; false: it only looks like one. */
static bool split_key(const struct table *t, struct str key, struct str *realm, struct str *name)
{
	size_t before = strlen(t->before), after = strlen(t->after), middle;
	struct str rest;

	if (key.len < before + after + strlen(t->middle))
		return false;
	rest = (struct str){ key.p + before, key.len - before - after };
	*realm = (struct str){ "", 0 };
	*name = rest;
	if (!t->has_realm)
		return true;
	/* "/" of an option is its last; that of a user the first, for users may have any in their names */
	middle = find_part(rest, t->middle, strcmp(t->middle, "/") == 0 || !t->has_name);
	if (middle + strlen(t->middle) > rest.len)
		return false;
	*realm = (struct str){ rest.p, middle };
	*name = (struct str){ rest.p + middle + strlen(t->middle), rest.len - middle - strlen(t->middle) };
	return true;
}

static bool is_option(struct str name)
{
	return str_eq(name, STR_LIT("max-bps")) || str_eq(name, STR_LIT("total-quota")) ||
	       str_eq(name, STR_LIT("user-quota"));
}

static void send_read(struct store_redis_job *j, const struct table *t, struct str key)
{
	static const char *const commands[] = { "GET", "SMEMBERS", "HMGET", "HGETALL" };
	struct store_redis_args a;

	store_redis_args_init(&a);
	store_redis_args_add(&a, str_of(commands[t->type]));
	store_redis_args_add(&a, key);
	for (size_t i = 0; i < t->n_fields; i++)
		store_redis_args_add(&a, str_of(t->fields[i]));
	store_redis_job_send(j, &a);
}

static void emit(struct store_redis_job *j, struct str realm, struct str name, struct str value)
{
	struct store_row row = { realm, name, value };

	j->op->row(j->op, &row);
}

/* "field=value field=value" of a hash's answer. */
static struct str join(const struct table *t, const redisReply *r, char *buf, size_t cap)
{
	size_t len = 0;

	for (size_t i = 0; r->type == REDIS_REPLY_ARRAY && i < r->elements && i < t->n_fields; i++) {
		struct str v = store_redis_text(r->element[i]);

		if (r->element[i]->type != REDIS_REPLY_NIL && len + strlen(t->fields[i]) + v.len + 3 < cap)
			len += (size_t)snprintf(buf + len, cap - len, "%s%s=%.*s", len ? " " : "", t->fields[i],
						STR_ARG(v));
	}
	return (struct str){ buf, len };
}

static void emit_hash(struct store_redis_job *j, const struct table *t, struct store_row row, const redisReply *r)
{
	char value[512];

	if (!t->has_realm) { /* OAuth keys and administrators: the realm is a field, and the rest is secret */
		if (r->type == REDIS_REPLY_ARRAY && r->elements == 1)
			emit(j, store_redis_text(r->element[0]), row.name, STR_LIT(""));
		return;
	}
	if (j->op->admin_what == STORE_ADMIN_USAGE) {
		size_t colon = find_part(row.name, ":", true);

		/* a user's own colons are before the last */
		if (j->op->admin.name.len && colon != j->op->admin.name.len)
			return;
		row.name = colon < row.name.len ?
				   (struct str){ row.name.p + colon + 1, row.name.len - colon - 1 } :
				   row.name;
	}
	emit(j, row.realm, row.name, join(t, r, value, sizeof value));
}

static void on_read(struct store_redis_job *j, const struct table *t, struct str key, const redisReply *r)
{
	struct store_row row;
	char *realm = malloc(key.len + 1), *name = malloc(key.len + 1);

	if (!realm || !name || !split_key(t, key, &row.realm, &row.name))
		goto done;
	if (t->is_coded) {
		row.realm = store_redis_args_decode(row.realm, realm);
		row.name = store_redis_args_decode(row.name, name);
	}
	if (t->type == T_STRING) {
		if (r->type != REDIS_REPLY_NIL)
			emit(j, row.realm, row.name,
			     j->op->admin_what == STORE_ADMIN_USER ? STR_LIT("") : store_redis_text(r));
	} else if (t->type == T_HASH) {
		emit_hash(j, t, row, r);
	} else {
		for (size_t i = 0; r->type == REDIS_REPLY_ARRAY && i < r->elements; i++) {
			struct str s = store_redis_text(r->element[i]);

			if (t->type == T_FIELD && i + 1 < r->elements)
				emit(j, row.realm, s, store_redis_text(r->element[++i]));
			else
				emit(j, row.realm, s, STR_LIT(""));
		}
	}
done:
	free(realm);
	free(name);
}

static void on_list(struct store_redis_job *j, unsigned index, const redisReply *r)
{
	const struct table *t = &tables[j->op->admin_what];
	struct list_job *l = j->state;
	struct str cursor, realm, name;

	if (l->is_reading) {
		on_read(j, t, key_at(l, index - l->first_read), r);
		return;
	}
	if (r->type != REDIS_REPLY_ARRAY || r->elements != 2 || r->element[1]->type != REDIS_REPLY_ARRAY)
		return;
	for (size_t i = 0; i < r->element[1]->elements; i++) {
		struct str key = store_redis_text(r->element[1]->element[i]);

		if (split_key(t, key, &realm, &name) &&
		    (j->op->admin_what != STORE_ADMIN_OPTION || is_option(name)))
			store_redis_args_add(&l->keys, key);
	}
	cursor = store_redis_text(r->element[0]);
	if (!str_eq(cursor, STR_LIT("0"))) {
		send_scan(j, t, cursor);
		return;
	}
	if (l->keys.failed) {
		store_redis_job_fail(j, STORE_REFUSED, "no memory");
		return;
	}
	l->is_reading = true;
	l->first_read = index + 1;
	for (size_t i = 0; i < l->keys.n; i++)
		send_read(j, t, key_at(l, i));
}

static void list(struct store_redis_job *j, const struct table *t)
{
	struct list_job *l = calloc(1, sizeof *l);

	j->answer = on_list;
	j->state = l;
	j->fini = list_fini;
	if (!l) {
		store_redis_job_fail(j, STORE_REFUSED, "no memory");
		return;
	}
	if (t->has_realm && !t->has_name && j->op->admin.realm.len) {
		add_key(&l->keys, t, j->op->admin.realm, STR_LIT(""));
		l->is_reading = true;
		send_read(j, t, key_at(l, 0));
		return;
	}
	send_scan(j, t, STR_LIT("0"));
}

/* --- INIT and CHECK ---------------------------------------------------------------------------------- */

static void on_schema(struct store_redis_job *j, unsigned index, const redisReply *r)
{
	const char *why = NULL;
	int64_t v;

	/* after SET … NX the key is there */
	if (index + 1 < (j->op->admin_do == STORE_ADMIN_INIT ? 2U : 1U))
		return;
	if (r->type == REDIS_REPLY_NIL) {
		j->status = STORE_NONE;
		why = "taciturn's keys were not made in this Redis: taciturnctl db init";
	} else if (!store_redis_number(r, &v) || v < 1) {
		why = "taciturn:schema in Redis is no version: delete it, then taciturnctl db init";
	} else if (v > STORE_REDIS_SCHEMA) {
		why = "this Redis was set up by a newer taciturn (taciturn:schema): upgrade this one";
	}
	if (why && j->status == STORE_NONE)
		snprintf(j->op->why, sizeof j->op->why, "%s", why);
	else if (why)
		store_redis_job_fail(j, STORE_REFUSED, why);
}

static void schema(struct store_redis_job *j)
{
	struct store_redis_args a;

	j->answer = on_schema;
	if (j->op->admin_do == STORE_ADMIN_INIT) {
		store_redis_args_init(&a);
		store_redis_args_add(&a, STR_LIT("SET"));
		store_redis_args_add(&a, STR_LIT("taciturn:schema"));
		store_redis_args_u64(&a, STORE_REDIS_SCHEMA);
		store_redis_args_add(&a, STR_LIT("NX"));
		store_redis_job_send(j, &a);
	}
	store_redis_args_init(&a);
	store_redis_args_add(&a, STR_LIT("GET"));
	store_redis_args_add(&a, STR_LIT("taciturn:schema"));
	store_redis_job_send(j, &a);
}

void store_redis_admin(struct store_redis_job *j)
{
	const struct store_op *op = j->op;

	if (op->admin_do == STORE_ADMIN_INIT || op->admin_do == STORE_ADMIN_CHECK) {
		schema(j);
		return;
	}
	if ((size_t)op->admin_what >= ARRAY_LEN(tables)) {
		j->status = STORE_UNSUPPORTED;
		return;
	}
	if (op->admin_what == STORE_ADMIN_OPTION && op->admin_do != STORE_ADMIN_LIST && !is_option(op->admin.name)) {
		store_redis_job_fail(j, STORE_REFUSED, "an option is one of max-bps, total-quota, user-quota");
		return;
	}
	if (op->admin_do == STORE_ADMIN_LIST)
		list(j, &tables[op->admin_what]);
	else if (op->admin_do == STORE_ADMIN_SET)
		set(j, &tables[op->admin_what]);
	else
		del(j, &tables[op->admin_what]);
}
