/* src/auth/check.c: the order and the outcomes of RFC 8489 s.9.2.4. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/rest.h"
#include "base/bug.h"
#include "turn_world.h"

/* What a request brings; NULL: nothing. It is signed as alice's where it names nobody. */
struct paper {
	const char *user, *realm, *password;
	bool nonce, sha256, userhash;
};

struct fixture {
	struct world *w;
	struct addr client;
	char nonce[AUTH_NONCE_LEN];
	struct auth_who who;
	uint8_t raw[2048];
	struct stun_msg msg;
};

static int setup_conf(void **state, const char *conf)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->w = world_new(conf);
	f->w->env.auth.realm = str_of(f->w->conf->realm);
	f->client = world_addr("198.51.100.1:5000");
	*state = f;
	return auth_nonce_make(&f->w->nonce, f->w->env.auth.crypto, STR_LIT("example.org"), &f->client,
			       WORLD_T0, 7, f->nonce);
}

static int setup(void **state)
{
	return setup_conf(state, WORLD_CONF);
}

static int setup_strict(void **state)
{
	return setup_conf(state, WORLD_CONF "strict-expiry\n");
}

static int setup_max_ttl(void **state)
{
	return setup_conf(state, WORLD_CONF "credential-max-ttl=120\n");
}

static int setup_users_only(void **state)
{
	return setup_conf(state, WORLD_HOSTS "user=alice:wonder\n");
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	world_free(f->w);
	free(f);
	return 0;
}

static void write_request(struct fixture *f, const struct paper *p)
{
	static const uint8_t txid[STUN_TXID_LEN] = "transaction", hash[32] = "hash";
	struct crypto *c = f->w->env.auth.crypto;
	struct wr w = wr_init(f->raw, sizeof f->raw);
	uint8_t key[AUTH_KEY_LEN];
	struct str k = { (char *)key, sizeof key };

	stun_begin(&w, STUN_REQUEST, STUN_REFRESH, txid);
	if (p->user)
		stun_add_str(&w, STUN_T_USERNAME, str_of(p->user));
	if (p->userhash)
		stun_add(&w, STUN_T_USERHASH, hash, sizeof hash);
	if (p->realm)
		stun_add_str(&w, STUN_T_REALM, str_of(p->realm));
	if (p->nonce)
		stun_add(&w, STUN_T_NONCE, f->nonce, sizeof f->nonce);
	if (p->password) {
		assert_int_equal(auth_longterm_key(c, str_of(p->user ? p->user : "alice"),
						   str_of(p->realm ? p->realm : "example.org"),
						   str_of(p->password), key),
				 OK);
		assert_int_equal(p->sha256 ? stun_add_integrity256(&w, c, k) : stun_add_integrity(&w, c, k),
				 OK);
	}
	assert_int_equal(stun_decode(f->raw, wr_len(&w), &f->msg), OK);
}

static enum auth_verdict judge_given(struct fixture *f, const struct paper *p, const struct auth_given *given)
{
	write_request(f, p);
	return auth_check(&f->w->env.auth, &f->msg, &f->client, NULL, given, &f->who);
}

static enum auth_verdict judge(struct fixture *f, const struct paper *p, const struct auth_known *known)
{
	write_request(f, p);
	return auth_check(&f->w->env.auth, &f->msg, &f->client, known, NULL, &f->who);
}

static bool has_some_key(const struct fixture *f)
{
	static const uint8_t none[AUTH_KEY_LEN];

	return f->who.has_key || memcmp(f->who.key, none, sizeof none) != 0;
}

#define REALM "example.org"

