#include "turn/redirect.h"

#include "turn/policy.h"
#include "turn/reply.h"

static const struct conf_alternates *list_for(const struct conf *conf, uint32_t transport)
{
	switch (transport) {
	case TURN_UDP:
		return &conf->alternates[CONF_ALTERNATE_UDP];
	case TURN_TCP:
		return &conf->alternates[CONF_ALTERNATE_TCP];
	default:
		return &conf->alternates[CONF_ALTERNATE_TLS];
	}
}

/* One of this family, NULL where there is none. */
static const struct addr *choose(const struct conf_alternates *list, uint8_t family, uint32_t chance)
{
	const struct addr *found = NULL;
	uint32_t n = 0, skip;

	for (size_t i = 0; i < list->n; i++)
		n += list->v[i].family == family;
	if (!n)
		return NULL;
	skip = chance % n;
	for (size_t i = 0; i < list->n && !found; i++)
		if (list->v[i].family == family && skip-- == 0)
			found = &list->v[i];
	return found;
}

/* Who stands in the list serves: clients would be sent in circles. */
static bool is_member(const struct conf *conf, const struct conf_alternates *list, const struct addr *self)
{
	for (size_t i = 0; i < list->n; i++) {
		struct addr inner = turn_policy_inward(conf, &list->v[i]);

		if (addr_eq(&inner, self) || addr_eq(&list->v[i], self))
			return true;
	}
	return false;
}

bool turn_redirect(struct turn_env *env, struct turn_tx *tx, struct wr *out, enum turn_verdict *v)
{
	const struct conf *conf = env->auth.conf;
	const struct conf_alternates *list = list_for(conf, tx->tuple.transport);
	uint8_t family = tx->tuple.client.family;
	struct rd r = rd_init(tx->req->txid, STUN_TXID_LEN);
	struct turn_alternates to = { 0 };
	uint32_t chance = rd_u32(&r);

	if (!list->n || !tx->who.has_key || is_member(conf, list, &tx->tuple.server))
		return false;
	to.first = choose(list, family, chance);
	if (!to.first)
		return false;
	to.second = choose(list, family == ADDR_V4 ? ADDR_V6 : ADDR_V4, chance);
	/* s.10: where the certificate is another's, for clients that show that they know RFC 8489 */
	if (conf->alternate_domain && stun_has(tx->req, STUN_A_MESSAGE_INTEGRITY_SHA256) &&
	    (tx->tuple.transport == TURN_TLS || tx->tuple.transport == TURN_DTLS))
		to.domain = str_of(conf->alternate_domain);
	*v = turn_reply_redirect(env, tx, &to, out);
	return true;
}
