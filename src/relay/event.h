/*
 * What coturn publishes in Redis of an allocation's life, in its words (redis-statsdb): that it begins, is
 * refreshed and ends, and what it relays. Each is nothing where nobody keeps events.
 */
#pragma once

#include "relay/relay.h"

enum { RELAY_EVENT_PACKETS = 4096 }; /* traffic is published when there were as many */

void relay_event_opened(struct relay *r, struct relay_session *s, uint32_t lifetime_s);
void relay_event_refreshed(struct relay *r, struct relay_session *s, uint32_t lifetime_s);

/* What it relayed since the last time, when that is enough to tell or `all` is to be told. */
void relay_event_traffic(struct relay *r, struct relay_session *s, bool all);

void relay_event_ended(struct relay *r, struct relay_session *s);
