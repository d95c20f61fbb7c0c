/* Channels (RFC 8656 s.12): numbers bound to peers. */
#pragma once

#include "turn/server.h"

/* ChannelBind (s.12.2). */
enum turn_verdict turn_chan_bind(struct turn_env *env, struct turn_tx *tx, struct wr *out);

/* Forgets all channels to peers of one family. */
void turn_chan_drop_family(struct turn_env *env, struct turn_session *s, enum turn_leg_id leg);
