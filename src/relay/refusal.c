#include "relay/refusal.h"

#include <string.h>

#include "base/bug.h"
#include "base/counter.h"

_Static_assert((int)N_RELAY_REFUSAL <= (int)COUNTER_REFUSALS, "each has a counter");

static const char *const words[N_RELAY_REFUSAL] = {
	[RELAY_REFUSAL_USER_QUOTA] = "user_quota",
	[RELAY_REFUSAL_TOTAL_QUOTA] = "total_quota",
	[RELAY_REFUSAL_BYTE_QUOTA] = "byte_quota",
	[RELAY_REFUSAL_QUOTA] = "quota",
	[RELAY_REFUSAL_BPS_CAPACITY] = "bps_capacity",
	[RELAY_REFUSAL_REVOKED] = "revoked",
	[RELAY_REFUSAL_STORE_DOWN] = "store_down",
	[RELAY_REFUSAL_UNKNOWN_TOKEN] = "unknown_token",
	[RELAY_REFUSAL_NO_PORTS] = "no_ports",
	[RELAY_REFUSAL_NO_DESCRIPTORS] = "no_descriptors",
	[RELAY_REFUSAL_NO_MEMORY] = "no_memory",
	[RELAY_REFUSAL_DRAINING] = "draining",
	[RELAY_REFUSAL_OTHER] = "other",
};

const char *relay_refusal_text(enum relay_refusal why)
{
	return words[why];
}

enum relay_refusal relay_refusal_find(const char *word)
{
	for (unsigned i = 0; i < N_RELAY_REFUSAL; i++)
		if (strcmp(word, words[i]) == 0)
			return (enum relay_refusal)i;
	return RELAY_REFUSAL_OTHER;
}
