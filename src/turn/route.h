/*
 * Where data goes: the questions that the packet path asks of a session. No allocation, no
 * clock, nothing changes. Expiry is exact here, whatever the timer wheel has got round to.
 */
#pragma once

#include "turn/session.h"

enum turn_route {
	TURN_ROUTE_OK,
	TURN_ROUTE_NO_CHANNEL,
	TURN_ROUTE_NO_PERMISSION,
	TURN_ROUTE_NO_FAMILY, /* no (more) relayed address of the peer's family */
	TURN_ROUTE_INVALID,   /* a Send indication that is to be discarded */
};

/* A datagram on its way to a peer. */
struct turn_to_peer {
	struct addr to; /* where it really goes */
	bool own;	/* one of our own addresses: only to a live relayed port */
	bool dont_fragment;
	struct str data;
};

/* ChannelData from the client (RFC 8656 s.12.6): fills to and own. */
enum turn_route turn_route_channel(const struct turn_session *s, uint16_t number, tick now,
				   struct turn_to_peer *out);

/* A Send indication from the client (s.11.2): fills *out; data borrows from the message. */
enum turn_route turn_route_send(const struct turn_env *env, const struct turn_session *s,
				const struct stun_msg *ind, struct turn_to_peer *out);

/* A datagram from a peer at one of the session's relayed addresses (s.11.3). *channel is the
 * number to use, or 0 for a Data indication; *peer what the client is to be told. */
enum turn_route turn_route_peer(const struct turn_env *env, const struct turn_session *s,
				const struct addr *from, uint16_t *channel, struct addr *peer);

/* The binding of a number, of a peer, alive or not yet cleared away; or NULL. */
struct turn_chan *turn_route_by_number(const struct turn_session *s, uint16_t number);
struct turn_chan *turn_route_by_peer(const struct turn_env *env, const struct turn_session *s,
				     const struct addr *peer);

/* Clients choose the numbers, but of 4096 only: a multiplicative hash spreads them well. */
static inline uint64_t turn_route_number_hash(uint16_t number)
{
	return (uint64_t)number * UINT64_C(0x9E3779B97F4A7C15) >> 32;
}

enum {
	TURN_DATA_HEADER_V4 = 36, /* header, XOR-PEER-ADDRESS, the header of DATA */
	TURN_DATA_HEADER_V6 = 48,
};

/* Writes all of a Data indication that comes before its `len` bytes of data into buf (room for
 * TURN_DATA_HEADER_V6); returns how many bytes. The data and its padding to four follow. 0: no message can
 * hold so much. */
size_t turn_route_data_header(const struct addr *peer, size_t len, struct rng *rng,
			      uint8_t *buf);

/* A Data indication that tells of an ICMP error (s.11.5), whole. False: not permitted. */
bool turn_route_icmp(const struct turn_env *env, const struct turn_session *s,
		     const struct addr *to, uint8_t type, uint8_t code, uint32_t data,
		     struct wr *out);
