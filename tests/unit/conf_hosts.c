/* The host's addresses and its resolver are played here: the linker takes these functions
 * before the C library's. */
#include "conf_said.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>

static const struct {
	const char *ip;
	unsigned flags;
} host_lan[] = {
	{ "127.0.0.1", IFF_UP | IFF_LOOPBACK },
	{ "::1", IFF_UP | IFF_LOOPBACK },
	{ "10.0.0.7", IFF_UP },
	{ "2001:db8::7", IFF_UP },
	{ "fe80::7", IFF_UP },
	{ "169.254.3.4", IFF_UP },
	{ "10.9.9.9", 0 },
	{ "192.168.1.7", IFF_UP },
};

/* How many of host_lan there are: 2 is a host with loopback alone, 0 one with nothing. */
static size_t n_host = ARRAY_LEN(host_lan);

static void to_sockaddr(const char *ip, struct sockaddr_storage *ss)
{
	struct addr a;

	assert_int_equal(addr_parse_ip(str_of(ip), &a), OK);
	addr_to_sa(&a, ss);
}

int getifaddrs(struct ifaddrs **out)
{
	struct {
		struct ifaddrs i;
		struct sockaddr_storage ss;
	} *all = calloc(n_host + 1, sizeof *all);

	assert_non_null(all);
	/* the first has no address, as tunnels may; the real ones follow */
	for (size_t i = 0; i < n_host; i++) {
		to_sockaddr(host_lan[i].ip, &all[i + 1].ss);
		all[i].i.ifa_next = &all[i + 1].i;
		all[i + 1].i.ifa_addr = (struct sockaddr *)&all[i + 1].ss;
		all[i + 1].i.ifa_flags = host_lan[i].flags;
	}
	*out = &all[0].i;
	return 0;
}

void freeifaddrs(struct ifaddrs *all)
{
	free(all);
}

/* "four" and "both" have an IPv4 address, "six" and "both" an IPv6 one; nothing else exists. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **out)
{
	bool v4 = hints->ai_family == AF_INET;
	struct {
		struct addrinfo ai;
		struct sockaddr_storage ss;
	} * found;

	(void)service;
	if (strcmp(node, "both") != 0 && strcmp(node, v4 ? "four" : "six") != 0)
		return EAI_NONAME;
	found = calloc(1, sizeof *found);
	assert_non_null(found);
	to_sockaddr(v4 ? "203.0.113.44" : "2001:db8:44::44", &found->ss);
	found->ai.ai_addr = (struct sockaddr *)&found->ss;
	*out = &found->ai;
	return 0;
}

void freeaddrinfo(struct addrinfo *ai)
{
	free(ai);
}

/* "10.0.0.7 2001:db8::7" of what the configuration derived. */
static void print_addrs(const struct addr *a, size_t n_addrs, char *out, size_t cap)
{
	*out = '\0';
	for (size_t i = 0; i < n_addrs; i++) {
		char text[ADDR_TEXT_LEN];
		size_t n = strlen(out);

		snprintf(out + n, cap - n, "%s%s", i ? " " : "",
			 addr_print(&a[i], text));
	}
}

static void print_listeners(const struct conf *c, char *out, size_t cap)
{
	print_addrs(c->listeners, c->n_listeners, out, cap);
}

/* "INNER or OUTER/INNER" each. */
static void print_relays(const struct conf *c, char *out, size_t cap)
{
	*out = '\0';
	for (size_t i = 0; i < c->n_relays; i++) {
		char inner[ADDR_IP_TEXT], outer[ADDR_IP_TEXT];
		bool same = addr_eq(&c->relays[i].inner, &c->relays[i].outer);
		size_t n = strlen(out);

		assert_int_equal(c->relays[i].inner.port, 0);
		assert_int_equal(c->relays[i].outer.port, 0);
		addr_print_ip(&c->relays[i].inner, inner);
		addr_print_ip(&c->relays[i].outer, outer);
		snprintf(out + n, cap - n, "%s%s%s%s", i ? " " : "", same ? "" : outer,
			 same ? "" : "/", inner);
	}
}

