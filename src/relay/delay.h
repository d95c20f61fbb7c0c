/*
 * How long a datagram stays here: from when the kernel had it to when it was sent on. A sample, for the
 * kernel would read a clock for each datagram of the host: for half a second in every ten, the first sockets
 * that are read have what they get stamped, and up to RELAY_DELAY_MAX bursts are measured. One worker's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct relay;

enum {
	RELAY_DELAY_SOCKETS = 16, /* that are stamped at once */
	RELAY_DELAY_WAITING = 32, /* bursts that were read and not yet sent */
	RELAY_DELAY_MAX = 256,	  /* of one window */
};

struct relay_delay {
	bool open;     /* sockets that are read get stamped */
	bool counting; /* … and have been for long enough that the stamps are true */
	unsigned n_ticks, n_measured;
	size_t n_sockets, n_waiting;
	struct {
		int fd;
		bool *stamped;
	} sockets[RELAY_DELAY_SOCKETS];
	struct {
		uint64_t came_ns;
		bool up; /* to peers */
	} waiting[RELAY_DELAY_WAITING];
};

/* Four times a second: opens and closes the window. */
void relay_delay_tick(struct relay *r);

/* A socket is read while the window is open; *stamped is false, and lives as long as the socket. */
void relay_delay_stamp(struct relay *r, int fd, bool *stamped);
/* That socket closes. */
void relay_delay_forget(struct relay *r, int fd);

/* A burst came at `came_ns`, as its stamp says. */
void relay_delay_came(struct relay *r, uint64_t came_ns, bool up);
/* All that came has been sent. */
void relay_delay_sent(struct relay *r);
