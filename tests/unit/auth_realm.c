/* src/auth/realm.c: an origin leads to its realm, and whoever was offered a realm is known by it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "auth/realm.h"
#include "turn_world.h"

static void picked(void **state)
{
	static const struct {
		const char *origin, *realm, *want, *other;
	} rows[] = {
		{ NULL, NULL, "example.org", NULL },
		{ "https://a.example", NULL, "a", NULL },
		{ "HTTPS://A.example:443/", NULL, "a", NULL },
		{ "https://b.example", NULL, "b", NULL },
		{ "https://c.example", NULL, "example.org", NULL },
		{ "https://a.example", "b", "a", NULL }, /* ORIGIN decides; the realm is wrong then */
		{ NULL, "b", "b", NULL },		   /* ORIGIN was told before */
		{ NULL, "example.org", "example.org", NULL },
		{ NULL, "c", "example.org", NULL },
		{ "https://c.example", "b", "example.org", NULL },
		{ "", "b", "example.org", NULL },
		{ "https://c.example", NULL, "b", "https://b.example" }, /* the first that leads anywhere */
		{ "https://a.example", NULL, "a", "https://b.example" },
	};
	static const uint8_t txid[STUN_TXID_LEN] = "transaction";
	struct world *w = world_new(WORLD_CONF);
	struct auth_env *env = &w->env.auth;
	struct conf_live *l;

	(void)state;
	assert_int_equal(conf_live_new(&l, w->env.hash_key), OK);
	assert_int_equal(conf_live_add_origin(l, STR_LIT("https://a.example"), STR_LIT("a")), OK);
	assert_int_equal(conf_live_add_origin(l, STR_LIT("https://B.example:443"), STR_LIT("old")), OK);
	assert_int_equal(conf_live_add_origin(l, STR_LIT("https://b.example"), STR_LIT("b")), OK);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t raw[300];
		struct wr out = wr_init(raw, sizeof raw);
		struct stun_msg m;

		stun_begin(&out, STUN_REQUEST, STUN_ALLOCATE, txid);
		if (rows[i].realm)
			stun_add_str(&out, STUN_T_REALM, str_of(rows[i].realm));
		if (rows[i].origin)
			stun_add_str(&out, STUN_T_ORIGIN, str_of(rows[i].origin));
		if (rows[i].other)
			stun_add_str(&out, STUN_T_ORIGIN, str_of(rows[i].other));
		assert_int_equal(stun_decode(raw, wr_len(&out), &m), OK);
		env->live = l;
		if (!str_eq(auth_realm_pick(env, &m), str_of(rows[i].want)))
			fail_msg("row %zu", i);
		env->live = NULL;
		assert_true(str_eq(auth_realm_pick(env, &m), STR_LIT("example.org")));
	}
	conf_live_drop(l);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(picked) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