static void listeners_and_relays(void **state)
{
	static const struct {
		const char *text, *listeners, *relays;
	} row[] = {
		{ "", "10.0.0.7:3478 [2001:db8::7]:3478 192.168.1.7:3478",
		  "10.0.0.7 2001:db8::7 192.168.1.7" },
		{ "listening-ip=192.0.2.1\nlistening-port=99\n", "192.0.2.1:99", "192.0.2.1" },
		{ "listening-ip=127.0.0.1\n", "127.0.0.1:3478", "127.0.0.1" },
		{ "listening-ip=0.0.0.0\n", "0.0.0.0:3478", "10.0.0.7 192.168.1.7" },
		{ "listening-ip=::\n", "[::]:3478", "2001:db8::7" },
		{ "listening-ip=0.0.0.0\nlistening-ip=::\n", "0.0.0.0:3478 [::]:3478",
		  "10.0.0.7 192.168.1.7 2001:db8::7" },
		{ "listening-ip=10.0.0.7\nlistening-ip=0.0.0.0\n", "10.0.0.7:3478 0.0.0.0:3478",
		  "10.0.0.7 192.168.1.7" },
		{ "listening-ip=192.0.2.1\nrelay-ip=192.0.2.2\nrelay-ip=192.0.2.3\n",
		  "192.0.2.1:3478", "192.0.2.2 192.0.2.3" },
		/* external-ip, bare */
		{ "listening-ip=10.0.0.7\nexternal-ip=203.0.113.1\n", "10.0.0.7:3478",
		  "203.0.113.1/10.0.0.7" },
		/* pairs */
		{ "listening-ip=10.0.0.7\nexternal-ip=203.0.113.1/10.0.0.7\n", "10.0.0.7:3478",
		  "203.0.113.1/10.0.0.7" },
		{ "listening-ip=10.0.0.7\nexternal-ip=203.0.113.1/10.0.0.8\n", "10.0.0.7:3478",
		  "10.0.0.7 203.0.113.1/10.0.0.8" },
		{ "listening-ip=10.0.0.7\nrelay-ip=10.0.0.8\nrelay-ip=10.0.0.9\n"
		  "external-ip=203.0.113.2\nexternal-ip=203.0.113.1/10.0.0.8\n",
		  "10.0.0.7:3478", "203.0.113.1/10.0.0.8 203.0.113.2/10.0.0.9" },
		/* names */
		{ "listening-ip=10.0.0.7\nexternal-ip=four\n", "10.0.0.7:3478",
		  "203.0.113.44/10.0.0.7" },
		{ "listening-ip=10.0.0.7\nexternal-ip=both\n", "10.0.0.7:3478",
		  "203.0.113.44/10.0.0.7" },
		{ "listening-ip=2001:db8::7\nexternal-ip=six\n", "[2001:db8::7]:3478",
		  "2001:db8:44::44/2001:db8::7" },
		{ "listening-ip=2001:db8::7\nexternal-ip=both/2001:db8::7\n",
		  "[2001:db8::7]:3478", "2001:db8:44::44/2001:db8::7" },
	};
	struct said s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		char text[512], got[1024];
		struct conf *c;

		snprintf(text, sizeof text, "no-auth\n%s", row[i].text);
		c = said_load(&s, text);
		print_listeners(c, got, sizeof got);
		assert_string_equal(got, row[i].listeners);
		print_relays(c, got, sizeof got);
		assert_string_equal(got, row[i].relays);
		assert_int_equal(s.n_warnings, 0);
		conf_drop(c);
	}
}

/* RFC 8656 s.5: a relayed address is unique over all allocations; one outer address for two inner ones
 * would give it to two. */
