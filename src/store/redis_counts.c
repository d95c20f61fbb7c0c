#include "store/redis.h"

#include <stdlib.h>

enum {
	MARK_TTL_S = 30 * 86400, /* of the number of a node's last batch: longer than a spool waits */
	RECORDS_MAX = 100000,	 /* of a realm's stream, about */
	USAGE_WORDS = 5,	 /* of a row's answer: the total, and the user's limits */
};

/*
 * A batch is applied once: its number is written in the same script, before anything else, so that a Redis
 * without memory refuses all of it. Everything is read first, so that a key of another type refuses all of it
 * too. A realm's part of a batch has a mark of its own: what was applied stays, what was not is done when the
 * batch comes again.
 */
const char store_redis_counts_usage_lua[] =
	"local names = { 'rx_bytes', 'tx_bytes', 'rx_packets', 'tx_packets', 'sessions' }\n"
	"local answer, n = {}, (#KEYS - 1) / 2\n"
	"local fresh = tonumber(redis.call('GET', KEYS[1]) or '0') < tonumber(ARGV[1])\n"
	"for i = 2, #KEYS do redis.call('HLEN', KEYS[i]) end\n"
	"if fresh then redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]) end\n"
	"for i = 2, n + 1 do\n"
	"  if fresh then\n"
	"    for f = 1, 5 do\n"
	"      local n = ARGV[(i - 1) * 6 - 4 + f]\n"
	"      if n ~= '0' then redis.call('HINCRBY', KEYS[i], names[f], n) end\n"
	"    end\n"
	"    local ttl = tonumber(ARGV[(i - 1) * 6 + 2])\n"
	"    if ttl > 0 then redis.call('EXPIRE', KEYS[i], ttl) end\n"
	"  end\n"
	"  local u = redis.call('HMGET', KEYS[i], 'rx_bytes', 'tx_bytes')\n"
	"  local q = redis.call('HMGET', KEYS[i + n], 'max_allocations', 'max_bps', 'max_bytes', 'period')\n"
	"  answer[#answer + 1] = string.format('%.0f', tonumber(u[1] or '0') + tonumber(u[2] or '0'))\n"
	"  for f = 1, 4 do answer[#answer + 1] = q[f] or '' end\n"
	"end\n"
	"return answer\n";

const char store_redis_counts_record_lua[] =
	"if tonumber(redis.call('GET', KEYS[1]) or '0') >= tonumber(ARGV[1]) then return 0 end\n"
	"redis.call('XLEN', KEYS[2])\n"
	"redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])\n"
	"local width, at = tonumber(ARGV[4]), 5\n"
	"while at + width - 1 <= #ARGV do\n"
	"  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', unpack(ARGV, at, at + width - 1))\n"
	"  at = at + width\n"
	"end\n"
	"return 1\n";

static const struct str no_user = { NULL, 0 };

static struct str realm_at(const struct store_op *op, size_t i)
{
	return op->kind == STORE_USAGE ? op->usage[i].realm : op->records[i].realm;
}

/* The part of a batch with one realm begins at `i` unless a row before it has that realm. */
static bool is_first(const struct store_op *op, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (str_eq(realm_at(op, k), realm_at(op, i)))
			return false;
	}
	return true;
}

static void add_mark(struct store_redis_args *a, const struct store_op *op, struct str realm)
{
	char epoch[32];

	snprintf(epoch, sizeof epoch, ".%lld", (long long)op->epoch);
	store_redis_args_put(a, STR_LIT("taciturn:{"));
	store_redis_args_put_coded(a, realm);
	store_redis_args_put(a, str_of(op->kind == STORE_USAGE ? "}:seq:usage:" : "}:seq:record:"));
	store_redis_args_put_coded(a, op->node);
	store_redis_args_add(a, str_of(epoch));
}

/* What the keys of Redis hold is signed; no counter of a second gets there. */
static void add_count(struct store_redis_args *a, uint64_t v)
{
	store_redis_args_u64(a, v > INT64_MAX ? INT64_MAX : v);
}

static void add_usage_key(struct store_redis_args *a, const struct store_usage *u)
{
	store_redis_args_put(a, STR_LIT("taciturn:{"));
	store_redis_args_put_coded(a, u->realm);
	store_redis_args_put(a, STR_LIT("}:usage:"));
	store_redis_args_put_coded(a, u->user);
	store_redis_args_put(a, STR_LIT(":"));
	store_redis_args_add(a, str_of(u->period));
}

static void on_usage(struct store_redis_job *j, unsigned index, const redisReply *r)
{
	struct store_op *op = j->op;
	size_t first = 0, n = 0;
	int64_t v;

	/* the part that this answer belongs to: parts went out in the order of their first rows */
	for (unsigned part = 0; first < op->n_usage; first++) {
		if (is_first(op, first) && part++ == index)
			break;
	}
	for (size_t i = first; i < op->n_usage && r->type == REDIS_REPLY_ARRAY; i++) {
		if (!str_eq(op->usage[i].realm, op->usage[first].realm))
			continue;
		if (n + USAGE_WORDS > r->elements)
			return;
		if (store_redis_number(r->element[n], &v) && v >= 0)
			op->usage[i].total_bytes = (uint64_t)v;
		op->usage[i].limits = store_redis_quota_limits(r->element + n + 1);
		op->usage[i].has_limits = true;
		n += USAGE_WORDS;
	}
}

