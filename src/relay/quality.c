#include "relay/quality.h"

#include <stdlib.h>
#include <string.h>

#include "base/rd.h"

enum {
	RTP_HEADER = 12,
	RTP_MIN_SEQUENTIAL = 2,	 /* RFC 3550 A.1: so many in order, and it is a stream */
	RTP_MAX_DROPOUT = 3000,	 /* a larger step is a new beginning */
	RTP_MAX_MISORDER = 100,	 /* an older one than that too */
	RTCP_FIRST = 64,	 /* RFC 5761: payload types that are RTCP's */
	RTCP_LAST = 95,
	STUN_HEADER = 20,
	STUN_COOKIE = 0x2112A442,
	STUN_BINDING_REQUEST = 0x0001,
	STUN_BINDING_SUCCESS = 0x0101,
	CLOCK_MIN_MS = 500,  /* of a stream, before the rate of its clock is guessed */
	RECENT_MS = 5000,    /* not heard for longer: over, or paused */
	CHECK_MS = 5000,     /* an answer later than that is of another request */
};

/* The clocks that payload formats have. */
static const uint32_t rates_hz[] = { 8000, 16000, 24000, 32000, 44100, 48000, 90000 };

static uint32_t expected(const struct relay_quality_stream *s)
{
	return s->highest - s->base + 1;
}

static uint32_t lost(const struct relay_quality_stream *s)
{
	/* duplicates make it negative: none is lost then */
	return expected(s) > s->received ? expected(s) - s->received : 0;
}

static bool is_believed(const struct relay_quality_stream *s)
{
	return s->received && !s->probation;
}

static void begin(struct relay_quality_stream *s, uint32_t ssrc, uint16_t seq, uint32_t ts, tick now)
{
	*s = (struct relay_quality_stream){ .ssrc = ssrc,
					    .received = 1,
					    .highest = seq,
					    .base = seq,
					    .first_ts = ts,
					    .last_ts = ts,
					    .first_at = now,
					    .last_at = now,
					    .probation = RTP_MIN_SEQUENTIAL - 1 };
}

/* What a stream has counted outlives its place. */
static void give_up(struct relay_quality *q, enum relay_quality_leg leg, struct relay_quality_stream *s)
{
	if (is_believed(s)) {
		q->received[leg] += s->received;
		q->lost[leg] += lost(s);
	}
	s->received = 0;
}

/* The place of an SSRC, or the one that it may take. */
static struct relay_quality_stream *find(struct relay_quality *q, enum relay_quality_leg leg, uint32_t ssrc)
{
	struct relay_quality_stream *idlest = &q->stream[leg][0];

	for (size_t i = 0; i < RELAY_QUALITY_STREAMS; i++) {
		struct relay_quality_stream *s = &q->stream[leg][i];

		if (s->received && s->ssrc == ssrc)
			return s;
		if (idlest->received && (!s->received || tick_before(s->last_at, idlest->last_at)))
			idlest = s;
	}
	give_up(q, leg, idlest);
	return idlest;
}

/* The clock's rate from how far it went in the time that passed, to the nearest that exists. */
static void guess_rate(struct relay_quality_stream *s, uint32_t ts, tick now)
{
	uint64_t ms = now - s->first_at, units = ts - s->first_ts;
	uint64_t hz;

	if (ms < CLOCK_MIN_MS || units > UINT32_MAX / 2)
		return;
	hz = units * 1000 / ms;
	for (size_t i = 0; i < sizeof rates_hz / sizeof *rates_hz; i++) {
		uint32_t known = rates_hz[i];

		if (hz >= known - known / 12 && hz <= known + known / 12) {
			s->rate_hz = known;
			return;
		}
	}
	/* a sender that began with a pause: anew from here */
	s->first_at = now;
	s->first_ts = ts;
}

/* RFC 3550 A.8 */
static void add_jitter(struct relay_quality_stream *s, uint32_t ts, tick now)
{
	int64_t d = (int64_t)(now - s->last_at) * s->rate_hz / 1000 - (int32_t)(ts - s->last_ts);

	d = llabs(d);
	if (d > (int64_t)s->rate_hz * 2)
		return; /* a pause or a jump of the timestamps says nothing of the network */
	s->jitter_16ts += (uint32_t)d - ((s->jitter_16ts + 8) >> 4);
}

/* RFC 3550 A.1, with the wraps above the 16 bits. False: it is a new beginning. */
static bool advance(struct relay_quality_stream *s, uint16_t seq)
{
	uint16_t step = (uint16_t)(seq - (uint16_t)s->highest);

	if (s->probation) {
		if (step != 1)
			return false;
		s->probation--;
	}
	if (step < RTP_MAX_DROPOUT)
		s->highest += step;
	else if (step < UINT16_MAX + 1 - RTP_MAX_MISORDER)
		return false;
	s->received++;
	return true;
}

