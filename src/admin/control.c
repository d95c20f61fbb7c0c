#include "admin/body.h"
#include "admin/state.h"

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
	bool on = true, leaves = true;
	const char *wrong = admin_body_drain((struct str){ q->body, q->body_len }, &on, &leaves);

	if (wrong)
		return admin_reply_problem(q, 400, wrong);
	h->drain(h->arg, on, on && leaves);
	return admin_reply_json(q, MHD_HTTP_OK, state_json(q->a));
}

enum MHD_Result admin_control_reload(struct admin_request *q)
{
	q->a->host.reload(q->a->host.arg);
	return admin_reply_json(q, MHD_HTTP_OK,
				json_pack("{s:[s, s]}", "reloaded", "log", "certificates"));
}