static const struct {
	struct paper paper;
	enum auth_verdict verdict;
	enum auth_why why;
} outcomes[] = {
	/* neither integrity attribute: 401 */
	{ { NULL, NULL, NULL, false, false, false }, AUTH_CHALLENGE, AUTH_WHY_NO_CREDENTIALS },
	{ { "alice", REALM, NULL, true, false, false }, AUTH_CHALLENGE, AUTH_WHY_NO_CREDENTIALS },
	/* integrity, but USERNAME and USERHASH, REALM or NONCE missing: 400 */
	{ { NULL, REALM, "wonder", true, false, false }, AUTH_BAD, AUTH_WHY_INCOMPLETE },
	{ { "alice", NULL, "wonder", true, false, false }, AUTH_BAD, AUTH_WHY_INCOMPLETE },
	{ { "alice", REALM, "wonder", false, false, false }, AUTH_BAD, AUTH_WHY_INCOMPLETE },
	{ { "alice", NULL, "wonder", false, true, false }, AUTH_BAD, AUTH_WHY_INCOMPLETE },
	/* a user name that is not valid: 401 */
	{ { "mallory", REALM, "wonder", true, false, false }, AUTH_REJECT, AUTH_WHY_UNKNOWN_USER },
	{ { "", REALM, "wonder", true, false, false }, AUTH_REJECT, AUTH_WHY_UNKNOWN_USER },
	{ { "\xff", REALM, "wonder", true, false, false }, AUTH_REJECT, AUTH_WHY_UNKNOWN_USER },
	{ { "alice", "\xff", "wonder", true, false, false }, AUTH_REJECT, AUTH_WHY_WRONG_REALM },
	{ { NULL, REALM, "wonder", true, false, true }, AUTH_REJECT, AUTH_WHY_UNKNOWN_USER },
	{ { "alice", "example.com", "wonder", true, false, false }, AUTH_REJECT, AUTH_WHY_WRONG_REALM },
	/* the integrity value does not match: 401 */
	{ { "alice", REALM, "Wonder", true, false, false }, AUTH_REJECT, AUTH_WHY_INTEGRITY },
	{ { "alice", REALM, "builder", true, true, false }, AUTH_REJECT, AUTH_WHY_INTEGRITY },
	{ { "1700000000:x", REALM, "wonder", true, false, false }, AUTH_REJECT, AUTH_WHY_INTEGRITY },
	{ { "1699999999:x", REALM, "wonder", true, false, false }, AUTH_REJECT, AUTH_WHY_EXPIRED },
	/* all is well */
	{ { "alice", REALM, "wonder", true, false, false }, AUTH_ACCEPT, AUTH_WHY_NONE },
	{ { "alice", REALM, "wonder", true, true, false }, AUTH_ACCEPT, AUTH_WHY_NONE },
	{ { "bob", REALM, "builder", true, false, false }, AUTH_ACCEPT, AUTH_WHY_NONE },
};

static void test_outcomes(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
		assert_int_equal(judge(f, &outcomes[i].paper, NULL), outcomes[i].verdict);
		assert_int_equal(f->who.why, outcomes[i].why);
		assert_int_equal(has_some_key(f), outcomes[i].verdict == AUTH_ACCEPT);
	}
}

/* A nonce that breaks its own format was never ours: 438. */
static void test_malformed_nonce_is_438(void **state)
{
	struct fixture *f = *state;

	write_request(f, &(struct paper){ "alice", REALM, "wonder", true, false, false });
	f->msg.bad |= STUN_BIT(NONCE);
	f->msg.nonce = (struct str){ NULL, 0 };
	assert_int_equal(auth_check(&f->w->env.auth, &f->msg, &f->client, NULL, NULL, &f->who), AUTH_STALE);
	assert_int_equal(f->who.why, AUTH_WHY_FOREIGN_NONCE);
}

/* An integrity attribute that breaks its format is 400, also where another one is right. */
static void test_malformed_integrity_is_400(void **state)
{
	static const uint64_t macs[] = { STUN_BIT(MESSAGE_INTEGRITY), STUN_BIT(MESSAGE_INTEGRITY_SHA256) };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(macs); i++) {
		write_request(f, &(struct paper){ "alice", REALM, "wonder", true, false, false });
		f->msg.present |= macs[i];
		f->msg.bad |= macs[i];
		assert_int_equal(auth_check(&f->w->env.auth, &f->msg, &f->client, NULL, NULL, &f->who), AUTH_BAD);
		f->msg.integrity_off = 0;
		assert_int_equal(auth_check(&f->w->env.auth, &f->msg, &f->client, NULL, NULL, &f->who), AUTH_BAD);
	}
}

