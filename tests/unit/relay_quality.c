#include "relay/quality.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bug.h"

struct rtp {
	uint32_t ssrc, ts;
	uint16_t seq;
};

static void see(struct relay_quality *q, enum relay_quality_leg leg, struct rtp r, tick at)
{
	uint8_t p[40] = { 0x80,
			  111,
			  (uint8_t)(r.seq >> 8),
			  (uint8_t)r.seq,
			  (uint8_t)(r.ts >> 24),
			  (uint8_t)(r.ts >> 16),
			  (uint8_t)(r.ts >> 8),
			  (uint8_t)r.ts,
			  (uint8_t)(r.ssrc >> 24),
			  (uint8_t)(r.ssrc >> 16),
			  (uint8_t)(r.ssrc >> 8),
			  (uint8_t)r.ssrc };

	relay_quality_see(q, leg, p, sizeof p, at);
}

static struct relay_quality_report report(const struct relay_quality *q, enum relay_quality_leg leg, tick now)
{
	struct relay_quality_report r;

	relay_quality_report(q, leg, now, &r);
	return r;
}

static void stun(struct relay_quality *q, enum relay_quality_leg leg, uint16_t type, uint8_t id, tick at)
{
	uint8_t p[20] = { (uint8_t)(type >> 8), (uint8_t)type, 0, 0, 0x21, 0x12, 0xA4, 0x42, 1, id };

	relay_quality_see(q, leg, p, sizeof p, at);
}

/* Opus: a packet every 20 ms, 960 units of 48 kHz. */
static void loss_is_counted_on_its_leg_and_over_the_wrap(void **state)
{
	struct relay_quality q = { 0 };
	struct relay_quality_report r;
	uint32_t gone = 0;

	(void)state;
	for (uint32_t i = 0; i < 5000; i++) {
		if (i > 10 && i % 50 == 7) { /* 2 %, in one place two together */
			gone++;
			continue;
		}
		see(&q, RELAY_LEG_CLIENT, (struct rtp){ 7, i * 960, (uint16_t)(65000 + i) }, i * 20);
	}
	r = report(&q, RELAY_LEG_CLIENT, 100000);
	assert_true(r.is_rtp);
	assert_int_equal(r.lost, gone);
	assert_int_equal(r.received, 5000 - gone);
	assert_int_equal(r.n_streams, 1);
	assert_int_equal(r.jitter_us, 0);
	assert_false(report(&q, RELAY_LEG_PEER, 100000).is_rtp);
}

static void packets_out_of_order_are_not_lost(void **state)
{
	static const uint16_t order[] = { 1, 2, 4, 3, 5, 8, 7, 6, 9, 9 };
	struct relay_quality q = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		see(&q, RELAY_LEG_PEER, (struct rtp){ 7, order[i] * 960u, order[i] }, i * 20);
	assert_int_equal(report(&q, RELAY_LEG_PEER, 200).lost, 0);
}

