/*
 * libFuzzer target for src/turn/ and src/auth/: the bytes are a script of what clients do, some of
 * it signed as it should be, in virtual time. turn_world.c ends the program when something is given
 * back twice or not at all; here it is made sure that nothing passes without a grant that is young
 * enough, and that strangers get little and leave nothing.
 *
 * A script is a row of steps: a byte that says who and what, and what that needs. Any bytes are one.
 */
#include <stdint.h>

#include "../unit/turn_world.h"
#include "base/bug.h"

enum {
	CLIENTS = 4,
	PEERS = 6,
	MAX_STEPS = 64,
	STRANGER_MAX = 100, /* bytes: an answer to who did not authenticate */
};

static const char *const peer_text[PEERS] = {
	"198.51.100.1:1", "198.51.100.1:2", "198.51.100.2:1",
	"[2001:db8:1::1]:1", "10.0.0.1:1", "203.0.113.1:50001",
};

struct script {
	struct world *w;
	struct rd r;
	struct world_client client[CLIENTS];
	struct addr peer[PEERS];
	tick granted[CLIENTS][PEERS]; /* when a request that named its address last succeeded */
};

static void request_begin(struct script *s, uint8_t what)
{
	static const uint16_t methods[] = { STUN_ALLOCATE, STUN_REFRESH, STUN_CREATE_PERMISSION,
					    STUN_CHANNEL_BIND, STUN_BINDING };

	world_begin(s->w, STUN_REQUEST, methods[what % ARRAY_LEN(methods)]);
}

/* Attributes that mean something: a byte which, and its value from the script. */
static void add_some(struct script *s, unsigned *peers)
{
	static const uint16_t numbers[] = { STUN_T_LIFETIME, STUN_T_REQUESTED_ADDRESS_FAMILY,
					    STUN_T_ADDITIONAL_ADDRESS_FAMILY, STUN_T_REQUESTED_TRANSPORT,
					    STUN_T_CHANNEL_NUMBER };
	struct wr *w = &s->w->req;

	for (int n = rd_u8(&s->r) & 7; n; n--) {
		uint8_t which = rd_u8(&s->r);

		if (which < 0x80) {
			stun_add_xor_addr(w, STUN_T_XOR_PEER_ADDRESS, &s->peer[which % PEERS]);
			*peers |= 1u << which % PEERS;
		} else if (which < 0xE0) {
			/* values that matter are small, or in the first bytes */
			uint32_t v = rd_u16(&s->r);

			stun_add_u32(w, numbers[which % ARRAY_LEN(numbers)], which & 0x10 ? v << 16 : v);
		} else if (which < 0xF0) {
			stun_add(w, STUN_T_EVEN_PORT, which & 1 ? "\x80" : "\0", 1);
		} else {
			struct str token = rd_str(&s->r, TURN_TOKEN_LEN);

			stun_add_str(w, which & 1 ? STUN_T_RESERVATION_TOKEN : STUN_T_DATA, token);
		}
	}
}

/* Attributes as they come: the script's bytes behind the header. */
static void add_raw(struct script *s)
{
	struct str raw = rd_str(&s->r, rd_u8(&s->r));

	wr_bytes(&s->w->req, raw.p, raw.len);
	wr_zero(&s->w->req, (4 - raw.len % 4) % 4);
	wr_patch16(&s->w->req, 2, (uint16_t)(wr_len(&s->w->req) - STUN_HEADER_LEN));
}

static bool known_now(const struct script *s, int who)
{
	return world_session(s->w, &s->client[who]) != NULL;
}

static void note_grants(struct script *s, int who, unsigned peers)
{
	for (int i = 0; i < PEERS; i++)
		if (peers >> i & 1)
			for (int k = 0; k < PEERS; k++)
				if (addr_ip_eq(&s->peer[i], &s->peer[k]))
					s->granted[who][k] = s->w->env.now;
}

