/*
 * src/relay/park.c and lease.c over loopback sockets: requests that wait for a store which this test pretends
 * to be. It keeps each question, and answers when it is told to.
 */
#include <stdio.h>

#include "relay/lease.h"
#include "relay/park.h"
#include "relay/record.h"
#include "relay/usage.h"

#include "relay_guest.h"
#include "relay_world.h"

#define AUTH_CONF                  \
	"listening-ip=127.0.0.1\n" \
	"realm=test\n"             \
	"user=local:secret\n"      \
	"allow-loopback-peers\n"   \
	"relay-threads=2\n"

enum { MAX_ASKED = RELAY_PARK_MAX + 16 };

struct asked {
	enum relay_ask_kind kind;
	uint64_t ticket;
	char user[64], id[RELAY_ASK_ID_LEN], text[512];
	int64_t user_max, total_max, bytes_max;
	struct turn_traffic rx, tx;
	uint64_t sessions;
};

/* The pretended store. */
struct shop {
	struct asked *asked;
	size_t n;
	bool shut; /* there is no room for questions */
};

static void keep_text(char *to, size_t cap, struct str s)
{
	snprintf(to, cap, "%.*s", STR_ARG(s));
}

static bool take_question(void *arg, const struct relay_ask *q)
{
	struct shop *shop = arg;
	struct asked *a = &shop->asked[shop->n];

	assert_true(shop->n < MAX_ASKED);
	if (shop->shut && q->kind != RELAY_ASK_RELEASE)
		return false;
	*a = (struct asked){ .kind = q->kind, .ticket = q->ticket, .user_max = q->user_max,
			     .total_max = q->total_max, .bytes_max = q->bytes_max };
	keep_text(a->user, sizeof a->user, q->user);
	if (q->id)
		keep_text(a->id, sizeof a->id, str_of(q->id));
	for (size_t i = 0; i < q->n_usage; i++) { /* of one user at a time, here */
		keep_text(a->user, sizeof a->user, q->usage[i].user);
		a->rx.bytes += q->usage[i].rx.bytes;
		a->rx.packets += q->usage[i].rx.packets;
		a->tx.bytes += q->usage[i].tx.bytes;
		a->sessions += q->usage[i].sessions;
	}
	if (q->record) {
		keep_text(a->id, sizeof a->id, str_of(q->record->id));
		snprintf(a->text, sizeof a->text, "%.*s %.*s %.*s %.*s", STR_ARG(q->record->user),
			 STR_ARG(q->record->transport), STR_ARG(q->record->reason), STR_ARG(q->record->peers));
	}
	if (q->n_events)
		snprintf(a->text, sizeof a->text, "%.*s %.*s", STR_ARG(q->events[0].key),
			 STR_ARG(q->events[0].value));
	shop->n++;
	return true;
}

static const struct relay_asker all_kinds = { .ask = take_question, .users = true, .leases = true,
					      .usage = true, .records = true, .events = true };
static const struct relay_asker users_only = { .ask = take_question, .users = true };

static struct world *open_world(struct shop *shop, const char *conf, const struct relay_asker *kinds)
{
	struct world *w = world_new(conf);
	struct relay_asker asker = *kinds;

	*shop = (struct shop){ .asked = calloc(MAX_ASKED, sizeof *shop->asked) };
	asker.arg = shop;
	assert_int_equal(relay_set_asker(w->site[0].relay, &asker), OK);
	return w;
}

static void close_world(struct world *w, struct shop *shop)
{
	world_free(w);
	free(shop->asked);
}

/* The last question of a kind, or NULL. */
static struct asked *last(struct shop *shop, enum relay_ask_kind kind)
{
	for (size_t i = shop->n; i-- > 0;)
		if (shop->asked[i].kind == kind)
			return &shop->asked[i];
	return NULL;
}

static unsigned n_of(const struct shop *shop, enum relay_ask_kind kind)
{
	unsigned n = 0;

	for (size_t i = 0; i < shop->n; i++)
		n += shop->asked[i].kind == kind;
	return n;
}

/* Sends a signed Allocate, and serves until the shop has one question more. */
static struct asked *ask_for(struct guest *g, struct world *w, struct shop *shop)
{
	const tick end = tick_now() + CLIENT_WAIT_MS;
	size_t n = shop->n;

	guest_write(g, STUN_ALLOCATE);
	guest_send(g);
	while (shop->n == n && tick_now() < end)
		pump(w);
	assert_int_equal(shop->n, n + 1);
	return &shop->asked[n];
}

