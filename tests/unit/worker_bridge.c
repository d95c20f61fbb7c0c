/*
 * src/worker/bridge.c and ask.c: real workers, and a store that this test pretends to be, with a thread of its
 * own. What the server must tell is told once, whatever state the store is in.
 */
#include <pthread.h>
#include <stdio.h>

#include "conf_said.h"
#include "own_net.h"
#include "relay_guest.h"

#include "auth/rest.h"
#include "worker/bridge.h"
#include "worker/pool.h"

#define CONF                       \
	"listening-ip=127.0.0.1\n" \
	"realm=test\n"             \
	"user=local:secret\n"      \
	"allow-loopback-peers\n"   \
	"relay-threads=2\n"

enum { CHANNEL = 0x4000 };

/* --- the pretended store --- */

struct store {
	pthread_mutex_t lock;
	pthread_t thread;
	struct store_hooks hooks;
	struct store_job *first, **end;
	bool full; /* takes nothing */
	bool mute; /* takes, and does not answer yet */
	bool down; /* has no database to ask */
	bool stop;
	/* what it was told */
	unsigned n_leases, n_released, n_records, n_sessions, n_held, n_gone;
	uint64_t rx_bytes, tx_bytes;
	char reason[32], leased[STORE_ID_LEN], released[STORE_ID_LEN], held[STORE_ID_LEN];
};

static struct store the; /* there is one at a time */

static struct str copy(struct str s)
{
	char *p = malloc(s.len + 1);

	memcpy(p, s.len ? s.p : "", s.len);
	p[s.len] = 0;
	return (struct str){ p, s.len };
}

struct store_job *store_job_new(enum store_job_kind kind, struct str realm, struct str user)
{
	struct store_job *j = calloc(1, sizeof *j);

	j->kind = kind;
	j->realm = copy(realm);
	j->user = copy(user);
	return j;
}

static void drop(struct str s)
{
	free((char *)s.p);
}

void store_job_free(struct store_job *j)
{
	if (!j)
		return;
	drop(j->realm);
	drop(j->user);
	for (size_t i = 0; i < j->n_usage; i++) {
		drop(j->usage[i].realm);
		drop(j->usage[i].user);
	}
	if (j->record) {
		const struct store_record *r = j->record;
		const struct str all[] = { r->node,    r->realm,  r->user,  r->client, r->transport,
					   r->relayed, r->reason, r->peers, r->drops,  r->quality };

		for (size_t i = 0; i < ARRAY_LEN(all); i++)
			drop(all[i]);
	}
	for (size_t i = 0; i < j->n_events; i++) {
		drop(j->events[i].key);
		drop(j->events[i].value);
	}
	free(j->usage);
	free(j->record);
	free(j->events);
	free(j);
}

struct store_limits store_limits_none(void)
{
	return (struct store_limits){ CONF_LIVE_UNSET, CONF_LIVE_UNSET, CONF_LIVE_UNSET, "" };
}

bool store_is_needed(const struct conf *conf)
{
	return conf->redis_userdb && *conf->redis_userdb;
}

enum err store_send(struct store *s, struct store_job *job)
{
	enum err e = OK;

	pthread_mutex_lock(&s->lock);
	if (s->full)
		e = ERR_FULL;
	else {
		job->next = NULL;
		*s->end = job;
		s->end = &job->next;
	}
	pthread_mutex_unlock(&s->lock);
	return e;
}

static void note_usage(struct store *s, const struct store_job *j)
{
	for (size_t i = 0; i < j->n_usage; i++) {
		s->rx_bytes += j->usage[i].rx_bytes;
		s->tx_bytes += j->usage[i].tx_bytes;
		s->n_sessions += (unsigned)j->usage[i].sessions;
		assert_int_equal(strlen(j->usage[i].period), strlen("2026-11"));
	}
}

/* The key of whoever has the password "diver"; a lease for all but "greedy". */
static enum store_taken answer(struct store *s, struct store_job *j)
{
	struct crypto *c;

	if (j->kind == STORE_JOB_KEY) {
		assert_int_equal(crypto_new(&c), OK);
		assert_int_equal(auth_longterm_key(c, j->user, j->realm, STR_LIT("diver"), j->key), OK);
		crypto_free(c);
		j->status = str_eq(j->user, STR_LIT("nobody")) ? STORE_NONE : STORE_OK;
		return s->hooks.answer(s->hooks.arg, j);
	}
	s->n_leases++;
	strcpy(s->leased, j->lease.id);
	j->status = str_eq(j->user, STR_LIT("greedy")) ? STORE_FULL_USER : STORE_OK;
	if (s->down)
		j->status = STORE_DOWN;
	j->lease.counted = j->status == STORE_OK;
	j->lease.limits = store_limits_none();
	return s->hooks.answer(s->hooks.arg, j);
}

