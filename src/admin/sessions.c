#include <stdlib.h>
#include <string.h>

#include "admin/figures.h"
#include "base/bug.h"

enum { MAX_WORKERS = 128, DEFAULT_LIMIT = 100 };

/* A question to one or all workers, and the request that waits for it. */
struct admin_ask {
	struct list all; /* in admin.asks */
	struct admin *a;
	struct admin_request *q;
	uint64_t ticket;
	tick deadline;
	size_t limit;
	unsigned n_asked, n_answers;
	bool done, late; /* the request goes on; somebody did not answer */
	struct relay_listing *answers[MAX_WORKERS];
};

void admin_ask_drop(struct admin_ask *ask)
{
	if (!ask)
		return;
	for (unsigned i = 0; i < ask->n_answers; i++)
		free(ask->answers[i]);
	list_del(&ask->all);
	ask->a->n_asks--;
	free(ask);
}

/* --- rows --- */

/* An address of this server's. */
static json_t *own_address(const struct addr *at)
{
	char text[ADDR_TEXT_LEN];

	return json_string(addr_print(at, text));
}

/* One of a client or a peer, as log-ip has it told. */
static json_t *address(const struct admin *a, const struct addr *at)
{
	enum addr_mask mask = (enum addr_mask)a->host.conf->log_ip;
	char text[ADDR_TEXT_LEN];

	if (mask == ADDR_MASK_FULL && !at->port)
		return json_string(addr_print_ip(at, text));
	return json_string(addr_print_masked(at, mask, text));
}

static json_t *traffic(const struct turn_traffic *t)
{
	return json_pack("{s:I, s:I}", "packets", (json_int_t)t->packets, "bytes",
			 (json_int_t)t->bytes);
}

static json_t *relayed(const struct relay_row *row)
{
	json_t *all = json_array();

	for (int i = 0; i < TURN_N_LEGS; i++)
		if (row->relayed[i].family)
			json_array_append_new(all, own_address(&row->relayed[i]));
	return all;
}

static json_t *public_id(const struct admin *a, uint64_t id)
{
	char text[160];

	snprintf(text, sizeof text, "%s%llu", a->host.prefix, (unsigned long long)id);
	return json_string(text);
}

/* What is not known is null: of a leg without RTP its round trips may be. */
static json_t *leg_quality(const struct relay_quality_report *q)
{
	json_t *rtt = q->has_rtt ? json_integer(q->rtt_ms) : json_null();

	if (!q->is_rtp)
		return json_pack("{s:n, s:n, s:n, s:o}", "received", "lost", "jitter_ms", "rtt_ms",
				 rtt);
	return json_pack("{s:I, s:I, s:f, s:o}", "received", (json_int_t)q->received, "lost",
			 (json_int_t)q->lost, "jitter_ms", q->jitter_us / 1000.0, "rtt_ms", rtt);
}

static json_t *quality(const struct relay_row *row)
{
	return json_pack("{s:o, s:o}", "client", leg_quality(&row->quality[RELAY_LEG_CLIENT]),
			 "peer", leg_quality(&row->quality[RELAY_LEG_PEER]));
}

json_t *admin_sessions_row(const struct admin *a, const struct relay_row *row)
{
	bool moved = row->up.packets || row->down.packets;
	double now = admin_figures_now();

	return json_pack(
		"{s:o, s:i, s:o, s:o, s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:f, s:f, s:I, s:I, "
		"s:I, s:o, s:o, s:I, s:o}",
		"id", public_id(a, row->id), "worker", (int)row->worker, "user",
		admin_reply_string(row->name + row->user_at, row->user_len), "username",
		admin_reply_string(row->name, row->name_len), "realm",
		admin_reply_string(row->realm, row->realm_len), "transport", turn_transport_text(row->transport), "state",
		moved ? "relaying" : "open", "relays", row->tcp ? "tcp" : "udp", "client",
		address(a, &row->client), "server", own_address(&row->server), "relayed", relayed(row),
		"opened_at", now - (double)row->age_ms / 1000, "age_s",
		(double)row->age_ms / 1000, "expires_s",
		(json_int_t)((row->expires_ms + 999) / 1000), "permissions",
		(json_int_t)row->n_perms, "channels", (json_int_t)row->n_chans, "up",
		traffic(&row->up), "down", traffic(&row->down), "dropped",
		(json_int_t)row->dropped, "quality", quality(row));
}

