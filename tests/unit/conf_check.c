#include "conf_said.h"

#define BASE "listening-ip=192.0.2.1\n"

static void contradictions_are_refused(void **state)
{
	static const struct {
		const char *text, *said;
	} row[] = {
		{ "no-auth\nmin-port=5000\nmax-port=4999\n",
		  "text:3: min-port: 5000 is above max-port, which is 4999" },
		{ "",
		  "nobody could relay: add static-auth-secret=SECRET or user=NAME:PASSWORD" },
		{ "lt-cred-mech\n", "nobody could relay" },
		{ "no-auth=no\n", "nobody could relay" },
		{ "lt-cred-mech\nno-auth\n", "text:3: no-auth: contradicts lt-cred-mech" },
		{ "use-auth-secret\n", "text:2: use-auth-secret: needs a secret" },
		{ "use-auth-secret\nuser=a:b\n", "text:2: use-auth-secret: needs a secret" },
		{ "no-auth\nuse-auth-secret\n", "text:3: use-auth-secret: needs a secret" },
		{ "static-auth-secret=PUT-THE-OUTPUT-OF-openssl-rand-hex-32-HERE\nuser=a:b\n",
		  "text:2: static-auth-secret: is the example of the README" },
		{ "no-auth\nhttp-token=read:PUT-A-RANDOM-TOKEN-HERE\n",
		  "text:3: http-token: is the example of the README" },
		{ "no-auth\nrest-api-separator=::\n",
		  "text:3: rest-api-separator: '::' is not" },
		{ "no-auth\nrest-api-separator=7\n", "text:3: rest-api-separator: a digit" },
		{ "no-auth\nsyslog-facility=nowhere\n", "text:3: syslog-facility: 'nowhere'" },
		{ "no-auth\ndenied-peer-ip=10.0.0.0-9.0.0.0\n",
		  "text:3: denied-peer-ip: '10.0.0.0-" },
		{ "no-auth\ndenied-peer-ip=10.0.0.0/33\n",
		  "text:3: denied-peer-ip: '10.0.0.0/33'" },
		{ "no-auth\nallowed-peer-ip=10.0.0\n", "text:3: allowed-peer-ip: '10.0.0'" },
		{ "no-auth\nallowed-peer-ip=example.org\n",
		  "text:3: allowed-peer-ip: 'example" },
		{ "no-auth\nmax-bps=2000G\n", "text:3: max-bps: 2000G is above 1099511627776" },
		{ "no-auth\nno-udp-relay\nno-tcp-relay\n", "text:3: no-udp-relay: with no-tcp-relay nothing could" },
		{ "no-auth\nbps-capacity=1M\n", "text:3: bps-capacity: counts the max-bps" },
		{ "no-auth\nbps-capacity=999\nmax-bps=1K\n", "text:3: bps-capacity: is below" },
		{ "no-auth\nmax-allocate-lifetime=5m\n",
		  "text:3: max-allocate-lifetime: 5m is below" },
		{ "no-auth\nrelay-threads=129\n", "text:3: relay-threads: 129 is above 128" },
	};
	struct said s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		char text[256];

		snprintf(text, sizeof text, BASE "%s", row[i].text);
		said_refuse(&s, text, row[i].said);
		assert_int_equal(s.n_errors, 1);
	}
}

static void these_can_run(void **state)
{
	static const struct {
		const char *text;
		bool has_credentials;
	} row[] = {
		{ "no-auth\n", false },
		{ "stun-only\n", false },
		{ "stun-only\nno-udp-relay\nno-tcp-relay\n", false },
		{ "user=a:b\n", true },
		{ "lt-cred-mech\nuser=a:b\n", true },
		{ "static-auth-secret=x\n", true },
		{ "lt-cred-mech\nuse-auth-secret\nstatic-auth-secret=x\nuser=a:b\n", true },
		{ "no-auth\nmin-port=5000\nmax-port=5000\n", false },
		{ "no-auth\nsyslog-facility=LOG_LOCAL3\n", false },
		{ "no-auth\nrest-api-separator=|\n", false },
	};
	struct said s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		char text[256];
		struct conf *c;

		snprintf(text, sizeof text, BASE "%s", row[i].text);
		c = said_load(&s, text);
		assert_int_equal(c->has_credentials, row[i].has_credentials);
		assert_int_equal(s.n_warnings, 0);
		conf_drop(c);
	}
}

static void no_auth_beside_users_is_said(void **state)
{
	struct said s;

	(void)state;
	conf_drop(said_load(&s, BASE "no-auth\nuser=a:b\n"));
	said_expect(s.warnings, "text:2: no-auth: everybody may relay");
}

