/*
 * Which peers may be reached. Denied by default is everything that is not an ordinary global
 * unicast address, in every disguise; the order is: this server's own addresses, then
 * allowed-peer-ip and denied-peer-ip of the configuration, the same of the databases, the defaults. Loopback, unspecified, multicast and broadcast
 * need their own switch besides. Pure; any thread.
 */
#pragma once

#include <stdbool.h>

#include "conf/conf.h"
#include "conf/live.h"

enum turn_policy {
	TURN_POLICY_ALLOW,
	TURN_POLICY_OWN, /* a relay, external or listening address of ours: live relayed ports only */
	/* denied, by what: */
	TURN_POLICY_UNSPECIFIED,
	TURN_POLICY_LOOPBACK,
	TURN_POLICY_MULTICAST,
	TURN_POLICY_BROADCAST,
	TURN_POLICY_LINK_LOCAL,
	TURN_POLICY_METADATA,
	TURN_POLICY_PRIVATE,
	TURN_POLICY_SPECIAL,  /* any other special-purpose range of IANA's registries */
	TURN_POLICY_DISGUISE, /* IPv4 in IPv6: mapped, compatible, 6to4, Teredo, ISATAP */
	TURN_POLICY_DATABASE, /* one of this server's own databases */
	TURN_POLICY_STATS,    /* this server's stats port */
	TURN_POLICY_LISTED,   /* denied-peer-ip, of the configuration or of a database */
	N_TURN_POLICY
};

static inline bool turn_policy_denies(enum turn_policy p)
{
	return p > TURN_POLICY_OWN;
}

/* Judges the IP of `peer`; its port does not matter. `live` is what the databases say, or NULL; of their
 * lists those of `realm` hold, and of all realms. */
enum turn_policy turn_policy_peer(const struct conf *conf, const struct conf_live *live,
				  struct str realm, const struct addr *peer);

/* The same for a TCP connection to `peer`: its port matters, too. */
enum turn_policy turn_policy_connect(const struct conf *conf, const struct conf_live *live,
				     struct str realm, const struct addr *peer);

/* True for addresses from which RFC 8656 s.21.4 forbids allocations: Teredo and 6to4. */
bool turn_policy_is_tunnel(const struct addr *client);

/* A word for the log ("loopback") and the option that would allow it ("allow-loopback-peers"). */
const char *turn_policy_text(enum turn_policy p);
const char *turn_policy_option(enum turn_policy p);

/* Where a datagram for `peer` really goes: the inner address when `peer` is one of our external
 * ones, else `peer` itself. */
struct addr turn_policy_inward(const struct conf *conf, const struct addr *peer);

/* What clients call the source of a datagram: the external address when `from` is one of our
 * inner relay addresses, else `from` itself. */
struct addr turn_policy_outward(const struct conf *conf, const struct addr *from);
