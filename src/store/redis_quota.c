#include "store/redis.h"

#include <stdlib.h>

/*
 * Leases: sorted sets of ids with their end in ms by Redis' own clock. What has expired goes first, so that a
 * node that died gives back what it held. Asked again for an id that it has, a script says yes and does no more.
 */
const char store_redis_quota_lease_lua[] =
	"local t = redis.call('TIME')\n"
	"local s = tonumber(t[1])\n"
	"local now = s * 1000 + math.floor(tonumber(t[2]) / 1000)\n"
	"local id, ttl, period = ARGV[1], tonumber(ARGV[2]), ARGV[6]\n"
	"local q = redis.call('HMGET', KEYS[3], 'max_allocations', 'max_bps', 'max_bytes', 'period')\n"
	"local function limit(db, conf)\n"
	"  local n = db and tonumber(db)\n"
	"  if not n or n < 0 then n = tonumber(conf) end\n"
	"  if n <= 0 then return nil end\n"
	"  return n\n"
	"end\n"
	"local function first_day(kind)\n"
	"  local d = math.floor(s / 86400)\n"
	"  local n = tonumber(string.match(kind, '^(%d+)d$') or '1')\n"
	"  if n > 1 then d = d - d % n end\n"
	"  local z = d + 719468\n"
	"  local era = math.floor(z / 146097)\n"
	"  local doe = z - era * 146097\n"
	"  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524)\n"
	"    - math.floor(doe / 146096)) / 365)\n"
	"  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))\n"
	"  local mp = math.floor((5 * doy + 2) / 153)\n"
	"  local m = mp < 10 and mp + 3 or mp - 9\n"
	"  local y = yoe + era * 400 + (m <= 2 and 1 or 0)\n"
	"  if kind == 'month' then return string.format('%04d-%02d', y, m) end\n"
	"  return string.format('%04d-%02d-%02d', y, m, doy - math.floor((153 * mp + 2) / 5) + 1)\n"
	"end\n"
	"if q[4] == 'month' or q[4] == 'day' or q[4] == '30d' then period = first_day(q[4]) end\n"
	"local u = redis.call('HMGET', KEYS[5] .. period, 'rx_bytes', 'tx_bytes')\n"
	"local used = tonumber(u[1] or '0') + tonumber(u[2] or '0')\n"
	"local function say(what)\n"
	"  return { what, q[1] or '', q[2] or '', q[3] or '', q[4] or '', string.format('%.0f', used) }\n"
	"end\n"
	"redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)\n"
	"redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)\n"
	"if not redis.call('ZSCORE', KEYS[1], id) then\n"
	"  local revoked = redis.call('HGET', KEYS[4], ARGV[7])\n"
	"  if revoked and (tonumber(revoked) or 0) > tonumber(ARGV[8]) then return say('revoked') end\n"
	"  local bytes = limit(q[3], ARGV[5])\n"
	"  if bytes and used >= bytes then return say('bytes') end\n"
	"  local max = limit(q[1], ARGV[3])\n"
	"  if max and redis.call('ZCARD', KEYS[1]) >= max then return say('user') end\n"
	"  max = limit(false, ARGV[4])\n"
	"  if max and redis.call('ZCARD', KEYS[2]) >= max then return say('realm') end\n"
	"end\n"
	"for i = 1, 2 do\n"
	"  redis.call('ZADD', KEYS[i], string.format('%.0f', now + ttl), id)\n"
	"  if redis.call('PTTL', KEYS[i]) < ttl then redis.call('PEXPIRE', KEYS[i], ttl) end\n"
	"end\n"
	"return say('ok')\n";

/* KEYS: the realm's set, then each lease's user's; ARGV: how long, then each lease. A Redis that forgot them
 * learns them again. */
const char store_redis_quota_renew_lua[] =
	"local t = redis.call('TIME')\n"
	"local ttl = tonumber(ARGV[1])\n"
	"local till = string.format('%.0f', tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000) + ttl)\n"
	"local function keep(key, id)\n"
	"  redis.call('ZADD', key, till, id)\n"
	"  if redis.call('PTTL', key) < ttl then redis.call('PEXPIRE', key, ttl) end\n"
	"end\n"
	"for i = 2, #KEYS do\n"
	"  keep(KEYS[i], ARGV[i])\n"
	"  keep(KEYS[1], ARGV[i])\n"
	"end\n"
	"return 1\n";

const char store_redis_quota_release_lua[] =
	"for i = 2, #KEYS do\n"
	"  redis.call('ZREM', KEYS[i], ARGV[i])\n"
	"  redis.call('ZREM', KEYS[1], ARGV[i])\n"
	"end\n"
	"return 1\n";

