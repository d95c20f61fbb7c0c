/*
 * libFuzzer target for src/stun/frame.c: any bytes as a stream. Cut into messages at once and byte by
 * byte, the same comes out: each message lies behind the one
 * before, is no longer than it may be, and nothing is waited for that does not fit in the memory there is.
 *
 * The seeds in corpus/stun/ are single messages; the fuzzer strings them together.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "stun/chan.h"
#include "stun/frame.h"
#include "stun/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check_whole(const uint8_t *p, size_t len, size_t all)
{
	struct stun_chan c;

	BUG_ON(len > all || all > len + 3 || all % 4 || all > STUN_FRAME_MAX);
	if (p[0] < STUN_CHAN_MIN >> 8) {
		BUG_ON(len != all || len < STUN_HEADER_LEN);
		return;
	}
	BUG_ON(!stun_chan_decode(p, len, &c) || c.data.len + STUN_CHAN_HEADER_LEN != len);
}

/* From memory of exactly that size. */
static enum stun_frame next(const uint8_t *p, size_t n, size_t *len, size_t *all)
{
	uint8_t *exact = malloc(n ? n : 1);
	enum stun_frame f;

	BUG_ON(!exact);
	if (n)
		memcpy(exact, p, n);
	f = stun_frame_next(exact, n, len, all);
	if (f == STUN_FRAME_WHOLE) {
		BUG_ON(*all > n);
		check_whole(exact, *len, *all);
	}
	BUG_ON(f == STUN_FRAME_MORE && n >= STUN_FRAME_MAX);
	free(exact);
	return f;
}

/* What was said of the whole is not said of less; and what is wrong of less is wrong of the whole. */
static void check_bytewise(const uint8_t *p, size_t n, size_t all, enum stun_frame whole)
{
	size_t len, all_k;

	for (size_t k = 0; k < n && k < 200; k++) {
		enum stun_frame f = next(p, k, &len, &all_k);

		BUG_ON(f == STUN_FRAME_BAD && whole != STUN_FRAME_BAD);
		BUG_ON(f == STUN_FRAME_WHOLE && (whole != STUN_FRAME_WHOLE || k < all || all_k != all));
	}
}

static void cut(const uint8_t *p, size_t n)
{
	size_t len, all = 0;
	enum stun_frame f;

	do {
		f = next(p, n, &len, &all);
		check_bytewise(p, n, all, f);
		if (f != STUN_FRAME_WHOLE)
			return;
		p += all;
		n -= all;
	} while (n);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	cut(bytes, n);
	return 0;
}