/* s.9.2.4: PASSWORD-ALGORITHM and PASSWORD-ALGORITHMS are not looked at unless the nonce says that they were
 * offered; then they do not agree with what was offered, for that was nothing: 400. */
static void test_password_algorithms(void **state)
{
	static const struct {
		char features;
		uint64_t present;
		enum auth_verdict verdict;
	} row[] = {
		{ 'A', STUN_BIT(PASSWORD_ALGORITHM), AUTH_ACCEPT },
		{ 'A', STUN_BIT(PASSWORD_ALGORITHMS) | STUN_BIT(PASSWORD_ALGORITHM), AUTH_ACCEPT },
		{ 'g', STUN_BIT(PASSWORD_ALGORITHM), AUTH_BAD },
		{ 'g', STUN_BIT(PASSWORD_ALGORITHMS), AUTH_BAD },
		{ 'g', STUN_BIT(PASSWORD_ALGORITHMS) | STUN_BIT(PASSWORD_ALGORITHM), AUTH_BAD },
		{ 'g', 0, AUTH_STALE },
		{ 'Q', STUN_BIT(PASSWORD_ALGORITHM), AUTH_STALE }, /* the anonymity bit alone */
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		f->nonce[9] = row[i].features;
		write_request(f, &(struct paper){ "alice", REALM, "wonder", true, false, false });
		f->msg.present |= row[i].present;
		assert_int_equal(auth_check(&f->w->env.auth, &f->msg, &f->client, NULL, NULL, &f->who),
				 row[i].verdict);
	}
}

/* The nonce is looked at last: only who knows the password learns that it is stale. */
static void test_nonce_comes_last(void **state)
{
	static const struct {
		const char *password;
		int64_t later_s;
		const char *client;
		enum auth_verdict verdict;
		enum auth_why why;
	} row[] = {
		{ "wonder", 600, "198.51.100.1:5000", AUTH_ACCEPT, AUTH_WHY_NONE },
		{ "wonder", 0, "198.51.100.1:6000", AUTH_ACCEPT, AUTH_WHY_NONE },
		{ "wonder", 601, "198.51.100.1:5000", AUTH_STALE, AUTH_WHY_STALE_NONCE },
		{ "wonder", 0, "198.51.100.2:5000", AUTH_STALE, AUTH_WHY_FOREIGN_NONCE },
		{ "wrong", 601, "198.51.100.1:5000", AUTH_REJECT, AUTH_WHY_INTEGRITY },
		{ "wrong", 0, "198.51.100.2:5000", AUTH_REJECT, AUTH_WHY_INTEGRITY },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		f->w->env.auth.wall_s = WORLD_T0 + row[i].later_s;
		f->client = world_addr(row[i].client);
		assert_int_equal(judge(f,
				       &(struct paper){ "alice", REALM, row[i].password, true, false, false },
				       NULL),
				 row[i].verdict);
		assert_int_equal(f->who.why, row[i].why);
		assert_int_equal(f->who.own_nonce, strstr(row[i].client, ".1:") != NULL);
		assert_int_equal(has_some_key(f), row[i].verdict == AUTH_ACCEPT);
	}
}

static enum auth_verdict judge_guest(struct fixture *f, const char *name, const char *secret,
				     const struct auth_known *known)
{
	char password[AUTH_REST_PASSWORD_LEN + 1];

	assert_int_equal(auth_rest_password(f->w->env.auth.crypto, str_of(secret), str_of(name), password),
			 OK);
	return judge(f, &(struct paper){ name, REALM, password, true, false, false }, known);
}

