/* Why allocations are refused: the reasons of the log as numbers to count them by. */
#pragma once

enum relay_refusal {
	RELAY_REFUSAL_USER_QUOTA,
	RELAY_REFUSAL_TOTAL_QUOTA,
	RELAY_REFUSAL_BYTE_QUOTA,
	RELAY_REFUSAL_QUOTA, /* of this node, a user's or of all */
	RELAY_REFUSAL_BPS_CAPACITY,
	RELAY_REFUSAL_REVOKED,
	RELAY_REFUSAL_STORE_DOWN,
	RELAY_REFUSAL_UNKNOWN_TOKEN,
	RELAY_REFUSAL_NO_PORTS,
	RELAY_REFUSAL_NO_DESCRIPTORS,
	RELAY_REFUSAL_NO_MEMORY,
	RELAY_REFUSAL_DRAINING,
	RELAY_REFUSAL_OTHER, /* what the system said */
	N_RELAY_REFUSAL
};

/* The word for it, "user_quota". */
const char *relay_refusal_text(enum relay_refusal why);

/* The reason of that word; RELAY_REFUSAL_OTHER: it is none of them. */
enum relay_refusal relay_refusal_find(const char *word);
