#include "store/redis.h"

#include <stdlib.h>

enum { YOUNG_MAX = 4096 }; /* ops that wait for the first connection */

static const char *const lua[N_STORE_REDIS_SCRIPT] = {
	[STORE_REDIS_LEASE] = store_redis_quota_lease_lua,
	[STORE_REDIS_RENEW] = store_redis_quota_renew_lua,
	[STORE_REDIS_RELEASE] = store_redis_quota_release_lua,
	[STORE_REDIS_USAGE] = store_redis_counts_usage_lua,
	[STORE_REDIS_RECORD] = store_redis_counts_record_lua,
};

static void begin(struct store_redis_job *j);
static void load_scripts(struct store_backend *b);

struct str store_redis_text(const redisReply *r)
{
	if (!r || (r->type != REDIS_REPLY_STRING && r->type != REDIS_REPLY_STATUS))
		return (struct str){ "", 0 };
	return (struct str){ r->str, (size_t)r->len };
}

bool store_redis_number(const redisReply *r, int64_t *out)
{
	struct str s = store_redis_text(r);
	char text[24], *end;
	long long v;

	if (r && r->type == REDIS_REPLY_INTEGER) {
		*out = r->integer;
		return true;
	}
	if (s.len == 0 || s.len >= sizeof text)
		return false;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	v = strtoll(text, &end, 10);
	if (end != text + s.len)
		return false;
	*out = v;
	return true;
}

/* --- jobs ---------------------------------------------------------------------------------------- */

static void state_free(struct store_redis_job *j)
{
	if (j->fini)
		j->fini(j);
	free(j->state);
	j->state = NULL;
	j->fini = NULL;
}

static void job_done(struct store_redis_job *j)
{
	struct store_op *op = j->op;
	enum store_status status = j->status;

	op->backend_state = NULL;
	state_free(j);
	free(j);
	op->done(op, status);
}

static void job_settle(struct store_redis_job *j)
{
	if (j->n_answered < j->n_sent)
		return;
	if (j->no_script && !j->was_retried && store_redis_link_is_up(j->b->link)) {
		/* Redis was restarted behind a proxy, or somebody flushed the scripts: nothing was done yet
		 * that doing it again would count twice */
		j->was_retried = true;
		j->failed = j->no_script = false;
		j->status = STORE_OK;
		j->op->why[0] = '\0';
		state_free(j);
		load_scripts(j->b);
		begin(j);
		return;
	}
	job_done(j);
}

void store_redis_job_fail(struct store_redis_job *j, enum store_status status, const char *why)
{
	if (j->failed)
		return;
	j->failed = true;
	j->status = status;
	snprintf(j->op->why, sizeof j->op->why, "%s", why);
}

static bool says(const redisReply *r, const char *code)
{
	/* an error of a command within a script carries the script's words around it */
	return strncmp(r->str, code, strlen(code)) == 0 ||
	       (strncmp(r->str, "ERR", 3) == 0 && strstr(r->str, code) != NULL);
}

static void on_error(struct store_redis_job *j, const redisReply *r)
{
	char why[256];

	if (says(r, "NOSCRIPT"))
		j->no_script = true;
	if (says(r, "READONLY") || says(r, "LOADING") || says(r, "MASTERDOWN") || says(r, "NOREPLICAS")) {
		snprintf(why, sizeof why, "it says %.200s", r->str);
		store_redis_job_fail(j, STORE_DOWN, why);
		/* LOADING ends by itself, but a failover does not come to this connection */
		store_redis_link_renew(j->b->link, why);
		return;
	}
	if (says(r, "OOM"))
		snprintf(why, sizeof why, "Redis is full: raise maxmemory, or set maxmemory-policy");
	else if (says(r, "NOPERM") || says(r, "NOAUTH"))
		snprintf(why, sizeof why, "Redis does not permit it: give the user ~turn/* ~taciturn:* +@all there: %.120s",
			 r->str);
	else
		snprintf(why, sizeof why, "Redis refuses it: %.200s", r->str);
	store_redis_job_fail(j, STORE_REFUSED, why);
}

static void on_reply(void *arg, const redisReply *r)
{
	struct store_redis_job *j = arg;
	unsigned index = j->n_answered;

	if (!r)
		store_redis_job_fail(j, STORE_DOWN, store_redis_link_why(j->b->link));
	else if (r->type == REDIS_REPLY_ERROR)
		on_error(j, r);
	else if (!j->failed)
		j->answer(j, index, r);
	j->n_answered++;
	job_settle(j);
}

void store_redis_job_send(struct store_redis_job *j, struct store_redis_args *a)
{
	if (!j->failed) {
		if (a->failed)
			store_redis_job_fail(j, STORE_REFUSED, "no memory");
		else if (store_redis_link_send(j->b->link, a, on_reply, j))
			j->n_sent++;
		else
			store_redis_job_fail(j, STORE_DOWN, store_redis_link_why(j->b->link));
	}
	store_redis_args_fini(a);
}

void store_redis_job_script(struct store_redis_job *j, struct store_redis_args *a, enum store_redis_script s,
			    size_t n_keys)
{
	store_redis_args_init(a);
	store_redis_args_add(a, STR_LIT("EVALSHA"));
	store_redis_args_add(a, str_of(j->b->sha[s]));
	store_redis_args_u64(a, n_keys);
}

