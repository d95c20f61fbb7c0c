#include "world.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void on_tick(int fd, void *arg)
{
	(void)fd;
	(void)arg;
}

static void on_changed(void *arg, const struct store_backend *b, bool is_up, const char *why)
{
	struct seen *seen = arg;

	(void)b;
	seen->is_up = is_up;
	seen->n_changed++;
	snprintf(seen->why, sizeof seen->why, "%s", why ? why : "");
}

/* `b` and `other` are the world's; their words go nowhere. */
static void on_world_changed(void *arg, const struct store_backend *b, bool is_up, const char *why)
{
	struct world *w = arg;

	if (b != w->b)
		return;
	w->is_up = is_up;
	w->n_changed++;
	snprintf(w->why, sizeof w->why, "%s", why ? why : "");
}

static bool both_are_up(void *arg)
{
	struct world *w = arg;

	return w->kind->is_up(w->b) && w->kind->is_up(w->other);
}

int world_open(void **state)
{
	struct world *w = &world;
	char why[256] = "";

	(void)state;
	if (!w->loop) {
		assert_int_equal(net_loop_new(&w->loop), OK);
		assert_int_equal(net_loop_every(w->loop, 5, on_tick, NULL), OK);
	}
	w->env = (struct store_env){
		.loop = w->loop,
		.base = net_loop_base(w->loop),
		.hash_key = { 1, 2 },
		.changed = on_world_changed,
		.arg = w,
		.timeout_ms = WORLD_TIMEOUT_MS,
	};
	if (w->kind->open(&w->b, &w->env, w->conninfo, why, sizeof why) != OK ||
	    w->kind->open(&w->other, &w->env, w->conninfo, why, sizeof why) != OK)
		fail_msg("%s", why);
	world_until(both_are_up, w);
	return 0;
}

int world_close(void **state)
{
	(void)state;
	world.kind->close(world.b);
	world.kind->close(world.other);
	world.b = world.other = NULL;
	return 0;
}

struct store_backend *world_connect(const char *conninfo, struct seen *seen)
{
	struct store_backend *b = NULL;
	struct store_env env = world.env;
	enum err e;

	*seen = (struct seen){ 0 };
	env.changed = on_changed;
	env.arg = seen;
	e = world.kind->open(&b, &env, conninfo, seen->why, sizeof seen->why);
	assert_true(e == OK || e == ERR_CONF);
	return e == OK ? b : NULL;
}

void world_until(bool (*done)(void *arg), void *arg)
{
	tick start = tick_now();

	while (!done(arg)) {
		if (tick_now() - start > WORLD_PATIENCE_MS)
			fail_msg("nothing for %d ms; the backend said last: %s", WORLD_PATIENCE_MS, world.why);
		assert_int_equal(net_loop_turn(world.loop), OK);
	}
}

void world_pass(unsigned ms)
{
	tick start = tick_now();

	while (tick_now() - start < ms)
		assert_int_equal(net_loop_turn(world.loop), OK);
}

bool world_control(const char *what, char *answer, size_t cap)
{
	char line[256];
	size_t n = 0;
	tick start = tick_now();

	if (world.control < 0)
		return false;
	snprintf(line, sizeof line, "%s\n", what);
	assert_int_equal(write(world.control, line, strlen(line)), strlen(line));
	while (n == 0 || line[n - 1] != '\n') {
		struct pollfd p = { world.control, POLLIN, 0 };

		/* what waits in the loop is served meanwhile: stopping a server closes its connections */
		if (poll(&p, 1, 0) == 1) {
			assert_true(n < sizeof line - 1);
			assert_int_equal(read(world.control, line + n, 1), 1);
			n++;
		} else {
			assert_true(tick_now() - start < WORLD_PATIENCE_MS);
			assert_int_equal(net_loop_turn(world.loop), OK);
		}
	}
	line[n - 1] = '\0';
	if (strncmp(line, "ok", 2) != 0 && strncmp(line, "no", 2) != 0)
		fail_msg("the runner, asked to %s: %s", what, line);
	if (answer)
		snprintf(answer, cap, "%s", line[2] ? line + 3 : "");
	return line[0] == 'o';
}

