#include "turn/reply.h"

#include <string.h>

#include "auth/nonce.h"
#include "auth/throttle.h"

enum { MAX_UNKNOWN = 384 }; /* named in a 420: leaves room for the rest in TURN_ANSWER_MAX */

static const char SOFTWARE_TEXT[] = "taciturn " PACKAGE_VERSION;

static void count_error(struct counters *cnt, unsigned code)
{
	switch (code) {
#define ROW(c)                       \
	case c:                      \
		count(cnt, err_##c); \
		break
		ROW(300);
		ROW(400);
		ROW(401);
		ROW(403);
		ROW(420);
		ROW(437);
		ROW(438);
		ROW(440);
		ROW(441);
		ROW(442);
		ROW(443);
		ROW(446);
		ROW(447);
		ROW(486);
		ROW(500);
		ROW(508);
#undef ROW
	default:
		break;
	}
}

/* Which answer to what: one row of a table, one column of each code that is known. */
static void count_answer(struct turn_env *env, const struct turn_tx *tx)
{
	static const uint16_t codes[] = {
		0,
#define ERRCODE(code, reason, where) code,
#include "stun/error.def"
#undef ERRCODE
	};

	_Static_assert(ARRAY_LEN(codes) <= COUNTER_CODES, "a column each");
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i] == tx->code && tx->req->method < COUNTER_METHODS)
			count(env->cnt, answers[tx->req->method][i]);
}

void turn_reply_begin(const struct turn_tx *tx, enum stun_class cls, struct wr *out)
{
	stun_begin(out, cls, tx->req->method, tx->req->txid);
}

/* RFC 8489 s.9.2.4: requests here are processed as though PASSWORD-ALGORITHM were MD5, so that answers carry
 * MESSAGE-INTEGRITY even where the request had the SHA-256 one; the latter MUST be there, too, where the
 * request named an algorithm, which was not offered. */
static enum err add_integrity(struct turn_env *env, const struct turn_tx *tx, struct wr *out)
{
	const uint64_t choice = STUN_BIT(PASSWORD_ALGORITHM) | STUN_BIT(PASSWORD_ALGORITHMS);
	const struct str key = { (const char *)tx->who.key, tx->who.key_len };
	enum err e;

	if (!tx->who.has_key)
		return OK;
	e = stun_add_integrity(out, env->auth.crypto, key);
	if (!e && tx->req->present & choice)
		e = stun_add_integrity256(out, env->auth.crypto, key);
	return e;
}

enum turn_verdict turn_reply_finish(struct turn_env *env, struct turn_tx *tx, struct wr *out)
{
	const struct conf *conf = env->auth.conf;

	/* RFC 8489 s.6.3.1.1: SHOULD be there; off by default, see the option, and in challenges never,
	 * which may go to a forged address */
	if (conf->software_attribute && tx->code != 401 && tx->code != 438)
		stun_add(out, STUN_T_SOFTWARE, SOFTWARE_TEXT, sizeof SOFTWARE_TEXT - 1);
	if (add_integrity(env, tx, out))
		return TURN_DROP;
	if ((conf->fingerprint || stun_has(tx->req, STUN_A_FINGERPRINT)) && !tx->classic)
		stun_add_fingerprint(out);
	count_answer(env, tx);
	return out->bad ? TURN_DROP : TURN_REPLY;
}

static enum err add_challenge(struct turn_env *env, const struct turn_tx *tx, struct wr *out)
{
	struct auth_env *auth = &env->auth;
	struct str realm = tx->realm;
	char nonce[AUTH_NONCE_LEN];
	enum err e = auth_nonce_make(auth->nonce, auth->crypto, realm, &tx->tuple.client, auth->wall_s,
				     auth_nonce_salt(rng_u32(auth->rng), env->now), nonce);

	if (e)
		return e;
	stun_add_str(out, STUN_T_REALM, realm);
	stun_add(out, STUN_T_NONCE, nonce, sizeof nonce);
	return OK;
}

bool turn_reply_is_rationed(const struct turn_env *env, const struct turn_tx *tx)
{
	bool stream = tx->tuple.transport == TURN_TCP || tx->tuple.transport == TURN_TLS;

	return env->auth.throttle && env->auth.conf->unauthorized_ratelimit && !stream;
}

