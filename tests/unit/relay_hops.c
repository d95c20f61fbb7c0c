/* src/relay/hops.h: the hop limit of what is relayed, RFC 8656 s.13 and 14. */
#include "relay/hops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bug.h"

static const struct {
	uint8_t came;
	bool from6, to6, passes;
	uint8_t leaves; /* 0: the system's */
} ways[] = {
	/* not told: nothing is asked of it, and nothing else is done */
	{ 0, false, false, true, 0 }, { 0, true, true, true, 0 }, { 0, false, true, true, 0 },
	/* between IPv4 ends s.14 has nothing about it */
	{ 1, false, false, true, 0 }, { 64, false, false, true, 0 },
	/* translated: as a router */
	{ 64, true, true, true, 63 }, { 64, true, false, true, 63 }, { 255, false, true, true, 254 },
	{ 2, true, true, true, 1 }, { 2, false, true, true, 1 },
	{ 1, true, true, false, 0 }, { 1, true, false, false, 0 }, { 1, false, true, false, 0 },
};

static void a_translated_datagram_loses_a_hop_and_the_last_does_not_pass(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		const struct addr from = { .family = ways[i].from6 ? ADDR_V6 : ADDR_V4 };
		const struct addr to = { .family = ways[i].to6 ? ADDR_V6 : ADDR_V4 };
		struct net_mark mark = { .tos = 0xb9, .hops = ways[i].came };

		if (relay_hops_pass(&mark, &from, &to) != ways[i].passes ||
		    (ways[i].passes && mark.hops != ways[i].leaves) || mark.tos != 0xb9)
			fail_msg("row %zu: leaves with %u", i, mark.hops);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_translated_datagram_loses_a_hop_and_the_last_does_not_pass),
	};

	return cmocka_run_group_tests_name("relay_hops", tests, NULL, NULL);
}
