/* Chance makes requests for the simulation: mostly good ones, and each kind of bad one. */
#pragma once

#include "base/rng.h"
#include "turn_model.h"

enum { DRAW_PEERS = 12, DRAW_NUMBERS = 6 };

/* The peers that are spoken of, some of them denied; the channels in use, some out of range. */
extern const char *const draw_peer_text[DRAW_PEERS];
extern const int draw_numbers[DRAW_NUMBERS];

/* A request of this client, all but its transaction id. peer: draw_peer_text as addresses. */
void draw_request(struct rng *rng, struct model *m, const struct addr *peer, int client,
		  struct model_ask *a);
