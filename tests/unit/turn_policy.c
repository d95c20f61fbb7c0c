/* src/turn/policy.c: which peers may be reached (RFC 8656 s.21, the registries of RFC 6890). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bug.h"
#include "turn_world.h"

#define BASE "listening-ip=203.0.113.1\nrelay-ip=8.8.4.4\nrealm=r\nuser=a:b\n"

struct row {
	const char *peer;
	enum turn_policy verdict;
};

static void judge(const char *conf_text, const struct row *rows, size_t n)
{
	struct world *w = world_new(conf_text);

	for (size_t i = 0; i < n; i++) {
		struct addr peer = world_addr(rows[i].peer);
		enum turn_policy v;

		peer.port = (uint16_t)(7 * i); /* which never matters */
		v = turn_policy_peer(w->conf, NULL, STR_LIT("r"), &peer);
		if (v != rows[i].verdict)
			fail_msg("%s is %s, not %s", rows[i].peer, turn_policy_text(v),
				 turn_policy_text(rows[i].verdict));
	}
	world_free(w);
}

/* The databases' lists stand behind the configuration's; in each, allowed goes before denied. */
static void test_lists_of_the_databases(void **state)
{
	static const struct row rows[] = {
		{ "8.8.8.8", TURN_POLICY_ALLOW },	/* in no list */
		{ "9.0.0.1", TURN_POLICY_LISTED },	/* denied by the configuration, allowed by a database */
		{ "11.0.0.1", TURN_POLICY_ALLOW },	/* the other way round */
		{ "12.0.0.1", TURN_POLICY_LISTED },	/* denied for the realm */
		{ "12.0.0.2", TURN_POLICY_ALLOW },	/* … but for this one */
		{ "13.0.0.1", TURN_POLICY_LISTED },	/* denied for every realm */
		{ "14.0.0.1", TURN_POLICY_ALLOW },	/* denied for another realm */
		{ "10.1.2.3", TURN_POLICY_ALLOW },	/* private, allowed by a database */
		{ "127.0.0.1", TURN_POLICY_LOOPBACK },	/* has its own switch */
		{ "64:ff9b::c00:1", TURN_POLICY_LISTED }, /* 12.0.0.1 in NAT64's clothes */
	};
	static const struct row without[] = {
		{ "13.0.0.1", TURN_POLICY_ALLOW }, { "10.1.2.3", TURN_POLICY_PRIVATE },
	};
	static const struct {
		const char *realm, *range;
		bool allowed;
	} lists[] = {
		{ "r", "9.0.0.1", true },	 { "r", "11.0.0.0/8", false }, { "r", "12.0.0.0/8", false },
		{ "", "12.0.0.2", true },	 { "", "13.0.0.0/8", false },  { "other", "14.0.0.0/8", false },
		{ "r", "10.0.0.0/8", true }, { "r", "127.0.0.1", true },
	};
	struct world *w = world_new(BASE "denied-peer-ip=9.0.0.0/8\nallowed-peer-ip=11.0.0.0/8\n");
	struct conf_live *l = NULL;

	(void)state;
	assert_int_equal(conf_live_new(&l, w->env.hash_key), OK);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		assert_int_equal(conf_live_add_peer(l, str_of(lists[i].realm), lists[i].allowed,
						    str_of(lists[i].range)),
				 OK);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct addr peer = world_addr(rows[i].peer);
		enum turn_policy v = turn_policy_peer(w->conf, l, STR_LIT("r"), &peer);

		if (v != rows[i].verdict)
			fail_msg("%s is %s, not %s", rows[i].peer, turn_policy_text(v),
				 turn_policy_text(rows[i].verdict));
	}
	world_free(w);

	/* with the option they do not count, neither way */
	w = world_new(BASE "no-dynamic-ip-list\n");
	for (size_t i = 0; i < ARRAY_LEN(without); i++) {
		struct addr peer = world_addr(without[i].peer);

		assert_int_equal(turn_policy_peer(w->conf, l, STR_LIT("r"), &peer), without[i].verdict);
	}
	conf_live_drop(l);
	world_free(w);
}

