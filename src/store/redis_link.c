#include "store/redis_link.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include <hiredis/adapters/libevent.h>

#include "base/rng.h"
#include "base/tick.h"
#include "store/redis_resolve.h"

enum {
	PAUSE_MIN_MS = 100, /* doubled after each failure */
	PAUSE_MAX_MS = 5000,
};

enum state { PAUSED, RESOLVING, CONNECTING, GREETING, UP };

struct waiting {
	struct store_redis_link *l;
	store_redis_reply_fn *fn;
	void *arg;
};

struct store_redis_link {
	const struct store_env *env;
	const struct store_redis_conninfo *ci;
	struct store_redis_tls *tls; /* NULL: none */
	store_redis_link_fn *fn;
	void *arg;
	enum state state;
	redisAsyncContext *ac; /* NULL in PAUSED and RESOLVING */
	struct store_redis_resolve *resolve;
	struct event *timer;	  /* every quarter of the timeout, or the end of a pause */
	struct store_redis_at at; /* where this attempt goes */
	bool at_sentinel;	  /* it is a Sentinel, which is to name the master */
	size_t sentinel;	  /* the one to ask next */
	unsigned n_failed;	  /* in a row */
	bool was_up;
	bool was_tried; /* all that there is to try has failed once */
	bool to_renew; /* at the next turn of the timer */
	bool closing;
	size_t n_waiting; /* replies */
	tick heard;	  /* the last reply, or when the first command after silence went out */
	tick began;	  /* this attempt */
	struct rng rng;
	char why[256], said[256];
};

static void attempt(struct store_redis_link *l);
static void connect_to(struct store_redis_link *l, const char *ip);

static void set_timer(struct store_redis_link *l, unsigned ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000 };

	event_add(l->timer, &tv);
}

static void say_where(const struct store_redis_link *l, char *buf, size_t cap)
{
	const char *what = l->at_sentinel ? "Redis Sentinel" : "Redis";

	if (l->at.host[0] == '/')
		snprintf(buf, cap, "%s %.120s", what, l->at.host);
	else
		snprintf(buf, cap, "%s %.120s:%d", what, l->at.host, l->at.port);
}

