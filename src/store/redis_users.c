#include "store/redis.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/tick.h"

enum {
	SCAN_EVERY_MS = 60000, /* for what others than taciturnctl wrote; what is known is read each time */
	NAMES_MAX = 200000,
};

/* --- KEY ----------------------------------------------------------------------------------------- */

static int nibble(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	return isxdigit((unsigned char)c) ? (c | 0x20) - 'a' + 10 : -1;
}

static bool decode_key(struct str s, uint8_t key[STORE_KEY_LEN])
{
	if (s.len < 2 * STORE_KEY_LEN)
		return false;
	for (size_t i = 0; i < STORE_KEY_LEN; i++) {
		int high = nibble(s.p[2 * i]), low = nibble(s.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		key[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static void on_key(struct store_redis_job *j, unsigned index, const redisReply *r)
{
	char realm[80], user[80];

	(void)index;
	if (r->type == REDIS_REPLY_NIL) {
		j->status = STORE_NONE;
		return;
	}
	if (decode_key(store_redis_text(r), j->op->key))
		return;
	j->status = STORE_NONE;
	if (log_seldom(&j->b->n_bad_keys))
		log_warn(j->b->env.lg, NULL, "store_bad_key",
			 "store=redis realm=%s user=%s why=\"a key is 32 hex digits\"",
			 log_quote(j->op->realm, realm, sizeof realm), log_quote(j->op->user, user, sizeof user));
}

void store_redis_users_key(struct store_redis_job *j)
{
	struct store_redis_args a;

	j->answer = on_key;
	store_redis_args_init(&a);
	store_redis_args_add(&a, STR_LIT("GET"));
	store_redis_args_put(&a, STR_LIT("turn/realm/"));
	store_redis_args_put(&a, j->op->realm);
	store_redis_args_put(&a, STR_LIT("/user/"));
	store_redis_args_put(&a, j->op->user);
	store_redis_args_add(&a, STR_LIT("/key"));
	store_redis_job_send(j, &a);
}

/* --- the names that a SCAN found ------------------------------------------------------------------- */

enum name_kind { NAME_REALM, NAME_ORIGIN, NAME_KID };

struct name {
	enum name_kind kind;
	size_t len;
	char *text;
};

struct store_redis_names {
	struct name *v;
	size_t n, cap;
	tick scanned; /* when it was complete; 0: never */
	int64_t generation;
};

static void names_clear(struct store_redis_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->v[i].text);
	names->n = 0;
}

void store_redis_users_fini(struct store_backend *b)
{
	if (!b->names)
		return;
	names_clear(b->names);
	free(b->names->v);
	free(b->names);
	b->names = NULL;
}

static bool names_add(struct store_redis_names *names, enum name_kind kind, struct str s)
{
	if (names->n == names->cap) {
		size_t cap = names->cap ? 2 * names->cap : 64;
		struct name *v = cap <= 2 * NAMES_MAX ? realloc(names->v, cap * sizeof *v) : NULL;

		if (!v)
			return false;
		names->v = v;
		names->cap = cap;
	}
	names->v[names->n] = (struct name){ kind, s.len, malloc(s.len + 1) };
	if (!names->v[names->n].text)
		return false;
	if (s.len)
		memcpy(names->v[names->n].text, s.p, s.len);
	names->n++;
	return true;
}

static int compare(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	size_t len = x->len < y->len ? x->len : y->len;
	int c;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	c = memcmp(x->text, y->text, len);
	if (c == 0 && x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return c;
}

static void names_sort(struct store_redis_names *names)
{
	size_t kept = 0;

	if (names->n == 0)
		return;
	qsort(names->v, names->n, sizeof *names->v, compare);
	for (size_t i = 1; i < names->n; i++) {
		if (compare(&names->v[kept], &names->v[i]) == 0)
			free(names->v[i].text);
		else
			names->v[++kept] = names->v[i];
	}
	names->n = kept + 1;
}

static bool starts(struct str s, const char *with)
{
	return s.len >= strlen(with) && memcmp(s.p, with, strlen(with)) == 0;
}

static bool ends(struct str s, const char *with)
{
	return s.len >= strlen(with) && memcmp(s.p + s.len - strlen(with), with, strlen(with)) == 0;
}

static struct str after(struct str s, size_t n)
{
	return (struct str){ s.p + n, s.len - n };
}

static bool names_add_key(struct store_redis_names *names, struct str key)
{
	static const char *const tails[] = { "/secret",	    "/max-bps",		"/total-quota",
					     "/user-quota", "/allowed-peer-ip", "/denied-peer-ip" };
	static const char realm[] = "turn/realm/", origin[] = "turn/origin/", kid[] = "turn/oauth/kid/";

	if (starts(key, origin))
		return names_add(names, NAME_ORIGIN, after(key, strlen(origin)));
	if (starts(key, kid))
		return names_add(names, NAME_KID, after(key, strlen(kid)));
	for (size_t i = 0; i < ARRAY_LEN(tails) && starts(key, realm); i++) {
		struct str rest = after(key, strlen(realm));

		if (ends(rest, tails[i]))
			return names_add(names, NAME_REALM, (struct str){ rest.p, rest.len - strlen(tails[i]) });
	}
	return true;
}

/* --- LIVE ------------------------------------------------------------------------------------------ */

enum { N_REALM_READS = 8 };

/* Takes the backend's names along while it reads, so that two of them do not meet. */
struct live {
	struct store_redis_names *names;
	unsigned first_read; /* the index of the first reply about the names; 0: still scanning */
};

static void send_words(struct store_redis_job *j, const char *command, const char *key)
{
	struct store_redis_args a;

	store_redis_args_init(&a);
	store_redis_args_add(&a, str_of(command));
	store_redis_args_add(&a, str_of(key));
	store_redis_job_send(j, &a);
}

static void live_fini(struct store_redis_job *j)
{
	struct live *live = j->state;
	struct store_backend *b = j->b;

	if (!live || !live->names)
		return;
	if (b->names)
		store_redis_users_fini(b);
	b->names = live->names;
	live->names = NULL;
}

static void send_realm(struct store_redis_job *j, struct str realm)
{
	static const char *const own[] = { "revoked", "withdrawn" };
	static const char *const reads[N_REALM_READS - 2][2] = {
		{ "SMEMBERS", "secret" },	{ "SMEMBERS", "allowed-peer-ip" },
		{ "SMEMBERS", "denied-peer-ip" }, { "GET", "max-bps" },
		{ "GET", "total-quota" },	{ "GET", "user-quota" },
	};
	struct store_redis_args a;

	for (size_t i = 0; i < ARRAY_LEN(reads); i++) {
		store_redis_args_init(&a);
		store_redis_args_add(&a, str_of(reads[i][0]));
		store_redis_args_coturn(&a, realm, reads[i][1]);
		store_redis_job_send(j, &a);
	}
	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		store_redis_args_init(&a);
		store_redis_args_add(&a, STR_LIT("HGETALL"));
		store_redis_args_own(&a, realm, own[i], (struct str){ NULL, 0 });
		store_redis_job_send(j, &a);
	}
}

static void send_name(struct store_redis_job *j, const struct name *n)
{
	struct str text = { n->text, n->len };
	struct store_redis_args a;

	if (n->kind == NAME_REALM) {
		send_realm(j, text);
		return;
	}
	store_redis_args_init(&a);
	store_redis_args_add(&a, str_of(n->kind == NAME_ORIGIN ? "GET" : "HMGET"));
	store_redis_args_put(&a, str_of(n->kind == NAME_ORIGIN ? "turn/origin/" : "turn/oauth/kid/"));
	store_redis_args_add(&a, text);
	if (n->kind == NAME_KID) {
		store_redis_args_add(&a, STR_LIT("ikm_key"));
		store_redis_args_add(&a, STR_LIT("timestamp"));
		store_redis_args_add(&a, STR_LIT("lifetime"));
		store_redis_args_add(&a, STR_LIT("as_rs_alg"));
		store_redis_args_add(&a, STR_LIT("realm"));
	}
	store_redis_job_send(j, &a);
}

static void read_names(struct store_redis_job *j, unsigned index)
{
	struct live *live = j->state;

	names_sort(live->names);
	live->first_read = index + 1;
	for (size_t i = 0; i < live->names->n; i++)
		send_name(j, &live->names->v[i]);
}

static void send_scan(struct store_redis_job *j, struct str cursor)
{
	struct store_redis_args a;

	store_redis_args_init(&a);
	store_redis_args_add(&a, STR_LIT("SCAN"));
	store_redis_args_add(&a, cursor);
	store_redis_args_add(&a, STR_LIT("MATCH"));
	store_redis_args_add(&a, STR_LIT("turn/*"));
	store_redis_args_add(&a, STR_LIT("COUNT"));
	store_redis_args_u64(&a, STORE_REDIS_SCAN_STEP);
	store_redis_job_send(j, &a);
}

static void on_scan(struct store_redis_job *j, unsigned index, const redisReply *r)
{
	struct live *live = j->state;
	struct str cursor;

	if (r->type != REDIS_REPLY_ARRAY || r->elements != 2 || r->element[1]->type != REDIS_REPLY_ARRAY)
		return;
	for (size_t i = 0; i < r->element[1]->elements; i++) {
		if (!names_add_key(live->names, store_redis_text(r->element[1]->element[i]))) {
			store_redis_job_fail(j, STORE_REFUSED, "too many realms and origins in Redis, or no memory");
			return;
		}
	}
	cursor = store_redis_text(r->element[0]);
	if (!str_eq(cursor, STR_LIT("0"))) {
		send_scan(j, cursor);
		return;
	}
	live->names->scanned = tick_now();
	read_names(j, index);
}

static void complain(struct store_redis_job *j, const char *what, struct str where)
{
	char name[120];

	log_warn(j->b->env.lg, NULL, "store_bad_row", "store=redis what=%s of=%s", what,
		 log_quote(where, name, sizeof name));
}

/* One of the replies about a realm, in the order of send_realm(). */
static enum err take_realm(struct conf_live *live, struct str realm, unsigned which, const redisReply *r)
{
	static const char *const options[] = { "max-bps", "total-quota", "user-quota" };
	enum err e = OK, worst = OK;
	int64_t v;

	if (which >= 3 && which < 6)
		return r->type == REDIS_REPLY_NIL ?
			       OK :
			       conf_live_add_option(live, realm, str_of(options[which - 3]), store_redis_text(r));
	for (size_t i = 0; r->type == REDIS_REPLY_ARRAY && i < r->elements; i++) {
		struct str s = store_redis_text(r->element[i]);

		if (which == 0)
			e = conf_live_add_secret(live, realm, s);
		else if (which < 3)
			e = conf_live_add_peer(live, realm, which == 1, s);
		else if (which == 7)
			e = conf_live_add_withdrawn(live, s);
		else if (i + 1 < r->elements && store_redis_number(r->element[i + 1], &v))
			e = conf_live_add_revoked(live, realm, s, v);
		else
			e = ERR_MALFORMED;
		i += which >= 6; /* fields of a hash, each with its value */
		if (e)
			worst = e;
	}
	return worst;
}

static enum err take_kid(struct conf_live *live, struct str kid, const redisReply *r)
{
	struct conf_live_oauth key = { .kid = kid };

	if (r->type != REDIS_REPLY_ARRAY || r->elements != 5)
		return ERR_MALFORMED;
	if (r->element[0]->type == REDIS_REPLY_NIL)
		return OK; /* it went meanwhile */
	(void)store_redis_number(r->element[1], &key.timestamp_s);
	(void)store_redis_number(r->element[2], &key.lifetime_s);
	key.alg = store_redis_text(r->element[3]);
	key.realm = store_redis_text(r->element[4]);
	return conf_live_add_oauth(live, &key, store_redis_text(r->element[0]));
}

static void take(struct store_redis_job *j, unsigned index, const redisReply *r)
{
	static const char *const what[] = { "realm", "origin", "oauth_key" };
	struct store_redis_names *names = ((struct live *)j->state)->names;
	const struct name *n = names->v;
	struct str text;
	enum err e = OK;
	unsigned n_realms = 0;

	/* realms come first, sorted: eight replies each, then one for each of the rest */
	while (n_realms < names->n && names->v[n_realms].kind == NAME_REALM)
		n_realms++;
	if (index < n_realms * N_REALM_READS)
		n = &names->v[index / N_REALM_READS];
	else
		n = &names->v[n_realms + (index - n_realms * N_REALM_READS)];
	text = (struct str){ n->text, n->len };
	if (n->kind == NAME_REALM)
		e = take_realm(j->op->live, text, index % N_REALM_READS, r);
	else if (n->kind == NAME_KID)
		e = take_kid(j->op->live, text, r);
	else if (r->type != REDIS_REPLY_NIL)
		e = conf_live_add_origin(j->op->live, text, store_redis_text(r));
	if (e == ERR_NOMEM)
		store_redis_job_fail(j, STORE_REFUSED, "no memory");
	else if (e)
		complain(j, what[n->kind], text);
}

static void on_known(struct store_redis_job *j, const redisReply *r)
{
	struct live *live = j->state;

	for (size_t i = 0; r->type == REDIS_REPLY_ARRAY && i < r->elements; i++) {
		if (!names_add(live->names, NAME_REALM, store_redis_text(r->element[i])))
			store_redis_job_fail(j, STORE_REFUSED, "too many realms in Redis, or no memory");
	}
}

static void on_live(struct store_redis_job *j, unsigned index, const redisReply *r)
{
	struct live *live = j->state;
	struct store_redis_names *names = live->names;
	int64_t generation = 0;

	if (live->first_read) {
		take(j, index - live->first_read, r);
	} else if (index == 0) {
		(void)store_redis_number(r, &generation);
		if (generation != names->generation || tick_now() - names->scanned >= SCAN_EVERY_MS)
			names->scanned = 0;
		names->generation = generation;
		if (!names->scanned)
			names_clear(names);
		if (j->op->realm.len && !names_add(names, NAME_REALM, j->op->realm))
			store_redis_job_fail(j, STORE_REFUSED, "no memory");
	} else if (index == 1) {
		on_known(j, r);
		if (names->scanned)
			read_names(j, index);
		else
			send_scan(j, STR_LIT("0"));
	} else {
		on_scan(j, index, r);
	}
}

void store_redis_users_live(struct store_redis_job *j)
{
	struct live *live = calloc(1, sizeof *live);

	j->answer = on_live;
	j->fini = live_fini;
	j->state = live;
	if (live)
		live->names = j->b->names ? j->b->names : calloc(1, sizeof *live->names);
	if (!live || !live->names) {
		store_redis_job_fail(j, STORE_REFUSED, "no memory");
		return;
	}
	j->b->names = NULL;
	send_words(j, "GET", "taciturn:generation");
	send_words(j, "SMEMBERS", "taciturn:realms");
}