/* --- asking --- */

static bool post(struct admin_ask *ask, struct relay_listing *l, unsigned worker)
{
	const struct worker_msg msg = { .kind = WORKER_LIST, .listing = l };

	l->ticket = ask->ticket;
	if (!ask->a->host.send(ask->a->host.arg, worker, &msg))
		return false;
	ask->n_asked++;
	return true;
}

static struct relay_listing *copy_of(const struct relay_listing *l)
{
	size_t size = sizeof *l + l->max * sizeof l->rows[0];
	struct relay_listing *c = malloc(size);

	if (c)
		memcpy(c, l, size);
	return c;
}

/* Sends `l`, which it takes, to worker `only`, or to all (-1), and lets the request wait. */
static enum MHD_Result begin(struct admin_request *q, struct relay_listing *l, int only,
			     size_t limit)
{
	struct admin *a = q->a;
	struct admin_ask *ask = l && a->n_asks < ADMIN_ASKS ? calloc(1, sizeof *ask) : NULL;
	unsigned first = only < 0 ? 0 : (unsigned)only;
	unsigned last = only < 0 ? a->host.n_workers - 1 : first;

	if (!ask) {
		free(l);
		return admin_reply_problem(q, 503, "too many lists at once");
	}
	ask->a = a;
	ask->q = q;
	ask->ticket = ++a->next_ticket;
	ask->deadline = tick_now() + ADMIN_ANSWER_MS;
	ask->limit = limit;
	list_push(&a->asks, &ask->all);
	a->n_asks++;
	q->ask = ask;
	for (unsigned i = first; i <= last; i++) {
		struct relay_listing *mine = i == last ? l : copy_of(l);

		if (!mine || !post(ask, mine, i)) {
			free(mine);
			ask->late = true;
		}
	}
	if (ask->n_asked == 0)
		return admin_reply_problem(q, 503, "the workers are busy");
	MHD_suspend_connection(q->conn);
	return MHD_YES;
}

static void go_on(struct admin_ask *ask)
{
	if (ask->done)
		return;
	ask->done = true;
	MHD_resume_connection(ask->q->conn);
}

void admin_sessions_answered(struct admin *a, struct relay_listing *l)
{
	for (struct list *n = a->asks.next; n != &a->asks; n = n->next) {
		struct admin_ask *ask = list_entry(n, struct admin_ask, all);

		if (ask->ticket != l->ticket || ask->done)
			continue;
		ask->answers[ask->n_answers++] = l;
		if (ask->n_answers == ask->n_asked)
			go_on(ask);
		return;
	}
	free(l); /* its request is gone */
}

void admin_sessions_second(struct admin *a)
{
	tick now = tick_now();

	for (struct list *n = a->asks.next; n != &a->asks; n = n->next) {
		struct admin_ask *ask = list_entry(n, struct admin_ask, all);

		if (!ask->done && tick_before(ask->deadline, now)) {
			ask->late = true;
			go_on(ask);
		}
	}
}

void admin_sessions_stop(struct admin *a)
{
	for (struct list *n = a->asks.next; n != &a->asks; n = n->next)
		go_on(list_entry(n, struct admin_ask, all));
}

/* --- a page --- */

static bool number(struct str s, uint64_t *out)
{
	uint64_t v = 0;

	if (s.len == 0 || s.len > 19)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s.p[i] - '0');
	}
	*out = v;
	return true;
}

static const char *set_state(struct relay_filter *f, struct str v)
{
	f->has_state = true;
	f->relaying = str_eq(v, STR_LIT("relaying"));
	return f->relaying || str_eq(v, STR_LIT("open")) ? NULL : "state is open or relaying";
}

static const char *set_transport(struct relay_filter *f, struct str v)
{
	for (int t = 0; t < COUNTER_TRANSPORTS; t++)
		if (str_eq(v, str_of(turn_transport_text((enum turn_transport)t))))
			f->transport = t;
	return f->transport < 0 ? "transport is udp, tcp, tls or dtls" : NULL;
}

static const char *set_user(struct relay_filter *f, struct str v)
{
	if (v.len > sizeof f->user)
		return "user is too long";
	f->has_user = true;
	f->user_len = v.len;
	if (v.len)
		memcpy(f->user, v.p, v.len);
	return NULL;
}

static const char *set_client(struct relay_filter *f, struct str v)
{
	f->has_client = true;
	return prefix_parse(v, &f->client) ? "client is IP, IP/LEN or IP-IP" : NULL;
}

