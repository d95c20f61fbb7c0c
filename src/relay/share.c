#include "relay/share.h"

/* Draws anew, but not again at once where there was not enough: that would be a lock per packet. */
static void draw(struct relay *r, struct relay_session *s, bool up, uint64_t need)
{
	struct relay_share *share = &s->bill->share[up];
	uint64_t slice = s->user_bps * RELAY_SHARE_MS / 1000;
	const struct relay_quota_draw d = { .up = up,
					    .rate = s->user_bps,
					    .back = share->left,
					    .want = need > slice ? need : slice,
					    .now = r->env.now };

	if (tick_before(r->env.now, share->retry))
		return;
	share->left = relay_quota_draw(r->shared->quota, s->turn.realm, s->turn.user, &d);
	if (share->left < need)
		share->retry = r->env.now + RELAY_SHARE_MS;
}

bool relay_share_take(struct relay *r, struct relay_session *s, bool up, size_t bytes)
{
	struct relay_share *share = &s->bill->share[up];

	if (share->left < bytes)
		draw(r, s, up, bytes);
	if (share->left < bytes)
		return false;
	share->left -= bytes;
	return true;
}

size_t relay_share_level(struct relay *r, struct relay_session *s, bool up, size_t want)
{
	const struct relay_share *share = &s->bill->share[up];

	if (share->left < want)
		draw(r, s, up, want);
	return share->left < want ? (size_t)share->left : want;
}
