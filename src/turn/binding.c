#include "turn/binding.h"

#include "turn/reply.h"

enum turn_verdict turn_binding_request(struct turn_env *env, struct turn_tx *tx, struct wr *out)
{
	count(env->cnt, req_binding);
	if (turn_reply_is_unknown(env, tx->req))
		return turn_reply_unknown(env, tx, out);
	turn_reply_begin(tx, STUN_SUCCESS, out);
	/* RFC 5389 s.12.2: clients of RFC 3489 know no other */
	if (tx->classic || env->auth.conf->stun_backward_compatibility)
		stun_add_addr(out, STUN_T_MAPPED_ADDRESS, &tx->tuple.client);
	if (!tx->classic)
		stun_add_xor_addr(out, STUN_T_XOR_MAPPED_ADDRESS, &tx->tuple.client);
	return turn_reply_finish(env, tx, out);
}