static struct relay_answer answer_to(const struct asked *q, enum relay_ask_status status)
{
	return (struct relay_answer){ .ticket = q->ticket, .kind = q->kind, .status = status,
				      .realm = STR_LIT("test"), .user = str_of(q->user), .id = q->id,
				      .max_allocations = CONF_LIVE_UNSET, .max_bps = CONF_LIVE_UNSET };
}

static void give_key(struct world *w, const struct asked *q, const struct guest *g)
{
	struct relay_answer a = answer_to(q, RELAY_ASK_OK);

	assert_int_equal(q->kind, RELAY_ASK_KEY);
	memcpy(a.key, g->key, sizeof a.key);
	relay_park_answer(w->site[0].relay, &a);
}

static void give(struct world *w, const struct asked *q, enum relay_ask_status status, bool counted)
{
	struct relay_answer a = answer_to(q, status);

	a.counted = counted;
	relay_park_answer(w->site[0].relay, &a);
}

/* --- the tests --- */

static void a_key_is_asked_for_once_and_the_request_goes_on(void **state)
{
	struct shop shop;
	struct world *w = open_world(&shop, AUTH_CONF, &users_only);
	struct guest g;
	struct asked *q;

	(void)state;
	guest_open(&g, &w->site[0].listener.at, pump, w, "dave", "diver");
	guest_greet(&g);
	q = ask_for(&g, w, &shop);
	assert_string_equal(q->user, "dave");
	for (int i = 0; i < 3; i++) /* its retransmissions join it */
		guest_send(&g);
	until(w, park_joined, 3);
	assert_int_equal(shop.n, 1);
	assert_false(client_try(&g.c));
	give_key(w, q, &g);
	assert_int_equal(guest_answer(&g), 0);
	assert_int_equal(counter_get(counters(w, 0), auth_ok), 1);
	assert_int_equal(counter_get(counters(w, 0), alloc_opened), 1);
	guest_send(&g); /* its answer was lost, perhaps */
	assert_int_equal(guest_answer(&g), 0);
	assert_int_equal(shop.n, 1);
	give_key(w, q, &g); /* a second answer finds nobody */
	pump(w);
	assert_false(client_try(&g.c));
	guest_close(&g);
	close_world(w, &shop);
}

static void what_the_database_says_is_answered(void **state)
{
	static const struct {
		enum relay_ask_status status;
		unsigned code;
	} row[] = { { RELAY_ASK_NONE, 401 }, { RELAY_ASK_FAILED, 500 } };
	struct shop shop;
	struct world *w = open_world(&shop, AUTH_CONF, &users_only);
	struct guest g;
	struct asked *q;

	(void)state;
	guest_open(&g, &w->site[0].listener.at, pump, w, "dave", "diver");
	guest_greet(&g);
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		give(w, ask_for(&g, w, &shop), row[i].status, false);
		assert_int_equal(guest_answer(&g), row[i].code);
	}
	g.key[0] ^= 1; /* a wrong password: found out once the key is here */
	q = ask_for(&g, w, &shop);
	g.key[0] ^= 1;
	give_key(w, q, &g);
	assert_int_equal(guest_answer(&g), 401);
	shop.shut = true;
	guest_write(&g, STUN_ALLOCATE);
	guest_send(&g);
	assert_int_equal(guest_answer(&g), 500); /* at once */
	guest_close(&g);
	close_world(w, &shop);
}

