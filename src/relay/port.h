/*
 * Relayed ports: which are taken on each relay address, which rest after use, which are reserved
 * (EVEN-PORT). Shared by all workers: claims are atomic, touched on allocate and free only; the
 * packet path asks relay_ports_live(), a relaxed load.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/tick.h"

enum {
	RELAY_TOKEN_LEN = 8,
	RELAY_REST_MS = 15000, /* a freed port rests this long at least, twice it at most */
	RELAY_MAX_RESERVED =
		4096, /* reservations at once; and no more than an eighth of all ports, or 16 */
};

struct relay_ports;

/* For the n inner addresses `ips`, ports min to max (inclusive). */
must_check enum err relay_ports_new(struct relay_ports **out, const struct addr *ips, size_t n,
				    uint16_t min, uint16_t max, tick now);
void relay_ports_free(struct relay_ports *p);

enum relay_port_kind { RELAY_PORT_ANY, RELAY_PORT_EVEN, RELAY_PORT_PAIR };

/* Claims a port of address `ip` (an index), drawn at random; of a pair the even one is returned
 * and the next is claimed too. Ports that rest are drawn only when no other is left. 0: none. */
uint16_t relay_ports_claim(struct relay_ports *p, size_t ip, enum relay_port_kind kind,
			   struct rng *rng, tick now);

/* A relay socket has the claimed port now; or is about to be closed. */
void relay_ports_bound(struct relay_ports *p, size_t ip, uint16_t port, bool bound);

/* The same for a listening TCP socket (RFC 6062): UDP and TCP ports of one number are claimed together,
 * but only one of the two is ours. */
void relay_ports_listening(struct relay_ports *p, size_t ip, uint16_t port, bool listening);

/* Gives a port back; it rests. */
void relay_ports_release(struct relay_ports *p, size_t ip, uint16_t port, tick now);

/* Puts a claimed port aside under a fresh token until `until`. ERR_FULL: too many. */
must_check enum err relay_ports_reserve(struct relay_ports *p, size_t ip, uint16_t port,
					tick until, struct rng *rng,
					uint8_t token[RELAY_TOKEN_LEN]);

/* Takes what a token stands for: the claim is the caller's. False: unknown or too late. */
bool relay_ports_redeem(struct relay_ports *p, const uint8_t token[RELAY_TOKEN_LEN], tick now,
			size_t *ip, uint16_t *port);

/* Gives back reservations that nobody came for. Called now and then by any worker. */
void relay_ports_expire(struct relay_ports *p, tick now);

/* True when a relay socket of ours has the port `a`. A claim alone is not enough: it may turn out
 * to be another process's, and nobody has one that is only reserved. */
bool relay_ports_live(const struct relay_ports *p, const struct addr *a);

/* True when a relayed TCP address of ours is `a`. */
bool relay_ports_accepts(const struct relay_ports *p, const struct addr *a);

/* How many ports of address `ip` (an index) are claimed, and how many there are of each. Any thread. */
size_t relay_ports_used_of(const struct relay_ports *p, size_t ip);
size_t relay_ports_total(const struct relay_ports *p);

/* How many ports are claimed on all addresses. */
size_t relay_ports_used(const struct relay_ports *p);
