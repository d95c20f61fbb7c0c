/*
 * The realms by whose names traffic is counted: the server's own has place 0, others get the next one with their
 * first session and keep it. As many as there are places are told apart; those beyond share the last. Shared by
 * the workers, which look a realm up once for a session: never on the path of a packet. Any thread.
 */
#pragma once

#include "base/counter.h"
#include "base/err.h"
#include "base/str.h"

enum { RELAY_REALM_OTHERS = COUNTER_REALMS - 1 }; /* the place of those beyond */

struct relay_realms;

/* `own` is copied. ERR_NOMEM. */
must_check enum err relay_realms_new(struct relay_realms **out, struct str own);
void relay_realms_free(struct relay_realms *r); /* NULL is fine */

/* The place of a realm, of struct counters.relayed. Takes a lock when it has none yet. */
unsigned relay_realms_place(struct relay_realms *r, struct str realm);

/* Copies the names of up to `max` places that are taken, from 0 on, and returns how many there are. The names are
 * there as long as `r`. */
size_t relay_realms_names(const struct relay_realms *r, struct str *out, size_t max);
