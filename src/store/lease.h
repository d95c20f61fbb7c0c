/*
 * The leases that this node holds in a database, so that they can be renewed, given back together, and taken
 * again by a database that forgot them. The store thread.
 */
#pragma once

#include "store/link.h"

enum {
	STORE_LEASE_BATCH = 256,      /* of one op */
	STORE_LEASE_GIVING = 100000,  /* that wait to be given back; more are left to their time */
	STORE_LEASE_IN_FLIGHT = 16,   /* ops of ours at once */
	STORE_LEASE_AGAIN_MS = 2000,  /* after one that failed */
};

struct store_leases;

must_check enum err store_leases_new(struct store_leases **out, struct store_link *link, const uint64_t hash_key[2]);
/* After the link was closed. */
void store_leases_free(struct store_leases *l);

/* One was taken: it is renewed from now on. */
void store_leases_took(struct store_leases *l, struct str realm, struct str user, const char *id);
/* One that no database granted, for none could be asked, and whose session was let in all the same: taken as soon
 * as there is one, whatever the limits say. */
void store_leases_hold(struct store_leases *l, struct str realm, struct str user, const char *id);
/* One has ended. Harmless for one that is not held. */
void store_leases_gave(struct store_leases *l, struct str realm, struct str user, const char *id);
/* One may have been granted, or was after nobody waited for it any more: it is given back, unless it is held. */
void store_leases_spare(struct store_leases *l, struct str realm, struct str user, const char *id);

/* On a timer: gives back what has ended, renews what it is time for. */
void store_leases_run(struct store_leases *l, tick now);
/* All are renewed with the next run: the database was away. */
void store_leases_renew_all(struct store_leases *l);
/* True when all that ended has been given back. */
bool store_leases_idle(const struct store_leases *l);
size_t store_leases_held(const struct store_leases *l);