static void test_own_databases(void **state)
{
	struct world *w = world_new(BASE "allow-private-peers\nallowed-peer-ip=10.0.0.6\nallow-loopback-peers\n");
	static const char *const places[] = { "10.0.0.5", "10.0.0.6", "9.0.0.5", "2a00::5", "127.0.0.1" };
	static const struct row rows[] = {
		{ "10.0.0.5", TURN_POLICY_DATABASE }, /* allow-private-peers does not open it */
		{ "10.0.0.4", TURN_POLICY_ALLOW },    { "10.0.0.6", TURN_POLICY_ALLOW }, /* allowed-peer-ip does */
		{ "9.0.0.5", TURN_POLICY_DATABASE },  { "2a00::5", TURN_POLICY_DATABASE },
		{ "2a00::6", TURN_POLICY_ALLOW },     { "64:ff9b::a00:5", TURN_POLICY_DATABASE },
		{ "127.0.0.1", TURN_POLICY_ALLOW }, /* has its own switch */
	};
	struct conf_live *l = NULL;
	uint64_t digest;

	(void)state;
	assert_int_equal(conf_live_new(&l, w->env.hash_key), OK);
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct addr at = world_addr(places[i]);

		assert_int_equal(conf_live_add_store(l, &at), OK);
		digest = l->digest;
		assert_int_equal(conf_live_add_store(l, &at), OK);
		assert_int_equal(l->digest, digest);
	}
	assert_int_equal(l->stores.n, 4);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct addr peer = world_addr(rows[i].peer);

		assert_int_equal(turn_policy_peer(w->conf, l, STR_LIT("r"), &peer), rows[i].verdict);
	}
	conf_live_drop(l);
	world_free(w);
}

/* The first and last address of each range, and the neighbours that are ordinary. */
static void test_ipv4_by_default(void **state)
{
	static const struct row rows[] = {
		{ "1.0.0.0", TURN_POLICY_ALLOW },
		{ "8.8.8.8", TURN_POLICY_ALLOW },
		{ "0.0.0.0", TURN_POLICY_UNSPECIFIED },
		{ "0.255.255.255", TURN_POLICY_UNSPECIFIED },
		{ "9.255.255.255", TURN_POLICY_ALLOW },
		{ "10.0.0.0", TURN_POLICY_PRIVATE },
		{ "10.255.255.255", TURN_POLICY_PRIVATE },
		{ "11.0.0.0", TURN_POLICY_ALLOW },
		{ "100.63.255.255", TURN_POLICY_ALLOW },
		{ "100.64.0.0", TURN_POLICY_PRIVATE },
		{ "100.100.100.200", TURN_POLICY_METADATA },
		{ "100.127.255.255", TURN_POLICY_PRIVATE },
		{ "100.128.0.0", TURN_POLICY_ALLOW },
		{ "126.255.255.255", TURN_POLICY_ALLOW },
		{ "127.0.0.0", TURN_POLICY_LOOPBACK },
		{ "127.0.0.1", TURN_POLICY_LOOPBACK },
		{ "127.255.255.255", TURN_POLICY_LOOPBACK },
		{ "128.0.0.0", TURN_POLICY_ALLOW },
		{ "168.63.129.16", TURN_POLICY_METADATA },
		{ "168.63.129.17", TURN_POLICY_ALLOW },
		{ "169.253.255.255", TURN_POLICY_ALLOW },
		{ "169.254.0.0", TURN_POLICY_LINK_LOCAL },
		{ "169.254.169.254", TURN_POLICY_METADATA },
		{ "169.254.170.2", TURN_POLICY_METADATA },
		{ "169.254.255.255", TURN_POLICY_LINK_LOCAL },
		{ "169.255.0.0", TURN_POLICY_ALLOW },
		{ "172.15.255.255", TURN_POLICY_ALLOW },
		{ "172.16.0.0", TURN_POLICY_PRIVATE },
		{ "172.31.255.255", TURN_POLICY_PRIVATE },
		{ "172.32.0.0", TURN_POLICY_ALLOW },
		{ "192.0.0.0", TURN_POLICY_SPECIAL },
		{ "192.0.0.192", TURN_POLICY_METADATA },
		{ "192.0.0.255", TURN_POLICY_SPECIAL },
		{ "192.0.1.0", TURN_POLICY_ALLOW },
		{ "192.0.2.5", TURN_POLICY_SPECIAL },
		{ "192.31.196.1", TURN_POLICY_SPECIAL },
		{ "192.52.193.1", TURN_POLICY_SPECIAL },
		{ "192.88.99.1", TURN_POLICY_SPECIAL },
		{ "192.167.255.255", TURN_POLICY_ALLOW },
		{ "192.168.0.0", TURN_POLICY_PRIVATE },
		{ "192.168.255.255", TURN_POLICY_PRIVATE },
		{ "192.169.0.0", TURN_POLICY_ALLOW },
		{ "192.175.48.1", TURN_POLICY_SPECIAL },
		{ "198.17.255.255", TURN_POLICY_ALLOW },
		{ "198.18.0.0", TURN_POLICY_SPECIAL },
		{ "198.19.255.255", TURN_POLICY_SPECIAL },
		{ "198.20.0.0", TURN_POLICY_ALLOW },
		{ "198.51.100.1", TURN_POLICY_SPECIAL },
		{ "203.0.113.9", TURN_POLICY_SPECIAL },
		{ "223.255.255.255", TURN_POLICY_ALLOW },
		{ "224.0.0.0", TURN_POLICY_MULTICAST },
		{ "239.255.255.255", TURN_POLICY_MULTICAST },
		{ "240.0.0.0", TURN_POLICY_SPECIAL },
		{ "255.255.255.254", TURN_POLICY_SPECIAL },
		{ "255.255.255.255", TURN_POLICY_BROADCAST },
		/* the relay's own: where it sends is another question */
		{ "8.8.4.4", TURN_POLICY_OWN },
	};

	(void)state;
	judge(BASE, rows, ARRAY_LEN(rows));
}

