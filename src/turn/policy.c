#include "turn/policy.h"

#include <string.h>

#include "base/bug.h"

/* A row of IANA's special-purpose registries (RFC 6890 and its successors), in search order: the
 * first that matches decides. */
struct range {
	uint8_t ip[16];
	uint8_t bits;
	uint8_t verdict; /* enum turn_policy */
};

static const struct range v4_ranges[] = {
	{ { 169, 254, 169, 254 }, 32, TURN_POLICY_METADATA }, /* AWS, GCP, Azure, … */
	{ { 169, 254, 170, 2 }, 32, TURN_POLICY_METADATA },   /* AWS ECS */
	{ { 100, 100, 100, 200 }, 32, TURN_POLICY_METADATA }, /* Alibaba */
	{ { 168, 63, 129, 16 }, 32, TURN_POLICY_METADATA },   /* Azure's host agent */
	{ { 192, 0, 0, 192 }, 32, TURN_POLICY_METADATA },     /* Oracle */
	{ { 0, 0, 0, 0 }, 8, TURN_POLICY_UNSPECIFIED }, /* "this network", reaches this host */
	{ { 127, 0, 0, 0 }, 8, TURN_POLICY_LOOPBACK },
	{ { 224, 0, 0, 0 }, 4, TURN_POLICY_MULTICAST },
	{ { 255, 255, 255, 255 }, 32, TURN_POLICY_BROADCAST },
	{ { 169, 254, 0, 0 }, 16, TURN_POLICY_LINK_LOCAL },
	{ { 10, 0, 0, 0 }, 8, TURN_POLICY_PRIVATE },
	{ { 100, 64, 0, 0 }, 10, TURN_POLICY_PRIVATE }, /* carrier NAT, RFC 6598 */
	{ { 172, 16, 0, 0 }, 12, TURN_POLICY_PRIVATE },
	{ { 192, 168, 0, 0 }, 16, TURN_POLICY_PRIVATE },
	{ { 192, 0, 0, 0 }, 24, TURN_POLICY_SPECIAL },	  /* IETF protocol assignments */
	{ { 192, 0, 2, 0 }, 24, TURN_POLICY_SPECIAL },	  /* TEST-NET-1 */
	{ { 192, 31, 196, 0 }, 24, TURN_POLICY_SPECIAL }, /* AS112 */
	{ { 192, 52, 193, 0 }, 24, TURN_POLICY_SPECIAL }, /* AMT */
	{ { 192, 88, 99, 0 }, 24, TURN_POLICY_SPECIAL },  /* 6to4 relay anycast */
	{ { 192, 175, 48, 0 }, 24, TURN_POLICY_SPECIAL }, /* AS112 */
	{ { 198, 18, 0, 0 }, 15, TURN_POLICY_SPECIAL },	  /* benchmarking */
	{ { 198, 51, 100, 0 }, 24, TURN_POLICY_SPECIAL }, /* TEST-NET-2 */
	{ { 203, 0, 113, 0 }, 24, TURN_POLICY_SPECIAL },  /* TEST-NET-3 */
	{ { 240, 0, 0, 0 }, 4, TURN_POLICY_SPECIAL },	  /* reserved */
};