/* One source may not fill the place, nor all of them pin more than there is; requests have a length, too. */
static void what_waits_is_bounded(void **state)
{
	struct shop shop;
	struct world *w = open_world(&shop, AUTH_CONF, &users_only);
	struct relay *r = w->site[0].relay;
	struct relay_path path = { .via = &w->site[0].listener };
	struct turn_tx tx = { 0 };
	struct relay_parked *p;
	struct stun_msg msg;
	unsigned n = 0;
	uint8_t big[RELAY_PARK_BYTES + 1] = { 0 };
	struct guest g;

	(void)state;
	guest_open(&g, &w->site[0].listener.at, pump, w, "dave", "diver");
	guest_write(&g, STUN_ALLOCATE);
	assert_int_equal(stun_decode(g.buf, g.len, &msg), OK);
	tx.req = &msg;
	tx.tuple.client = g.c.me;
	for (; (p = relay_park_copy(r, &path, &tx)); n++)
		relay_park_wait(r, p, RELAY_ASK_KEY);
	assert_int_equal(n, RELAY_PARK_PER_PREFIX);
	for (unsigned i = 0; n < RELAY_PARK_MAX + 10; i++) {
		tx.tuple.client.ip[1] = (uint8_t)(1 + (i >> 8));
		tx.tuple.client.ip[2] = (uint8_t)i;
		p = relay_park_copy(r, &path, &tx);
		if (!p)
			break;
		relay_park_wait(r, p, RELAY_ASK_KEY);
		n++;
	}
	assert_int_equal(n, RELAY_PARK_MAX);
	relay_park_free(r); /* forgets them all */
	assert_int_equal(relay_park_new(r), OK);
	msg.raw = big;
	msg.raw_len = sizeof big;
	assert_null(relay_park_copy(r, &path, &tx));
	msg.raw_len--;
	p = relay_park_copy(r, &path, &tx);
	assert_non_null(p);
	relay_park_drop(r, p);
	guest_close(&g);
	close_world(w, &shop);
}

/* A question that nobody answers is one that cannot be. */
static void nobody_waits_for_ever(void **state)
{
	struct shop shop;
	struct world *w = open_world(&shop, AUTH_CONF, &users_only);
	struct relay *r = w->site[0].relay;
	struct guest g;

	(void)state;
	guest_open(&g, &w->site[0].listener.at, pump, w, "dave", "diver");
	guest_greet(&g);
	ask_for(&g, w, &shop);
	wheel_advance(&r->wheel, r->env.now + RELAY_PARK_MS + 2 * WHEEL_SLOT_MS);
	assert_int_equal(guest_answer(&g), 500);
	guest_close(&g);
	close_world(w, &shop);
}

/* What a connection asked for goes with it; a lease that comes for it is given back. */
static void a_client_that_left_gets_no_answer(void **state)
{
	struct shop shop;
	struct world *w = open_world(&shop, AUTH_CONF, &all_kinds);
	struct guest g;
	struct turn_tuple tuple = { .transport = TURN_UDP };
	struct asked *q;

	(void)state;
	guest_open(&g, &w->site[0].listener.at, pump, w, "local", "secret");
	guest_greet(&g);
	q = ask_for(&g, w, &shop);
	assert_int_equal(q->kind, RELAY_ASK_LEASE);
	tuple.client = g.c.me;
	tuple.server = w->site[0].listener.at;
	relay_park_forget(w->site[0].relay, &tuple); /* as relay/conn.c does it */
	give(w, q, RELAY_ASK_OK, true);
	assert_int_equal(last(&shop, RELAY_ASK_RELEASE) ? 1 : 0, 1);
	assert_string_equal(last(&shop, RELAY_ASK_RELEASE)->id, q->id);
	assert_int_equal(counter_get(counters(w, 0), alloc_opened), 0);
	give(w, q, RELAY_ASK_OK, false); /* one that is not counted needs no giving back */
	assert_int_equal(n_of(&shop, RELAY_ASK_RELEASE), 1);
	pump(w);
	assert_false(client_try(&g.c));
	guest_close(&g);
	close_world(w, &shop);
}

/* The store was slower than it may be: who waited was let in without it. The lease that comes is his session's, and
 * not given back before that has ended, be it that there was no room to ask for it to be held. */
static void a_lease_that_comes_late_is_the_sessions(void **state)
{
	(void)state;
	for (int room = 0; room < 2; room++) {
		struct shop shop;
		struct world *w = open_world(&shop, AUTH_CONF, &all_kinds);
		struct relay *r = w->site[0].relay;
		struct relay_session *s;
		struct guest g;
		struct asked *q;

		guest_open(&g, &w->site[0].listener.at, pump, w, "local", "secret");
		guest_greet(&g);
		q = ask_for(&g, w, &shop);
		shop.shut = !room;
		wheel_advance(&r->wheel, r->env.now + RELAY_PARK_MS + 2 * WHEEL_SLOT_MS);
		assert_int_equal(guest_answer(&g), 0);
		assert_int_equal(n_of(&shop, RELAY_ASK_HOLD), room);
		give(w, q, RELAY_ASK_OK, true);
		assert_int_equal(n_of(&shop, RELAY_ASK_RELEASE), 0);
		s = list_entry(r->sessions.next, struct relay_session, all);
		turn_session_end(&r->env, &s->turn, TURN_END_DELETED);
		assert_int_equal(n_of(&shop, RELAY_ASK_RELEASE), 1);
		assert_string_equal(last(&shop, RELAY_ASK_RELEASE)->id, q->id);
		give(w, q, RELAY_ASK_OK, true); /* nobody has it any more */
		assert_int_equal(n_of(&shop, RELAY_ASK_RELEASE), 2);
		guest_close(&g);
		close_world(w, &shop);
	}
}

