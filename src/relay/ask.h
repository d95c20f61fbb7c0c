/*
 * What a relay asks of whoever keeps users, counts and records. The relay knows no store: its worker hands
 * it a function that takes a question, copies what it needs of it, and returns at once. Answers come later,
 * to relay_park_answer(), by the ticket of the question.
 */
#pragma once

#include "auth/longterm.h"
#include "base/str.h"
#include "conf/live.h"
#include "conf/period.h"
#include "turn/session.h"

enum {
	RELAY_ASK_ID_LEN = 128, /* a session's public id, terminated */
};

enum relay_ask_kind {
	RELAY_ASK_KEY,	   /* the long-term key of a user; answered */
	RELAY_ASK_LEASE,   /* one more allocation of a user; answered */
	RELAY_ASK_HOLD,	   /* … that was let in without an answer: it counts from when the store can count */
	RELAY_ASK_RELEASE, /* … which has ended, or never began */
	RELAY_ASK_USAGE,   /* what users relayed since they were last told of */
	RELAY_ASK_RECORD,  /* a session that has ended */
	RELAY_ASK_EVENT,   /* coturn's publications of an allocation's life */
};

enum relay_ask_status {
	RELAY_ASK_OK,
	RELAY_ASK_NONE,	      /* there is no such user; of a lease: nobody limits it */
	RELAY_ASK_FULL_USER,
	RELAY_ASK_FULL_REALM,
	RELAY_ASK_FULL_BYTES, /* the user's bytes of this period are used up */
	RELAY_ASK_REVOKED,
	RELAY_ASK_FAILED,     /* there is no answer to be had */
	N_RELAY_ASK_STATUS
};

/* What one user relayed: to be added. */
struct relay_ask_usage {
	struct str realm, user;
	enum conf_period kind; /* of the period */
	char period[CONF_PERIOD_NAME];
	struct turn_traffic rx, tx;
	uint64_t sessions;
};

struct relay_ask_event {
	enum { RELAY_EVENT_SET, RELAY_EVENT_DEL, RELAY_EVENT_PUBLISH } kind;
	struct str key, value;
};

struct relay_record; /* relay/record.h */

/* A question, or something to be told; all text is lent for the call. */
struct relay_ask {
	enum relay_ask_kind kind;
	uint64_t ticket; /* KEY, LEASE */
	struct str realm, user;
	const char *id; /* LEASE, HOLD, RELEASE: the session's public id */
	/* LEASE: what holds where the database has no limits for this user; 0: no limit */
	int64_t user_max, total_max, bytes_max;
	char period[CONF_PERIOD_NAME];
	int64_t made_s; /* LEASE: when the credential was made at the earliest, seconds since 1970 */
	const struct relay_ask_usage *usage;
	size_t n_usage;
	const struct relay_record *record;
	const struct relay_ask_event *events;
	size_t n_events;
	bool last; /* USAGE: of sessions that are gone: nobody will tell of it again */
};

/* An answer; text is lent for the call. */
struct relay_answer {
	uint64_t ticket;
	enum relay_ask_kind kind;
	enum relay_ask_status status;
	struct str realm, user;
	const char *id;		   /* LEASE */
	uint8_t key[AUTH_KEY_LEN]; /* KEY, on RELAY_ASK_OK */
	/* LEASE: the user's own limits, or CONF_LIVE_UNSET */
	int64_t max_allocations, max_bps;
	char period[8]; /* "day", "month", "30d"; empty: the configuration's */
	bool counted;	/* it is to be released */
};

/* Given to a relay by its worker; all zero: there is nobody to ask. */
struct relay_asker {
	/* Takes a question. False: there is no room. KEY and LEASE are not answered then; the rest is lost, but
	 * for USAGE that is not the last, which comes again. HOLD, RELEASE, RECORD and the last USAGE are refused only
	 * when what waits for the store has reached its bound. */
	bool (*ask)(void *arg, const struct relay_ask *q);
	void *arg;
	bool users, leases, usage, records, events; /* what it can be asked */
};
