#include "admin/state.h"

enum MHD_Result admin_health_live(struct admin_request *q)
{
	return admin_reply_json(q, MHD_HTTP_OK, json_pack("{s:s}", "status", "ok"));
}

static bool needs_what_is_down(const struct admin *a)
{
	const struct admin_stores *s = &a->host.stores;
	struct store_health h[ADMIN_STORES];
	size_t n = s->health ? s->health(s->arg, h, ADMIN_STORES) : 0;

	for (size_t i = 0; i < n && i < ADMIN_STORES; i++)
		if (h[i].needed && !h[i].up)
			return true;
	return false;
}

enum MHD_Result admin_health_ready(struct admin_request *q)
{
	const struct admin *a = q->a;
	const char *state = "ready";
	bool leaves;

	if (a->host.draining(a->host.arg, &leaves))
		state = "draining";
	else if (needs_what_is_down(a))
		state = "store_down";
	return admin_reply_json(q, state[0] == 'r' ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
				json_pack("{s:s}", "status", state));
}
