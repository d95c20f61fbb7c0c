/*
 * Who is asking: the long-term credential mechanism (RFC 8489 s.9.2.4) as one function. It keeps
 * nothing; what it learns about the client is returned.
 */
#pragma once

#include <stdbool.h>

#include "auth/env.h"
#include "auth/longterm.h"
#include "stun/msg.h"

enum auth_verdict {
	AUTH_ACCEPT,
	AUTH_CHALLENGE, /* 401: no credentials in the request */
	AUTH_BAD,	/* 400: integrity that is malformed, or comes without user name, realm or nonce */
	AUTH_REJECT,	/* 401: unknown or expired user, one that is no name, wrong password */
	AUTH_STALE,	/* 438: right credentials, but the nonce is old or not this client's */
	AUTH_FAIL,	/* 500: the cryptographic library failed, or the database of users */
	AUTH_WANT_KEY,	/* ask the database for the key of this user, and call again with its answer */
};

/* Why a request was rejected, for the log. */
enum auth_why {
	AUTH_WHY_NONE,
	AUTH_WHY_NO_CREDENTIALS,
	AUTH_WHY_INCOMPLETE,
	AUTH_WHY_UNKNOWN_USER,
	AUTH_WHY_WRONG_REALM,
	AUTH_WHY_EXPIRED,
	AUTH_WHY_TOO_LONG, /* its expiry lies beyond credential-max-ttl */
	AUTH_WHY_REVOKED,
	AUTH_WHY_TOKEN, /* no token of our authorization server's, or not for us */
	AUTH_WHY_INTEGRITY,
	AUTH_WHY_STALE_NONCE,
	AUTH_WHY_FOREIGN_NONCE,
	N_AUTH_WHY
};

/* The word for the log, e.g. "bad_integrity"; never NULL. */
const char *auth_why_text(enum auth_why why);

/* The client of an accepted request. Wiped by auth_who_wipe(). */
struct auth_who {
	struct str username; /* borrowed from the message, as decoded */
	struct str realm;    /* that the account is in; borrowed of env or the databases' snapshot */
	struct str user;     /* the account that quotas count: username without an expiry */
	int64_t expires_s;   /* of the credential, seconds since 1970; 0: never */
	uint64_t secret;     /* auth_check_digest() of what made it; 0: no time-limited credential */
	bool is_token;	     /* an access token: what it opens does not outlive it */
	uint8_t key_len;
	uint8_t key[AUTH_KEY_MAX];
	bool has_key; /* false: no-auth, nothing to sign answers with */
	bool own_nonce; /* it is ours and this client's, though it may be old: the address is no forgery */
	enum auth_why why;
};

/* What a session knows of its client, so that its requests need no look-up, and go on after the
 * credential expired. */
struct auth_known {
	struct str username;
	struct str user;
	int64_t expires_s;
	uint64_t secret;
	bool is_token;
	struct str key;
};

/* What the database of users answered about the one who asks. */
struct auth_given {
	enum { AUTH_GIVEN_KEY, AUTH_GIVEN_NONE, AUTH_GIVEN_FAILED } state;
	uint8_t key[AUTH_KEY_LEN]; /* wiped by whoever holds it */
};

/* A secret of time-limited credentials without the secret, under auth_env.digest_key: to find the sessions
 * that it opened. Never 0. */
uint64_t auth_check_digest(const uint64_t key[2], struct str secret);

/*
 * Judges one request from `client`, in the order of RFC 8489 s.9.2.4, within env->realm. `known` is NULL, or the
 * identity of the session that the request's 5-tuple has; `given` is NULL, or the answer to an
 * AUTH_WANT_KEY that this request got. On AUTH_ACCEPT *who is filled; who->why is set always. The caller
 * answers, and wipes *who.
 *
 * A credential of a secret for all realms is good in each, and void in each once its user was revoked in one;
 * so are tokens of a key without a realm.
 *
 * With the option oauth an ACCESS-TOKEN in an Allocate or a Refresh decides alone (RFC 7635 s.7).
 *
 * Static accounts come first, then time-limited credentials under the secrets of the configuration and of
 * the databases, then the database of users, which is asked for names only that are no time-limited ones,
 * and only for clients that bring a nonce made for them and have answers left in their ration: nobody can
 * have it searched from a forged address, or without end.
 */
enum auth_verdict auth_check(const struct auth_env *env, const struct stun_msg *req,
			     const struct addr *client, const struct auth_known *known,
			     const struct auth_given *given, struct auth_who *who);

void auth_who_wipe(struct auth_who *who);
