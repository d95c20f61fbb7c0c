#include "store/withdraw.h"

#include <stdio.h>

#include "base/bug.h"
#include "base/crypto.h"

enum err store_withdraw_mark(struct str realm, struct str secret, char out[STORE_WITHDRAW_MARK_LEN + 1])
{
	const struct str parts[] = { STR_LIT("taciturn withdrawn "), realm, { "", 1 }, secret };
	uint8_t hash[CRYPTO_SHA256_LEN];
	struct crypto *c;
	enum err e = crypto_new(&c);

	_Static_assert(STORE_WITHDRAW_MARK_LEN == 2 * CRYPTO_SHA256_LEN, "two digits a byte");
	if (e)
		return e;
	e = crypto_digest(c, CRYPTO_SHA256, parts, ARRAY_LEN(parts), hash);
	crypto_free(c);
	for (size_t i = 0; i < sizeof hash && !e; i++)
		snprintf(out + 2 * i, 3, "%02x", hash[i]);
	return e;
}

static bool has(const struct conf_live *l, struct str realm, struct str secret)
{
	const struct conf_live_realm *r = conf_live_find_realm(l, realm);

	for (size_t i = 0; r && i < r->n_secrets; i++)
		if (str_eq(r->secrets[i], secret))
			return true;
	return false;
}

static bool is_marked(const struct conf_live *l, const char *mark)
{
	for (size_t i = 0; i < l->n_withdrawn; i++)
		if (str_eq(l->withdrawn[i], str_of(mark)))
			return true;
	return false;
}

/* The secrets of one realm. */
static bool find_of(const struct conf_live_realm *r, const struct conf_live *now, store_withdraw_fn *fn, void *arg)
{
	char mark[STORE_WITHDRAW_MARK_LEN + 1];
	bool told = true;

	for (size_t i = 0; i < r->n_secrets; i++) {
		if (has(now, r->name, r->secrets[i]))
			continue;
		if (store_withdraw_mark(r->name, r->secrets[i], mark))
			told = false;
		else if (is_marked(now, mark))
			told &= fn(arg, r->secrets[i]);
	}
	return told;
}

bool store_withdraw_find(const struct conf_live *before, const struct conf_live *now, store_withdraw_fn *fn, void *arg)
{
	bool told = true;

	for (size_t i = 0; before && now->n_withdrawn && i < before->n_realms; i++)
		told &= find_of(&before->realms[i], now, fn, arg);
	return told;
}