static void work(struct store *s, struct store_job *j)
{
	switch (j->kind) {
	case STORE_JOB_KEY:
	case STORE_JOB_LEASE:
		if (answer(s, j) == STORE_TAKEN) /* there is always room, here */
			return;
		s->n_gone += j->kind == STORE_JOB_LEASE && j->lease.counted;
		break;
	case STORE_JOB_HOLD:
		s->n_held++;
		strcpy(s->held, j->lease.id);
		break;
	case STORE_JOB_RELEASE:
		s->n_released++;
		strcpy(s->released, j->lease.id);
		break;
	case STORE_JOB_USAGE:
		note_usage(s, j);
		break;
	case STORE_JOB_RECORD:
		s->n_records++;
		snprintf(s->reason, sizeof s->reason, "%.*s", STR_ARG(j->record->reason));
		break;
	default:
		break;
	}
	store_job_free(j);
}

static void *run(void *arg)
{
	struct store *s = arg;
	bool stop = false;

	while (!stop) {
		struct store_job *j = NULL, *next;

		pthread_mutex_lock(&s->lock);
		if (!s->mute) {
			j = s->first;
			s->first = NULL;
			s->end = &s->first;
		}
		stop = s->stop;
		pthread_mutex_unlock(&s->lock);
		for (; j; j = next) {
			next = j->next;
			work(s, j);
		}
		usleep(500);
	}
	return NULL;
}

enum err store_start(struct store **out, const struct conf *conf, const char *node, int64_t epoch,
		     const struct store_hooks *hooks, struct log *log, conf_report_fn *report, void *arg)
{
	(void)conf;
	(void)log;
	(void)report;
	(void)arg;
	assert_true(*node && epoch > 0);
	memset(&the, 0, sizeof the);
	pthread_mutex_init(&the.lock, NULL);
	the.end = &the.first;
	the.hooks = *hooks;
	assert_int_equal(pthread_create(&the.thread, NULL, run, &the), 0);
	*out = &the;
	return OK;
}

void store_stop(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	s->mute = false;
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	while (s->first) { /* what came last */
		struct store_job *j = s->first;

		s->first = j->next;
		work(s, j);
	}
}

/* --- the server --- */

struct server {
	struct said said;
	struct conf *conf;
	struct log *log;
	struct worker_sockets sockets;
	struct relay_shared *shared;
	struct worker_bridge *bridge;
	struct worker_pool pool;
};

static uint16_t free_port(const struct addr *ip)
{
	const struct net_sock_options o = { .kind = NET_SOCK_RELAY, .buf_size = 65536 };
	struct addr at = *ip;
	int fd = -1;

	at.port = 0;
	assert_int_equal(net_sock_udp(&at, &o, &fd), OK);
	assert_int_equal(net_sock_name(fd, &at), OK);
	net_sock_close(&fd);
	return at.port;
}

static struct server *server_new(void)
{
	static const struct log_options quiet = { .file = "/dev/null", .level = LOG_INFO_ };
	struct server *s = calloc(1, sizeof *s);

	s->conf = said_load(&s->said, CONF);
	s->conf->redis_userdb = strdup("pretended"); /* whether this build has Redis or not */
	assert_int_equal(log_start(&s->log, &quiet), OK);
	s->conf->udp_listeners[0].port = free_port(&s->conf->udp_listeners[0]);
	s->conf->stream_listeners[0].port = s->conf->udp_listeners[0].port;
	assert_int_equal(worker_listen_open(s->conf, &s->sockets, said_add, &s->said), OK);
	assert_int_equal(relay_shared_new(&s->shared, s->conf), OK);
	assert_int_equal(worker_bridge_new(&s->bridge, s->shared), OK);
	assert_int_equal(worker_bridge_start(s->bridge, s->log, said_add, &s->said), OK);
	assert_int_equal(worker_pool_start(&s->pool, s->shared, &s->sockets, NULL, s->log, s->bridge), OK);
	return s;
}

static void server_free(struct server *s)
{
	worker_pool_stop(&s->pool);
	worker_bridge_stop(s->bridge);
	worker_bridge_free(s->bridge);
	relay_shared_free(s->shared);
	worker_listen_close(&s->sockets);
	log_stop(s->log);
	conf_drop(s->conf);
	free(s);
}

static void open_guest(struct guest *g, const struct server *s, const char *user, const char *password)
{
	guest_open(g, &s->conf->udp_listeners[0], NULL, NULL, user, password);
	guest_greet(g);
}

