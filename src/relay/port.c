#include "relay/port.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/crypto.h"

enum { WORDS = 65536 / 64, TRIES = 8 };

#define EVEN_BITS UINT64_C(0x5555555555555555)

/* The ports of one address, a bit each. */
struct ports {
	struct addr ip;
	_Atomic tick
		scarce; /* == relay_ports.turned: only resting ports are left until the next turn */
	_Atomic uint64_t claimed[WORDS];
	_Atomic uint64_t bound[WORDS]; /* of the claimed: a relay socket has it */
	_Atomic uint64_t
		listening[WORDS];	 /* of the claimed: a relay socket accepts TCP there */
	_Atomic uint64_t rest[2][WORDS]; /* freed in this half of the rest, in the one before */
};

struct reserved {
	uint8_t token[RELAY_TOKEN_LEN];
	size_t ip;
	uint16_t port;
	tick until;
};

struct relay_ports {
	size_t n;
	uint16_t min, max;
	_Atomic unsigned fresh; /* which of rest[] takes what is freed now */
	_Atomic tick turned;	/* when that changed */
	pthread_mutex_t lock;	/* of what follows */
	size_t n_reserved, max_reserved;
	struct reserved *reserved; /* RELAY_MAX_RESERVED of them */
	struct ports ports[];
};

/* Nobody's quota counts them, so they must not use the ports up. */
static size_t most_reserved(size_t n_ports)
{
	size_t n = n_ports / 8;

	if (n < 16)
		return 16;
	return n < RELAY_MAX_RESERVED ? n : RELAY_MAX_RESERVED;
}

enum err relay_ports_new(struct relay_ports **out, const struct addr *ips, size_t n,
			 uint16_t min, uint16_t max, tick now)
{
	struct relay_ports *p = calloc(1, sizeof *p + n * sizeof p->ports[0]);

	BUG_ON(min > max || min == 0);
	if (!p)
		return ERR_NOMEM;
	p->reserved = calloc(RELAY_MAX_RESERVED, sizeof *p->reserved);
	if (!p->reserved) {
		free(p);
		return ERR_NOMEM;
	}
	p->n = n;
	p->max_reserved = most_reserved(n * (size_t)(max - min + 1));
	p->min = min;
	p->max = max;
	atomic_init(&p->turned, now);
	pthread_mutex_init(&p->lock, NULL);
	for (size_t i = 0; i < n; i++) {
		p->ports[i].ip = ips[i];
		atomic_init(&p->ports[i].scarce, now + 1); /* never a value of `turned` */
	}
	*out = p;
	return OK;
}

void relay_ports_free(struct relay_ports *p)
{
	if (!p)
		return;
	pthread_mutex_destroy(&p->lock);
	free(p->reserved);
	free(p);
}

static void wake(struct relay_ports *p, unsigned half)
{
	for (size_t i = 0; i < p->n; i++)
		for (size_t w = 0; w < WORDS; w++)
			atomic_store_explicit(&p->ports[i].rest[half][w], 0,
					      memory_order_relaxed);
}

/* Every RELAY_REST_MS what rested longest may be drawn again; after a long silence all of it. */
static void turn_rest(struct relay_ports *p, tick now)
{
	tick turned = atomic_load_explicit(&p->turned, memory_order_relaxed), before = turned;
	unsigned old;

	if (now < turned + RELAY_REST_MS ||
	    !atomic_compare_exchange_strong(&p->turned, &turned, now))
		return;
	old = !atomic_load(&p->fresh);
	wake(p, old);
	if (now >= before + 2 * RELAY_REST_MS)
		wake(p, !old);
	atomic_store(&p->fresh, old);
}