static void a_lease_is_taken_and_given_back(void **state)
{
	const struct relay_expel his = { .why = TURN_END_QUOTA, .realm = STR_LIT("test"), .user = STR_LIT("dave") };
	const struct relay_expel other = { .why = TURN_END_QUOTA, .realm = STR_LIT("test"), .user = STR_LIT("dav") };
	struct shop shop;
	struct world *w =
		open_world(&shop, AUTH_CONF "user-quota=7\ntotal-quota=70\nuser-byte-quota=700\n", &all_kinds);
	struct guest g;
	struct asked *q;

	(void)state;
	guest_open(&g, &w->site[0].listener.at, pump, w, "dave", "diver");
	guest_greet(&g);
	q = ask_for(&g, w, &shop); /* both are waited for, one after the other */
	give_key(w, q, &g);
	q = last(&shop, RELAY_ASK_LEASE);
	assert_non_null(q);
	assert_string_equal(q->user, "dave");
	assert_int_equal(q->user_max, 7);
	assert_int_equal(q->total_max, 70);
	assert_int_equal(q->bytes_max, 700);
	assert_false(client_try(&g.c));
	give(w, q, RELAY_ASK_OK, true);
	assert_int_equal(guest_answer(&g), 0);
	assert_int_equal(counter_get(counters(w, 0), auth_ok), 1);
	assert_int_equal(n_of(&shop, RELAY_ASK_RELEASE), 0);
	assert_non_null(strstr(last(&shop, RELAY_ASK_EVENT)->text, "turn/realm/test/user/dave/allocation/"));
	assert_non_null(strstr(last(&shop, RELAY_ASK_EVENT)->text,
			       "/status new lifetime=600, type=UDP, local=127.0.0.1:"));
	relay_session_expel(w->site[0].relay, &other);
	assert_int_equal(n_of(&shop, RELAY_ASK_RELEASE), 0);
	relay_session_expel(w->site[0].relay, &his);
	assert_int_equal(n_of(&shop, RELAY_ASK_RELEASE), 1);
	assert_string_equal(last(&shop, RELAY_ASK_RELEASE)->id, q->id);
	assert_string_equal(last(&shop, RELAY_ASK_RECORD)->id, q->id);
	assert_string_equal(last(&shop, RELAY_ASK_RECORD)->text, "dave udp byte_quota ");
	guest_close(&g);
	close_world(w, &shop);
}

