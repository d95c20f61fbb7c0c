/*
 * How good a call is, as the relay sees it: loss and jitter of each leg from the RTP headers that pass
 * (RFC 3550; SRTP leaves them readable), round-trip times from the STUN checks that pass. What is no RTP is
 * recognised and left alone. Pure: bytes and a time in, numbers out; one thread.
 *
 * A leg is the way of packets to the relay: what came from the client crossed the client's network,
 * what came from peers crossed theirs.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/tick.h"

enum relay_quality_leg { RELAY_LEG_CLIENT, RELAY_LEG_PEER, RELAY_N_LEGS };

enum {
	RELAY_QUALITY_STREAMS = 4, /* SSRCs followed at once on a leg; a new one takes the place of the idlest */
	RELAY_QUALITY_CHECKS = 4,  /* STUN requests whose answers are waited for */
};

/* One SSRC of one leg. */
struct relay_quality_stream {
	uint32_t ssrc;
	uint32_t received;   /* since `base`; 0: the place is free */
	uint32_t highest;    /* sequence number with its wraps above 16 bits */
	uint32_t base;	     /* the first one that counts */
	uint32_t first_ts, last_ts; /* RTP timestamps */
	tick first_at, last_at;
	uint32_t rate_hz;     /* of the timestamps' clock; 0: not known yet */
	uint32_t jitter_16ts; /* RFC 3550 s.6.4.1, in 1/16 of a timestamp unit */
	uint8_t probation;    /* packets in order that are still missing before it is believed */
};

/* A STUN request that went one way; its answer comes the other. */
struct relay_quality_check {
	uint64_t id; /* the first 8 bytes of the transaction id; 0: free */
	tick at;
};

struct relay_quality {
	struct relay_quality_stream stream[RELAY_N_LEGS][RELAY_QUALITY_STREAMS];
	struct relay_quality_check check[RELAY_N_LEGS][RELAY_QUALITY_CHECKS]; /* by the leg they came from */
	uint64_t received[RELAY_N_LEGS], lost[RELAY_N_LEGS]; /* of streams that gave up their place */
	uint32_t rtt_ms[RELAY_N_LEGS]; /* smoothed; valid when n_rtts is not 0 */
	uint32_t n_rtts[RELAY_N_LEGS];
	uint8_t next_check[RELAY_N_LEGS];
	/* as the histograms have it, relay/observe.h */
	uint64_t told_received[RELAY_N_LEGS], told_lost[RELAY_N_LEGS];
	uint32_t told_rtts[RELAY_N_LEGS];
	tick due; /* the next time that they are told */
};

/* What is known of one leg. */
struct relay_quality_report {
	bool is_rtp;	    /* some stream was believed: the numbers mean something */
	bool has_rtt;
	uint64_t received, lost; /* packets */
	uint32_t jitter_us;	 /* of the worst stream among those that were heard last */
	uint32_t rtt_ms;	 /* from the relay to that end and back */
	unsigned n_streams;	 /* heard in the last 5 s */
};

/* True when a payload's first byte may begin something that is looked at: RTP or STUN (RFC 7983). */
static inline bool relay_quality_wants(uint8_t first)
{
	return (first >= 128 && first <= 191) || first < 4;
}

/* One payload that came over `leg`. `q` is zeroed memory at first. */
void relay_quality_see(struct relay_quality *q, enum relay_quality_leg leg, const uint8_t *p, size_t len, tick now);

void relay_quality_report(const struct relay_quality *q, enum relay_quality_leg leg, tick now,
			  struct relay_quality_report *out);