static void set(bool *what, bool value)
{
	pthread_mutex_lock(&the.lock);
	*what = value;
	pthread_mutex_unlock(&the.lock);
}

/* --- the tests --- */

static unsigned bind_peer(struct guest *g, const struct addr *peer)
{
	struct wr w = guest_begin(g, STUN_CHANNEL_BIND);

	stun_add_u32(&w, STUN_T_CHANNEL_NUMBER, (uint32_t)CHANNEL << 16);
	stun_add_xor_addr(&w, STUN_T_XOR_PEER_ADDRESS, peer);
	guest_sign(g, &w);
	g->len = wr_len(&w);
	guest_send(g);
	return guest_answer(g);
}

static void all_that_was_relayed_is_told(void **state)
{
	static const uint8_t data[1000];
	struct server *s = server_new();
	uint8_t frame[1004];
	struct addr none = { 0 };
	struct client peer;
	struct guest g;

	(void)state;
	open_guest(&g, s, "dave", "diver");
	assert_int_equal(guest_ask(&g, STUN_ALLOCATE), 0);
	client_open(&peer, &none, NULL, NULL);
	assert_int_equal(bind_peer(&g, &peer.me), 0);
	for (int i = 0; i < 20; i++) {
		client_send(&g.c, &g.c.server, frame, client_frame(frame, CHANNEL, data, sizeof data));
		client_recv(&peer);
	}
	server_free(s);
	assert_int_equal(the.rx_bytes, 20000);
	assert_int_equal(the.tx_bytes, 0);
	assert_int_equal(the.n_sessions, 1);
	assert_int_equal(the.n_records, 1);
	assert_string_equal(the.reason, "shutdown");
	assert_int_equal(the.n_released, 1);
	assert_string_equal(the.released, the.leased);
	client_close(&peer);
	guest_close(&g);
}

static void users_are_who_the_store_says(void **state)
{
	struct server *s = server_new();
	struct guest g;

	(void)state;
	open_guest(&g, s, "nobody", "diver");
	assert_int_equal(guest_ask(&g, STUN_ALLOCATE), 401);
	guest_close(&g);
	open_guest(&g, s, "dave", "driver");
	assert_int_equal(guest_ask(&g, STUN_ALLOCATE), 401);
	guest_close(&g);
	open_guest(&g, s, "greedy", "diver");
	assert_int_equal(guest_ask(&g, STUN_ALLOCATE), 486);
	guest_close(&g);
	open_guest(&g, s, "local", "secret"); /* is known here, but his lease is not */
	assert_int_equal(guest_ask(&g, STUN_ALLOCATE), 0);
	guest_close(&g);
	server_free(s);
	assert_int_equal(the.n_leases, 2);
	assert_int_equal(the.n_released, 1);
}

static void nothing_is_lost_while_the_store_has_no_room(void **state)
{
	struct server *s = server_new();
	struct guest g, late;
	struct wr w;

	(void)state;
	open_guest(&late, s, "local", "secret");
	open_guest(&g, s, "local", "secret");
	assert_int_equal(guest_ask(&g, STUN_ALLOCATE), 0);
	set(&the.full, true);
	assert_int_equal(guest_ask(&late, STUN_ALLOCATE), 508); /* at once */
	w = guest_begin(&g, STUN_REFRESH);
	stun_add_u32(&w, STUN_T_LIFETIME, 0);
	guest_sign(&g, &w);
	g.len = wr_len(&w);
	guest_send(&g);
	assert_int_equal(guest_answer(&g), 0);
	set(&the.full, false);
	guest_close(&g);
	guest_close(&late);
	server_free(s);
	assert_int_equal(the.n_released, 1);
	assert_int_equal(the.n_records, 1);
	assert_int_equal(the.n_sessions, 1);
	assert_string_equal(the.reason, "deleted");
}

/* The server ends while questions are out: their answers find nobody, and nothing leaks. */
static void answers_may_come_too_late(void **state)
{
	struct server *s = server_new();
	struct guest g;

	(void)state;
	open_guest(&g, s, "dave", "diver");
	set(&the.mute, true);
	guest_write(&g, STUN_ALLOCATE);
	guest_send(&g);
	assert_false(client_wait(&g.c, 100));
	server_free(s);
	assert_int_equal(the.n_records, 0);
	guest_close(&g);
}

/* What is granted while the workers end is said to be nobody's, so that the store gives it back. */
static void a_lease_that_finds_nobody_is_known(void **state)
{
	struct server *s = server_new();
	struct guest g;

	(void)state;
	open_guest(&g, s, "local", "secret");
	set(&the.mute, true);
	guest_write(&g, STUN_ALLOCATE);
	guest_send(&g);
	assert_false(client_wait(&g.c, 100));
	server_free(s);
	assert_int_equal(the.n_leases, 1);
	assert_int_equal(the.n_gone + the.n_released, 1);
	assert_int_equal(the.n_records, 0);
	guest_close(&g);
}