static const struct {
	const char *name, *secret;
	enum auth_verdict verdict;
	enum auth_why why;
	const char *user; /* that quotas count */
} guests[] = {
	{ "1700000060:carol", "north", AUTH_ACCEPT, AUTH_WHY_NONE, "carol" },
	{ "1700000060:carol", "south", AUTH_ACCEPT, AUTH_WHY_NONE, "carol" },
	{ "carol:1700000060", "south", AUTH_ACCEPT, AUTH_WHY_NONE, "carol" },
	{ "1700000060:a:b", "north", AUTH_ACCEPT, AUTH_WHY_NONE, "a:b" },
	/* nobody in it: the credential is its own account */
	{ "1700000060", "north", AUTH_ACCEPT, AUTH_WHY_NONE, "1700000060" },
	{ "1700000060:", "north", AUTH_ACCEPT, AUTH_WHY_NONE, "1700000060:" },
	/* good until its second is over */
	{ "1700000000:carol", "north", AUTH_ACCEPT, AUTH_WHY_NONE, "carol" },
	{ "1699999999:carol", "north", AUTH_REJECT, AUTH_WHY_EXPIRED, NULL },
	{ "1700000060:carol", "east", AUTH_REJECT, AUTH_WHY_INTEGRITY, NULL },
	{ "carol", "north", AUTH_REJECT, AUTH_WHY_UNKNOWN_USER, NULL },
	/* a static account is not to be had with a secret */
	{ "alice", "north", AUTH_REJECT, AUTH_WHY_INTEGRITY, NULL },
};

static void test_ephemeral_credentials(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(guests); i++) {
		assert_int_equal(judge_guest(f, guests[i].name, guests[i].secret, NULL), guests[i].verdict);
		assert_int_equal(f->who.why, guests[i].why);
		if (guests[i].user)
			assert_true(str_eq(f->who.user, str_of(guests[i].user)));
	}
}

static void test_without_a_secret_none_are_ephemeral(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(judge_guest(f, "1700000060:carol", "", NULL), AUTH_REJECT);
	assert_int_equal(f->who.why, AUTH_WHY_UNKNOWN_USER);
}

/* A session's client needs no look-up, and outlives its credential unless strict-expiry is set. */
static void known_client(struct fixture *f, enum auth_verdict when_expired)
{
	static const char name[] = "1700000060:carol";
	struct auth_known known = { STR_LIT("1700000060:carol"), STR_LIT("carol"), WORLD_T0 + 60, 0, false, { NULL, 0 } };
	uint8_t key[AUTH_KEY_LEN];

	assert_int_equal(judge_guest(f, name, "north", NULL), AUTH_ACCEPT);
	assert_int_equal(f->who.expires_s, WORLD_T0 + 60);
	memcpy(key, f->who.key, sizeof key);
	known.key = (struct str){ (char *)key, sizeof key };
	f->w->env.auth.wall_s = WORLD_T0 + 61;
	assert_int_equal(judge_guest(f, name, "north", NULL), AUTH_REJECT);
	assert_int_equal(judge_guest(f, name, "north", &known), when_expired);
	assert_int_equal(judge_guest(f, name, "south", &known), AUTH_REJECT);
	assert_int_equal(f->who.why, AUTH_WHY_INTEGRITY);
	/* another name is another client: it has to stand alone */
	assert_int_equal(judge_guest(f, "1700000059:carol", "north", &known), AUTH_REJECT);
	assert_int_equal(f->who.why, AUTH_WHY_EXPIRED);
	assert_int_equal(judge_guest(f, "1700000600:dave", "north", &known), AUTH_ACCEPT);
	assert_true(str_eq(f->who.user, STR_LIT("dave")));
}

static void test_session_outlives_its_credential(void **state)
{
	known_client(*state, AUTH_ACCEPT);
}

static void test_strict_expiry(void **state)
{
	known_client(*state, AUTH_REJECT);
}

/* RFC 8489 s.9.2.4: where there are both, the SHA-256 one decides. */
static void test_sha256_decides(void **state)
{
	struct fixture *f = *state;

	write_request(f, &(struct paper){ "alice", REALM, "wonder", true, true, false });
	f->raw[f->msg.integrity256_off + 4] ^= 1;
	assert_int_equal(auth_check(&f->w->env.auth, &f->msg, &f->client, NULL, NULL, &f->who), AUTH_REJECT);
	assert_int_equal(f->who.why, AUTH_WHY_INTEGRITY);
}

/* --- what databases say --- */

static struct conf_live *live_new(struct fixture *f)
{
	struct conf_live *l = NULL;

	assert_int_equal(conf_live_new(&l, f->w->env.hash_key), OK);
	f->w->env.auth.live = l;
	return l;
}