static void test_ipv6_by_default(void **state)
{
	static const struct row rows[] = {
		{ "2606:4700::1111", TURN_POLICY_ALLOW },
		{ "2a00:1450:4001::1", TURN_POLICY_ALLOW },
		{ "2001:4860:4860::8888", TURN_POLICY_ALLOW },
		{ "::", TURN_POLICY_UNSPECIFIED },
		{ "::1", TURN_POLICY_LOOPBACK },
		{ "ff02::1", TURN_POLICY_MULTICAST },
		{ "fe80::1", TURN_POLICY_LINK_LOCAL },
		{ "febf:ffff::1", TURN_POLICY_LINK_LOCAL },
		{ "fec0::1", TURN_POLICY_PRIVATE },
		{ "fc00::1", TURN_POLICY_PRIVATE },
		{ "fdff:ffff::1", TURN_POLICY_PRIVATE },
		{ "fd00:ec2::254", TURN_POLICY_METADATA },
		{ "fd20:ce::254", TURN_POLICY_METADATA },
		{ "2001:db8::1", TURN_POLICY_SPECIAL },
		{ "2001:2::1", TURN_POLICY_SPECIAL },
		{ "2001:10::1", TURN_POLICY_SPECIAL },
		{ "2001:20::1", TURN_POLICY_SPECIAL },
		{ "2001:1ff:ffff::1", TURN_POLICY_SPECIAL },
		{ "2001:200::1", TURN_POLICY_ALLOW },
		{ "2620:4f:8000::1", TURN_POLICY_SPECIAL },
		{ "3fff:fff::1", TURN_POLICY_SPECIAL },
		{ "3fff:1000::1", TURN_POLICY_ALLOW },
		{ "5f00::1", TURN_POLICY_SPECIAL },
		{ "100::1", TURN_POLICY_SPECIAL },
		{ "100:0:0:1::1", TURN_POLICY_SPECIAL },
		/* not in the one range from which global unicast is given out, 2000::/3 */
		{ "1fff::1", TURN_POLICY_SPECIAL },
		{ "200::1", TURN_POLICY_SPECIAL },
		{ "4000::1", TURN_POLICY_SPECIAL },
		{ "7fff::1", TURN_POLICY_SPECIAL },
		{ "8000::1", TURN_POLICY_SPECIAL },
		{ "fbff::1", TURN_POLICY_SPECIAL },
		{ "::1:0:0:1", TURN_POLICY_SPECIAL },
		{ "0:0:1::1", TURN_POLICY_SPECIAL },
	};

	(void)state;
	judge(BASE, rows, ARRAY_LEN(rows));
}

