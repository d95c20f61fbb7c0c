/*
 * Secrets that are withdrawn together with the sessions they opened. Whoever withdraws one leaves a mark of it
 * in the database, then takes it out of the list of secrets; a server that reads the list anew misses a secret
 * there that it had before, finds its mark, and ends the sessions. The mark is a hash: it tells nobody a secret.
 */
#pragma once

#include "conf/live.h"

enum {
	STORE_WITHDRAW_MARK_LEN = 64,
	STORE_WITHDRAW_KEEP_S = 30 * 86400, /* marks: longer than any server is cut off from its database */
};

/* The mark of a realm's secret, hex digits, terminated. Any thread. */
must_check enum err store_withdraw_mark(struct str realm, struct str secret,
					char out[STORE_WITHDRAW_MARK_LEN + 1]);

/* A secret that is gone and marked. False: it is to be told of again. */
typedef bool store_withdraw_fn(void *arg, struct str secret);

/* Calls fn for each secret of `before` that is none in `now`, but is marked there. False when any call returned
 * that, or there was no memory. `before` may be NULL: nothing is gone. */
bool store_withdraw_find(const struct conf_live *before, const struct conf_live *now, store_withdraw_fn *fn,
			 void *arg);
