/*
 * Time-limited credentials ("TURN REST API", draft-uberti-behave-turn-rest-00): the user name
 * carries its expiry, the password is base64(HMAC-SHA1(secret, user name)).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "auth/longterm.h"

struct auth_rest {
	struct str user;   /* borrowed: the part that is not the expiry; may be empty */
	int64_t expires_s; /* seconds since 1970 */
};

enum { AUTH_REST_PASSWORD_LEN = 28 }; /* base64 of 20 bytes */

/* "EXPIRY:USER", "USER:EXPIRY" (when the part before the first separator is not all digits)
 * or "EXPIRY". False for anything else. */
bool auth_rest_parse(struct str username, char separator, struct auth_rest *out);

/* The password of a user name under a secret, terminated. The caller wipes it. */
must_check enum err auth_rest_password(struct crypto *c, struct str secret, struct str username,
				       char out[AUTH_REST_PASSWORD_LEN + 1]);

/* The long-term key of a time-limited user name under one secret. The caller wipes it. */
must_check enum err auth_rest_key(struct crypto *c, struct str secret, struct str username,
				  struct str realm, uint8_t key[AUTH_KEY_LEN]);