static void test_secrets_of_the_databases_count_too(void **state)
{
	static const struct {
		const char *secret;
		enum auth_verdict verdict;
	} row[] = {
		{ "north", AUTH_ACCEPT }, { "south", AUTH_ACCEPT }, { "west", AUTH_ACCEPT },
		{ "everywhere", AUTH_ACCEPT }, { "theirs", AUTH_REJECT },
	};
	struct fixture *f = *state;
	struct conf_live *l = live_new(f);

	assert_int_equal(conf_live_add_secret(l, STR_LIT(REALM), STR_LIT("west")), OK);
	assert_int_equal(conf_live_add_secret(l, STR_LIT(""), STR_LIT("everywhere")), OK);
	assert_int_equal(conf_live_add_secret(l, STR_LIT("example.net"), STR_LIT("theirs")), OK);
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct str secret = str_of(row[i].secret);

		assert_int_equal(judge_guest(f, "1700000060:carol", row[i].secret, NULL), row[i].verdict);
		assert_int_equal(f->who.secret, row[i].verdict == AUTH_ACCEPT ?
							auth_check_digest(f->w->env.auth.digest_key, secret) : 0);
	}
	f->w->env.auth.live = NULL; /* withdrawn */
	conf_live_drop(l);
	assert_int_equal(judge_guest(f, "1700000060:carol", "west", NULL), AUTH_REJECT);
}

/* Without credential-max-ttl nobody knows when a credential was made; with it, what must be younger is good. */
static void revoked(struct fixture *f, int64_t before_s, enum auth_verdict verdict)
{
	struct conf_live *l = live_new(f);

	assert_int_equal(conf_live_add_revoked(l, STR_LIT(REALM), STR_LIT("carol"), before_s), OK);
	assert_int_equal(judge_guest(f, "1700000060:carol", "north", NULL), verdict);
	assert_int_equal(f->who.why, verdict == AUTH_ACCEPT ? AUTH_WHY_NONE : AUTH_WHY_REVOKED);
	assert_int_equal(judge_guest(f, "1700000060:dave", "north", NULL), AUTH_ACCEPT);
	assert_int_equal(judge_guest(f, "1700000060:carol", "east", NULL), AUTH_REJECT);
	assert_int_equal(f->who.why, AUTH_WHY_INTEGRITY); /* whoever has no secret learns nothing */
	f->w->env.auth.live = NULL;
	conf_live_drop(l);
}

static void test_a_revoked_user_stays_out(void **state)
{
	revoked(*state, WORLD_T0 - 1000000, AUTH_REJECT);
	revoked(*state, WORLD_T0 + 1, AUTH_REJECT);
}

static void test_a_credential_younger_than_the_revocation_is_good(void **state)
{
	revoked(*state, WORLD_T0 - 60, AUTH_ACCEPT); /* lives 120 s, so it was made at T0 - 60 or later */
	revoked(*state, WORLD_T0 - 59, AUTH_REJECT);
}

static void test_a_life_beyond_the_longest_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(judge_guest(f, "1700000180:carol", "north", NULL), AUTH_ACCEPT); /* clocks differ */
	assert_int_equal(judge_guest(f, "1700000181:carol", "north", NULL), AUTH_REJECT);
	assert_int_equal(f->who.why, AUTH_WHY_TOO_LONG);
}

static void test_a_revoked_user_has_no_session_for_long(void **state)
{
	struct fixture *f = *state;
	struct conf_live *l = live_new(f);
	struct auth_known known = { STR_LIT("1700000060:carol"), STR_LIT("carol"), WORLD_T0 + 60, 0, false, { NULL, 0 } };
	uint8_t key[AUTH_KEY_LEN];

	assert_int_equal(judge_guest(f, "1700000060:carol", "north", NULL), AUTH_ACCEPT);
	memcpy(key, f->who.key, sizeof key);
	known.key = (struct str){ (char *)key, sizeof key };
	known.secret = f->who.secret;
	assert_int_equal(judge_guest(f, "1700000060:carol", "north", &known), AUTH_ACCEPT);
	assert_int_equal(f->who.secret, known.secret);
	assert_int_equal(conf_live_add_revoked(l, STR_LIT(REALM), STR_LIT("carol"), WORLD_T0), OK);
	assert_int_equal(judge_guest(f, "1700000060:carol", "north", &known), AUTH_REJECT);
	assert_int_equal(f->who.why, AUTH_WHY_REVOKED);
	f->w->env.auth.live = NULL;
	conf_live_drop(l);
}

