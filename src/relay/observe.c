#include "relay/observe.h"

#include "auth/nonce.h"

enum { PACKETS_MIN = 10 }; /* of fewer no share can be told */

void relay_observe_setup(struct relay *r, const struct turn_tx *tx)
{
	int64_t ms = tx->who.has_key ? auth_nonce_age_ms(tx->req->nonce, r->env.auth.wall_s, r->env.now) : -1;

	if (ms >= 0)
		histogram_add(r->cnt.histograms, HISTOGRAM_setup, (uint64_t)ms);
}

/* What is late may have been counted as lost before: then it is less. */
static uint64_t grown(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

static void observe_leg(struct relay *r, struct relay_quality *q, enum relay_quality_leg leg)
{
	static const struct {
		enum histogram_id loss, jitter, rtt;
	} of[RELAY_N_LEGS] = {
		[RELAY_LEG_CLIENT] = { HISTOGRAM_loss_client, HISTOGRAM_jitter_client, HISTOGRAM_rtt_client },
		[RELAY_LEG_PEER] = { HISTOGRAM_loss_peer, HISTOGRAM_jitter_peer, HISTOGRAM_rtt_peer },
	};
	struct histogram *h = r->cnt.histograms;
	struct relay_quality_report now;
	uint64_t received, lost;

	relay_quality_report(q, leg, r->env.now, &now);
	if (now.has_rtt && q->n_rtts[leg] != q->told_rtts[leg]) {
		histogram_add(h, of[leg].rtt, now.rtt_ms);
		q->told_rtts[leg] = q->n_rtts[leg];
	}
	received = grown(now.received, q->told_received[leg]);
	lost = grown(now.lost, q->told_lost[leg]);
	if (received + lost < PACKETS_MIN)
		return;
	histogram_add(h, of[leg].loss, lost * 1000000 / (received + lost));
	histogram_add(h, of[leg].jitter, now.jitter_us);
	q->told_received[leg] = now.received;
	q->told_lost[leg] = now.lost;
}

void relay_observe_quality(struct relay *r, struct relay_quality *q)
{
	q->due = r->env.now + RELAY_OBSERVE_MS;
	observe_leg(r, q, RELAY_LEG_CLIENT);
	observe_leg(r, q, RELAY_LEG_PEER);
}
