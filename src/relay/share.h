/*
 * user-max-bps: one bucket for all sessions of a user, on whichever worker (relay/quota.h). A session draws
 * bytes for about 50 ms from it at a time, so that no packet takes a lock.
 */
#pragma once

#include "relay/relay.h"

enum { RELAY_SHARE_MS = 50 };

/* Takes `bytes` of the user's bandwidth for a session that has s->user_bps; false: there are not as many. */
bool relay_share_take(struct relay *r, struct relay_session *s, bool up, size_t bytes);

/* How many bytes, up to `want`, could be taken now. */
size_t relay_share_level(struct relay *r, struct relay_session *s, bool up, size_t want);