/* A secret for all realms makes credentials that are good in each: withdrawn in one, they are withdrawn. */
static void test_no_origin_leads_around_a_revocation(void **state)
{
	static const struct {
		const char *revoked, *secret, *asked;
		enum auth_verdict verdict;
	} row[] = {
		{ REALM, "north", "a", AUTH_REJECT },	  { "a", "north", REALM, AUTH_REJECT },
		{ REALM, "everywhere", "a", AUTH_REJECT }, { "b", "north", "a", AUTH_REJECT },
		{ "a", "north", "a", AUTH_REJECT },	  { "a", "of a", "a", AUTH_REJECT },
		/* another carol */
		{ REALM, "of a", "a", AUTH_ACCEPT },	  { "b", "of a", "a", AUTH_ACCEPT },
		{ "c", "north", "a", AUTH_ACCEPT },
	};
	struct fixture *f = *state;
	struct auth_env *env = &f->w->env.auth;

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		const struct str name = STR_LIT("1700000060:carol");
		char password[AUTH_REST_PASSWORD_LEN + 1];
		const struct paper p = { name.p, row[i].asked, password, true, false, false };
		struct conf_live *l = live_new(f);

		assert_int_equal(conf_live_add_origin(l, STR_LIT("https://a.example"), STR_LIT("a")), OK);
		assert_int_equal(conf_live_add_origin(l, STR_LIT("https://b.example"), STR_LIT("b")), OK);
		assert_int_equal(conf_live_add_secret(l, STR_LIT("a"), STR_LIT("of a")), OK);
		assert_int_equal(conf_live_add_secret(l, STR_LIT(""), STR_LIT("everywhere")), OK);
		assert_int_equal(auth_rest_password(env->crypto, str_of(row[i].secret), name, password), OK);
		env->realm = str_of(row[i].asked);
		assert_int_equal(auth_nonce_make(&f->w->nonce, env->crypto, env->realm, &f->client, WORLD_T0, 7, f->nonce),
				 OK);
		assert_int_equal(judge(f, &p, NULL), AUTH_ACCEPT);
		assert_int_equal(conf_live_add_revoked(l, str_of(row[i].revoked), STR_LIT("carol"), WORLD_T0), OK);
		if (judge(f, &p, NULL) != row[i].verdict)
			fail_msg("row %zu", i);
		env->live = NULL;
		conf_live_drop(l);
	}
}

/* --- the database of users --- */

static struct auth_given given_key(struct fixture *f, const char *user, const char *password)
{
	struct auth_given g = { .state = AUTH_GIVEN_KEY };

	assert_int_equal(auth_longterm_key(f->w->env.auth.crypto, str_of(user), STR_LIT(REALM),
					   str_of(password), g.key),
			 OK);
	return g;
}