static const struct range v6_ranges[] = {
	{ { 0 }, 128, TURN_POLICY_UNSPECIFIED },
	{ { [15] = 1 }, 128, TURN_POLICY_LOOPBACK },
	{ { 0xff }, 8, TURN_POLICY_MULTICAST },
	{ { 0xfe, 0x80 }, 10, TURN_POLICY_LINK_LOCAL },
	{ { 0xfd, 0x00, 0x0e, 0xc2 }, 32, TURN_POLICY_METADATA },   /* AWS fd00:ec2:: */
	{ { 0xfd, 0x20, 0x00, 0xce }, 32, TURN_POLICY_METADATA },   /* GCP fd20:ce:: */
	{ { 0xfc }, 7, TURN_POLICY_PRIVATE },			    /* unique local */
	{ { 0xfe, 0xc0 }, 10, TURN_POLICY_PRIVATE },		    /* site-local, deprecated */
	{ { [10] = 0xff, [11] = 0xff }, 96, TURN_POLICY_DISGUISE }, /* IPv4-mapped */
	{ { [8] = 0xff, [9] = 0xff }, 96, TURN_POLICY_DISGUISE },   /* IPv4-translated, SIIT */
	{ { 0 }, 96, TURN_POLICY_DISGUISE },			    /* IPv4-compatible */
	{ { 0x20, 0x01, 0, 0 }, 32, TURN_POLICY_DISGUISE },	    /* Teredo */
	{ { 0x20, 0x02 }, 16, TURN_POLICY_DISGUISE },		    /* 6to4 */
	{ { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48, TURN_POLICY_DISGUISE }, /* local NAT64 */
	{ { 0x00, 0x64, 0xff, 0x9b }, 96, TURN_POLICY_ALLOW },	 /* NAT64: see embedded() */
	{ { 0x20, 0x01 }, 23, TURN_POLICY_SPECIAL },		 /* IETF protocol assignments */
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32, TURN_POLICY_SPECIAL }, /* documentation */
	{ { 0x3f, 0xff }, 20, TURN_POLICY_SPECIAL },		 /* documentation, RFC 9637 */
	{ { 0x26, 0x20, 0x00, 0x4f, 0x80, 0x00 }, 48, TURN_POLICY_SPECIAL }, /* AS112 */
	/* IANA gives out global unicast from 2000::/3; in the rest of the space are SRv6 SIDs
	 * (5f00::/16), discard-only and dummy prefixes (100::/32), and nothing else that is global */
	{ { 0x00 }, 3, TURN_POLICY_SPECIAL },
	{ { 0x40 }, 2, TURN_POLICY_SPECIAL },
	{ { 0x80 }, 1, TURN_POLICY_SPECIAL },
};

static bool in_range(const struct range *r, const uint8_t *ip)
{
	size_t whole = r->bits / 8;
	uint8_t mask = (uint8_t)(0xff00 >> r->bits % 8);

	return memcmp(r->ip, ip, whole) == 0 &&
	       (mask == 0 || ((r->ip[whole] ^ ip[whole]) & mask) == 0);
}

static enum turn_policy classify(const struct addr *a)
{
	const struct range *r = a->family == ADDR_V4 ? v4_ranges : v6_ranges;
	size_t n = a->family == ADDR_V4 ? ARRAY_LEN(v4_ranges) : ARRAY_LEN(v6_ranges);

	for (size_t i = 0; i < n; i++)
		if (in_range(&r[i], a->ip))
			return r[i].verdict;
	return TURN_POLICY_ALLOW;
}

static struct addr v4_from(const uint8_t *ip, uint8_t flip)
{
	struct addr a = { .family = ADDR_V4 };

	for (int i = 0; i < 4; i++)
		a.ip[i] = ip[i] ^ flip;
	return a;
}

/* ISATAP interface identifiers, RFC 5214 s.6.1: ::0:5efe:v4 and ::200:5efe:v4 */
static bool is_isatap(const uint8_t *ip)
{
	return (ip[8] & 0xfd) == 0 && ip[9] == 0 && ip[10] == 0x5e && ip[11] == 0xfe;
}

/*
 * The IPv4 addresses that an IPv6 address carries inside; at most two (Teredo has its server and
 * its client). NAT64's well-known prefix is an ordinary way out of an IPv6-only network, so it is
 * judged by what is inside; the other forms are denied as DISGUISE besides.
 */
static size_t embedded(const struct addr *a, struct addr out[2])
{
	static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
	static const uint8_t nat64_local[6] = { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 };
	static const uint8_t zero[8];
	const uint8_t *ip = a->ip;

	if (a->family != ADDR_V6)
		return 0;
	if (memcmp(ip, nat64, sizeof nat64) == 0 || memcmp(ip, zero, 8) == 0 || is_isatap(ip)) {
		out[0] = v4_from(ip + 12, 0);
		return 1;
	}
	if (memcmp(ip, nat64_local, sizeof nat64_local) == 0) {
		/* RFC 6052 s.2.2, prefix of 48 bits: bytes 6, 7, 9, 10; or of 96 */
		out[0] = v4_from((const uint8_t[]){ ip[6], ip[7], ip[9], ip[10] }, 0);
		out[1] = v4_from(ip + 12, 0);
		return 2;
	}
	if (ip[0] == 0x20 && ip[1] == 0x02) {
		out[0] = v4_from(ip + 2, 0);
		return 1;
	}
	if (ip[0] == 0x20 && ip[1] == 0x01 && ip[2] == 0 && ip[3] == 0) {
		out[0] = v4_from(ip + 4, 0);
		out[1] = v4_from(ip + 12, 0xff); /* RFC 4380 s.4: inverted */
		return 2;
	}
	return 0;
}