static void begin(struct store_redis_job *j)
{
	static void (*const kinds[N_STORE_OP])(struct store_redis_job *j) = {
		[STORE_KEY] = store_redis_users_key,	   [STORE_LIVE] = store_redis_users_live,
		[STORE_LEASE] = store_redis_quota_lease,   [STORE_RENEW] = store_redis_quota_renew,
		[STORE_RELEASE] = store_redis_quota_release, [STORE_USAGE] = store_redis_counts_usage,
		[STORE_RECORD] = store_redis_counts_record, [STORE_EVENT] = store_redis_counts_event,
		[STORE_ADMIN] = store_redis_admin,
	};

	j->n_sent = 1; /* held while it is put together */
	j->n_answered = 0;
	kinds[j->op->kind](j);
	j->n_sent--;
	job_settle(j);
}

static void young_begin(struct store_backend *b)
{
	while (!list_empty(&b->young)) {
		struct store_redis_job *j = list_entry(b->young.next, struct store_redis_job, node);

		list_del(&j->node);
		b->n_young--;
		begin(j);
	}
}

static void start(struct store_backend *b, struct store_op *op)
{
	struct store_redis_job *j = calloc(1, sizeof *j);

	op->why[0] = '\0';
	if (!j) {
		snprintf(op->why, sizeof op->why, "no memory");
		op->done(op, STORE_REFUSED);
		return;
	}
	j->b = b;
	j->op = op;
	op->backend_state = j;
	list_init(&j->node);
	if (b->is_ready || b->n_young >= YOUNG_MAX ||
	    !(store_redis_link_is_young(b->link) || store_redis_link_is_up(b->link))) {
		begin(j);
		return;
	}
	list_push(&b->young, &j->node);
	b->n_young++;
}

/* --- the connection ------------------------------------------------------------------------------ */

static void loaded(struct store_backend *b)
{
	if (--b->n_loading || b->is_ready || !store_redis_link_is_up(b->link))
		return;
	b->is_ready = true;
	b->env.changed(b->env.arg, b, true, "");
	young_begin(b);
}

/* One script's answer; which one is known by what is left, for all are loaded in a row. */
static void on_script(void *arg, const redisReply *r)
{
	struct store_backend *b = arg;
	unsigned s = (N_STORE_REDIS_SCRIPT - b->n_loading % N_STORE_REDIS_SCRIPT) % N_STORE_REDIS_SCRIPT;

	if (r) {
		struct str sha = store_redis_text(r);

		snprintf(b->sha[s], sizeof b->sha[s], "%.*s", STR_ARG(sha));
	}
	loaded(b);
}

static void load_scripts(struct store_backend *b)
{
	for (unsigned i = 0; i < N_STORE_REDIS_SCRIPT; i++) {
		struct store_redis_args a;

		store_redis_args_init(&a);
		store_redis_args_add(&a, STR_LIT("SCRIPT"));
		store_redis_args_add(&a, STR_LIT("LOAD"));
		store_redis_args_add(&a, str_of(lua[i]));
		b->n_loading++;
		if (!store_redis_link_send(b->link, &a, on_script, b))
			on_script(b, NULL);
		store_redis_args_fini(&a);
	}
}

/* One that is too new is used as far as it goes, and said. */
static void on_schema(void *arg, const redisReply *r)
{
	struct store_backend *b = arg;
	int64_t v = 0;

	if (b->env.lg && store_redis_number(r, &v) && v > STORE_REDIS_SCHEMA)
		log_warn(b->env.lg, NULL, "store_schema",
			 "store=redis note=\"this Redis was set up by a newer taciturn (taciturn:schema): upgrade this one\"");
}

static void look_at_schema(struct store_backend *b)
{
	struct store_redis_args a;

	store_redis_args_init(&a);
	store_redis_args_add(&a, STR_LIT("GET"));
	store_redis_args_add(&a, STR_LIT("taciturn:schema"));
	(void)store_redis_link_send(b->link, &a, on_schema, b);
	store_redis_args_fini(&a);
}

static void on_link(void *arg, bool is_up, const char *why)
{
	struct store_backend *b = arg;

	if (is_up) {
		look_at_schema(b);
		load_scripts(b);
		return;
	}
	b->is_ready = false;
	b->env.changed(b->env.arg, b, false, why);
	if (!store_redis_link_is_young(b->link))
		young_begin(b); /* to hear that it is down */
}

static enum err open_redis(struct store_backend **out, const struct store_env *env, const char *conninfo, char *why,
			   size_t why_len)
{
	struct store_backend *b = calloc(1, sizeof *b);
	enum err e;

	if (!b)
		return ERR_NOMEM;
	b->env = *env;
	list_init(&b->young);
	e = store_redis_conninfo_parse(&b->ci, conninfo, why, why_len);
	if (e == ERR_UNSUPPORTED)
		e = ERR_CONF;
	if (!e)
		e = store_redis_tls_new(&b->tls, &b->ci, why, why_len);
	if (!e)
		e = store_redis_link_new(&b->link, &b->env, &b->ci, b->tls, on_link, b);
	if (e) {
		store_redis_tls_free(b->tls);
		store_redis_conninfo_wipe(&b->ci);
		free(b);
		return e;
	}
	*out = b;
	return OK;
}

static void close_redis(struct store_backend *b)
{
	struct store_redis_link *l;

	if (!b)
		return;
	l = b->link;
	b->is_ready = false;
	store_redis_link_close(l);
	young_begin(b);
	store_redis_link_free(l);
	store_redis_tls_free(b->tls);
	store_redis_users_fini(b);
	store_redis_conninfo_wipe(&b->ci);
	free(b);
}

static bool is_up(const struct store_backend *b)
{
	return b->is_ready && store_redis_link_is_up(b->link);
}

const struct store_kind store_redis = {
	.name = "redis",
	.open = open_redis,
	.close = close_redis,
	.start = start,
	.is_up = is_up,
	.counts_leases = true,
};