/* Delays of 0 and 15 ms in turn: each step differs by 15 ms from its timestamps, and so does the mean. */
static void jitter_is_told_in_time_whatever_the_clock(void **state)
{
	static const struct {
		uint32_t hz, ms; /* of the clock; between packets */
	} row[] = { { 8000, 20 }, { 48000, 20 }, { 90000, 33 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct relay_quality q = { 0 };
		uint32_t us;

		for (uint32_t n = 0; n < 1000; n++)
			see(&q, RELAY_LEG_CLIENT,
			    (struct rtp){ 9, n * row[i].ms * (row[i].hz / 1000), (uint16_t)n },
			    n * row[i].ms + (n & 1 ? 15 : 0));
		us = report(&q, RELAY_LEG_CLIENT, 1000 * row[i].ms).jitter_us;
		if (us < 14500 || us > 15500)
			fail_msg("row %zu: %u us", i, us);
	}
}

static void what_is_no_rtp_is_left_alone(void **state)
{
	struct relay_quality q = { 0 };
	uint8_t p[64];
	uint32_t seed = 1;

	(void)state;
	for (int i = 0; i < 10000; i++) { /* noise that begins as RTP would */
		for (size_t j = 0; j < sizeof p; j++) {
			seed = seed * 1664525 + 1013904223;
			p[j] = (uint8_t)(seed >> 24);
		}
		p[0] = 0x80;
		relay_quality_see(&q, RELAY_LEG_PEER, p, sizeof p, (tick)i);
	}
	assert_false(report(&q, RELAY_LEG_PEER, 10000).is_rtp);
	assert_false(relay_quality_wants(22)); /* DTLS */
	assert_false(relay_quality_wants(64)); /* a channel in a channel */
	assert_false(relay_quality_wants(200));
	for (size_t len = 0; len < 12; len++) /* too short for a header */
		relay_quality_see(&q, RELAY_LEG_CLIENT, p, len, 5);
	p[1] = 200 & 0x7f; /* RTCP */
	relay_quality_see(&q, RELAY_LEG_CLIENT, p, sizeof p, 5);
	assert_false(report(&q, RELAY_LEG_CLIENT, 10).is_rtp);
}

static void a_stream_beyond_the_places_takes_the_idlest_and_nothing_is_forgotten(void **state)
{
	struct relay_quality q = { 0 };
	struct relay_quality_report r;

	(void)state;
	for (uint32_t ssrc = 1; ssrc <= 6; ssrc++)
		for (uint32_t n = 0; n < 10; n++)
			if (n != 5)
				see(&q, RELAY_LEG_PEER, (struct rtp){ ssrc, n * 960, (uint16_t)n },
				    ssrc * 1000 + n * 20);
	r = report(&q, RELAY_LEG_PEER, 7000);
	assert_int_equal(r.received, 6 * 9);
	assert_int_equal(r.lost, 6);
}

static void a_sender_that_starts_over_loses_nothing(void **state)
{
	struct relay_quality q = { 0 };
	struct relay_quality_report r;

	(void)state;
	for (uint32_t n = 0; n < 20; n++)
		see(&q, RELAY_LEG_PEER, (struct rtp){ 3, n * 960, (uint16_t)(n < 10 ? n : n + 30000) }, n * 20);
	r = report(&q, RELAY_LEG_PEER, 500);
	assert_int_equal(r.lost, 0);
	assert_int_equal(r.received, 20);
}

static void the_round_trip_is_that_of_the_leg_that_answered(void **state)
{
	struct relay_quality q = { 0 };

	(void)state;
	stun(&q, RELAY_LEG_CLIENT, 0x0001, 1, 100);
	stun(&q, RELAY_LEG_PEER, 0x0101, 1, 140);
	assert_true(report(&q, RELAY_LEG_PEER, 200).has_rtt);
	assert_int_equal(report(&q, RELAY_LEG_PEER, 200).rtt_ms, 40);
	assert_false(report(&q, RELAY_LEG_CLIENT, 200).has_rtt);
	stun(&q, RELAY_LEG_PEER, 0x0101, 1, 150); /* answered already */
	stun(&q, RELAY_LEG_PEER, 0x0101, 9, 150); /* nobody asked */
	assert_int_equal(report(&q, RELAY_LEG_PEER, 200).rtt_ms, 40);
	stun(&q, RELAY_LEG_PEER, 0x0001, 2, 300);
	stun(&q, RELAY_LEG_CLIENT, 0x0101, 2, 9000); /* too late to mean anything */
	assert_false(report(&q, RELAY_LEG_CLIENT, 9000).has_rtt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loss_is_counted_on_its_leg_and_over_the_wrap),
		cmocka_unit_test(packets_out_of_order_are_not_lost),
		cmocka_unit_test(jitter_is_told_in_time_whatever_the_clock),
		cmocka_unit_test(what_is_no_rtp_is_left_alone),
		cmocka_unit_test(a_stream_beyond_the_places_takes_the_idlest_and_nothing_is_forgotten),
		cmocka_unit_test(a_sender_that_starts_over_loses_nothing),
		cmocka_unit_test(the_round_trip_is_that_of_the_leg_that_answered),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