static const struct str no_user = { NULL, 0 };

struct store_limits store_redis_quota_limits(redisReply *const *r)
{
	struct store_limits l = store_limits_none();
	struct str period = store_redis_text(r[3]);
	int64_t v;

	if (store_redis_number(r[0], &v) && v >= 0)
		l.max_allocations = v;
	if (store_redis_number(r[1], &v) && v >= 0)
		l.max_bps = v;
	if (store_redis_number(r[2], &v) && v >= 0)
		l.max_bytes = v;
	if (period.len < sizeof l.period)
		snprintf(l.period, sizeof l.period, "%.*s", STR_ARG(period));
	return l;
}

static void on_lease(struct store_redis_job *j, unsigned index, const redisReply *r)
{
	static const struct {
		const char *text;
		enum store_status status;
	} words[] = {
		{ "ok", STORE_OK },	      { "user", STORE_FULL_USER },  { "realm", STORE_FULL_REALM },
		{ "bytes", STORE_FULL_BYTES }, { "revoked", STORE_REVOKED },
	};
	struct store_lease *lease = &j->op->lease;
	struct str word;
	int64_t v;

	(void)index;
	if (r->type != REDIS_REPLY_ARRAY || r->elements != 6) {
		store_redis_job_fail(j, STORE_REFUSED, "Redis answers a lease with something else");
		return;
	}
	word = store_redis_text(r->element[0]);
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (str_eq(word, str_of(words[i].text)))
			j->status = words[i].status;
	}
	lease->limits = store_redis_quota_limits(r->element + 1);
	lease->used_bytes = store_redis_number(r->element[5], &v) && v > 0 ? (uint64_t)v : 0;
	lease->counted = j->status == STORE_OK;
}

void store_redis_quota_lease(struct store_redis_job *j)
{
	const struct store_op *op = j->op;
	struct store_redis_args a;

	j->answer = on_lease;
	store_redis_job_script(j, &a, STORE_REDIS_LEASE, 5);
	store_redis_args_own(&a, op->realm, "alloc", op->user);
	store_redis_args_own(&a, op->realm, "alloc", no_user);
	store_redis_args_own(&a, op->realm, "quota", op->user);
	store_redis_args_own(&a, op->realm, "revoked", no_user);
	/* the script adds the period, which may be the user's own */
	store_redis_args_put(&a, STR_LIT("taciturn:{"));
	store_redis_args_put_coded(&a, op->realm);
	store_redis_args_put(&a, STR_LIT("}:usage:"));
	store_redis_args_put_coded(&a, op->user);
	store_redis_args_add(&a, STR_LIT(":"));
	store_redis_args_add(&a, str_of(op->lease.id));
	store_redis_args_i64(&a, op->lease.ttl_ms);
	store_redis_args_i64(&a, op->lease.user_max);
	store_redis_args_i64(&a, op->lease.total_max);
	store_redis_args_i64(&a, op->lease.bytes_max);
	store_redis_args_add(&a, str_of(op->lease.period));
	store_redis_args_add(&a, op->user);
	store_redis_args_i64(&a, op->lease.made_s);
	store_redis_job_send(j, &a);
}

static void on_batch(struct store_redis_job *j, unsigned index, const redisReply *r)
{
	(void)j;
	(void)index;
	(void)r;
}

/* Leases of one realm go together, so many at once that Redis is not held up. */
static void batch(struct store_redis_job *j, enum store_redis_script script)
{
	const struct store_held *held = j->op->held;
	size_t n = j->op->n_held;

	j->answer = on_batch;
	for (size_t from = 0, to; from < n; from = to) {
		struct store_redis_args a;

		for (to = from; to < n && to - from < STORE_REDIS_RUN && str_eq(held[to].realm, held[from].realm);)
			to++;
		store_redis_job_script(j, &a, script, to - from + 1);
		store_redis_args_own(&a, held[from].realm, "alloc", no_user);
		for (size_t i = from; i < to; i++)
			store_redis_args_own(&a, held[i].realm, "alloc", held[i].user);
		store_redis_args_i64(&a, j->op->ttl_ms);
		for (size_t i = from; i < to; i++)
			store_redis_args_add(&a, str_of(held[i].id));
		store_redis_job_send(j, &a);
	}
}

void store_redis_quota_renew(struct store_redis_job *j)
{
	batch(j, STORE_REDIS_RENEW);
}

void store_redis_quota_release(struct store_redis_job *j)
{
	batch(j, STORE_REDIS_RELEASE);
}
