/* Every message between threads, on one page. Plain data; the sender forgets it. */
#pragma once

#include "relay/handoff.h"
#include "relay/listing.h"
#include "relay/peruser.h"
#include "relay/refusal.h"

struct net_cert;
struct store_job;

enum worker_msg_kind {
	WORKER_STOP,  /* control to worker: end the sessions and return */
	WORKER_MOVED, /* worker to worker: serve this connection */
	WORKER_STORE, /* store to worker: the answer to a question of yours */
	WORKER_CERT,  /* control to worker: connections begin with `cert` from now on */
	WORKER_LIST,  /* control to worker: answer `listing` */
	WORKER_DRAIN, /* control to worker: refuse new sessions, or (on false) do no more */
	WORKER_WATCH, /* control to worker: tell of sessions that open and end, or do no more */
};

struct worker_msg {
	enum worker_msg_kind kind;
	bool on;		       /* WORKER_DRAIN, WORKER_WATCH */
	struct relay_moved moved;      /* WORKER_MOVED: the receiver's */
	struct store_job *job;	       /* WORKER_STORE: the receiver's */
	struct net_cert *cert;	       /* WORKER_CERT: a reference, the receiver's */
	struct relay_listing *listing; /* WORKER_LIST: the receiver's; comes back as a note */
};

enum worker_note_kind { WORKER_NOTE_LISTED, WORKER_NOTE_OPENED, WORKER_NOTE_ENDED };

/* From a worker to control. */
struct worker_note {
	enum worker_note_kind kind;
	enum turn_end why;	       /* ENDED */
	uint64_t lost;		       /* OPENED, ENDED: so many had no room since the last one */
	struct relay_listing *listing; /* LISTED: the receiver's */
	struct relay_row *row;	       /* OPENED, ENDED: the receiver's */
};

enum { WORKER_NOTES = 4096 }; /* that wait for control; what tells of sessions is left out when it is full */

/* Frees what a note owns. */
void worker_note_dispose(struct worker_note *n);