static const char *set_realm(struct relay_filter *f, struct str v)
{
	if (v.len > sizeof f->realm)
		return "realm is too long";
	f->has_realm = true;
	f->realm_len = v.len;
	if (v.len)
		memcpy(f->realm, v.p, v.len);
	return NULL;
}

struct page {
	struct relay_filter filter;
	uint64_t limit, after;
	bool has_after;
};

static const char *set_param(struct page *p, struct str name, struct str v)
{
	if (str_eq(name, STR_LIT("user")))
		return set_user(&p->filter, v);
	if (str_eq(name, STR_LIT("transport")))
		return set_transport(&p->filter, v);
	if (str_eq(name, STR_LIT("client")))
		return set_client(&p->filter, v);
	if (str_eq(name, STR_LIT("state")))
		return set_state(&p->filter, v);
	if (str_eq(name, STR_LIT("realm")))
		return set_realm(&p->filter, v);
	if (str_eq(name, STR_LIT("limit")))
		return number(v, &p->limit) && p->limit >= 1 && p->limit <= ADMIN_PAGE_MAX
			       ? NULL
			       : "limit is a number from 1 to 1000";
	if (str_eq(name, STR_LIT("cursor"))) {
		p->has_after = true;
		return number(v, &p->after) ? NULL : "cursor is not one of ours";
	}
	return "there is no such parameter";
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = (*(const struct relay_row *const *)a)->id;
	uint64_t y = (*(const struct relay_row *const *)b)->id;

	return x < y ? -1 : x > y;
}

/* The oldest `limit` of what all workers sent. */
static json_t *page_json(const struct admin_ask *ask)
{
	size_t n = 0, n_out, total = 0;
	const struct relay_row **rows;
	json_t *list = json_array();
	uint64_t matched = 0;
	char cursor[24];

	for (unsigned i = 0; i < ask->n_answers; i++)
		total += ask->answers[i]->n;
	rows = calloc(total + 1, sizeof(const struct relay_row *));
	if (!rows || !list) {
		free(rows);
		json_decref(list);
		return NULL;
	}
	for (unsigned i = 0; i < ask->n_answers; i++) {
		matched += ask->answers[i]->n_matched;
		for (size_t k = 0; k < ask->answers[i]->n; k++)
			rows[n++] = &ask->answers[i]->rows[k];
	}
	qsort(rows, n, sizeof(const struct relay_row *), by_id);
	n_out = n < ask->limit ? n : ask->limit;
	for (size_t i = 0; i < n_out; i++)
		json_array_append_new(list, admin_sessions_row(ask->a, rows[i]));
	/* a full page may have another behind it */
	snprintf(cursor, sizeof cursor, "%llu",
		 n_out ? (unsigned long long)rows[n_out - 1]->id : 0);
	free(rows);
	return json_pack("{s:o, s:I, s:s?}", "sessions", list, "matched", (json_int_t)matched,
			 "next", n_out && n_out == ask->limit ? cursor : NULL);
}

/* True: the answers are here, or are not to be had, which *result says. */
static bool late(struct admin_request *q, enum MHD_Result *result)
{
	if (!q->ask->late)
		return false;
	*result = admin_reply_problem(q, 503, "a worker does not answer in time");
	return true;
}

enum MHD_Result admin_sessions_list(struct admin_request *q)
{
	struct page p = { .filter = { .transport = -1 }, .limit = DEFAULT_LIMIT };
	struct relay_listing *l;
	enum MHD_Result result;

	if (q->ask)
		return late(q, &result)
			       ? result
			       : admin_reply_json(q, MHD_HTTP_OK, page_json(q->ask));
	for (size_t i = 0; i < q->query.n; i++) {
		const char *wrong = set_param(&p, q->query.params[i].name,
					      q->query.params[i].value);

		if (wrong)
			return admin_reply_problem(q, 400, wrong);
	}
	l = relay_listing_new(RELAY_LISTING_PAGE, p.limit);
	if (l) {
		l->filter = p.filter;
		l->has_after = p.has_after;
		l->after = p.after;
	}
	return begin(q, l, -1, p.limit);
}

/* --- one session --- */

static enum MHD_Result ask_one(struct admin_request *q, enum relay_listing_kind kind)
{
	size_t n = strlen(q->a->host.prefix);
	struct str rest = { q->arg + n, q->arg_len - n };
	struct relay_listing *l;
	uint64_t id;

