/*
 * src/turn where memory is short: each allocation of a scene fails in turn, the n-th and all after
 * it, until the scene needs no more of them. Whatever fails, the answer is one of the RFC's for it,
 * what was there stays, and nothing leaks. Linked with --wrap for malloc, calloc, mmap,
 * and for crypto_hmac, which may fail likewise.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/bug.h"
#include "turn_world.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off);

enum err __real_crypto_hmac(struct crypto *c, enum crypto_hash h, struct str key,
			    const struct str *parts, size_t n_parts, uint8_t *out);
enum err __wrap_crypto_hmac(struct crypto *c, enum crypto_hash h, struct str key,
			    const struct str *parts, size_t n_parts, uint8_t *out);

/* Allocations that still succeed, and HMACs; < 0: all. */
static long allowed = -1, hmacs = -1;

static bool refused(void)
{
	if (allowed < 0)
		return false;
	if (allowed == 0)
		return true;
	allowed--;
	return false;
}

void *__wrap_malloc(size_t n)
{
	return refused() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return refused() ? NULL : __real_calloc(n, size);
}

void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off)
{
	if (!refused())
		return __real_mmap(at, n, prot, flags, fd, off);
	errno = ENOMEM;
	return MAP_FAILED;
}

enum err __wrap_crypto_hmac(struct crypto *c, enum crypto_hash h, struct str key,
			    const struct str *parts, size_t n_parts, uint8_t *out)
{
	if (hmacs == 0)
		return ERR_CRYPTO;
	hmacs -= hmacs > 0;
	return __real_crypto_hmac(c, h, key, parts, n_parts, out);
}

typedef unsigned scene_fn(struct world *w, struct world_client *c);

static unsigned scene_allocate(struct world *w, struct world_client *c)
{
	return world_allocate_both(w, c);
}

static unsigned scene_permit(struct world *w, struct world_client *c)
{
	world_begin(w, STUN_REQUEST, STUN_CREATE_PERMISSION);
	for (int i = 1; i < 100; i++) {
		struct addr a = world_addr("198.51.100.0");

		a.ip[3] = (uint8_t)i;
		stun_add_xor_addr(&w->req, STUN_T_XOR_PEER_ADDRESS, &a);
	}
	return world_do(w, c);
}

static unsigned scene_bind(struct world *w, struct world_client *c)
{
	return world_bind(w, c, 0x4000, "198.51.100.9:7");
}

static unsigned scene_refresh(struct world *w, struct world_client *c)
{
	return world_refresh(w, c, 700);
}

static const struct {
	const char *name;
	scene_fn *fn;
	bool opens; /* else it takes place in an allocation */
} scenes[] = {
	{ "Allocate", scene_allocate, true },
	{ "CreatePermission", scene_permit, false },
	{ "ChannelBind", scene_bind, false },
	{ "Refresh", scene_refresh, false },
};

/* One try with n allocations granted. True: it succeeded. */
static bool attempt(size_t i, long n)
{
	struct world *w = world_new(WORLD_CONF);
	struct world_client c = world_client("192.0.2.77:5000", "alice", "wonder");
	unsigned sessions = !scenes[i].opens, code;

	if (!scenes[i].opens)
		assert_int_equal(world_allocate(w, &c), 0);
	else
		assert_int_equal(world_refresh(w, &c, 1), 437); /* so that there is a nonce */
	allowed = n;
	code = scenes[i].fn(w, &c);
	allowed = -1;
	if (code != 0) {
		if (code != 508 && code != 500 && code != WORLD_SILENCE)
			fail_msg("%s with %ld allocations: %u", scenes[i].name, n, code);
		assert_int_equal(w->n_sessions, sessions);
		assert_int_equal(w->n_legs, sessions);
		assert_int_equal(w->pools.perms.n_used, 0);
		assert_int_equal(w->pools.chans.n_used, 0);
	}
	/* and when there is memory again, all is as if nothing had been */
	assert_int_equal(scenes[i].fn(w, &c), scenes[i].opens && code == 0 ? 437 : 0);
	world_free(w);
	return code == 0;
}

static void test_every_allocation_may_fail(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scenes); i++) {
		long n = 0;

		while (!attempt(i, n))
			if (++n > 1000)
				fail_msg("%s needs more than 1000 allocations", scenes[i].name);
		if (i < 3)
			assert_true(n > 0); /* else nothing was tested */
	}
}

/* design: no allocation for a packet that is relayed, nor for an answer to a stranger. */
static void test_nothing_is_allocated_for_data(void **state)
{
	struct world *w = world_new(WORLD_CONF);
	struct world_client c = world_client("192.0.2.77:5000", "alice", "wonder");
	uint16_t channel;
	struct addr peer;

	(void)state;
	assert_int_equal(world_allocate(w, &c), 0);
	assert_int_equal(world_bind(w, &c, 0x4000, "198.51.100.9:7"), 0);
	allowed = 0;
	assert_int_equal(world_channel(w, &c, 0x4000), TURN_ROUTE_OK);
	assert_int_equal(world_send(w, &c, "198.51.100.9:7"), TURN_ROUTE_OK);
	assert_int_equal(world_from_peer(w, &c, "198.51.100.9:7", &channel, &peer), TURN_ROUTE_OK);
	world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
	assert_int_equal(world_ask_plain(w, &c), 401);
	allowed = -1;
	world_free(w);
}

/* A library that fails is no way in, and opens nothing that nobody is told of. */
static void test_crypto_fails(void **state)
{
	unsigned code = 1;

	(void)state;
	for (long n = 0; code != 0; n++) {
		struct world *w = world_new(WORLD_CONF);
		struct world_client c = world_guest(w, "192.0.2.77:5000", "carol", "south", 60);

		assert_int_equal(world_refresh(w, &c, 1), 437);
		world_begin(w, STUN_REQUEST, STUN_ALLOCATE);
		stun_add_u32(&w->req, STUN_T_REQUESTED_TRANSPORT, 17 << 24);
		world_sign(w, &c);
		hmacs = n;
		code = world_give(w, &c.at, w->wire, w->wire_len);
		hmacs = -1;
		if (code != 0 && code != 500 && code != 401 && code != WORLD_SILENCE)
			fail_msg("%u after %ld HMACs", code, n);
		/* made, but the answer could not be signed: sent again, it is told */
		if (code != 0 && w->n_sessions)
			assert_int_equal(world_give(w, &c.at, w->wire, w->wire_len), 0);
		assert_true(n < 50);
		world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_allocation_may_fail),
		cmocka_unit_test(test_nothing_is_allocated_for_data),
		cmocka_unit_test(test_crypto_fails),
	};

	return cmocka_run_group_tests_name("turn_oom", tests, NULL, NULL);
}