static void an_outer_address_has_one_inner(void **state)
{
	static const struct {
		const char *text, *relays;
	} row[] = {
		{ "external-ip=203.0.113.1\nexternal-ip=2001:db8:1::1\n",
		  "203.0.113.1/10.0.0.7 2001:db8:1::1/2001:db8::7" },
		{ "listening-ip=192.0.2.1\nrelay-ip=192.0.2.2\nrelay-ip=192.0.2.3\nexternal-ip=203.0.113.1\n",
		  "203.0.113.1/192.0.2.2" },
	};
	struct said s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		char text[512], got[1024];
		struct conf *c;

		snprintf(text, sizeof text, "no-auth\n%s", row[i].text);
		c = said_load(&s, text);
		print_relays(c, got, sizeof got);
		assert_string_equal(got, row[i].relays);
		assert_int_equal(s.n_warnings, 1);
		said_expect(s.warnings, "does not relay: write PUBLIC/PRIVATE");
		conf_drop(c);
	}
	said_refuse(&s, "no-auth\nexternal-ip=203.0.113.1/10.0.0.7\nexternal-ip=203.0.113.1/192.168.1.7\n",
		    "203.0.113.1 stands for another address already");
}

static void ports_follow_from_tls_and_dtls(void **state)
{
	static const struct {
		const char *text, *udp, *tcp;
	} row[] = {
		{ "", "192.0.2.1:3478", "192.0.2.1:3478" },
		{ "no-udp\n", "", "192.0.2.1:3478" },
		{ "cert=c\npkey=k\n", "192.0.2.1:3478", "192.0.2.1:3478 192.0.2.1:5349" },
		{ "cert=c\npkey=k\ndtls\n", "192.0.2.1:3478 192.0.2.1:5349", "192.0.2.1:3478 192.0.2.1:5349" },
		{ "cert=c\npkey=k\ndtls\nno-tls\n", "192.0.2.1:3478 192.0.2.1:5349", "192.0.2.1:3478" },
		{ "cert=c\npkey=k\ndtls\nno-udp\n", "192.0.2.1:5349", "192.0.2.1:3478 192.0.2.1:5349" },
		{ "cert=c\npkey=k\ndtls\ntls-listening-port=3478\n", "192.0.2.1:3478", "192.0.2.1:3478" },
		{ "cert=c\npkey=k\nno-dtls\n", "192.0.2.1:3478", "192.0.2.1:3478 192.0.2.1:5349" },
	};
	static const char *const wrong[][2] = {
		{ "dtls\n", "dtls: needs a certificate" },
		{ "dtls\nno-dtls\ncert=c\npkey=k\n", "dtls: contradicts no-dtls" },
		{ "dtls\nno-tlsv1_2\ncert=c\npkey=k\n", "dtls: DTLS 1.2 is all there is" },
		{ "dtls\ntls-min-version=1.3\ncert=c\npkey=k\n", "dtls: DTLS 1.2 is all there is" },
	};
	char text[512], got[1024];
	struct said s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct conf *c;

		snprintf(text, sizeof text, "no-auth\nlistening-ip=192.0.2.1\n%s", row[i].text);
		c = said_load(&s, text);
		print_addrs(c->udp_listeners, c->n_udp_listeners, got, sizeof got);
		assert_string_equal(got, row[i].udp);
		print_addrs(c->stream_listeners, c->n_stream_listeners, got, sizeof got);
		assert_string_equal(got, row[i].tcp);
		conf_drop(c);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		snprintf(text, sizeof text, "no-auth\nlistening-ip=192.0.2.1\n%s", wrong[i][0]);
		said_refuse(&s, text, wrong[i][1]);
	}
}

static void loopback_serves_where_there_is_nothing_else(void **state)
{
	struct said s;
	struct conf *c;
	char got[256];

	(void)state;
	n_host = 2;
	c = said_load(&s, "no-auth\n");
	print_listeners(c, got, sizeof got);
	assert_string_equal(got, "127.0.0.1:3478 [::1]:3478");
	print_relays(c, got, sizeof got);
	assert_string_equal(got, "127.0.0.1 ::1");
	conf_drop(c);
	n_host = 0;
	said_refuse(&s, "no-auth\n", "listening-ip: this host has no address that is up");
	said_refuse(&s, "no-auth\nlistening-ip=0.0.0.0\n", "relay-ip: no address of this host");
	conf_drop(said_load(&s, "stun-only\nlistening-ip=0.0.0.0\n"));
	n_host = ARRAY_LEN(host_lan);
}

