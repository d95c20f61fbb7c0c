#include "turn/binding.h"

#include "turn/reply.h"

enum turn_verdict turn_binding_request(struct turn_env *env, struct turn_tx *tx, struct wr *out)
{
	count(env->cnt, req_binding);
	if (turn_reply_is_unknown(tx->req))
		return turn_reply_unknown(env, tx, out);
	turn_reply_begin(tx, STUN_SUCCESS, out);
	stun_add_xor_addr(out, STUN_T_XOR_MAPPED_ADDRESS, &tx->tuple.client);
	return turn_reply_finish(env, tx, out);
}