/* An IPv4 address in IPv6 clothes is seen through, in each of them. */
static void test_disguises(void **state)
{
	static const struct row rows[] = {
		{ "::ffff:127.0.0.1", TURN_POLICY_DISGUISE },
		{ "::ffff:8.8.8.8", TURN_POLICY_DISGUISE },
		{ "::ffff:0:10.0.0.1", TURN_POLICY_DISGUISE },
		{ "::10.0.0.1", TURN_POLICY_DISGUISE },
		{ "2002:7f00:1::1", TURN_POLICY_DISGUISE },
		{ "2002:808:808::1", TURN_POLICY_DISGUISE },
		{ "2001:0:808:808::1", TURN_POLICY_DISGUISE },
		{ "64:ff9b:1::10.0.0.1", TURN_POLICY_DISGUISE },
		/* NAT64's well-known prefix: as what is inside */
		{ "64:ff9b::8.8.8.8", TURN_POLICY_ALLOW },
		{ "64:ff9b::10.0.0.1", TURN_POLICY_PRIVATE },
		{ "64:ff9b::127.0.0.1", TURN_POLICY_LOOPBACK },
		{ "64:ff9b::169.254.169.254", TURN_POLICY_METADATA },
		{ "64:ff9b::0.0.0.0", TURN_POLICY_UNSPECIFIED },
		{ "64:ff9b::255.255.255.255", TURN_POLICY_BROADCAST },
		{ "64:ff9b::8.8.4.4", TURN_POLICY_DISGUISE }, /* ourselves */
		/* ISATAP, in anybody's prefix */
		{ "2a00:1450::5efe:10.0.0.1", TURN_POLICY_PRIVATE },
		{ "2a00:1450::200:5efe:127.0.0.1", TURN_POLICY_LOOPBACK },
		{ "2a00:1450::5efe:8.8.8.8", TURN_POLICY_ALLOW },
	};

	(void)state;
	judge(BASE, rows, ARRAY_LEN(rows));
}

/* Where a list allows the clothes, the address inside still has to pass. */
static void test_allowed_disguises(void **state)
{
	static const struct row rows[] = {
		{ "::ffff:8.8.8.8", TURN_POLICY_ALLOW },
		{ "::ffff:10.0.0.1", TURN_POLICY_PRIVATE },
		{ "::ffff:127.0.0.1", TURN_POLICY_LOOPBACK },
		{ "2002:808:808::1", TURN_POLICY_ALLOW },
		{ "2002:a00:1::1", TURN_POLICY_PRIVATE },
		{ "2001:0:a00:1::1", TURN_POLICY_PRIVATE },		/* Teredo: the server */
		{ "2001:0:808:808::f5ff:fffe", TURN_POLICY_PRIVATE },	/* … the client, inverted */
		{ "2001:0:808:808::f7f7:f7f7", TURN_POLICY_ALLOW },
		{ "64:ff9b:1:808:8:800:a00:1", TURN_POLICY_PRIVATE },
		{ "64:ff9b:1::10.0.0.1", TURN_POLICY_UNSPECIFIED }, /* 0.0.0.0 of 48 bits */
		{ "64:ff9b:1:a00:0:100:0:0", TURN_POLICY_PRIVATE }, /* RFC 6052 s.2.2, 48 bits */
	};

	(void)state;
	judge(BASE "allowed-peer-ip=::ffff:0:0/96\nallowed-peer-ip=2002::/16\nallowed-peer-ip=2001::/32\n"
		   "allowed-peer-ip=64:ff9b:1::/48\n",
	      rows, ARRAY_LEN(rows));
}

/* allowed-peer-ip, then denied-peer-ip, then the defaults; four kinds need their own switch. */
static void test_lists(void **state)
{
	static const struct row rows[] = {
		{ "10.1.2.3", TURN_POLICY_ALLOW },
		{ "10.1.3.3", TURN_POLICY_PRIVATE },
		{ "9.9.9.9", TURN_POLICY_LISTED },
		{ "9.9.9.10", TURN_POLICY_ALLOW },
		{ "9.9.10.1", TURN_POLICY_ALLOW },
		{ "2606:4700::9", TURN_POLICY_LISTED },
		{ "127.0.0.1", TURN_POLICY_LOOPBACK },
		{ "0.0.0.0", TURN_POLICY_UNSPECIFIED },
		{ "224.0.0.5", TURN_POLICY_MULTICAST },
		{ "255.255.255.255", TURN_POLICY_BROADCAST },
		{ "169.254.169.254", TURN_POLICY_ALLOW },
		{ "::1", TURN_POLICY_LOOPBACK },
	};

	(void)state;
	judge(BASE "allowed-peer-ip=10.1.2.0/24\ndenied-peer-ip=9.9.9.0-9.9.9.255\nallowed-peer-ip=9.9.9.10\n"
		   "denied-peer-ip=2606:4700::/32\nallowed-peer-ip=127.0.0.0/8\nallowed-peer-ip=0.0.0.0/8\n"
		   "allowed-peer-ip=224.0.0.0/4\nallowed-peer-ip=255.255.255.255\nallowed-peer-ip=::1\n"
		   "allowed-peer-ip=169.254.169.254\n",
	      rows, ARRAY_LEN(rows));
}