static void externals_are_known_as_our_own(void **state)
{
	struct said s;
	struct conf *c = said_load(&s, "no-auth\nexternal-ip=203.0.113.1/10.0.0.7\n"
				       "external-ip=203.0.113.2/192.168.1.7\n"
				       "external-ip=2001:db8:1::1\n");

	(void)state;
	assert_int_equal(c->n_externals, 3);
	assert_int_equal(c->externals[0].family, ADDR_V4);
	assert_int_equal(c->externals[2].family, ADDR_V6);
	conf_drop(c);
}

static void wrong_addresses_are_refused(void **state)
{
	static const struct {
		const char *text, *said;
	} row[] = {
		{ "listening-ip=10.0.0\n", "text:2: listening-ip: '10.0.0' is not" },
		{ "listening-ip=10.0.0.7:3478\n", "text:2: listening-ip: '10.0.0.7:3478'" },
		{ "listening-ip=eth0\n", "text:2: listening-ip: 'eth0'" },
		{ "listening-ip=224.0.0.1\n", "text:2: listening-ip: '224.0.0.1'" },
		{ "relay-ip=0.0.0.0\n", "text:2: relay-ip: '0.0.0.0'" },
		{ "relay-ip=ff02::1\n", "text:2: relay-ip: 'ff02::1'" },
		{ "external-ip=nowhere\n",
		  "text:2: external-ip: 'nowhere' is not an IP address" },
		{ "external-ip=/10.0.0.7\n", "text:2: external-ip: '' is not an IPv4 address" },
		{ "external-ip=203.0.113.1/\n",
		  "text:2: external-ip: '' is not an address of" },
		{ "external-ip=203.0.113.1/x\n",
		  "text:2: external-ip: 'x' is not an address of" },
		{ "external-ip=203.0.113.1/2001:db8::7\n",
		  "text:2: external-ip: '203.0.113.1' is not an IPv6 address" },
		{ "external-ip=six/10.0.0.7\n", "text:2: external-ip: 'six' is not an IPv4" },
		{ "external-ip=0.0.0.0\n", "text:2: external-ip: '0.0.0.0'" },
		{ "external-ip=203.0.113.1\nexternal-ip=203.0.113.2\n",
		  "text:3: external-ip: '203.0.113.2': a second one of this family" },
		{ "relay-ip=10.0.0.7\nexternal-ip=203.0.113.1/10.0.0.8\n",
		  "text:3: external-ip: 203.0.113.1/10.0.0.8: 10.0.0.8 is none of the "
		  "addresses" },
		{ "external-ip=203.0.113.1/10.0.0.7\nexternal-ip=203.0.113.2/10.0.0.7\n",
		  "text:3: external-ip: 203.0.113.2/10.0.0.7: 10.0.0.7 has another" },
	};
	struct said s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		char text[512];

		snprintf(text, sizeof text, "no-auth\n%s", row[i].text);
		said_refuse(&s, text, row[i].said);
		assert_int_equal(s.n_errors, 1);
	}
}

static void repeated_and_idle_addresses_are_mentioned(void **state)
{
	struct said s;
	struct conf *c = said_load(&s, "no-auth\nlistening-ip=10.0.0.7\nlistening-ip=10.0.0.7\n"
				       "relay-ip=10.0.0.7\nrelay-ip=10.0.0.7\n"
				       "external-ip=2001:db8:1::1\n");

	(void)state;
	assert_int_equal(c->n_listeners, 1);
	assert_int_equal(c->n_relays, 1);
	said_expect(s.warnings, "text:3: listening-ip: 10.0.0.7 given again");
	said_expect(s.warnings, "text:5: relay-ip: 10.0.0.7 given again");
	said_expect(s.warnings,
		    "text:6: external-ip: there is no relay address of 2001:db8:1::1's");
	conf_drop(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listeners_and_relays),
		cmocka_unit_test(an_outer_address_has_one_inner),
		cmocka_unit_test(ports_follow_from_tls_and_dtls),
		cmocka_unit_test(loopback_serves_where_there_is_nothing_else),
		cmocka_unit_test(externals_are_known_as_our_own),
		cmocka_unit_test(wrong_addresses_are_refused),
		cmocka_unit_test(repeated_and_idle_addresses_are_mentioned),
	};

	return cmocka_run_group_tests_name("conf_hosts", tests, NULL, NULL);
}