/* Let in while nothing could be asked: it is to count from when there is a database, until it ends. */
static void who_is_let_in_in_an_outage_is_held(void **state)
{
	struct server *s = server_new();
	struct guest g;

	(void)state;
	open_guest(&g, s, "local", "secret");
	set(&the.down, true);
	assert_int_equal(guest_ask(&g, STUN_ALLOCATE), 0);
	guest_close(&g);
	server_free(s);
	assert_int_equal(the.n_held, 1);
	assert_string_equal(the.held, the.leased);
	assert_int_equal(the.n_released, 1);
	assert_string_equal(the.released, the.leased);
}

static void who_is_over_his_bytes_is_cut_off(void **state)
{
	struct server *s = server_new();
	const tick end = tick_now() + CLIENT_WAIT_MS;
	struct guest g, other;

	(void)state;
	open_guest(&g, s, "dave", "diver");
	open_guest(&other, s, "local", "secret");
	assert_int_equal(guest_ask(&g, STUN_ALLOCATE), 0);
	assert_int_equal(guest_ask(&other, STUN_ALLOCATE), 0);
	the.hooks.over(the.hooks.arg, STR_LIT("test"), STR_LIT("dave"));
	while (guest_ask(&g, STUN_REFRESH) != 437) {
		assert_true(tick_now() < end);
		usleep(10000);
	}
	assert_int_equal(guest_ask(&other, STUN_REFRESH), 0);
	while (!__atomic_load_n(&the.n_records, __ATOMIC_ACQUIRE)) {
		assert_true(tick_now() < end);
		usleep(10000);
	}
	assert_string_equal(the.reason, "byte_quota");
	guest_close(&g);
	guest_close(&other);
	server_free(s);
	assert_int_equal(the.n_records, 2);
	assert_int_equal(the.n_released, 2);
}

static void secrets_of_the_databases_reach_the_workers(void **state)
{
	static const uint64_t key[2] = { 1, 2 };
	char name[64], password[AUTH_REST_PASSWORD_LEN + 1];
	const tick end = tick_now() + CLIENT_WAIT_MS;
	struct server *s = server_new();
	struct conf_live *live = NULL;
	struct crypto *c;
	struct guest g;

	(void)state;
	snprintf(name, sizeof name, "%lld:carol", (long long)tick_wall_s() + 600);
	assert_int_equal(crypto_new(&c), OK);
	assert_int_equal(auth_rest_password(c, STR_LIT("north"), str_of(name), password), OK);
	crypto_free(c);
	assert_int_equal(conf_live_new(&live, key), OK);
	assert_int_equal(conf_live_add_secret(live, STR_LIT("test"), STR_LIT("north")), OK);
	open_guest(&g, s, name, password);
	the.hooks.live(the.hooks.arg, live);
	conf_live_drop(live);
	while (guest_ask(&g, STUN_ALLOCATE)) {
		assert_true(tick_now() < end);
		usleep(10000);
	}
	assert_int_equal(worker_bridge_withdraw(s->bridge, STR_LIT("south")), OK);
	assert_int_equal(worker_bridge_withdraw(s->bridge, STR_LIT("north")), OK);
	while (guest_ask(&g, STUN_REFRESH) != 437) { /* what it opened ends with it */
		assert_true(tick_now() < end);
		usleep(10000);
	}
	assert_int_equal(guest_ask(&g, STUN_ALLOCATE), 0);
	assert_int_equal(worker_bridge_revoke(s->bridge, STR_LIT("test"), STR_LIT("carol")), OK);
	while (guest_ask(&g, STUN_REFRESH) != 437) {
		assert_true(tick_now() < end);
		usleep(10000);
	}
	guest_close(&g);
	server_free(s);
	assert_int_equal(the.n_records, 2);
	assert_string_equal(the.reason, "withdrawn");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_was_relayed_is_told),
		cmocka_unit_test(users_are_who_the_store_says),
		cmocka_unit_test(nothing_is_lost_while_the_store_has_no_room),
		cmocka_unit_test(answers_may_come_too_late),
		cmocka_unit_test(a_lease_that_finds_nobody_is_known),
		cmocka_unit_test(who_is_let_in_in_an_outage_is_held),
		cmocka_unit_test(who_is_over_his_bytes_is_cut_off),
		cmocka_unit_test(secrets_of_the_databases_reach_the_workers),
	};

	own_net();
	return cmocka_run_group_tests_name("worker_bridge", tests, NULL, NULL);
}
