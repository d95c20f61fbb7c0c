#include "turn/alloc.h"

#include <string.h>

#include "turn/redirect.h"
#include "turn/reply.h"

enum {
	WIRE_V4 = 1, /* families on the wire, RFC 8489 s.14.1 */
	WIRE_V6 = 2,
};

/* RFC 8656 s.7.2: no less than the default, no more than the server's maximum; RFC 7635 s.9: nor than the token that
 * it is opened with. */
static uint32_t lifetime_s(const struct turn_env *env, const struct turn_tx *tx)
{
	const struct stun_msg *req = tx->req;
	int64_t left_s = tx->who.expires_s - env->auth.wall_s;
	uint32_t max = (uint32_t)env->auth.conf->max_allocate_lifetime;
	uint32_t want = stun_has(req, STUN_A_LIFETIME) ? req->lifetime_s : TURN_LIFETIME_S;

	if (want > max)
		want = max;
	if (want < TURN_LIFETIME_S)
		want = TURN_LIFETIME_S;
	if (tx->who.is_token && want > left_s)
		want = left_s > 0 ? (uint32_t)left_s : 1;
	return want;
}

/* RFC 6062 s.5.1: over TCP or TLS only, and without what is UDP's. */
static unsigned check_tcp(const struct turn_env *env, const struct turn_tx *tx)
{
	const uint64_t of_udp =
		STUN_BIT(DONT_FRAGMENT) | STUN_BIT(EVEN_PORT) | STUN_BIT(RESERVATION_TOKEN);
	uint32_t transport = tx->tuple.transport;

	if (env->auth.conf->no_tcp_relay)
		return 442;
	if ((transport != TURN_TCP && transport != TURN_TLS) || tx->req->present & of_udp)
		return 400;
	return 0;
}

/* RFC 8656 s.7.2, check 3. */
static unsigned check_transport(const struct turn_env *env, const struct turn_tx *tx)
{
	const struct stun_msg *req = tx->req;

	if (!stun_has(req, STUN_A_REQUESTED_TRANSPORT) ||
	    req->bad & STUN_BIT(REQUESTED_TRANSPORT))
		return 400;
	if (req->transport == TURN_PROTO_TCP)
		return check_tcp(env, tx);
	if (req->transport != TURN_PROTO_UDP)
		return 442;
	return env->auth.conf->no_udp_relay ? 403 : 0; /* RFC 6062 s.5.1: MUST be 403 */
}

/* Checks 5, 6, 8 and 9: what may not stand together, and values that no version defines. */
static unsigned check_combination(const struct stun_msg *req)
{
	const uint64_t mine = STUN_BIT(RESERVATION_TOKEN) | STUN_BIT(EVEN_PORT) |
			      STUN_BIT(LIFETIME) | STUN_BIT(REQUESTED_ADDRESS_FAMILY) |
			      STUN_BIT(ADDITIONAL_ADDRESS_FAMILY) | STUN_BIT(DONT_FRAGMENT);
	const uint64_t families =
		STUN_BIT(REQUESTED_ADDRESS_FAMILY) | STUN_BIT(ADDITIONAL_ADDRESS_FAMILY);

	if (req->bad & mine)
		return 400;
	if (stun_has(req, STUN_A_RESERVATION_TOKEN) &&
	    req->present & (families | STUN_BIT(EVEN_PORT)))
		return 400;
	if ((req->present & families) == families)
		return 400;
	if (!stun_has(req, STUN_A_ADDITIONAL_ADDRESS_FAMILY))
		return 0;
	if (req->even_port_reserve || req->additional_family != WIRE_V6)
		return 400;
	return 0;
}

/* Check 7: which family or families; 440 when there is no such. */
static unsigned choose_families(const struct turn_env *env, const struct stun_msg *req,
				struct turn_want *want)
{
	if (stun_has(req, STUN_A_RESERVATION_TOKEN))
		return 0; /* the reserved port has its own */
	if (stun_has(req, STUN_A_ADDITIONAL_ADDRESS_FAMILY)) {
		want->family[TURN_LEG_V4] = want->family[TURN_LEG_V6] = true;
		return env->has_family[TURN_LEG_V4] || env->has_family[TURN_LEG_V6] ? 0 : 440;
	}
	uint8_t wire = stun_has(req, STUN_A_REQUESTED_ADDRESS_FAMILY) ? req->family : WIRE_V4;
	if (wire != WIRE_V4 && wire != WIRE_V6)
		return 440;
	enum turn_leg_id leg = wire == WIRE_V6 ? TURN_LEG_V6 : TURN_LEG_V4;
	want->family[leg] = true;
	return env->has_family[leg] ? 0 : 440;
}

/* RFC 8656 s.3.7: who translates from IPv4 to IPv6 and does not see the DF bit of what comes in MUST reject
 * DONT-FRAGMENT; sockets do not tell it. Over streams nothing is translated (s.15). */
static bool is_df_unserved(const struct turn_env *env, const struct turn_tx *tx)
{
	bool datagrams = tx->tuple.transport == TURN_UDP || tx->tuple.transport == TURN_DTLS;

	return stun_has(tx->req, STUN_A_DONT_FRAGMENT) && datagrams &&
	       tx->tuple.client.family == ADDR_V4 && tx->want.family[TURN_LEG_V6] &&
	       env->has_family[TURN_LEG_V6];
}

