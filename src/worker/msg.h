/* Every message between threads, on one page. Plain data; the sender forgets it. */
#pragma once

#include "relay/handoff.h"

struct net_cert;
struct store_job;

enum worker_msg_kind {
	WORKER_STOP,  /* control to worker: end the sessions and return */
	WORKER_MOVED, /* worker to worker: serve this connection */
	WORKER_STORE, /* store to worker: the answer to a question of yours */
	WORKER_CERT,  /* control to worker: connections begin with `cert` from now on */
};

struct worker_msg {
	enum worker_msg_kind kind;
	struct relay_moved moved; /* WORKER_MOVED: the receiver's */
	struct store_job *job;	  /* WORKER_STORE: the receiver's */
	struct net_cert *cert;	  /* WORKER_CERT: a reference, the receiver's */
};