/* Relay, external and listening addresses: a relayed port may be live at the first two, and at the
 * others nothing is for peers. */
static bool is_own(const struct conf *conf, const struct addr *a)
{
	for (size_t i = 0; i < conf->n_listeners; i++)
		if (addr_ip_eq(&conf->listeners[i], a))
			return true;
	for (size_t i = 0; i < conf->n_relays; i++)
		if (addr_ip_eq(&conf->relays[i].inner, a) ||
		    addr_ip_eq(&conf->relays[i].outer, a))
			return true;
	for (size_t i = 0; i < conf->n_locals; i++)
		if (addr_ip_eq(&conf->locals[i], a))
			return true;
	for (size_t i = 0; i < conf->n_externals; i++)
		if (addr_ip_eq(&conf->externals[i], a))
			return true;
	return false;
}

/* The classes that a list cannot open, only their own switch. */
static bool switched_off(const struct conf *conf, enum turn_policy class)
{
	switch (class) {
	case TURN_POLICY_UNSPECIFIED:
	case TURN_POLICY_LOOPBACK:
		return !conf->allow_loopback_peers;
	case TURN_POLICY_MULTICAST:
	case TURN_POLICY_BROADCAST:
		return !conf->allow_multicast_peers;
	default:
		return false;
	}
}

/* Whose lists are asked. */
struct lists {
	const struct conf *conf;
	const struct conf_live *live;
	const struct conf_live_realm *realm, *all; /* of the databases: this realm's, and every realm's; or NULL */
};

/* The databases' lists, which stand behind the configuration's: allowed before denied, as there. */
static bool is_listed(const struct lists *l, const struct addr *a, enum turn_policy *verdict)
{
	*verdict = TURN_POLICY_ALLOW;
	if ((l->realm && prefix_has(&l->realm->allowed, a)) ||
	    (l->all && prefix_has(&l->all->allowed, a)))
		return true;
	*verdict = TURN_POLICY_LISTED;
	return (l->realm && prefix_has(&l->realm->denied, a)) ||
	       (l->all && prefix_has(&l->all->denied, a));
}

static enum turn_policy judge(const struct lists *l, const struct addr *a)
{
	enum turn_policy class = classify(a), listed;
	const struct conf *conf = l->conf;

	if (switched_off(conf, class))
		return class;
	if (prefix_has(&conf->allowed, a))
		return TURN_POLICY_ALLOW;
	if (prefix_has(&conf->denied, a))
		return TURN_POLICY_LISTED;
	if (is_listed(l, a, &listed))
		return listed;
	if (conf_live_is_store(l->live, a))
		return TURN_POLICY_DATABASE;
	switch (class) {
	case TURN_POLICY_UNSPECIFIED:
	case TURN_POLICY_LOOPBACK:
	case TURN_POLICY_MULTICAST:
	case TURN_POLICY_BROADCAST:
		return TURN_POLICY_ALLOW; /* the switch is on, or we would not be here */
	case TURN_POLICY_PRIVATE:
		return conf->allow_private_peers ? TURN_POLICY_ALLOW : class;
	default:
		return class;
	}
}

enum turn_policy turn_policy_peer(const struct conf *conf, const struct conf_live *live,
				  struct str realm, const struct addr *peer)
{
	const struct conf_live *lists_of = conf->no_dynamic_ip_list ? NULL : live;
	const struct lists lists = { conf, live, conf_live_find_realm(lists_of, realm),
				     conf_live_find_realm(lists_of, STR_LIT("")) };
	struct addr ip = *peer, inside[2];
	enum turn_policy verdict;
	size_t n;

