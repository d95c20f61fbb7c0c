#include "auth/longterm.h"

#include "base/bug.h"

enum err auth_longterm_key(struct crypto *c, struct str username, struct str realm,
			   struct str password, uint8_t key[AUTH_KEY_LEN])
{
	const struct str parts[] = { username, STR_LIT(":"), realm, STR_LIT(":"), password };

	return crypto_digest(c, CRYPTO_MD5, parts, ARRAY_LEN(parts), key);
}
