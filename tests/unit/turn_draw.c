#include "turn_draw.h"

#include "base/bug.h"
#include "stun/msg.h"

const char *const draw_peer_text[DRAW_PEERS] = {
	"198.51.100.1:1",     "198.51.100.1:2", "198.51.100.2:1",	     "198.51.100.3:9",
	"198.51.100.4:9",     "10.0.0.1:5",	"127.0.0.1:5",		     "[2001:db8:1::1]:1",
	"[2001:db8:1::1]:2",  "[2001:db8:1::2]:1", "[fd00::1]:5",	     "[::ffff:198.51.100.1]:1",
};
const int draw_numbers[DRAW_NUMBERS] = { 0x4000, 0x4001, 0x4002, 0x4FFF, 0x5000, 0x3FFF };

struct dice {
	struct rng *rng;
	struct model *m;
	const struct addr *peer;
};

static bool one_in(struct dice *s, uint32_t n)
{
	return rng_below(s->rng, n) == 0;
}

static void draw_allocate(struct dice *s, struct model_ask *a)
{
	a->transport = one_in(s, 30) ? 6 : one_in(s, 30) ? 33 : one_in(s, 30) ? -1 : 17;
	if (one_in(s, 3))
		a->family = (uint8_t)(1 + rng_below(s->rng, one_in(s, 10) ? 3 : 2));
	if (one_in(s, 4))
		a->additional = one_in(s, 10) ? 1 : 2;
	if (one_in(s, 2) && a->additional)
		a->family = 0;
	a->even = one_in(s, 6);
	a->reserve = a->even && one_in(s, 2);
	a->token = one_in(s, 10);
	if (!a->token)
		return;
	/* somebody's token, true or not */
	memcpy(a->token_value, s->m->session[rng_below(s->rng, MODEL_CLIENTS)].token, 8);
	if (one_in(s, 2)) {
		a->even = a->reserve = false;
		a->family = a->additional = 0;
	}
}

static void draw_peers(struct dice *s, struct model_ask *a, int most)
{
	a->n_peers = one_in(s, 20) ? 0 : 1 + (int)rng_below(s->rng, (uint32_t)most);
	for (int i = 0; i < a->n_peers; i++)
		a->peer[i] = s->peer[rng_below(s->rng, one_in(s, 8) ? DRAW_PEERS : 5)];
	if (a->n_peers && one_in(s, 3))
		a->peer[0] = s->peer[7 + rng_below(s->rng, 3)];
}

static void draw_who(struct dice *s, struct model_ask *a, int client)
{
	const struct model_session *session = model_live(s->m, client);

	a->cred = session && !one_in(s, 12) ? session->cred : (int)rng_below(s->rng, MODEL_CREDS);
	if (one_in(s, 20))
		a->cred = -1;
	a->wrong_password = one_in(s, 25);
	a->wrong_nonce = one_in(s, 25);
	a->unknown = one_in(s, 40);
}

static void draw_lifetime(struct dice *s, struct model_ask *a)
{
	static const uint32_t some[] = { 0, 1, 599, 600, 601, 1200, 3600, 3601, UINT32_MAX };

	a->lifetime = -1;
	if (one_in(s, 2))
		a->lifetime = some[rng_below(s->rng, ARRAY_LEN(some))];
	if (a->lifetime == 0 && !one_in(s, 3))
		a->lifetime = 3600;
}

static void draw(struct dice *s, struct model_ask *a, int client)
{
	static const uint16_t methods[] = { STUN_ALLOCATE, STUN_REFRESH, STUN_CREATE_PERMISSION,
					    STUN_CREATE_PERMISSION, STUN_CHANNEL_BIND, STUN_CHANNEL_BIND };

	memset(a, 0, sizeof *a);
	a->number = -1;
	a->method = methods[rng_below(s->rng, ARRAY_LEN(methods))];
	if (!model_live(s->m, client) && !one_in(s, 4))
		a->method = STUN_ALLOCATE;
	draw_who(s, a, client);
	draw_lifetime(s, a);
	if (a->method == STUN_ALLOCATE)
		draw_allocate(s, a);
	else if (a->method == STUN_REFRESH && one_in(s, 2))
		a->family = (uint8_t)(1 + rng_below(s->rng, 3));
	else if (a->method == STUN_CREATE_PERMISSION)
		draw_peers(s, a, MODEL_PEERS);
	else if (a->method == STUN_CHANNEL_BIND)
		draw_peers(s, a, 1);
	a->odd_peer = a->method == STUN_CREATE_PERMISSION && one_in(s, 20);
	if (a->method == STUN_CHANNEL_BIND && !one_in(s, 30))
		a->number = draw_numbers[rng_below(s->rng, one_in(s, 8) ? DRAW_NUMBERS : 4)];
}

void draw_request(struct rng *rng, struct model *m, const struct addr *peer, int client, struct model_ask *a)
{
	struct dice s = { rng, m, peer };

	draw(&s, a, client);
}
