/*
 * What RFC 8656 promises, written down a second time and as plainly as possible: arrays, linear
 * search, times that are compared and nothing that ticks. The simulation asks it what a request
 * must be answered, and whether a datagram may pass. It shares no code with src/turn.
 */
#pragma once

#include "base/addr.h"
#include "base/tick.h"

enum {
	MODEL_CLIENTS = 40,
	MODEL_PERMS = 64,
	MODEL_CHANS = 64,
	MODEL_PORTS = 16,
	MODEL_FIRST_PORT = 50000,
	MODEL_PEERS = 3, /* in one request */
	MODEL_USER_QUOTA = 6,
	MODEL_CREDS = 6,
};

struct model_cred {
	char name[64], password[64], account[32];
	bool known;
	int64_t expires_s; /* 0: never */
};

/* A request as its sender means it. */
struct model_ask {
	uint16_t method;
	uint8_t txid[12];
	int cred; /* -1: none at all */
	bool wrong_password, wrong_nonce;
	bool unknown; /* an attribute that nobody knows */
	int64_t lifetime; /* -1: none */
	int transport; /* -1: none */
	uint8_t family, additional; /* as on the wire; 0: none */
	bool even, reserve, token;
	uint8_t token_value[8];
	struct addr peer[MODEL_PEERS];
	int n_peers;
	bool odd_peer; /* one more, malformed */
	int number; /* -1: none */
};

struct model_session {
	bool open;
	int cred;
	uint8_t txid[12];
	bool has_token;
	uint8_t token[8];
	struct {
		bool live;
		tick until;
		int port;
	} leg[2]; /* IPv4, IPv6 */
	struct {
		struct addr ip;
		tick until;
	} perm[MODEL_PERMS];
	int n_perms;
	struct {
		struct addr peer;
		int number;
		tick until;
	} chan[MODEL_CHANS];
	int n_chans;
};

struct model {
	tick now;
	int64_t wall_s;
	struct model_cred cred[MODEL_CREDS];
	struct model_session session[MODEL_CLIENTS];
	int64_t nonce_s[MODEL_CLIENTS]; /* when the client's nonce was made; < 0: it has none */
	struct {
		int owner; /* a client, or -1 */
		tick reserved_until;
		uint8_t token[8];
	} port[2][MODEL_PORTS];
	/* what the last success must have said */
	uint32_t lifetime_s;
	bool opened; /* an allocation that was not there: see model_opened() */
	bool want[2];
};

void model_init(struct model *m);

/* The clock; what is over is over. */
void model_at(struct model *m, tick now, int64_t wall_s);

/* The session, or NULL. */
struct model_session *model_live(struct model *m, int client);

/* The code that the request must get, and its effects. */
unsigned model_ask(struct model *m, int client, const struct model_ask *a);

/* After a success with m->opened: one relayed address that the answer named. False: it cannot
 * have been free, or is not what was asked for. */
bool model_opened(struct model *m, int client, const struct model_ask *a, int leg, int port);

/* The token that came with it. */
void model_reserved(struct model *m, int client, const uint8_t token[8]);

/* May data go to, or come from, this peer? *number: its channel, or 0. */
bool model_data(struct model *m, int client, const struct addr *peer, int *number);

/* Where data on a channel goes, or NULL. */
const struct addr *model_channel(struct model *m, int client, int number);

/* A moment at which something of the client's ends, or 0. */
tick model_some_end(struct model *m, int client, uint32_t chance);
