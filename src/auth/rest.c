#include "auth/rest.h"

#include <string.h>

/* All digits, and few enough that the value fits; empty is no number. */
static bool number(struct str s, int64_t *out)
{
	int64_t v = 0;

	if (s.len == 0 || s.len > 18)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (s.p[i] - '0');
	}
	*out = v;
	return true;
}

bool auth_rest_parse(struct str username, char separator, struct auth_rest *out)
{
	const char *at = username.len ? memchr(username.p, separator, username.len) : NULL;
	struct str head = username, tail = { NULL, 0 };
	int64_t when;

	if (at) {
		head.len = (size_t)(at - username.p);
		tail = (struct str){ at + 1, username.len - head.len - 1 };
	}
	if (number(head, &when)) {
		*out = (struct auth_rest){ tail, when };
		return true;
	}
	if (at && number(tail, &when)) {
		*out = (struct auth_rest){ head, when };
		return true;
	}
	return false;
}

enum err auth_rest_password(struct crypto *c, struct str secret, struct str username,
			    char out[AUTH_REST_PASSWORD_LEN + 1])
{
	uint8_t mac[CRYPTO_SHA1_LEN];
	enum err e = crypto_hmac(c, CRYPTO_SHA1, secret, &username, 1, mac);

	if (e)
		return e;
	crypto_b64_encode(mac, sizeof mac, out);
	crypto_wipe(mac, sizeof mac);
	return OK;
}

enum err auth_rest_key(struct crypto *c, struct str secret, struct str username,
		       struct str realm, uint8_t key[AUTH_KEY_LEN])
{
	char password[AUTH_REST_PASSWORD_LEN + 1];
	enum err e = auth_rest_password(c, secret, username, password);

	if (e)
		return e;
	e = auth_longterm_key(c, username, realm,
			      (struct str){ password, AUTH_REST_PASSWORD_LEN }, key);
	crypto_wipe(password, sizeof password);
	return e;
}