static void a_daemon_always_has_a_log(void **state)
{
	static const struct {
		const char *text;
		bool to_syslog, warned;
	} row[] = {
		{ "daemon\n", true, true },
		{ "daemon\nlog-file=stdout\n", true, true },
		{ "daemon\nlog-file=-\n", true, true },
		{ "daemon\nlog-file=/var/log/x\n", false, false },
		{ "daemon\nlog-file=syslog\n", true, false },
		{ "daemon\nsyslog\n", true, false },
		{ "daemon=no\n", false, false },
		{ "", false, false },
	};
	char text[256];
	struct said s;
	struct conf *c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		snprintf(text, sizeof text, BASE "no-auth\n%s", row[i].text);
		c = said_load(&s, text);
		assert_int_equal(c->syslog, row[i].to_syslog);
		assert_int_equal(s.n_warnings, row[i].warned);
		if (row[i].warned)
			said_expect(s.warnings, "text:3: daemon: has no standard output: the log goes to syslog");
		conf_drop(c);
	}
}

static void peer_ranges_are_kept(void **state)
{
	struct said s;
	struct conf *c = said_load(&s, BASE "no-auth\ndenied-peer-ip=198.51.100.0/24\n"
					    "denied-peer-ip=2001:db8::-2001:db8::ff\n"
					    "allowed-peer-ip=198.51.100.7\n");
	struct addr a;

	(void)state;
	assert_int_equal(c->denied.n, 2);
	assert_int_equal(c->allowed.n, 1);
	assert_int_equal(addr_parse_ip(STR_LIT("198.51.100.9"), &a), OK);
	assert_true(prefix_has(&c->denied, &a));
	assert_false(prefix_has(&c->allowed, &a));
	assert_int_equal(addr_parse_ip(STR_LIT("2001:db8::1:0"), &a), OK);
	assert_false(prefix_has(&c->denied, &a));
	conf_drop(c);
}

static void workers_are_at_least_one(void **state)
{
	static const struct {
		const char *text;
		unsigned n;
	} row[] = {
		{ "relay-threads=0\n", 1 },
		{ "relay-threads=1\n", 1 },
		{ "relay-threads=128\n", 128 },
	};
	struct said s;
	struct conf *c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		char text[256];

		snprintf(text, sizeof text, BASE "no-auth\n%s", row[i].text);
		c = said_load(&s, text);
		assert_int_equal(c->n_workers, row[i].n);
		conf_drop(c);
	}
	c = said_load(&s, BASE "no-auth\n");
	assert_in_range(c->n_workers, 1, 128);
	conf_drop(c);
}

static void log_file_may_name_syslog(void **state)
{
	struct said s;
	struct conf *c = said_load(&s, BASE "no-auth\nlog-file=syslog\n");

	(void)state;
	assert_true(c->syslog);
	conf_drop(c);
}

static void balancers_have_a_port_of_their_own(void **state)
{
	static const char *const refused[][2] = {
		{ "tcp-proxy-port=3480\n", "nobody could connect" },
		{ "tcp-proxy-port=3478\nproxy-protocol-from=192.0.2.1\n", "a port of its own" },
		{ "tcp-proxy-port=5349\nproxy-protocol-from=192.0.2.1\n", "a port of its own" },
		{ "tcp-proxy-port=3480\nproxy-protocol-from=balancer\n", "is none of IP" },
	};
	struct said s;
	struct conf *c;
	struct addr in, out;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		char text[256];

		snprintf(text, sizeof text, BASE "no-auth\n%s", refused[i][0]);
		said_refuse(&s, text, refused[i][1]);
	}
	c = said_load(&s, BASE "no-auth\ntcp-proxy-port=3480\nproxy-protocol-from=192.0.2.0/25\n");
	assert_int_equal(c->n_stream_listeners, 2 * c->n_listeners);
	assert_int_equal(c->stream_listeners[1].port, 3480);
	assert_int_equal(addr_parse_ip(STR_LIT("192.0.2.127"), &in), OK);
	assert_int_equal(addr_parse_ip(STR_LIT("192.0.2.128"), &out), OK);
	assert_true(prefix_has(&c->proxies, &in));
	assert_false(prefix_has(&c->proxies, &out));
	conf_drop(c);
	c = said_load(&s, BASE "no-auth\nproxy-protocol-from=192.0.2.1\n");
	said_expect(s.warnings, "has no effect without tcp-proxy-port");
	conf_drop(c);
}

