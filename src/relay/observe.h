/*
 * What goes into the histograms: how long it took a client to get its allocation, and how good calls are. Of
 * a call each leg is told of every 10 seconds while there is RTP, and at its end: so a bad leg shows while
 * the call lasts, and a long call counts for more than a short one.
 */
#pragma once

#include "relay/relay.h"

enum { RELAY_OBSERVE_MS = 10000 };

/* An allocation was opened: from the request that was challenged, as its nonce tells, to now. One with an
 * older nonce was not in a hurry, and is left out. */
void relay_observe_setup(struct relay *r, const struct turn_tx *tx);

/* The session's legs, since they were last told of. Its quality is there. */
void relay_observe_quality(struct relay *r, struct relay_quality *q);
