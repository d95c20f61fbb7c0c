/*
 * Counters: one block per thread that counts, one writer each. The writer adds with plain
 * loads and relaxed stores (no locked instruction); any thread may read with relaxed loads.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/histogram.h"

enum {
	COUNTER_REALMS = 16,	/* relay/realms.h */
	COUNTER_TRANSPORTS = 4, /* of clients: enum turn_transport */
	COUNTER_METHODS = 16,	/* STUN's, as on the wire */
	COUNTER_CODES = 32,	/* 0: success; then the rows of stun/error.def, from 1 */
	COUNTER_ENDS = 16,	/* enum turn_end */
	COUNTER_WHYS = 16,	/* enum auth_why */
	COUNTER_REFUSALS = 16,	/* relay/refusal.h */
};

/* What was relayed for one kind of client in one direction. */
struct counter_traffic {
	_Atomic uint64_t packets, bytes; /* of payload */
};

struct counters {
#define COUNTER(name, unit, help) _Atomic uint64_t name;
#include "base/counters.def"
#undef COUNTER
	/* by the session's realm; the client's transport; IPv4, IPv6; to peers, to clients */
	struct counter_traffic relayed[COUNTER_REALMS][COUNTER_TRANSPORTS][2][2];
	_Atomic uint64_t opened[COUNTER_TRANSPORTS], closed[COUNTER_TRANSPORTS]; /* sessions */
	_Atomic uint64_t ended[COUNTER_ENDS];
	_Atomic uint64_t answers[COUNTER_METHODS][COUNTER_CODES];
	_Atomic uint64_t judged[COUNTER_WHYS]; /* requests, by what auth_check() found */
	_Atomic uint64_t refused[COUNTER_REFUSALS]; /* allocations */
	struct histogram histograms[N_HISTOGRAMS];
	_Atomic uint64_t in_kernel; /* of `relayed`, packets that never came up to this program */
	_Atomic uint64_t conn_entered, conn_left; /* connections, those from other workers too */
	_Atomic uint64_t lag_ms; /* no sum, but how late the worker's last tick was */
};

/* Adds to a counter of this thread's block. */
#define count_n(c, name, n)                                                                 \
	atomic_store_explicit(&(c)->name,                                                   \
			      atomic_load_explicit(&(c)->name, memory_order_relaxed) + (n), \
			      memory_order_relaxed)
#define count(c, name) count_n(c, name, 1)

/* Reads a counter, from any thread. */
#define counter_get(c, name) atomic_load_explicit(&(c)->name, memory_order_relaxed)