/* The ports of word w that are inside min to max. */
static uint64_t in_range(const struct relay_ports *p, size_t w)
{
	uint64_t mask = ~UINT64_C(0);

	if (w < p->min / 64u || w > p->max / 64u)
		return 0;
	if (w == p->min / 64u)
		mask &= ~UINT64_C(0) << p->min % 64;
	if (w == p->max / 64u)
		mask &= ~UINT64_C(0) >> (63 - p->max % 64);
	return mask;
}

/* What of word w may be drawn. A pair lies in one word: 64 is even. */
static uint64_t candidates(const struct relay_ports *p, size_t ip, size_t w,
			   enum relay_port_kind kind, bool tired)
{
	const struct ports *t = &p->ports[ip];
	uint64_t c =
		in_range(p, w) & ~atomic_load_explicit(&t->claimed[w], memory_order_relaxed);

	if (!tired)
		c &= ~(atomic_load_explicit(&t->rest[0][w], memory_order_relaxed) |
		       atomic_load_explicit(&t->rest[1][w], memory_order_relaxed));
	if (kind == RELAY_PORT_PAIR)
		c &= c >> 1;
	return kind == RELAY_PORT_ANY ? c : c & EVEN_BITS;
}

/* Takes one random bit of `c` in word w; 0 when another worker was faster. */
static uint16_t take(struct relay_ports *p, size_t ip, size_t w, uint64_t c,
		     enum relay_port_kind kind, struct rng *rng)
{
	unsigned nth = rng_below(rng, (uint32_t)__builtin_popcountll(c));
	uint64_t bits, before;
	int bit;

	while (nth--)
		c &= c - 1;
	bit = __builtin_ctzll(c);
	bits = (kind == RELAY_PORT_PAIR ? UINT64_C(3) : UINT64_C(1)) << bit;
	before = atomic_fetch_or(&p->ports[ip].claimed[w], bits);
	if (before & bits) {
		atomic_fetch_and(&p->ports[ip].claimed[w], ~(bits & ~before));
		return 0;
	}
	return (uint16_t)(w * 64 + (size_t)bit);
}

static uint16_t draw(struct relay_ports *p, size_t ip, enum relay_port_kind kind, bool tired,
		     struct rng *rng)
{
	size_t first = p->min / 64u, n = p->max / 64u - first + 1;
	uint16_t port;

	/* a few words at random, which leaves no pattern while ports are plenty; then all of them */
	for (size_t i = 0, w = 0; i < TRIES + n; i++) {
		w = i <= TRIES ? rng_below(rng, (uint32_t)n) : (w + 1) % n;
		uint64_t c;

		/* again where another worker was faster: a port that is free must not be missed */
		while ((c = candidates(p, ip, first + w, kind, tired)))
			if ((port = take(p, ip, first + w, c, kind, rng)))
				return port;
	}
	return 0;
}

uint16_t relay_ports_claim(struct relay_ports *p, size_t ip, enum relay_port_kind kind,
			   struct rng *rng, tick now)
{
	uint16_t port;
	tick turned;

	turn_rest(p, now);
	turned = atomic_load_explicit(&p->turned, memory_order_relaxed);
	if (atomic_load_explicit(&p->ports[ip].scarce, memory_order_relaxed) != turned) {
		port = draw(p, ip, kind, false, rng);
		if (port)
			return port;
		if (kind == RELAY_PORT_ANY) /* so that not every claim searches in vain */
			atomic_store_explicit(&p->ports[ip].scarce, turned,
					      memory_order_relaxed);
	}
	return draw(p, ip, kind, true, rng);
}

void relay_ports_release(struct relay_ports *p, size_t ip, uint16_t port, tick now)
{
	struct ports *t = &p->ports[ip];
	uint64_t bit = UINT64_C(1) << port % 64;

	turn_rest(p, now);
	atomic_fetch_and(&t->bound[port / 64], ~bit);
	atomic_fetch_and(&t->listening[port / 64], ~bit);
	atomic_fetch_or(&t->rest[atomic_load(&p->fresh)][port / 64], bit);
	BUG_ON(!(atomic_fetch_and(&t->claimed[port / 64], ~bit) & bit));
}