static void test_private_switch(void **state)
{
	static const struct row rows[] = {
		{ "10.0.0.1", TURN_POLICY_ALLOW },
		{ "192.168.1.1", TURN_POLICY_ALLOW },
		{ "100.64.0.1", TURN_POLICY_ALLOW },
		{ "fd00::1", TURN_POLICY_ALLOW },
		{ "64:ff9b::10.0.0.1", TURN_POLICY_ALLOW },
		{ "172.16.5.5", TURN_POLICY_LISTED },
		{ "169.254.1.1", TURN_POLICY_LINK_LOCAL },
		{ "100.100.100.200", TURN_POLICY_METADATA },
		{ "fd00:ec2::254", TURN_POLICY_METADATA },
		{ "::ffff:10.0.0.1", TURN_POLICY_DISGUISE },
		{ "127.0.0.1", TURN_POLICY_LOOPBACK },
	};

	(void)state;
	judge(BASE "allow-private-peers\ndenied-peer-ip=172.16.0.0/12\n", rows, ARRAY_LEN(rows));
}

static void test_loopback_and_multicast_switches(void **state)
{
	static const struct row rows[] = {
		{ "127.0.0.1", TURN_POLICY_ALLOW },
		{ "0.0.0.0", TURN_POLICY_ALLOW },
		{ "::1", TURN_POLICY_ALLOW },
		{ "::", TURN_POLICY_ALLOW },
		{ "224.0.0.1", TURN_POLICY_ALLOW },
		{ "255.255.255.255", TURN_POLICY_ALLOW },
		{ "ff02::1", TURN_POLICY_ALLOW },
		{ "127.0.0.9", TURN_POLICY_LISTED },
		{ "10.0.0.1", TURN_POLICY_PRIVATE },
	};

	(void)state;
	judge(BASE "allow-loopback-peers\nallow-multicast-peers\ndenied-peer-ip=127.0.0.9\n", rows,
	      ARRAY_LEN(rows));
}

/* Behind a NAT both names of a relay are our own, and each side sees the outer one. */
static void test_own_addresses(void **state)
{
	static const struct row rows[] = {
		{ "10.0.0.5", TURN_POLICY_OWN },
		{ "9.9.9.5", TURN_POLICY_OWN },
		{ "10.0.0.6", TURN_POLICY_PRIVATE },
	};
	const struct addr outer = world_addr("9.9.9.5:50001"), inner = world_addr("10.0.0.5:50001");
	const struct addr other = world_addr("8.8.8.8:50001");
	static const char conf[] = "listening-ip=10.0.0.5\nrealm=r\nuser=a:b\nexternal-ip=9.9.9.5/10.0.0.5\n";
	struct world *w = world_new(conf);
	struct addr a;

	(void)state;
	a = turn_policy_inward(w->conf, &outer);
	assert_true(addr_eq(&a, &inner));
	a = turn_policy_inward(w->conf, &other);
	assert_true(addr_eq(&a, &other));
	a = turn_policy_outward(w->conf, &inner);
	assert_true(addr_eq(&a, &outer));
	a = turn_policy_outward(w->conf, &other);
	assert_true(addr_eq(&a, &other));
	world_free(w);
	judge(conf, rows, ARRAY_LEN(rows));
}

/* Each class has a word, and an option that exists. */
static void test_words(void **state)
{
	(void)state;
	for (int i = 0; i <= N_TURN_POLICY; i++) {
		assert_true(strlen(turn_policy_text((enum turn_policy)i)) > 2);
		assert_true(strlen(turn_policy_option((enum turn_policy)i)) > 3);
	}
	assert_string_equal(turn_policy_option(TURN_POLICY_PRIVATE), "allow-private-peers");
	assert_string_equal(turn_policy_option(TURN_POLICY_LOOPBACK), "allow-loopback-peers");
	assert_string_equal(turn_policy_option(TURN_POLICY_LINK_LOCAL), "allowed-peer-ip");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists_of_the_databases),
		cmocka_unit_test(test_own_databases),
		cmocka_unit_test(test_ipv4_by_default),
		cmocka_unit_test(test_ipv6_by_default),
		cmocka_unit_test(test_disguises),
		cmocka_unit_test(test_allowed_disguises),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_private_switch),
		cmocka_unit_test(test_loopback_and_multicast_switches),
		cmocka_unit_test(test_own_addresses),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests_name("turn_policy", tests, NULL, NULL);
}
