/* The last hour, for who opens the page now: a sample every 10 s, the oldest makes room. */
#include "admin/figures.h"

void admin_history_second(struct admin *a)
{
	struct admin_history *h = &a->history;
	tick now = tick_now(), passed = now - h->taken;
	struct admin_sample *s = &h->samples[h->next];
	struct counters sum;

	if (h->taken && passed < ADMIN_HISTORY_STEP_S * 1000)
		return;
	admin_figures_sum(a, &sum);
	for (unsigned t = 0; t < COUNTER_TRANSPORTS; t++) {
		uint64_t bytes = admin_figures_relayed(&sum, t, false).bytes + admin_figures_relayed(&sum, t, true).bytes;
		uint64_t opened = counter_get(&sum, opened[t]), closed = counter_get(&sum, closed[t]);

		s->bps[t] = h->taken ? (bytes - h->bytes[t]) * 8 * 1000 / passed : 0;
		s->sessions[t] = opened > closed ? opened - closed : 0;
		h->bytes[t] = bytes;
	}
	s->at = admin_figures_now();
	if (h->taken) { /* the first only says from where */
		h->next = (h->next + 1) % ADMIN_HISTORY;
		h->n += h->n < ADMIN_HISTORY;
	}
	h->taken = now;
}

static json_t *four(const uint64_t v[COUNTER_TRANSPORTS])
{
	json_t *all = json_array();

	for (unsigned t = 0; t < COUNTER_TRANSPORTS; t++)
		json_array_append_new(all, json_integer((json_int_t)v[t]));
	return all;
}

enum MHD_Result admin_history_serve(struct admin_request *q)
{
	const struct admin_history *h = &q->a->history;
	json_t *names = json_array(), *at = json_array(), *bps = json_array(), *sessions = json_array();

	for (unsigned t = 0; t < COUNTER_TRANSPORTS; t++)
		json_array_append_new(names, json_string(turn_transport_text((enum turn_transport)t)));
	for (size_t i = 0; i < h->n; i++) {
		const struct admin_sample *s =
			&h->samples[(h->next + ADMIN_HISTORY - h->n + i) % ADMIN_HISTORY];

		json_array_append_new(at, json_real(s->at));
		json_array_append_new(bps, four(s->bps));
		json_array_append_new(sessions, four(s->sessions));
	}
	return admin_reply_json(q, MHD_HTTP_OK,
				json_pack("{s:i, s:o, s:o, s:o, s:o}", "step_s", (int)ADMIN_HISTORY_STEP_S,
					  "transports", names, "at", at, "relayed_bps", bps, "sessions",
					  sessions));
}
