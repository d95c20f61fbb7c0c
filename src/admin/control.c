#include "admin/state.h"

/* The body as a JSON object, an empty one where it may be missing; NULL: it is none, and that was said. */
static json_t *body_of(struct admin_request *q, enum MHD_Result *result)
{
	json_error_t why;
	json_t *j;

	if (!q->body_len)
		return json_object();
	j = json_loadb(q->body, q->body_len, JSON_REJECT_DUPLICATES, &why);
	if (json_is_object(j))
		return j;
	json_decref(j);
	*result = admin_reply_problem(q, 400, "the body is not a JSON object");
	return NULL;
}

static bool flag(const json_t *body, const char *name, bool *out)
{
	json_t *v = json_object_get(body, name);

	if (v && !json_is_boolean(v))
		return false;
	if (v)
		*out = json_is_true(v);
	return true;
}

static json_t *state_json(const struct admin *a)
{
	bool leaves, draining = a->host.draining(a->host.arg, &leaves);
	uint64_t left = 0;

	for (unsigned i = 0; i < a->host.n_workers; i++) {
		const struct counters *c = a->host.counters(a->host.arg, i);
		uint64_t closed = counter_get(c, alloc_closed);

		left += counter_get(c, alloc_opened) - closed;
	}
	return json_pack("{s:s, s:b, s:I}", "state", draining ? "draining" : "serving", "exit",
			 draining && leaves, "sessions", (json_int_t)left);
}

enum MHD_Result admin_control_drain(struct admin_request *q)
{
	const struct admin_host *h = &q->a->host;
	bool on = true, leaves = true, good;
	size_t n_known;
	enum MHD_Result result;
	json_t *body = body_of(q, &result);

	if (!body)
		return result;
	good = flag(body, "drain", &on) && flag(body, "exit", &leaves);
	/* a misspelt one would mean the default, which is not what anybody wants */
	n_known = (json_object_get(body, "drain") != NULL) + (json_object_get(body, "exit") != NULL);
	good = good && json_object_size(body) == n_known;
	json_decref(body);
	if (!good)
		return admin_reply_problem(q, 400, "there are drain and exit, each true or false");
	h->drain(h->arg, on, on && leaves);
	return admin_reply_json(q, MHD_HTTP_OK, state_json(q->a));
}

enum MHD_Result admin_control_reload(struct admin_request *q)
{
	q->a->host.reload(q->a->host.arg);
	return admin_reply_json(q, MHD_HTTP_OK,
				json_pack("{s:[s, s]}", "reloaded", "log", "certificates"));
}