void relay_ports_bound(struct relay_ports *p, size_t ip, uint16_t port, bool bound)
{
	uint64_t bit = UINT64_C(1) << port % 64;

	if (bound)
		atomic_fetch_or(&p->ports[ip].bound[port / 64], bit);
	else
		atomic_fetch_and(&p->ports[ip].bound[port / 64], ~bit);
}

void relay_ports_listening(struct relay_ports *p, size_t ip, uint16_t port, bool listening)
{
	uint64_t bit = UINT64_C(1) << port % 64;

	if (listening)
		atomic_fetch_or(&p->ports[ip].listening[port / 64], bit);
	else
		atomic_fetch_and(&p->ports[ip].listening[port / 64], ~bit);
}

enum err relay_ports_reserve(struct relay_ports *p, size_t ip, uint16_t port, tick until,
			     struct rng *rng, uint8_t token[RELAY_TOKEN_LEN])
{
	enum err e = ERR_FULL;

	rng_bytes(rng, token, RELAY_TOKEN_LEN);
	pthread_mutex_lock(&p->lock);
	if (p->n_reserved < p->max_reserved) {
		struct reserved *r = &p->reserved[p->n_reserved++];

		memcpy(r->token, token, RELAY_TOKEN_LEN);
		r->ip = ip;
		r->port = port;
		r->until = until;
		e = OK;
	}
	pthread_mutex_unlock(&p->lock);
	return e;
}

bool relay_ports_redeem(struct relay_ports *p, const uint8_t token[RELAY_TOKEN_LEN], tick now,
			size_t *ip, uint16_t *port)
{
	bool found = false;

	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->n_reserved && !found; i++) {
		struct reserved *r = &p->reserved[i];

		if (!crypto_equal(r->token, token, RELAY_TOKEN_LEN) ||
		    !tick_before(now, r->until))
			continue;
		*ip = r->ip;
		*port = r->port;
		*r = p->reserved[--p->n_reserved];
		found = true;
	}
	pthread_mutex_unlock(&p->lock);
	return found;
}

void relay_ports_expire(struct relay_ports *p, tick now)
{
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->n_reserved;) {
		struct reserved *r = &p->reserved[i];

		if (tick_before(now, r->until)) {
			i++;
			continue;
		}
		relay_ports_release(p, r->ip, r->port, now);
		*r = p->reserved[--p->n_reserved];
	}
	pthread_mutex_unlock(&p->lock);
}

bool relay_ports_live(const struct relay_ports *p, const struct addr *a)
{
	for (size_t i = 0; i < p->n; i++)
		if (addr_ip_eq(&p->ports[i].ip, a))
			return atomic_load_explicit(&p->ports[i].bound[a->port / 64],
						    memory_order_relaxed) >>
				       a->port % 64 &
			       1;
	return false;
}

bool relay_ports_accepts(const struct relay_ports *p, const struct addr *a)
{
	for (size_t i = 0; i < p->n; i++)
		if (addr_ip_eq(&p->ports[i].ip, a))
			return atomic_load_explicit(&p->ports[i].listening[a->port / 64],
						    memory_order_relaxed) >>
				       a->port % 64 &
			       1;
	return false;
}

size_t relay_ports_used_of(const struct relay_ports *p, size_t ip)
{
	size_t used = 0;

	for (size_t w = 0; w < WORDS; w++)
		used += (size_t)__builtin_popcountll(atomic_load_explicit(
			&p->ports[ip].claimed[w], memory_order_relaxed));
	return used;
}

size_t relay_ports_total(const struct relay_ports *p)
{
	return (size_t)(p->max - p->min) + 1;
}

size_t relay_ports_used(const struct relay_ports *p)
{
	size_t used = 0;

	for (size_t i = 0; i < p->n; i++)
		used += relay_ports_used_of(p, i);
	return used;
}