	if (q->arg_len <= n || memcmp(q->arg, q->a->host.prefix, n) != 0 || !number(rest, &id))
		return admin_reply_problem(q, 404, "no session of that id");
	l = relay_listing_new(kind, 1);
	if (l)
		l->id = id;
	return begin(q, l, (int)(id % q->a->host.n_workers), 1);
}

static json_t *peers_json(const struct admin *a, const struct relay_listing *l)
{
	json_t *all = json_array();

	for (size_t i = 0; i < l->n_peers; i++) {
		const struct relay_row_peer *p = &l->peers[i];

		json_array_append_new(
			all, json_pack("{s:o, s:o, s:I}", "address", address(a, &p->at), "channel",
				       p->channel ? json_integer(p->channel) : json_null(),
				       "expires_s", (json_int_t)((p->expires_ms + 999) / 1000)));
	}
	return all;
}

enum MHD_Result admin_sessions_one(struct admin_request *q)
{
	const struct relay_listing *l;
	enum MHD_Result result;
	json_t *row;

	if (!q->ask)
		return ask_one(q, RELAY_LISTING_ONE);
	if (late(q, &result))
		return result;
	l = q->ask->answers[0];
	if (!l->n)
		return admin_reply_problem(q, 404, "no session of that id");
	row = admin_sessions_row(q->a, &l->rows[0]);
	json_object_set_new(row, "peers", peers_json(q->a, l));
	json_object_set_new(row, "peers_more", json_integer((json_int_t)l->n_more));
	return admin_reply_json(q, MHD_HTTP_OK, row);
}

enum MHD_Result admin_sessions_end(struct admin_request *q)
{
	enum MHD_Result result;

	if (!q->ask)
		return ask_one(q, RELAY_LISTING_END);
	if (late(q, &result))
		return result;
	if (!q->ask->answers[0]->n)
		return admin_reply_problem(q, 404, "no session of that id");
	log_info(q->a->host.lg, NULL, "session_killed", "session=%.*s", (int)q->arg_len,
		 q->arg);
	return admin_reply_json(q, MHD_HTTP_OK,
				json_pack("{s:o}", "ended",
					  public_id(q->a, q->ask->answers[0]->rows[0].id)));
}

/* --- a user --- */

struct str admin_sessions_realm(const struct admin_request *q)
{
	struct str realm = admin_query_find(&q->query, "realm");

	return realm.p ? realm : str_of(q->a->host.conf->realm);
}

static json_t *user_json(const struct admin_request *q)
{
	const struct conf *conf = q->a->host.conf;
	struct str realm = admin_sessions_realm(q);
	struct turn_traffic up = { 0, 0 }, down = { 0, 0 };
	uint64_t n = 0, dropped = 0;

	for (unsigned i = 0; i < q->ask->n_answers; i++) {
		const struct relay_listing *l = q->ask->answers[i];

		n += l->n_matched;
		up.packets += l->up.packets;
		up.bytes += l->up.bytes;
		down.packets += l->down.packets;
		down.bytes += l->down.bytes;
		dropped += l->dropped;
	}
	return json_pack("{s:o, s:o, s:I, s:o, s:o, s:I, s:o}", "user",
			 admin_reply_string(q->arg, q->arg_len), "realm",
			 admin_reply_string(realm.p, realm.len), "sessions",
			 (json_int_t)n, "up", traffic(&up), "down", traffic(&down), "dropped",
			 (json_int_t)dropped, "max_allocations",
			 conf->user_quota ? json_integer(conf->user_quota) : json_null());
}

enum MHD_Result admin_sessions_user(struct admin_request *q)
{
	struct relay_listing *l;
	enum MHD_Result result;

	if (q->ask)
		return late(q, &result) ? result
					: admin_reply_json(q, MHD_HTTP_OK, user_json(q));
	if (admin_sessions_realm(q).len > RELAY_LISTING_REALM)
		return admin_reply_problem(q, 400, "realm is too long");
	if (q->arg_len > RELAY_LISTING_USER)
		return admin_reply_problem(q, 400, "user is too long");
	l = relay_listing_new(RELAY_LISTING_PAGE, 0);
	if (l) {
		(void)set_user(&l->filter, (struct str){ q->arg, q->arg_len });
		(void)set_realm(&l->filter, admin_sessions_realm(q));
	}
	return begin(q, l, -1, 0);
}