struct str world_realm(void)
{
	char *name;

	assert_true(world.n_realms < WORLD_REALMS);
	name = world.realms[world.n_realms];
	snprintf(name, sizeof world.realms[0], "r%d-%u.test", (int)getpid(), ++world.n_realms);
	return str_of(name);
}

static void on_done(struct store_op *op, enum store_status status)
{
	struct asked *a = op->arg;

	a->n_done++;
	a->status = status;
}

static void row_copy(char *to, size_t *len, struct str from)
{
	assert_true(from.len < WORLD_NAME);
	if (from.len)
		memcpy(to, from.p, from.len);
	to[from.len] = '\0';
	*len = from.len;
}

static void on_row(struct store_op *op, const struct store_row *row)
{
	struct asked *a = op->arg;

	assert_non_null(a->rows);
	if (a->n_rows < WORLD_ROWS) {
		struct world_row *r = &a->rows[a->n_rows];

		row_copy(r->realm, &r->realm_len, row->realm);
		row_copy(r->name, &r->name_len, row->name);
		row_copy(r->value, &r->value_len, row->value);
	}
	a->n_rows++;
}

struct asked *asked_new(enum store_op_kind kind, struct str realm, struct str user)
{
	struct asked *a = calloc(1, sizeof *a);

	assert_non_null(a);
	a->op.kind = kind;
	a->op.done = on_done;
	a->op.row = on_row;
	a->op.arg = a;
	a->op.realm = realm;
	a->op.user = user;
	return a;
}

void asked_free(struct asked *a)
{
	if (!a)
		return;
	free(a->rows);
	free(a);
}

void asked_start(struct asked *a, struct store_backend *b)
{
	a->n_done = 0;
	a->op.why[0] = '\0';
	world.kind->start(b, &a->op);
}

static bool is_done(void *arg)
{
	return ((struct asked *)arg)->n_done > 0;
}

void asked_wait(struct asked *a)
{
	world_until(is_done, a);
	assert_int_equal(a->n_done, 1);
}

enum store_status asked_of(struct asked *a, struct store_backend *b)
{
	asked_start(a, b);
	asked_wait(a);
	return a->status;
}

static struct asked *admin_new(enum store_admin_do what_to_do, enum store_admin_what what, struct str realm,
			       struct str name, struct str value)
{
	struct asked *a = asked_new(STORE_ADMIN, realm, name);

	a->op.admin_do = what_to_do;
	a->op.admin_what = what;
	a->op.admin = (struct store_row){ realm, name, value };
	return a;
}

enum store_status world_admin(enum store_admin_do what_to_do, enum store_admin_what what, struct str realm,
			      struct str name, struct str value)
{
	struct asked *a = admin_new(what_to_do, what, realm, name, value);
	enum store_status s = asked_of(a, world.b);

	asked_free(a);
	return s;
}

struct asked *world_list(enum store_admin_what what, struct str realm, struct str name)
{
	struct asked *a = admin_new(STORE_ADMIN_LIST, what, realm, name, STR_LIT(""));

	a->rows = calloc(WORLD_ROWS, sizeof *a->rows);
	assert_non_null(a->rows);
	assert_int_equal(asked_of(a, world.b), STORE_OK);
	return a;
}

const struct world_row *asked_row(const struct asked *a, struct str realm, struct str name)
{
	for (size_t i = 0; i < a->n_rows && i < WORLD_ROWS; i++) {
		const struct world_row *r = &a->rows[i];

		if (str_eq((struct str){ r->name, r->name_len }, name) &&
		    str_eq((struct str){ r->realm, r->realm_len }, realm))
			return r;
	}
	return NULL;
}

struct conf_live *world_live(struct store_backend *b)
{
	struct asked *a = asked_new(STORE_LIVE, STR_LIT(""), STR_LIT(""));
	struct conf_live *live = NULL;

	assert_int_equal(conf_live_new(&a->op.live, world.env.hash_key), OK);
	assert_int_equal(asked_of(a, b), STORE_OK);
	live = a->op.live;
	asked_free(a);
	return live;
}