static void send_usage(struct store_redis_job *j, size_t first)
{
	const struct store_op *op = j->op;
	struct str realm = op->usage[first].realm;
	struct store_redis_args a;
	size_t n = 0;

	for (size_t i = first; i < op->n_usage; i++)
		n += str_eq(op->usage[i].realm, realm);
	store_redis_job_script(j, &a, STORE_REDIS_USAGE, 2 * n + 1);
	add_mark(&a, op, realm);
	for (size_t i = first; i < op->n_usage; i++) {
		if (str_eq(op->usage[i].realm, realm))
			add_usage_key(&a, &op->usage[i]);
	}
	for (size_t i = first; i < op->n_usage; i++) {
		if (str_eq(op->usage[i].realm, realm))
			store_redis_args_own(&a, realm, "quota", op->usage[i].user);
	}
	store_redis_args_u64(&a, op->seq);
	store_redis_args_u64(&a, MARK_TTL_S);
	for (size_t i = first; i < op->n_usage; i++) {
		const struct store_usage *u = &op->usage[i];

		if (!str_eq(u->realm, realm))
			continue;
		add_count(&a, u->rx_bytes);
		add_count(&a, u->tx_bytes);
		add_count(&a, u->rx_packets);
		add_count(&a, u->tx_packets);
		add_count(&a, u->sessions);
		store_redis_args_i64(&a, u->ttl_s);
	}
	store_redis_job_send(j, &a);
}

void store_redis_counts_usage(struct store_redis_job *j)
{
	j->answer = on_usage;
	for (size_t i = 0; i < j->op->n_usage; i++) {
		if (is_first(j->op, i))
			send_usage(j, i);
	}
}

static void on_nothing(struct store_redis_job *j, unsigned index, const redisReply *r)
{
	(void)j;
	(void)index;
	(void)r;
}

static void add_text(struct store_redis_args *a, const char *name, struct str value)
{
	store_redis_args_add(a, str_of(name));
	store_redis_args_add(a, value);
}

static void add_number(struct store_redis_args *a, const char *name, uint64_t value)
{
	store_redis_args_add(a, str_of(name));
	store_redis_args_u64(a, value);
}

enum { RECORD_WORDS = 2 * 18 }; /* what add_record() adds */

static void add_record(struct store_redis_args *a, const struct store_record *r)
{
	add_text(a, "id", str_of(r->id));
	add_text(a, "node", r->node);
	add_text(a, "realm", r->realm);
	add_text(a, "user", r->user);
	add_text(a, "client", r->client);
	add_text(a, "transport", r->transport);
	add_text(a, "relayed", r->relayed);
	add_text(a, "reason", r->reason);
	add_text(a, "peers", r->peers);
	add_number(a, "opened_ms", (uint64_t)r->opened_ms);
	add_number(a, "closed_ms", (uint64_t)r->closed_ms);
	add_number(a, "rx_packets", r->rx_packets);
	add_number(a, "rx_bytes", r->rx_bytes);
	add_number(a, "tx_packets", r->tx_packets);
	add_number(a, "tx_bytes", r->tx_bytes);
	add_number(a, "dropped", r->dropped);
	add_text(a, "drops", r->drops);
	add_text(a, "quality", r->quality);
}

void store_redis_counts_record(struct store_redis_job *j)
{
	const struct store_op *op = j->op;

	j->answer = on_nothing;
	for (size_t first = 0; first < op->n_records; first++) {
		struct str realm = op->records[first].realm;
		struct store_redis_args a;

		if (!is_first(op, first))
			continue;
		store_redis_job_script(j, &a, STORE_REDIS_RECORD, 2);
		add_mark(&a, op, realm);
		store_redis_args_own(&a, realm, "sessions", no_user);
		store_redis_args_u64(&a, op->seq);
		store_redis_args_u64(&a, MARK_TTL_S);
		store_redis_args_u64(&a, RECORDS_MAX);
		store_redis_args_u64(&a, RECORD_WORDS);
		for (size_t i = first; i < op->n_records; i++) {
			if (str_eq(op->records[i].realm, realm))
				add_record(&a, &op->records[i]);
		}
		store_redis_job_send(j, &a);
	}
}

void store_redis_counts_event(struct store_redis_job *j)
{
	j->answer = on_nothing;
	for (size_t i = 0; i < j->op->n_events; i++) {
		const struct store_event *e = &j->op->events[i];
		struct store_redis_args a;

		store_redis_args_init(&a);
		if (e->kind == STORE_EVENT_SET) {
			store_redis_args_add(&a, STR_LIT("SET"));
			store_redis_args_add(&a, e->key);
			store_redis_args_add(&a, e->value);
			store_redis_job_send(j, &a);
		} else if (e->kind == STORE_EVENT_DEL) {
			store_redis_args_add(&a, STR_LIT("DEL"));
			store_redis_args_add(&a, e->key);
			store_redis_job_send(j, &a);
		}
		store_redis_args_init(&a);
		store_redis_args_add(&a, STR_LIT("PUBLISH"));
		store_redis_args_add(&a, e->key);
		store_redis_args_add(&a, e->value);
		store_redis_job_send(j, &a);
	}
}