static void a_refused_lease_is_answered_as_it_was_refused(void **state)
{
	static const struct {
		const char *conf;
		enum relay_ask_status status;
		unsigned code;
	} row[] = {
		{ "", RELAY_ASK_FULL_USER, 486 },
		{ "", RELAY_ASK_FULL_REALM, 486 },
		{ "", RELAY_ASK_FULL_BYTES, 486 },
		{ "", RELAY_ASK_REVOKED, 401 },
		{ "", RELAY_ASK_NONE, 0 },
		{ "", RELAY_ASK_FAILED, 0 }, /* allow is the default */
		{ "quota-on-store-failure=allow\n", RELAY_ASK_FAILED, 0 },
		{ "quota-on-store-failure=deny\n", RELAY_ASK_FAILED, 508 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		char conf[512];
		struct shop shop;
		struct world *w;
		struct guest g;

		snprintf(conf, sizeof conf, AUTH_CONF "%s", row[i].conf);
		w = open_world(&shop, conf, &all_kinds);
		guest_open(&g, &w->site[0].listener.at, pump, w, "local", "secret");
		guest_greet(&g);
		give(w, ask_for(&g, w, &shop), row[i].status, false);
		assert_int_equal(guest_answer(&g), row[i].code);
		shop.shut = true;
		if (row[i].code) {
			guest_write(&g, STUN_ALLOCATE);
			guest_send(&g);
			assert_int_equal(guest_answer(&g), 508); /* no room to ask */
		}
		assert_int_equal(n_of(&shop, RELAY_ASK_RELEASE), 0);
		guest_close(&g);
		close_world(w, &shop);
	}
}

/* The user's own limits go before the realm's, and this node's hold whatever the store says. */
static void limits_that_come_with_the_lease_hold_here(void **state)
{
	struct shop shop;
	struct world *w = open_world(&shop, AUTH_CONF "user-quota=5\n", &all_kinds);
	struct guest g, second;
	struct relay_answer a;
	struct asked *q;

	(void)state;
	guest_open(&g, &w->site[0].listener.at, pump, w, "local", "secret");
	guest_open(&second, &w->site[0].listener.at, pump, w, "local", "secret");
	guest_greet(&g);
	guest_greet(&second);
	q = ask_for(&g, w, &shop);
	assert_int_equal(q->user_max, 5);
	a = answer_to(q, RELAY_ASK_OK);
	a.max_allocations = 1;
	a.max_bps = 1000;
	a.counted = true;
	relay_park_answer(w->site[0].relay, &a);
	assert_int_equal(guest_answer(&g), 0);
	q = ask_for(&second, w, &shop);
	a = answer_to(q, RELAY_ASK_OK);
	a.max_allocations = 1;
	a.counted = true;
	relay_park_answer(w->site[0].relay, &a);
	assert_int_equal(guest_answer(&second), 486);
	assert_int_equal(n_of(&shop, RELAY_ASK_RELEASE), 1); /* the refused one's */
	assert_string_equal(last(&shop, RELAY_ASK_RELEASE)->id, q->id);
	guest_close(&g);
	guest_close(&second);
	close_world(w, &shop);
}

/* Each byte is told of once: in slices while the session lives, the rest when it has ended. */
static void usage_is_told_once(void **state)
{
	struct shop shop;
	struct world *w = open_world(&shop, AUTH_CONF, &all_kinds);
	struct relay *r = w->site[0].relay;
	struct relay_session *s;
	struct guest g;
	uint64_t bytes = 0, sessions = 0;

	(void)state;
	guest_open(&g, &w->site[0].listener.at, pump, w, "local", "secret");
	guest_greet(&g);
	give(w, ask_for(&g, w, &shop), RELAY_ASK_OK, true);
	assert_int_equal(guest_answer(&g), 0);
	s = list_entry(r->sessions.next, struct relay_session, all);
	s->turn.rx = (struct turn_traffic){ 3, 3000 };
	shop.shut = true;
	relay_usage_tick(r); /* no room: it goes next time */
	assert_null(last(&shop, RELAY_ASK_USAGE));
	shop.shut = false;
	relay_usage_tick(r);
	assert_int_equal(last(&shop, RELAY_ASK_USAGE)->rx.bytes, 3000);
	assert_int_equal(last(&shop, RELAY_ASK_USAGE)->sessions, 1);
	assert_string_equal(last(&shop, RELAY_ASK_USAGE)->user, "local");
	relay_usage_tick(r); /* nothing new */
	assert_int_equal(n_of(&shop, RELAY_ASK_USAGE), 1);
	s->turn.rx = (struct turn_traffic){ 5, 5000 };
	s->turn.tx = (struct turn_traffic){ 1, 70 };
	turn_session_end(&r->env, &s->turn, TURN_END_DELETED);
	relay_usage_tick(r);
	for (size_t i = 0; i < shop.n; i++) {
		if (shop.asked[i].kind != RELAY_ASK_USAGE)
			continue;
		bytes += shop.asked[i].rx.bytes + shop.asked[i].tx.bytes;
		sessions += shop.asked[i].sessions;
	}
	assert_int_equal(bytes, 5070);
	assert_int_equal(sessions, 1);
	guest_close(&g);
	close_world(w, &shop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_asked_for_once_and_the_request_goes_on),
		cmocka_unit_test(what_the_database_says_is_answered),
		cmocka_unit_test(what_waits_is_bounded),
		cmocka_unit_test(nobody_waits_for_ever),
		cmocka_unit_test(a_client_that_left_gets_no_answer),
		cmocka_unit_test(a_lease_that_comes_late_is_the_sessions),
		cmocka_unit_test(a_lease_is_taken_and_given_back),
		cmocka_unit_test(a_refused_lease_is_answered_as_it_was_refused),
		cmocka_unit_test(limits_that_come_with_the_lease_hold_here),
		cmocka_unit_test(usage_is_told_once),
	};

	return cmocka_run_group_tests_name("relay_park", tests, NULL, NULL);
}