/* Must this answer stay here? */
static bool rationed(struct turn_env *env, const struct turn_tx *tx)
{
	const struct conf *conf = env->auth.conf;

	if (tx->accepted || !turn_reply_is_rationed(env, tx))
		return false;
	if (auth_throttle_take(env->auth.throttle, &tx->tuple.client, auth_throttle_share(conf),
			       env->now))
		return false;
	count(env->cnt, drop_throttled);
	return true;
}

/* To datagrams of somebody who has not authenticated the answer is as small as it can be: the address may be
 * somebody else's. */
static struct str phrase(const struct turn_tx *tx, unsigned code)
{
	return tx->accepted || tx->tuple.transport != TURN_UDP ? stun_error_text(code)
							       : (struct str){ NULL, 0 };
}

/* False: no answer leaves. */
static bool begin_error(struct turn_env *env, struct turn_tx *tx, unsigned code, struct wr *out)
{
	tx->code = code;
	if (rationed(env, tx))
		return false;
	count_error(env->cnt, code);
	turn_reply_begin(tx, STUN_ERROR, out);
	stun_add_error(out, code, phrase(tx, code));
	return true;
}

enum turn_verdict turn_reply_error(struct turn_env *env, struct turn_tx *tx, unsigned code,
				   struct wr *out)
{
	if (!begin_error(env, tx, code, out))
		return TURN_DROP;
	if ((code == 401 || code == 438) && add_challenge(env, tx, out))
		return TURN_DROP;
	if (code == 401 && env->auth.conf->oauth) /* RFC 7635 s.4 */
		stun_add_str(out, STUN_T_THIRD_PARTY_AUTHORIZATION, conf_server_name(env->auth.conf));
	return turn_reply_finish(env, tx, out);
}

enum turn_verdict turn_reply_redirect(struct turn_env *env, struct turn_tx *tx,
				      const struct turn_alternates *to, struct wr *out)
{
	if (!begin_error(env, tx, 300, out))
		return TURN_DROP;
	stun_add_addr(out, STUN_T_ALTERNATE_SERVER, to->first); /* RFC 8489 s.10: its own family first */
	if (to->second)
		stun_add_addr(out, STUN_T_ALTERNATE_SERVER, to->second);
	if (to->domain.len)
		stun_add_str(out, STUN_T_ALTERNATE_DOMAIN, to->domain);
	return turn_reply_finish(env, tx, out);
}

/* RFC 8489 s.6.3.1: all of them. */
static void add_unknown(const struct turn_env *env, const struct stun_msg *req, struct wr *out)
{
	static const struct {
		enum stun_attr attr;
		uint16_t type;
	} known[] = {
		{ STUN_A_CHANGE_REQUEST, STUN_T_CHANGE_REQUEST },
		{ STUN_A_RESPONSE_PORT, STUN_T_RESPONSE_PORT },
		{ STUN_A_PADDING, STUN_T_PADDING },
		{ STUN_A_ACCESS_TOKEN, STUN_T_ACCESS_TOKEN },
	};
	uint16_t types[MAX_UNKNOWN + ARRAY_LEN(known)];
	size_t n = req->n_unknown ? stun_unknown(req, types, MAX_UNKNOWN) : 0;

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (stun_has(req, known[i].attr) &&
		    !(known[i].attr == STUN_A_ACCESS_TOKEN && env->auth.conf->oauth))
			types[n++] = known[i].type;
	stun_add_unknown(out, types, n);
}

enum turn_verdict turn_reply_unknown(struct turn_env *env, struct turn_tx *tx, struct wr *out)
{
	if (!begin_error(env, tx, 420, out))
		return TURN_DROP;
	add_unknown(env, tx->req, out);
	return turn_reply_finish(env, tx, out);
}

enum turn_verdict turn_reply_unserved(struct turn_env *env, struct turn_tx *tx, uint16_t type,
				      struct wr *out)
{
	if (!begin_error(env, tx, 420, out))
		return TURN_DROP;
	stun_add_unknown(out, &type, 1);
	return turn_reply_finish(env, tx, out);
}