/* Any request that succeeds may have granted any peer that its bytes hold. */
static void act(struct script *s, int who, uint8_t what, bool raw)
{
	struct world *w = s->w;
	unsigned opened = w->n_opened, peers = 0;

	request_begin(s, what);
	if (raw) {
		add_raw(s);
		peers = (1u << PEERS) - 1;
	} else {
		add_some(s, &peers);
	}
	if (what & 0x20)
		world_do(w, &s->client[who]);
	else
		world_ask_plain(w, &s->client[who]);
	if (!(what & 0x20) || w->code == 401 || w->code == 438) {
		BUG_ON(w->n_opened != opened);
		BUG_ON(w->code != 0 && w->code != WORLD_SILENCE && w->raw_len > STRANGER_MAX);
	} else if (w->code == 0) {
		note_grants(s, who, peers);
	}
	if (!known_now(s, who))
		memset(s->granted[who], 0, sizeof s->granted[who]);
}

static void give_bytes(struct script *s, int who)
{
	struct str raw = rd_str(&s->r, rd_u8(&s->r));
	unsigned opened = s->w->n_opened;

	world_give(s->w, &s->client[who].at, raw.p, raw.len);
	BUG_ON(s->w->n_opened != opened); /* nobody guesses an HMAC */
}

static void give_damaged(struct script *s, int who)
{
	unsigned opened = s->w->n_opened;
	uint8_t at = rd_u8(&s->r), flip = rd_u8(&s->r);

	if (!s->w->wire_len || !flip)
		return;
	s->w->wire[at * (s->w->wire_len - 1) / 255] ^= flip;
	world_give(s->w, &s->client[who].at, s->w->wire, s->w->wire_len);
	BUG_ON(s->w->n_opened != opened);
	s->w->wire_len = 0;
}

static void check(struct script *s, int who)
{
	const struct turn_session *t = world_session(s->w, &s->client[who]);
	struct turn_to_peer out;
	struct addr told;
	uint16_t channel;

	for (int i = 0; i < PEERS; i++) {
		bool young = s->granted[who][i] && s->w->env.now < s->granted[who][i] + SEC(300);

		BUG_ON(world_send(s->w, &s->client[who], peer_text[i]) == TURN_ROUTE_OK && !young);
		BUG_ON(t && turn_route_peer(&s->w->env, t, &s->peer[i], &channel, &told) == TURN_ROUTE_OK &&
		       !young);
	}
	for (uint16_t n = 0; t && n < 8; n++) {
		uint16_t number = n < 4 ? (uint16_t)(0x4000 + n) : (uint16_t)(0x4FFF + n - 4);

		if (turn_route_channel(t, number, s->w->env.now, &out) == TURN_ROUTE_OK)
			BUG_ON(number > 0x4FFF || !turn_route_by_number(t, number));
	}
	BUG_ON(world_ports_used(s->w) != s->w->n_legs);
}

static void step(struct script *s)
{
	static const tick times[] = { 1, 250, 1000, SEC(60), SEC(299), SEC(300), SEC(599), SEC(3600) };
	uint8_t what = rd_u8(&s->r);
	int who = what >> 6;

	switch (what & 7) {
	case 0:
		world_pass(s->w, times[what >> 3 & 7]);
		break;
	case 1:
		world_hang(s->w, times[what >> 3 & 7]);
		break;
	case 2:
		give_bytes(s, who);
		break;
	case 3:
		give_damaged(s, who);
		break;
	case 4:
		act(s, who, rd_u8(&s->r), true);
		break;
	default:
		act(s, who, rd_u8(&s->r), false);
	}
	check(s, who);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s = { .r = rd_init(data, size) };

	s.w = world_new(WORLD_CONF "user-quota=2\n");
	s.client[0] = world_client("192.0.2.77:5000", "alice", "wonder");
	s.client[1] = world_client("192.0.2.77:5001", "bob", "builder");
	s.client[2] = world_client("192.0.2.77:5000", "bob", "builder"); /* at another's place */
	s.client[3] = world_guest(s.w, "[2001:db8:2::1]:5000", "carol", "north", 600);
	for (int i = 0; i < PEERS; i++)
		s.peer[i] = world_addr(peer_text[i]);
	for (int n = 0; n < MAX_STEPS && rd_left(&s.r); n++)
		step(&s);
	world_free(s.w);
	return 0;
}
