/*
 * What the stats port tells the databases. An order belongs to the store from when it is sent until it is
 * done, which may be after the stats port has ended: what carries it back is held by all that are under way.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "admin/body.h"
#include "admin/state.h"
#include "base/bug.h"
#include "base/mbox.h"

enum {
	ORDERS = 32,		/* under way at once; there is room for as many to come back */
	REVOKED_S = 86400,	/* the longest that a credential of ours is good for */
};

struct admin_wire {
	atomic_uint n_refs;
	struct mbox *mbox; /* of struct admin_order *, that are done */
};

struct admin_order {
	struct store_op op;
	struct admin_wire *wire;
	enum store_status status;
	/* control's */
	struct list all;	 /* in admin.orders */
	struct admin_request *q; /* NULL: gone */
	tick deadline;
	bool back, late;
	int64_t until_s; /* REVOKED */
	char realm[STORE_NAME_MAX], user[STORE_NAME_MAX], value[ADMIN_BODY_LIMITS];
};

static void wire_drop(struct admin_wire *w)
{
	struct admin_order *o;

	if (atomic_fetch_sub(&w->n_refs, 1) > 1)
		return;
	while (w->mbox && !mbox_recv(w->mbox, &o))
		free(o);
	mbox_free(w->mbox);
	free(w);
}

enum err admin_order_start(struct admin *a)
{
	struct admin_wire *w = calloc(1, sizeof *w);
	enum err e;

	if (!w)
		return ERR_NOMEM;
	atomic_init(&w->n_refs, 1);
	e = mbox_new(&w->mbox, sizeof(struct admin_order *), ORDERS);
	if (e) {
		free(w);
		return e;
	}
	a->wire = w;
	return OK;
}

int admin_order_fd(const struct admin *a)
{
	return mbox_fd(a->wire->mbox);
}

/* The store thread, or who stops the store. */
static void on_done(struct store_op *op, enum store_status status)
{
	struct admin_order *o = op->arg;
	struct admin_wire *w = o->wire;
	enum err e;

	o->status = status;
	e = mbox_send(w->mbox, &o);
	BUG_ON(e);
	wire_drop(w);
}

static void go_on(struct admin_order *o)
{
	if (o->q)
		MHD_resume_connection(o->q->conn);
}

void admin_order_drop(struct admin_order *o)
{
	if (!o)
		return;
	o->q = NULL;
	if (o->back)
		free(o);
}

/* Withdrawn whether or not somebody still waits for the answer. */
static void take_back(struct admin *a, struct admin_order *o)
{
	const struct admin_stores *s = &a->host.stores;

	o->back = true;
	list_del(&o->all);
	a->n_orders--;
	if (o->status == STORE_OK && o->until_s)
		s->revoked(s->arg, o->op.admin.realm, o->op.admin.name);
	if (!o->q)
		free(o);
	else if (!o->late)
		go_on(o);
}

void admin_order_turn(struct admin *a)
{
	struct admin_order *o;

	while (!mbox_recv(a->wire->mbox, &o))
		take_back(a, o);
}

void admin_order_second(struct admin *a)
{
	tick now = tick_now();

	for (struct list *n = a->orders.next; n != &a->orders; n = n->next) {
		struct admin_order *o = list_entry(n, struct admin_order, all);

		if (o->late || !tick_before(o->deadline, now))
			continue;
		o->late = true;
		go_on(o);
	}
}

void admin_order_stop(struct admin *a)
{
	while (!list_empty(&a->orders)) {
		struct admin_order *o = list_entry(a->orders.next, struct admin_order, all);

		list_del(&o->all);
		if (!o->late)
			go_on(o);
		o->late = true;
	}
}

void admin_order_end(struct admin *a)
{
	if (a->wire)
		wire_drop(a->wire);
}

/* --- requests --- */

static enum MHD_Result no_store(struct admin_request *q)
{
	return admin_reply_problem(q, 501, "needs a database, and none is configured");
}

static enum MHD_Result begin(struct admin_request *q, const struct admin_order *what)
{
	struct admin *a = q->a;
	const struct admin_stores *s = &a->host.stores;
	struct str realm = admin_sessions_realm(q);
	struct admin_order *o;

	if (!s->order)
		return no_store(q);
	if (q->arg_len >= STORE_NAME_MAX || realm.len >= STORE_NAME_MAX)
		return admin_reply_problem(q, 400, "no user and no realm has so long a name");
	o = a->n_orders < ORDERS ? malloc(sizeof *o) : NULL;
	if (!o)
		return admin_reply_problem(q, 503, "too much for the database at once");
	*o = *what;
	memcpy(o->realm, realm.p, realm.len);
	memcpy(o->user, q->arg, q->arg_len);
	o->op.kind = STORE_ADMIN;
	o->op.done = on_done;
	o->op.arg = o;
	o->op.admin.realm = (struct str){ o->realm, realm.len };
	o->op.admin.name = (struct str){ o->user, q->arg_len };
	o->op.admin.value = str_of(o->value);
	o->q = q;
	o->wire = a->wire;
	o->deadline = tick_now() + ADMIN_ANSWER_MS;
	atomic_fetch_add(&a->wire->n_refs, 1);
	list_push(&a->orders, &o->all);
	a->n_orders++;
	q->order = o;
	MHD_suspend_connection(q->conn);
	if (!s->order(s->arg, &o->op))
		on_done(&o->op, STORE_DOWN);
	return MHD_YES;
}

/* True: it was done. Else *result is the answer. */
static bool done(struct admin_request *q, enum MHD_Result *result)
{
	const struct admin_order *o = q->order;

	if (o->late)
		*result = admin_reply_problem(q, 503, "the database does not answer; it may still do it");
	else if (o->status == STORE_UNSUPPORTED)
		*result = admin_reply_problem(q, 501, "this database keeps no such thing");
	else if (o->status != STORE_OK && o->status != STORE_NONE)
		*result = admin_reply_problem(q, 503, o->op.why[0] ? o->op.why : "the database failed");
	else
		return true;
	return false;
}

enum MHD_Result admin_order_quota(struct admin_request *q)
{
	struct admin_order what = { .op = { .admin_what = STORE_ADMIN_LIMIT } };
	enum MHD_Result result;
	const char *wrong;
	json_t *body;

	if (!q->a->host.stores.order) /* before the body: no other would help */
		return no_store(q);
	if (q->order && !done(q, &result))
		return result;
	wrong = admin_body_limits((struct str){ q->body, q->body_len }, &body, what.value);
	if (q->order) {
		json_object_set_new(body, "user", admin_reply_string(q->arg, q->arg_len));
		return admin_reply_json(q, MHD_HTTP_OK, body);
	}
	json_decref(body);
	if (wrong)
		return admin_reply_problem(q, 400, wrong);
	what.op.admin_do = what.value[0] ? STORE_ADMIN_SET : STORE_ADMIN_DEL;
	return begin(q, &what);
}

enum MHD_Result admin_order_revoke(struct admin_request *q)
{
	struct admin_order what = { .op = { .admin_what = STORE_ADMIN_REVOKED,
					    .admin_do = STORE_ADMIN_SET } };
	enum MHD_Result result;

	if (q->order)
		return done(q, &result)
			       ? admin_reply_json(q, MHD_HTTP_OK,
						  json_pack("{s:o, s:I}", "user",
							    admin_reply_string(q->arg, q->arg_len),
							    "until", (json_int_t)q->order->until_s))
			       : result;
	what.until_s = tick_wall_s() + REVOKED_S;
	snprintf(what.value, sizeof what.value, "%" PRId64, what.until_s);
	return begin(q, &what);
}