static void web_servers_are_resolved(void **state)
{
	static const char *const refused[][2] = {
		{ "https-backend=localhost\n", "is not HOST:PORT" },
		{ "https-backend=127.0.0.1:0\n", "has no port" },
		{ "https-backend=127.0.0.1:80x\n", "has no port" },
		{ "https-backend=::1:80\n", "in brackets" },
		{ "tls-passthrough=127.0.0.1:80\n", "is not NAME=HOST:PORT" },
		{ "tls-passthrough=a.example=127.0.0.1\n", "is not HOST:PORT" },
		{ "acme-redirect=ftp://x/\n", "begins with http" },
		{ "acme-redirect=http://x/ y\n", "no URL has" },
	};
	struct said s;
	struct conf *c;
	char text[256], at[ADDR_TEXT_LEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		snprintf(text, sizeof text, BASE "no-auth\n%s", refused[i][0]);
		said_refuse(&s, text, refused[i][1]);
	}
	c = said_load(&s, BASE "no-auth\ncert=c\npkey=k\nhttps-backend=[::1]:8080\n"
			  "tls-passthrough=WWW.Example.org=127.0.0.1:443\nacme-redirect=https://x.example/\n");
	assert_true(c->has_backend);
	assert_string_equal(addr_print(&c->backend, at), "[::1]:8080");
	assert_int_equal(c->n_passthroughs, 1);
	assert_string_equal(c->passthroughs[0].name, "www.example.org");
	assert_string_equal(addr_print(&c->passthroughs[0].to, at), "127.0.0.1:443");
	conf_drop(c);
	c = said_load(&s, BASE "no-auth\nhttps-backend=127.0.0.1:80\n");
	assert_false(c->has_backend);
	said_expect(s.warnings, "TLS is not served");
	conf_drop(c);
}

static void assert_alternate(const struct conf *c, enum conf_alternate_kind kind, size_t i, const char *is)
{
	char at[ADDR_TEXT_LEN];

	assert_true(i < c->alternates[kind].n);
	assert_string_equal(addr_print(&c->alternates[kind].v[i], at), is);
}

static void alternates_have_the_port_of_their_kind(void **state)
{
	struct said s;
	struct conf *c = said_load(&s, BASE "user=a:b\nrealm=r\nalternate-server=192.0.2.1\n"
					    "alternate-server=[2001:db8::1]:99\n"
					    "tcp-alternate-server=192.0.2.2\n");

	(void)state;
	assert_alternate(c, CONF_ALTERNATE_UDP, 0, "192.0.2.1:3478");
	assert_alternate(c, CONF_ALTERNATE_UDP, 1, "[2001:db8::1]:99");
	assert_alternate(c, CONF_ALTERNATE_TCP, 0, "192.0.2.2:3478");
	assert_int_equal(c->alternates[CONF_ALTERNATE_TCP].n, 1);
	assert_alternate(c, CONF_ALTERNATE_TLS, 0, "192.0.2.1:5349");
	assert_alternate(c, CONF_ALTERNATE_TLS, 1, "[2001:db8::1]:99");
	conf_drop(c);
	conf_drop(said_load(&s, BASE "no-auth\nalternate-server=192.0.2.1\n"));
	said_expect(s.warnings, "no-auth: leaves alternate-server without effect");
	conf_drop(said_load(&s, BASE "user=a:b\nrealm=r\nalternate-domain=x.example\n"));
	said_expect(s.warnings, "alternate-domain: has no effect");
	said_refuse(&s, BASE "no-auth\nalternate-server=example.org\n", "text:3: alternate-server: 'example.org' is");
	assert_int_equal(s.n_errors, 1);
	said_refuse(&s, BASE "no-auth\nudp-alternate-server=0.0.0.0\n", "udp-alternate-server: ");
	said_refuse(&s, BASE "no-auth\ntls-alternate-server=192.0.2.1:0\n", "tls-alternate-server: ");
	said_refuse(&s, BASE "no-auth\nalternate-domain=x y\n", "alternate-domain: ");
}

static void the_last_reference_frees(void **state)
{
	struct said s;
	struct conf *c = said_load(&s, BASE "static-auth-secret=x\nuser=a:b\nrealm=r\n");

	(void)state;
	assert_ptr_equal(conf_hold(c), c);
	conf_drop(c);
	assert_string_equal(c->realm, "r"); /* the sanitizers see it, if this is gone */
	conf_drop(c);
	conf_drop(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contradictions_are_refused),
		cmocka_unit_test(these_can_run),
		cmocka_unit_test(no_auth_beside_users_is_said),
		cmocka_unit_test(a_daemon_always_has_a_log),
		cmocka_unit_test(peer_ranges_are_kept),
		cmocka_unit_test(workers_are_at_least_one),
		cmocka_unit_test(log_file_may_name_syslog),
		cmocka_unit_test(balancers_have_a_port_of_their_own),
		cmocka_unit_test(web_servers_are_resolved),
		cmocka_unit_test(alternates_have_the_port_of_their_kind),
		cmocka_unit_test(the_last_reference_frees),
	};

	return cmocka_run_group_tests_name("conf_check", tests, NULL, NULL);
}