static bool is_numeric(const char *host)
{
	uint8_t bytes[16];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* Attempts after which nobody should go on waiting for the first connection: each Sentinel once, an address
 * of each family of a name. */
static unsigned n_first_tries(const struct store_redis_conninfo *ci)
{
	if (ci->n_sentinels)
		return (unsigned)ci->n_sentinels;
	return ci->server.host[0] == '/' || is_numeric(ci->server.host) ? 1 : 2;
}

/* The connection is over, or never was: what waits hears so, and another attempt follows after a pause. */
static void give_up(struct store_redis_link *l, const char *why)
{
	redisAsyncContext *ac = l->ac;
	bool was_up = l->state == UP, was_tried = l->was_tried;
	char where[160];
	unsigned pause;

	say_where(l, where, sizeof where);
	snprintf(l->why, sizeof l->why, "%s: %s", where, why);
	l->state = PAUSED;
	l->was_tried = l->was_tried || l->n_failed + 1 >= n_first_tries(l->ci);
	l->to_renew = false;
	l->ac = NULL;
	store_redis_resolve_free(l->resolve);
	l->resolve = NULL;
	if (ac) {
		ac->data = NULL; /* its last words are not for us */
		redisAsyncFree(ac);
	}
	if (l->closing)
		return;
	pause = PAUSE_MIN_MS << (l->n_failed < 6 ? l->n_failed : 6);
	if (pause > PAUSE_MAX_MS)
		pause = PAUSE_MAX_MS;
	l->n_failed++;
	if (l->ci->n_sentinels)
		l->sentinel = (l->sentinel + 1) % l->ci->n_sentinels;
	/* half of it by chance: a fleet does not come back as one */
	set_timer(l, pause / 2 + rng_below(&l->rng, pause / 2 + 1));
	if (was_up || l->was_tried != was_tried || strcmp(l->why, l->said) != 0) {
		memcpy(l->said, l->why, sizeof l->said);
		l->fn(l->arg, false, l->why);
	}
}

static void on_reply(redisAsyncContext *ac, void *reply, void *data)
{
	struct waiting *w = data;
	struct store_redis_link *l = w->l;
	struct waiting copy = *w;

	(void)ac;
	free(w);
	l->n_waiting--;
	l->heard = tick_now();
	copy.fn(copy.arg, reply);
}

static bool send_on(struct store_redis_link *l, const struct store_redis_args *a, store_redis_reply_fn *fn, void *arg)
{
	struct waiting *w;
	const char **argv;
	size_t *len;
	int status = REDIS_ERR;

	if (a->failed || !a->n || !l->ac)
		return false;
	w = malloc(sizeof *w);
	argv = calloc(a->n, sizeof *argv);
	len = calloc(a->n, sizeof *len);
	if (w && argv && len) {
		for (size_t i = 0, start = 0; i < a->n; start = a->ends[i++]) {
			argv[i] = a->bytes ? a->bytes + start : "";
			len[i] = a->ends[i] - start;
		}
		*w = (struct waiting){ l, fn, arg };
		status = redisAsyncCommandArgv(l->ac, on_reply, w, (int)a->n, argv, len);
	}
	free(argv);
	free(len);
	if (status != REDIS_OK) {
		free(w);
		return false;
	}
	if (l->n_waiting++ == 0)
		l->heard = tick_now();
	return true;
}

/* --- greeting: AUTH, SELECT, then the role; or, at a Sentinel, the master's address ------------------ */

static void on_up(struct store_redis_link *l)
{
	l->state = UP;
	l->was_up = true;
	l->n_failed = 0;
	l->why[0] = l->said[0] = '\0';
	l->fn(l->arg, true, "");
}

static void explain(char *buf, size_t cap, const redisReply *r)
{
	if (strncmp(r->str, "WRONGPASS", 9) == 0 || strstr(r->str, "invalid password"))
		snprintf(buf, cap, "it refuses the password: set password= (and user= for an ACL user)");
	else if (strncmp(r->str, "NOAUTH", 6) == 0)
		snprintf(buf, cap, "it wants a password: set password= (and user= for an ACL user)");
	else if (strstr(r->str, "without any password") || strstr(r->str, "no password is set"))
		snprintf(buf, cap, "it has no password: leave password= out, or set requirepass there");
	else
		snprintf(buf, cap, "it says %.150s", r->str);
}

/* False: the attempt is over. */
static bool greeting_is_good(struct store_redis_link *l, const redisReply *r)
{
	char why[200];

	/* what a connection that was given up still says */
	if (!r || l->state != GREETING)
		return false;
	if (r->type != REDIS_REPLY_ERROR)
		return true;
	explain(why, sizeof why, r);
	give_up(l, why);
	return false;
}

static void on_greeting(void *arg, const redisReply *r)
{
	(void)greeting_is_good(arg, r);
}

static void on_role(void *arg, const redisReply *r)
{
	struct store_redis_link *l = arg;

	if (!r || l->state != GREETING)
		return;
	/* an ACL may forbid ROLE; a replica would say READONLY soon enough */
	if (r->type == REDIS_REPLY_ERROR && strncmp(r->str, "NOPERM", 6) != 0) {
		(void)greeting_is_good(l, r);
		return;
	}
	if (r->type == REDIS_REPLY_ARRAY && r->elements > 0 && r->element[0]->type == REDIS_REPLY_STRING &&
	    strcmp(r->element[0]->str, "master") != 0) {
		give_up(l, "it is a replica: name the master, or use sentinel=…");
		return;
	}
	on_up(l);
}

static void on_master(void *arg, const redisReply *r)
{
	struct store_redis_link *l = arg;
	redisAsyncContext *ac = l->ac;
	long port;

	if (!greeting_is_good(l, r))
		return;
	if (r->type != REDIS_REPLY_ARRAY || r->elements != 2 || r->element[0]->type != REDIS_REPLY_STRING ||
	    r->element[1]->type != REDIS_REPLY_STRING || r->element[0]->len >= (int)sizeof l->at.host) {
		give_up(l, "it knows no master of that name: check master=");
		return;
	}
	port = strtol(r->element[1]->str, NULL, 10);
	snprintf(l->at.host, sizeof l->at.host, "%s", r->element[0]->str);
	l->at.port = port > 0 && port < 65536 ? (int)port : 0;
	l->at_sentinel = false;
	l->ac = NULL;
	ac->data = NULL;
	redisAsyncFree(ac); /* within its callback: hiredis frees it when this returns */
	connect_to(l, l->at.host);
}

static bool say(struct store_redis_link *l, store_redis_reply_fn *fn, const char *const *words)
{
	struct store_redis_args a;
	bool sent;

	store_redis_args_init(&a);
	for (; *words; words++)
		store_redis_args_add(&a, str_of(*words));
	sent = send_on(l, &a, fn, l);
	store_redis_args_fini(&a);
	return sent;
}

static void greet(struct store_redis_link *l)
{
	const struct store_redis_conninfo *ci = l->ci;
	const char *password = l->at_sentinel ? ci->sentinel_password : ci->password;
	const char *user = l->at_sentinel ? "" : ci->user;
	char db[16];
	bool sent = true;

	l->state = GREETING;
	snprintf(db, sizeof db, "%d", ci->db);
	if (password[0] && user[0])
		sent = say(l, on_greeting, (const char *const[]){ "AUTH", user, password, NULL });
	else if (password[0])
		sent = say(l, on_greeting, (const char *const[]){ "AUTH", password, NULL });
	if (sent && !l->at_sentinel && ci->db)
		sent = say(l, on_greeting, (const char *const[]){ "SELECT", db, NULL });
	if (sent && l->at_sentinel)
		sent = say(l, on_master,
			   (const char *const[]){ "SENTINEL", "get-master-addr-by-name", ci->master, NULL });
	else if (sent)
		sent = say(l, on_role, (const char *const[]){ "ROLE", NULL });
	/* hiredis holds this context in its hands: it is given up by the timer */
	if (!sent)
		store_redis_link_renew(l, "no memory");
}

/* --- connecting ---------------------------------------------------------------------------------- */

static void on_connected(const redisAsyncContext *ac, int status)
{
	struct store_redis_link *l = ac->data;
	char why[160];

	if (!l || l->ac != ac)
		return;
	if (status == REDIS_OK) {
		if (l->env->reached)
			l->env->reached(l->env->arg, ac->c.fd);
		greet(l);
		return;
	}
	/* hiredis frees it after this */
	snprintf(why, sizeof why, "%s", ac->c.errstr[0] ? ac->c.errstr : "cannot connect");
	l->ac = NULL;
	give_up(l, why);
}

static void on_disconnected(const redisAsyncContext *ac, int status)
{
	struct store_redis_link *l = ac->data;
	char why[160];

	(void)status;
	if (!l || l->ac != ac)
		return;
	snprintf(why, sizeof why, "%s", ac->errstr && ac->errstr[0] ? ac->errstr : "it closed the connection");
	l->ac = NULL;
	give_up(l, why);
}

static void connect_to(struct store_redis_link *l, const char *ip)
{
	redisAsyncContext *ac = ip[0] == '/' ? redisAsyncConnectUnix(ip) : redisAsyncConnect(ip, l->at.port);
	char why[160];

	l->began = tick_now();
	if (!ac || ac->err) {
		snprintf(why, sizeof why, "%s", ac ? ac->errstr : "no memory");
		if (ac)
			redisAsyncFree(ac);
		give_up(l, why);
		return;
	}
	ac->data = l;
	l->ac = ac;
	l->state = CONNECTING;
	set_timer(l, l->env->timeout_ms / 4 + 1);
	if (l->tls && store_redis_tls_begin(l->tls, ac, l->at.host, why, sizeof why))
		give_up(l, why);
	else if (redisLibeventAttach(ac, l->env->base) != REDIS_OK ||
	    redisAsyncSetConnectCallback(ac, on_connected) != REDIS_OK ||
	    redisAsyncSetDisconnectCallback(ac, on_disconnected) != REDIS_OK)
		give_up(l, "no memory");
}

static void on_resolved(void *arg, const char *ip, const char *why)
{
	struct store_redis_link *l = arg;
	char copy[64];

	snprintf(copy, sizeof copy, "%s", ip);
	if (!copy[0]) {
		give_up(l, why);
		return;
	}
	store_redis_resolve_free(l->resolve);
	l->resolve = NULL;
	connect_to(l, copy);
}

static void attempt(struct store_redis_link *l)
{
	const struct store_redis_conninfo *ci = l->ci;

	l->at_sentinel = ci->n_sentinels > 0;
	l->at = l->at_sentinel ? ci->sentinels[l->sentinel] : ci->server;
	l->began = tick_now();
	if (l->at.host[0] == '/' || is_numeric(l->at.host)) {
		connect_to(l, l->at.host);
		return;
	}
	l->state = RESOLVING;
	set_timer(l, l->env->timeout_ms / 4 + 1);
	if (store_redis_resolve_start(&l->resolve, l->env->base, l->at.host, l->n_failed, on_resolved, l) != OK)
		give_up(l, "cannot look its name up");
}

static void on_pong(void *arg, const redisReply *r)
{
	(void)arg;
	(void)r;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct store_redis_link *l = arg;
	unsigned limit = l->env->timeout_ms;
	tick now = tick_now();
	char why[256];

	(void)fd;
	(void)what;
	if (l->state == PAUSED) {
		attempt(l);
		return;
	}
	if (l->state == CONNECTING && l->ci->connect_ms)
		limit = l->ci->connect_ms;
	if (l->to_renew) {
		snprintf(why, sizeof why, "%s", l->why);
		give_up(l, why);
	} else if (l->state == UP ? l->n_waiting && now - l->heard > limit : now - l->began > limit) {
		give_up(l, l->state == RESOLVING ? "its name is not resolved in time" : "no answer in time");
	} else {
		set_timer(l, l->env->timeout_ms / 4 + 1);
		/* silence is only known by asking */
		if (l->state == UP && !l->n_waiting && now - l->heard >= limit)
			(void)say(l, on_pong, (const char *const[]){ "PING", NULL });
	}
}

/* --- outside ------------------------------------------------------------------------------------- */

enum err store_redis_link_new(struct store_redis_link **out, const struct store_env *env,
			      const struct store_redis_conninfo *ci, struct store_redis_tls *tls,
			      store_redis_link_fn *fn, void *arg)
{
	struct store_redis_link *l = calloc(1, sizeof *l);

	if (!l)
		return ERR_NOMEM;
	l->env = env;
	l->ci = ci;
	l->tls = tls;
	l->fn = fn;
	l->arg = arg;
	rng_init(&l->rng);
	l->timer = event_new(env->base, -1, 0, on_timer, l);
	if (!l->timer) {
		free(l);
		return ERR_NOMEM;
	}
	set_timer(l, 0); /* in the loop, so that nobody is called before open() has returned */
	*out = l;
	return OK;
}

void store_redis_link_close(struct store_redis_link *l)
{
	l->closing = true;
	give_up(l, "closed");
}

void store_redis_link_free(struct store_redis_link *l)
{
	if (!l)
		return;
	event_free(l->timer);
	free(l);
}

bool store_redis_link_is_up(const struct store_redis_link *l)
{
	return l->state == UP && !l->to_renew;
}

bool store_redis_link_is_young(const struct store_redis_link *l)
{
	return !l->was_up && !l->was_tried && !l->closing;
}

const char *store_redis_link_why(const struct store_redis_link *l)
{
	return l->why;
}

bool store_redis_link_send(struct store_redis_link *l, const struct store_redis_args *a, store_redis_reply_fn *fn,
			   void *arg)
{
	return store_redis_link_is_up(l) && send_on(l, a, fn, arg);
}

void store_redis_link_renew(struct store_redis_link *l, const char *why)
{
	if (l->to_renew || l->state == PAUSED)
		return;
	l->to_renew = true;
	snprintf(l->why, sizeof l->why, "%.200s", why);
	set_timer(l, 0);
}
