/* Sums over the workers' counters, and what the system says of this process. Control thread. */
#pragma once

#include "admin/state.h"

/* Adds all workers' counters up; *sum is the caller's. */
void admin_figures_sum(const struct admin *a, struct counters *sum);

uint64_t admin_figures_sessions(const struct counters *sum);
uint64_t admin_figures_streams(const struct counters *sum); /* clients' TCP and TLS connections */

/* What was relayed for clients of one transport, to peers or (`down`) to clients, of all realms and families. */
struct admin_relayed {
	uint64_t packets, bytes;
};
struct admin_relayed admin_figures_relayed(const struct counters *sum, unsigned transport, bool down);

/* Seconds that worker `i`'s loop was late by. */
double admin_figures_lag_s(const struct admin *a, unsigned i);

struct admin_process {
	uint64_t fds, max_fds, resident; /* bytes */
};
void admin_figures_process(struct admin_process *out);

/* Datagrams that the queues of the listening sockets had no room for. */
uint64_t admin_figures_queue_drops(const struct admin *a);

/* The wall clock, with fraction. */
double admin_figures_now(void);

/* The columns of counters.answers: 0 for success, then the codes. */
extern const uint16_t admin_figures_codes[COUNTER_CODES];
/* "allocate" for the row of counters.answers; NULL: no method of this server's. */
const char *admin_figures_method(unsigned method);
