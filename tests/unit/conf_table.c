#include "conf_said.h"

#include "conf/table.h"

static void every_row_is_found_by_name_and_letter(void **state)
{
	(void)state;
	for (size_t i = 0; i < CONF_N_ROWS; i++) {
		const struct conf_row *row = &conf_table_rows[i];

		assert_ptr_equal(conf_table_find(str_of(row->name)).row, row);
		if (row->letter)
			assert_ptr_equal(conf_table_find_letter(row->letter).row, row);
	}
	for (size_t i = 0; i < CONF_N_LEGACY; i++) {
		const struct conf_legacy *old = &conf_table_legacy[i];

		assert_ptr_equal(conf_table_find(str_of(old->name)).legacy, old);
		if (old->letter)
			assert_ptr_equal(conf_table_find_letter(old->letter).legacy, old);
	}
}

static void defaults_are_inside_their_range(void **state)
{
	(void)state;
	for (size_t i = 0; i < CONF_N_ROWS; i++) {
		const struct conf_row *row = &conf_table_rows[i];

		if (row->type != CONF_INT && row->type != CONF_SIZE && row->type != CONF_TIME)
			continue;
		assert_true(row->num >= row->min);
		assert_true(row->num <= row->max);
	}
}

/* Names of coturn 4.17.1, its aliases and the removed ones: each must be in a table. */
static const char *const coturn[] = {
	"listening-port", "tls-listening-port", "alt-listening-port", "alt-tls-listening-port",
	"listening-ip", "listening-device", "tcp-proxy-port", "aux-server", "udp-self-balance",
	"no-udp", "no-tcp", "no-tls", "dtls", "no-dtls", "sock-buf-size", "acme-redirect",
	"respond-http-unsupported", "relay-ip", "relay-device", "external-ip", "min-port",
	"max-port", "relay-threads", "cpus", "keep-address-family",
	"allocation-default-address-family", "no-udp-relay", "no-tcp-relay",
	"max-allocate-lifetime", "channel-lifetime", "permission-lifetime",
	"max-allocate-timeout", "server-relay", "rfc5766-channel-numbers", "mobility",
	"multiplex-peer", "multiplex-peer-port", "multiplex-peer-max-peers", "udp-recvmmsg",
	"udp-recvmmsg-log", "udp-gso", "udp-sendmmsg-log", "ne", "lt-cred-mech", "no-auth",
	"user", "realm", "use-auth-secret", "static-auth-secret", "rest-api-separator",
	"server-name", "oauth", "stale-nonce", "stateless-nonce", "stateless-nonce-secret",
	"secure-stun", "check-origin-consistency", "no-auth-pings", "no-dynamic-ip-list",
	"no-dynamic-realms", "user-quota", "total-quota", "max-bps", "bps-capacity", "cert",
	"pkey", "pkey-pwd", "cipher-list", "CA-file", "ec-curve-name", "dh-file", "dh566",
	"dh1066", "tlsv1", "tlsv1_1", "no-tlsv1_2", "raw-public-keys", "no-tlsv1", "no-tlsv1_1",
	"no-sslv2", "no-sslv3", "userdb", "db", "psql-userdb", "sql-userdb", "mysql-userdb",
	"mongo-userdb", "redis-userdb", "redis-statsdb", "secret-key-file", "cli", "no-cli",
	"cli-ip", "cli-port", "cli-password", "cli-max-output-sessions", "web-admin",
	"web-admin-ip", "web-admin-port", "web-admin-listen-on-workers", "prometheus",
	"prometheus-port", "prometheus-address", "prometheus-path",
	"prometheus-username-labels", "prometheus-tls", "prometheus-tls-cert",
	"prometheus-tls-key", "denied-peer-ip", "allowed-peer-ip", "no-multicast-peers",
	"allow-loopback-peers", "no-loopback-peers", "drop-invalid-packets",
	"drop-invalid-packets-log", "unauthorized-ratelimit", "unauthorized-ratelimit-rps",
	"rfc5780", "no-rfc5780", "stun-backward-compatibility",
	"no-stun-backward-compatibility", "response-origin-only-with-rfc5780",
	"rfc3489-compatibility", "software-attribute", "no-software-attribute",
	"include-reason-string", "fingerprint", "stun-only", "no-stun", "alternate-server",
	"tls-alternate-server", "tcp-alternate-server", "udp-alternate-server", "log-file",
	"no-stdout-log", "syslog", "syslog-facility", "simple-log", "log-min-level",
	"new-log-timestamp", "new-log-timestamp-format", "log-binding", "verbose", "Verbose",
	"daemon", "pidfile", "proc-user", "proc-group", "drain-min-allocations", "prod",
	"secret-ts-exp-time", "st", "sha256", "sha384", "sha512", "sha-type", "no-http",
	"prometheus-no-username-labels",
};

static void every_option_of_coturn_is_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(coturn); i++) {
		struct conf_name name = conf_table_find(str_of(coturn[i]));

		if (!name.row && !name.legacy)
			fail_msg("%s is in no table", coturn[i]);
	}
	for (const char *p = "dpLEXimvVofazurqQsBbeMJNOCKASl"; *p; p++) {
		struct conf_name name = conf_table_find_letter(*p);

		if (!name.row && !name.legacy)
			fail_msg("-%c is in no table", *p);
	}
}

static void near_names_are_suggested(void **state)
{
	static const struct {
		const char *given, *meant;
	} row[] = {
		{ "listening_port", "listening-port" }, { "listeningport", "listening-port" },
		{ "relam", "realm" },			{ "users", "user" },
		{ "--listening-ip", "listening-ip" },	{ "deny-peer-ip", "denied-peer-ip" },
		{ "x", NULL },				{ "", NULL },
		{ "completely-different", NULL },
		{ "an-option-name-that-is-longer-than-any-of-ours-is", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		const struct conf_row *near = conf_table_nearest(str_of(row[i].given));

		if (!row[i].meant)
			assert_null(near);
		else if (!near)
			fail_msg("nothing is near to %s", row[i].given);
		else
			assert_string_equal(near->name, row[i].meant);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_found_by_name_and_letter),
		cmocka_unit_test(defaults_are_inside_their_range),
		cmocka_unit_test(every_option_of_coturn_is_known),
		cmocka_unit_test(near_names_are_suggested),
	};

	return cmocka_run_group_tests_name("conf_table", tests, NULL, NULL);
}