enum turn_verdict turn_alloc_request(struct turn_env *env, struct turn_tx *tx, struct wr *out)
{
	const struct stun_msg *req = tx->req;
	struct turn_session *s = tx->session;
	enum turn_verdict v;
	unsigned code;

	if (s) {
		/* s.7.2: the retransmission of what made this allocation gets its answer again */
		if (memcmp(s->alloc_txid, req->txid, STUN_TXID_LEN) == 0 &&
		    str_eq(s->username, tx->who.username))
			return turn_alloc_done(env, tx, out);
		return turn_reply_error(env, tx, 437, out);
	}
	if (turn_policy_is_tunnel(&tx->tuple.client)) /* s.21.4 */
		return turn_reply_error(env, tx, 403, out);
	code = check_transport(env, tx);
	if (!code)
		code = check_combination(req);
	if (!code && turn_redirect(env, tx, out, &v))
		return v;
	if (!code)
		code = choose_families(env, req, &tx->want);
	if (code)
		return turn_reply_error(env, tx, code, out);
	if (is_df_unserved(env, tx)) /* check 4 */
		return turn_reply_unserved(env, tx, STUN_T_DONT_FRAGMENT, out);

	tx->want.tcp = req->transport == TURN_PROTO_TCP;
	tx->want.even = stun_has(req, STUN_A_EVEN_PORT);
	tx->want.reserve = tx->want.even && req->even_port_reserve;
	tx->want.redeem = stun_has(req, STUN_A_RESERVATION_TOKEN);
	if (tx->want.redeem)
		memcpy(tx->token, req->reservation_token.p, TURN_TOKEN_LEN);
	tx->want.lifetime_s = lifetime_s(env, tx);
	return TURN_WANT_RELAY;
}

enum turn_verdict turn_alloc_done(struct turn_env *env, struct turn_tx *tx, struct wr *out)
{
	struct turn_session *s = tx->session;
	uint32_t left = 0;

	turn_reply_begin(tx, STUN_SUCCESS, out);
	for (int i = 0; i < TURN_N_LEGS; i++) {
		uint32_t leg_left = turn_session_left_s(s, (enum turn_leg_id)i, env->now);

		if (!s->leg[i].live)
			continue;
		stun_add_xor_addr(out, STUN_T_XOR_RELAYED_ADDRESS, &s->leg[i].relayed);
		left = left && left < leg_left ? left : leg_left;
	}
	stun_add_u32(out, STUN_T_LIFETIME, left);
	stun_add_xor_addr(out, STUN_T_XOR_MAPPED_ADDRESS, &tx->tuple.client);
	if (s->has_token)
		stun_add(out, STUN_T_RESERVATION_TOKEN, s->token, sizeof s->token);
	if (s->alloc_address_error) /* s.7.2, check 9: the family that could not be had */
		stun_add_address_error(out, s->leg[TURN_LEG_V4].live ? ADDR_V6 : ADDR_V4,
				       s->alloc_address_error,
				       stun_error_text(s->alloc_address_error));
	return turn_reply_finish(env, tx, out);
}

enum turn_verdict turn_alloc_fail(struct turn_env *env, struct turn_tx *tx, unsigned code,
				  struct wr *out)
{
	return turn_reply_error(env, tx, code, out);
}

/* The legs that a Refresh is about (s.8.1: all, where no family is named); 0 or an error code. */
static unsigned refresh_legs(const struct turn_env *env, const struct turn_tx *tx,
			     bool legs[TURN_N_LEGS])
{
	const struct stun_msg *req = tx->req;

	if (req->bad & (STUN_BIT(LIFETIME) | STUN_BIT(REQUESTED_ADDRESS_FAMILY)))
		return 400;
	for (int i = 0; i < TURN_N_LEGS; i++)
		legs[i] = turn_session_has(tx->session, (enum turn_leg_id)i, env->now);
	if (!stun_has(req, STUN_A_REQUESTED_ADDRESS_FAMILY))
		return 0;
	legs[TURN_LEG_V4] &= req->family == WIRE_V4;
	legs[TURN_LEG_V6] &= req->family == WIRE_V6;
	return legs[TURN_LEG_V4] || legs[TURN_LEG_V6] ? 0 : 443; /* s.8.2 */
}

enum turn_verdict turn_alloc_refresh(struct turn_env *env, struct turn_tx *tx, struct wr *out)
{
	bool legs[TURN_N_LEGS], ends;
	unsigned code = refresh_legs(env, tx, legs);
	uint32_t lifetime;

	if (code)
		return turn_reply_error(env, tx, code, out);
	ends = stun_has(tx->req, STUN_A_LIFETIME) && tx->req->lifetime_s == 0;
	lifetime = ends ? 0 : lifetime_s(env, tx);
	tx->want.lifetime_s = lifetime;
	turn_reply_begin(tx, STUN_SUCCESS, out);
	stun_add_u32(out, STUN_T_LIFETIME, lifetime);
	enum turn_verdict v = turn_reply_finish(env, tx, out);

	for (int i = 0; i < TURN_N_LEGS && tx->session; i++) {
		if (!legs[i])
			continue;
		if (!ends)
			turn_session_set_lifetime(env, tx->session, (enum turn_leg_id)i,
						  lifetime);
		else if (turn_session_close_leg(env, tx->session, (enum turn_leg_id)i,
						TURN_END_DELETED))
			tx->session = NULL;
	}
	return v;
}