static void see_rtp(struct relay_quality *q, enum relay_quality_leg leg, struct rd r, tick now)
{
	struct relay_quality_stream *s;
	uint8_t type;
	uint16_t seq;
	uint32_t ts, ssrc;

	rd_u8(&r);
	type = rd_u8(&r) & 0x7f;
	seq = rd_u16(&r);
	ts = rd_u32(&r);
	ssrc = rd_u32(&r);
	if (!rd_ok(&r) || (type >= RTCP_FIRST && type <= RTCP_LAST))
		return;
	s = find(q, leg, ssrc);
	if (!s->received) {
		begin(s, ssrc, seq, ts, now);
		return;
	}
	if (!advance(s, seq)) {
		give_up(q, leg, s);
		begin(s, ssrc, seq, ts, now);
		return;
	}
	if (ts == s->last_ts) /* the packets of one frame left together, but are paced */
		return;
	if (s->rate_hz)
		add_jitter(s, ts, now);
	else
		guess_rate(s, ts, now);
	s->last_ts = ts;
	s->last_at = now;
}

static void note_request(struct relay_quality *q, enum relay_quality_leg leg, uint64_t id, tick now)
{
	q->check[leg][q->next_check[leg]] = (struct relay_quality_check){ id, now };
	q->next_check[leg] = (uint8_t)((q->next_check[leg] + 1) % RELAY_QUALITY_CHECKS);
}

/* An answer that comes over `leg`: the request went there from the other one. */
static void note_answer(struct relay_quality *q, enum relay_quality_leg leg, uint64_t id, tick now)
{
	struct relay_quality_check *asked = q->check[leg == RELAY_LEG_CLIENT ? RELAY_LEG_PEER : RELAY_LEG_CLIENT];

	for (size_t i = 0; i < RELAY_QUALITY_CHECKS; i++) {
		uint32_t ms = (uint32_t)(now - asked[i].at);

		if (asked[i].id != id)
			continue;
		asked[i].id = 0;
		if (now - asked[i].at > CHECK_MS)
			return;
		q->rtt_ms[leg] = q->n_rtts[leg] ? (q->rtt_ms[leg] * 7 + ms + 4) / 8 : ms;
		q->n_rtts[leg]++;
		return;
	}
}

static void see_stun(struct relay_quality *q, enum relay_quality_leg leg, struct rd r, tick now)
{
	uint16_t type = rd_u16(&r);
	uint64_t id;

	rd_u16(&r);
	if (rd_u32(&r) != STUN_COOKIE)
		return;
	id = (uint64_t)rd_u32(&r) << 32;
	id |= rd_u32(&r);
	if (!rd_ok(&r) || id == 0)
		return;
	if (type == STUN_BINDING_REQUEST)
		note_request(q, leg, id, now);
	else if (type == STUN_BINDING_SUCCESS)
		note_answer(q, leg, id, now);
}

void relay_quality_see(struct relay_quality *q, enum relay_quality_leg leg, const uint8_t *p, size_t len, tick now)
{
	if (len >= STUN_HEADER && p[0] < 4)
		see_stun(q, leg, rd_init(p, len), now);
	else if (len >= RTP_HEADER && p[0] >> 6 == 2)
		see_rtp(q, leg, rd_init(p, len), now);
}

void relay_quality_report(const struct relay_quality *q, enum relay_quality_leg leg, tick now,
			  struct relay_quality_report *out)
{
	tick newest = 0;

	*out = (struct relay_quality_report){ .is_rtp = q->received[leg] > 0,
					      .has_rtt = q->n_rtts[leg] > 0,
					      .received = q->received[leg],
					      .lost = q->lost[leg],
					      .rtt_ms = q->rtt_ms[leg] };
	for (size_t i = 0; i < RELAY_QUALITY_STREAMS; i++)
		if (is_believed(&q->stream[leg][i]) && newest < q->stream[leg][i].last_at)
			newest = q->stream[leg][i].last_at;
	for (size_t i = 0; i < RELAY_QUALITY_STREAMS; i++) {
		const struct relay_quality_stream *s = &q->stream[leg][i];
		uint32_t us;

		if (!is_believed(s))
			continue;
		out->is_rtp = true;
		out->received += s->received;
		out->lost += lost(s);
		out->n_streams += now - s->last_at <= RECENT_MS;
		if (newest - s->last_at > RECENT_MS) /* over before the others: no more to be helped */
			continue;
		us = s->rate_hz ? (uint32_t)((uint64_t)s->jitter_16ts * 1000000 / 16 / s->rate_hz) : 0;
		out->jitter_us = us > out->jitter_us ? us : out->jitter_us;
	}
}
