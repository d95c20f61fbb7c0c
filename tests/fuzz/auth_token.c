/*
 * libFuzzer target for src/auth/token.c: any bytes as an access token, and the same bytes sealed by the right server.
 * Of a token nothing is believed before it was opened; of what was sealed only what has the right form.
 */
#include <stdlib.h>

#include "../unit/token_seal.h"
#include "auth/token.h"
#include "base/bug.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const struct str server = { "turn.example.org", 16 };

/* From memory of exactly that size. */
static enum err open_exact(const struct conf_live_oauth *key, const uint8_t *bytes, size_t n, struct auth_token *t)
{
	uint8_t *exact = malloc(n ? n : 1);
	enum err e;

	BUG_ON(!exact);
	if (n)
		memcpy(exact, bytes, n);
	e = auth_token_open(key, server, (struct str){ (const char *)exact, n }, t);
	free(exact);
	return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct conf_live_oauth key = { .alg = STR_LIT("A256GCM"), .key_len = 32 }, other = key;
	struct auth_token t = { .made_s = -1 };
	uint8_t *sealed;
	size_t len;
	enum err e;

	memcpy(key.key, "12345678901234567890123456789012", 32);
	memcpy(other.key, "abcdefghijklmnopqrstuvwxyzABCDEF", 32);
	/* nobody guesses a tag; the seeds hold tokens that are good, but by the first key */
	BUG_ON(open_exact(&other, bytes, n, &t) != ERR_MALFORMED || t.made_s != -1);
	if (n > 4096)
		return 0;
	sealed = malloc(n + SEAL_OVERHEAD);
	BUG_ON(!sealed);
	len = seal((struct str){ (const char *)key.key, 32 }, server, (struct str){ (const char *)bytes, n }, sealed);
	e = open_exact(&key, sealed, len, &t);
	BUG_ON((e == OK) != (len == AUTH_TOKEN_LEN && bytes[0] == 0 && bytes[1] == AUTH_TOKEN_KEY_LEN));
	if (!e)
		BUG_ON(t.made_s < 0 || t.made_s >> 48 || memcmp(t.mac_key, bytes + 2, AUTH_TOKEN_KEY_LEN) != 0);
	free(sealed);
	return 0;
}