static void test_who_is_looked_up(void **state)
{
	static const struct {
		const char *user, *realm, *password;
		enum auth_verdict verdict;
		enum auth_why why;
	} row[] = {
		{ "dave", REALM, "diver", AUTH_WANT_KEY, AUTH_WHY_NONE },
		{ "1001", REALM, "diver", AUTH_WANT_KEY, AUTH_WHY_NONE }, /* a telephone, not an expiry */
		{ "alice", REALM, "wonder", AUTH_ACCEPT, AUTH_WHY_NONE },
		{ "alice", REALM, "wrong", AUTH_REJECT, AUTH_WHY_INTEGRITY },
		{ "dave", "elsewhere", "diver", AUTH_REJECT, AUTH_WHY_WRONG_REALM },
		/* a time-limited name that no secret made is not searched for */
		{ "1700000060:carol", REALM, "diver", AUTH_REJECT, AUTH_WHY_INTEGRITY },
	};
	struct fixture *f = *state;

	f->w->env.auth.has_users = true;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		const struct paper p = { row[i].user, row[i].realm, row[i].password, true, false, false };

		assert_int_equal(judge(f, &p, NULL), row[i].verdict);
		assert_int_equal(f->who.why, row[i].why);
	}
	/* from an address that has no nonce of ours nobody is looked up */
	f->client = world_addr("198.51.100.2:5000");
	assert_int_equal(judge(f, &(struct paper){ "dave", REALM, "diver", true, false, false }, NULL),
			 AUTH_STALE);
	f->client = world_addr("198.51.100.1:5000");
	f->w->env.auth.starved = true; /* … nor for a source that has used its answers up */
	assert_int_equal(judge(f, &(struct paper){ "dave", REALM, "diver", true, false, false }, NULL),
			 AUTH_REJECT);
	f->w->env.auth.starved = false;
	f->w->env.auth.has_users = false;
	assert_int_equal(judge(f, &(struct paper){ "dave", REALM, "diver", true, false, false }, NULL),
			 AUTH_REJECT);
	assert_int_equal(f->who.why, AUTH_WHY_UNKNOWN_USER);
}

static void test_what_the_database_answers(void **state)
{
	struct fixture *f = *state;
	struct auth_given right = given_key(f, "dave", "diver"), none = { .state = AUTH_GIVEN_NONE },
			  failed = { .state = AUTH_GIVEN_FAILED };
	const struct paper good = { "dave", REALM, "diver", true, false, false },
			   bad = { "dave", REALM, "wrong", true, true, false };

	f->w->env.auth.has_users = true;
	assert_int_equal(judge_given(f, &good, &right), AUTH_ACCEPT);
	assert_true(str_eq(f->who.user, STR_LIT("dave")));
	assert_true(f->who.has_key && !f->who.secret && !f->who.expires_s);
	assert_memory_equal(f->who.key, right.key, AUTH_KEY_LEN);
	assert_int_equal(judge_given(f, &bad, &right), AUTH_REJECT);
	assert_int_equal(f->who.why, AUTH_WHY_INTEGRITY);
	assert_false(has_some_key(f));
	assert_int_equal(judge_given(f, &good, &none), AUTH_REJECT);
	assert_int_equal(f->who.why, AUTH_WHY_UNKNOWN_USER);
	assert_int_equal(judge_given(f, &good, &failed), AUTH_FAIL);
	f->w->env.auth.wall_s += 601; /* it took too long */
	assert_int_equal(judge_given(f, &good, &right), AUTH_STALE);
	assert_false(has_some_key(f));
}

static void test_every_reason_has_a_word(void **state)
{
	(void)state;
	for (int i = 0; i < N_AUTH_WHY; i++)
		assert_true(strlen(auth_why_text((enum auth_why)i)) > 3);
	assert_string_equal(auth_why_text((enum auth_why)99), "none");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_outcomes),
		T(test_malformed_nonce_is_438),
		T(test_malformed_integrity_is_400),
		T(test_password_algorithms),
		T(test_nonce_comes_last),
		T(test_ephemeral_credentials),
		cmocka_unit_test_setup_teardown(test_without_a_secret_none_are_ephemeral, setup_users_only,
						teardown),
		T(test_session_outlives_its_credential),
		cmocka_unit_test_setup_teardown(test_strict_expiry, setup_strict, teardown),
		T(test_sha256_decides),
		T(test_secrets_of_the_databases_count_too),
		T(test_a_revoked_user_stays_out),
		T(test_a_revoked_user_has_no_session_for_long),
		T(test_no_origin_leads_around_a_revocation),
		cmocka_unit_test_setup_teardown(test_a_credential_younger_than_the_revocation_is_good,
						setup_max_ttl, teardown),
		cmocka_unit_test_setup_teardown(test_a_life_beyond_the_longest_is_refused, setup_max_ttl,
						teardown),
		T(test_who_is_looked_up),
		T(test_what_the_database_answers),
		cmocka_unit_test(test_every_reason_has_a_word),
	};

	return cmocka_run_group_tests_name("auth_check", tests, NULL, NULL);
}
