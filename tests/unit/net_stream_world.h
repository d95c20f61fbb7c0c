/* One net_stream with the far end of its connection, in one thread: for net_stream.c and
 * net_stream_tls.c. Messages carry a number, so that the far end can tell which came, and whole. */
#pragma once

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bug.h"
#include "net/stream.h"

enum { HEAD = 6, MAX_NUMBERS = 20000 };

struct world {
	struct net_loop *loop;
	struct net_stream s;
	struct net_burst burst;
	struct net_watch wake, far_watch;
	int far, wake_fd;
	uint8_t *scratch;
	unsigned n_input;
	uint8_t *lent[NET_BURST_MESSAGES * 2]; /* what the burst borrows */
	size_t n_lent;

	uint8_t *got; /* by the far end */
	size_t n_got, cap_got;
	uint32_t number[MAX_NUMBERS]; /* of the messages that came, in order */
	size_t n_numbers;
};

static void world_on_wake(int fd, void *arg)
{
	uint64_t n;

	(void)arg;
	assert_int_equal(read(fd, &n, sizeof n), sizeof n);
}

static void world_on_input(int fd, void *arg)
{
	struct world *w = arg;

	(void)fd;
	w->n_input++;
}

static void world_init(struct world *w, const int fd[2], tick queue_ms)
{
	memset(w, 0, sizeof *w);
	assert_int_equal(net_loop_new(&w->loop), OK);
	w->wake_fd = eventfd(0, EFD_NONBLOCK);
	assert_int_equal(net_loop_watch(w->loop, &w->wake, w->wake_fd, world_on_wake, w), OK);
	assert_int_equal(net_stream_init(&w->s, w->loop, fd[0], queue_ms, world_on_input, w), OK);
	w->far = fd[1];
	w->scratch = malloc(NET_SCRATCH);
	w->burst.record = malloc(NET_TLS_RECORD);
	assert_true(w->scratch && w->burst.record);
}

static void world_fini(struct world *w)
{
	net_stream_fini(&w->s);
	net_loop_unwatch(&w->wake);
	net_loop_free(w->loop);
	close(w->wake_fd);
	close(w->far);
	free(w->scratch);
	free(w->burst.record);
	free(w->got);
}

/* One turn of the loop, whether there is something to do or not. */
static void world_turn(struct world *w)
{
	const uint64_t one = 1;

	assert_int_equal(write(w->wake_fd, &one, sizeof one), sizeof one);
	assert_int_equal(net_loop_turn(w->loop), OK);
}

static uint8_t world_byte(uint32_t number, size_t i)
{
	return (uint8_t)(number * 7 + i);
}

/* A message of `len` bytes, HEAD at least, in three parts. */
static void world_add(struct world *w, uint32_t number, uint32_t len, bool control, tick now)
{
	uint8_t *p = malloc(len);
	struct iovec part[3] = { { p, HEAD }, { p + HEAD, (len - HEAD) / 2 } };

	assert_non_null(p);
	memcpy(p, (uint8_t[]){ (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number,
			       (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len }, HEAD);
	for (size_t i = HEAD; i < len; i++)
		p[i] = world_byte(number, i);
	part[2] = (struct iovec){ p + HEAD + part[1].iov_len, len - HEAD - part[1].iov_len };
	net_burst_add(&w->burst, &w->s, part, 3, control, now);
	BUG_ON(w->n_lent == ARRAY_LEN(w->lent));
	w->lent[w->n_lent++] = p;
}

/* What was lent is gone afterwards, so that a sanitizer sees who still looks at it. */
static void world_flush(struct world *w, tick now)
{
	net_burst_flush(&w->burst, now);
	while (w->n_lent)
		free(w->lent[--w->n_lent]);
}

static void world_say(struct world *w, uint32_t number, uint32_t len, bool control, tick now)
{
	world_add(w, number, len, control, now);
	world_flush(w, now);
}

/* What the far end has got. */
static void world_got(struct world *w, const void *p, size_t n)
{
	if (w->n_got + n > w->cap_got) {
		w->cap_got = (w->n_got + n) * 2;
		w->got = realloc(w->got, w->cap_got);
		assert_non_null(w->got);
	}
	memcpy(w->got + w->n_got, p, n);
	w->n_got += n;
}

/* Cuts all that came into messages: each whole, each byte right, no number less than the one before. */
static void world_check_got(struct world *w)
{
	const uint8_t *p = w->got;
	uint32_t last = 0;

	for (const uint8_t *end = p + w->n_got; p < end;) {
		uint32_t number, len;

		assert_true(end - p >= HEAD);
		number = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
		len = (uint32_t)p[3] << 16 | (uint32_t)p[4] << 8 | p[5];
		assert_true(number > last);
		assert_true(len >= HEAD && len <= (size_t)(end - p));
		for (size_t i = HEAD; i < len; i++)
			if (p[i] != world_byte(number, i))
				fail_msg("message %u, byte %zu of %u", number, i, len);
		BUG_ON(w->n_numbers == MAX_NUMBERS);
		w->number[w->n_numbers++] = last = number;
		p += len;
	}
}
