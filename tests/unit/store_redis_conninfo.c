#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bug.h"
#include "store/redis_conninfo.h"

static const struct {
	const char *text, *host;
	int port, db;
	const char *user, *password;
} good[] = {
	{ "", "127.0.0.1", 6379, 0, "", "" },
	{ "ip=127.0.0.1 dbname=2 password=turn port=6380 connect_timeout=30", "127.0.0.1", 6380, 2, "", "turn" },
	{ "hostaddr=::1 db=1 uname=u pwd=p p=1", "::1", 1, 1, "u", "p" },
	{ "addr=h database=15 name=u passwd=p", "h", 6379, 15, "u", "p" },
	{ "ipaddr=h username=u secret='a b\\'c=d'", "h", 6379, 0, "u", "a b'c=d" },
	{ "  host=/run/redis.sock\tuser=u  ", "/run/redis.sock", 6379, 0, "u", "" },
	{ "sock=/run/redis.sock tls=no", "/run/redis.sock", 6379, 0, "", "" },
	{ "redis://", "127.0.0.1", 6379, 0, "", "" },
	{ "redis://h", "h", 6379, 0, "", "" },
	{ "redis://:p%40%2f@h:1234/3", "h", 1234, 3, "", "p@/" },
	{ "redis://u:p@[::1]:1234", "::1", 1234, 0, "u", "p" },
};

static void strings_of_coturn_and_uris_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct store_redis_conninfo ci;
		char why[200] = "";

		if (store_redis_conninfo_parse(&ci, good[i].text, why, sizeof why) != OK)
			fail_msg("%s: %s", good[i].text, why);
		assert_string_equal(ci.server.host, good[i].host);
		assert_int_equal(ci.server.port, good[i].port);
		assert_int_equal(ci.db, good[i].db);
		assert_string_equal(ci.user, good[i].user);
		assert_string_equal(ci.password, good[i].password);
		assert_int_equal(ci.n_sentinels, 0);
	}
}

static void sentinels_have_ports_of_their_own(void **state)
{
	struct store_redis_conninfo ci;
	char why[200];

	(void)state;
	assert_int_equal(store_redis_conninfo_parse(&ci, "sentinel=a,b:1,[::1]:2 master=main sentinel-password=s password=p",
						    why, sizeof why), OK);
	assert_int_equal(ci.n_sentinels, 3);
	assert_string_equal(ci.sentinels[0].host, "a");
	assert_int_equal(ci.sentinels[0].port, 26379);
	assert_int_equal(ci.sentinels[1].port, 1);
	assert_string_equal(ci.sentinels[2].host, "::1");
	assert_int_equal(ci.sentinels[2].port, 2);
	assert_string_equal(ci.master, "main");
	assert_string_equal(ci.sentinel_password, "s");
	assert_string_equal(ci.password, "p");
}

static const struct {
	const char *text;
	enum err e;
	const char *word; /* in the complaint */
} bad[] = {
	{ "nonsense", ERR_CONF, "nonsense" },	   { "port=0", ERR_CONF, "port" },
	{ "port=65536", ERR_CONF, "port" },	   { "port=-1", ERR_CONF, "port" },
	{ "db=x", ERR_CONF, "db" },		   { "host=", ERR_CONF, "host" },
	{ "master=m", ERR_CONF, "sentinel" },	   { "sentinel=a", ERR_CONF, "master" },
	{ "sentinel=a:b master=m", ERR_CONF, "sentinel" },
	{ "sentinel=1,2,3,4,5,6,7,8,9 master=m", ERR_CONF, "sentinel" },
	{ "ca=/etc/ca.pem", ERR_CONF, "tls=yes" }, { "verify=none", ERR_CONF, "tls=yes" },
	{ "tls=1 verify=maybe", ERR_CONF, "verify" }, { "rediss://h:x", ERR_CONF, "URI" },
#ifndef HAVE_HIREDIS_SSL
	{ "tls=1", ERR_UNSUPPORTED, "hiredis 1.0" }, { "rediss://h", ERR_UNSUPPORTED, "hiredis 1.0" },
#endif
	{ "redis://h:x", ERR_CONF, "URI" },
	{ "redis://h/x", ERR_CONF, "URI" },	   { "password=opensesame port=x", ERR_CONF, "port" },
};

static void what_is_wrong_is_named_and_no_password_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct store_redis_conninfo ci = { .db = 42 };
		char why[200] = "";

		assert_int_equal(store_redis_conninfo_parse(&ci, bad[i].text, why, sizeof why), bad[i].e);
		if (!strstr(why, bad[i].word))
			fail_msg("%s: %s", bad[i].text, why);
		assert_null(strstr(why, "opensesame"));
		assert_int_equal(ci.db, 42);
	}
}

static void too_long_is_refused(void **state)
{
	static const char *const keys[] = { "host=", "user=", "password=", "redis://", "sentinel=" };
	char text[400], why[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct store_redis_conninfo ci;

		memset(text, 'x', sizeof text);
		memcpy(text, keys[i], strlen(keys[i]));
		text[sizeof text - 1] = '\0';
		assert_int_equal(store_redis_conninfo_parse(&ci, text, why, sizeof why), ERR_CONF);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_of_coturn_and_uris_are_read),
		cmocka_unit_test(sentinels_have_ports_of_their_own),
		cmocka_unit_test(what_is_wrong_is_named_and_no_password_is),
		cmocka_unit_test(too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