	ip.port = 0;
	/* An own loopback address is for tests on one host: its switch opens all of it. */
	if (is_own(conf, &ip) && !(addr_is_loopback(&ip) && conf->allow_loopback_peers))
		return TURN_POLICY_OWN;
	verdict = judge(&lists, &ip);
	if (turn_policy_denies(verdict))
		return verdict;
	n = embedded(&ip, inside);
	for (size_t i = 0; i < n; i++) {
		enum turn_policy inner = is_own(conf, &inside[i]) ? TURN_POLICY_DISGUISE
								  : judge(&lists, &inside[i]);
		/* Wrapped in an address that allowed-peer-ip names, the inside still has to pass. */
		if (turn_policy_denies(inner) && !addr_is_loopback(&ip))
			return inner;
	}
	return verdict;
}

enum turn_policy turn_policy_connect(const struct conf *conf, const struct conf_live *live,
				     struct str realm, const struct addr *peer)
{
	enum turn_policy verdict = turn_policy_peer(conf, live, realm, peer);

	if (turn_policy_denies(verdict) || !conf->has_http || peer->port != conf->http.port)
		return verdict;
	for (size_t i = 0; i < conf->n_http_places; i++)
		if (addr_ip_eq(&conf->http_places[i], peer))
			return TURN_POLICY_STATS;
	return verdict;
}

bool turn_policy_is_tunnel(const struct addr *client)
{
	const uint8_t *ip = client->ip;

	if (client->family != ADDR_V6 || ip[0] != 0x20)
		return false;
	return ip[1] == 0x02 || (ip[1] == 0x01 && ip[2] == 0 && ip[3] == 0);
}

static const struct {
	const char *text, *option;
} words[N_TURN_POLICY] = {
	[TURN_POLICY_ALLOW] = { "allowed", "none" },
	[TURN_POLICY_OWN] = { "own", "none" },
	[TURN_POLICY_UNSPECIFIED] = { "unspecified", "allow-loopback-peers" },
	[TURN_POLICY_LOOPBACK] = { "loopback", "allow-loopback-peers" },
	[TURN_POLICY_MULTICAST] = { "multicast", "allow-multicast-peers" },
	[TURN_POLICY_BROADCAST] = { "broadcast", "allow-multicast-peers" },
	[TURN_POLICY_LINK_LOCAL] = { "link_local", "allowed-peer-ip" },
	[TURN_POLICY_METADATA] = { "cloud_metadata", "allowed-peer-ip" },
	[TURN_POLICY_PRIVATE] = { "private", "allow-private-peers" },
	[TURN_POLICY_SPECIAL] = { "special_purpose", "allowed-peer-ip" },
	[TURN_POLICY_DISGUISE] = { "ipv4_in_ipv6", "allowed-peer-ip" },
	[TURN_POLICY_DATABASE] = { "database", "allowed-peer-ip" },
	[TURN_POLICY_STATS] = { "stats_port", "none" },
	[TURN_POLICY_LISTED] = { "denied_peer_ip", "allowed-peer-ip" },
};

const char *turn_policy_text(enum turn_policy p)
{
	return (unsigned)p < N_TURN_POLICY ? words[p].text : "unknown";
}

const char *turn_policy_option(enum turn_policy p)
{
	return (unsigned)p < N_TURN_POLICY ? words[p].option : "none";
}

struct addr turn_policy_inward(const struct conf *conf, const struct addr *peer)
{
	struct addr a = *peer;

	for (size_t i = 0; i < conf->n_relays; i++)
		if (addr_ip_eq(&conf->relays[i].outer, peer)) {
			memcpy(a.ip, conf->relays[i].inner.ip, sizeof a.ip);
			a.family = conf->relays[i].inner.family;
			break;
		}
	return a;
}

struct addr turn_policy_outward(const struct conf *conf, const struct addr *from)
{
	struct addr a = *from;

	for (size_t i = 0; i < conf->n_relays; i++)
		if (addr_ip_eq(&conf->relays[i].inner, from)) {
			memcpy(a.ip, conf->relays[i].outer.ip, sizeof a.ip);
			a.family = conf->relays[i].outer.family;
			break;
		}
	return a;
}
