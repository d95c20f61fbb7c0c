#include "conf_said.h"

#include <unistd.h>

/* Loads words that must be good. */
static struct conf *load(struct said *s, const char *const *from)
{
	struct conf *c = NULL;
	struct words w;
	enum err e;

	memset(s, 0, sizeof *s);
	words_init(&w, from);
	e = conf_load(w.n, w.v, said_add, s, NULL, &c);
	words_fini(&w);
	if (e)
		fail_msg("refused: %s", s->errors);
	return c;
}

#define LOAD(s, ...) load(s, (const char *const[]){ "-n", "-z", __VA_ARGS__, NULL })

static void every_form_of_an_option(void **state)
{
	struct said s;
	struct conf *c;

	(void)state;
	c = LOAD(&s, "--listening-port", "3479", "--min-port=2000", "-L192.0.2.1", "-L",
		 "192.0.2.2", "-vf", "--no-tls", "--relay-threads", "-1", "--udp-gro=no",
		 "--udp-gso=yes", "--syslog", "-X203.0.113.1", "-m1", "-s", "1K");
	assert_int_equal(c->listening_port, 3479);
	assert_int_equal(c->min_port, 2000);
	assert_int_equal(c->n_listeners, 2);
	assert_true(c->verbose);
	assert_true(c->fingerprint);
	assert_false(c->udp_gro);
	assert_true(c->udp_gso);
	assert_true(c->syslog);
	assert_int_equal(c->external_ip.n, 1);
	assert_int_equal(c->n_workers, 1);
	assert_int_equal(c->max_bps, 1000);
	conf_drop(c);

	c = LOAD(&s, "-vfL", "192.0.2.9", "-or", "here");
	assert_true(c->verbose && c->fingerprint && c->daemon);
	assert_string_equal(c->listening_ip.v[0], "192.0.2.9");
	assert_string_equal(c->realm, "here");
	conf_drop(c);
}

static void names_may_be_cut_short(void **state)
{
	struct said s;
	struct conf *c = LOAD(&s, "--fing", "--listening-p", "3479", "--rea=here", "--no-cl", "--verb");

	(void)state;
	assert_true(c->fingerprint);
	assert_true(c->verbose);
	assert_int_equal(c->listening_port, 3479);
	assert_string_equal(c->realm, "here");
	said_expect(s.warnings, "command line: no-cli: ignored");
	conf_drop(c);
}

static void stale_nonce_takes_a_number_if_one_follows(void **state)
{
	struct said s;
	struct conf *c = LOAD(&s, "--stale-nonce", "-v");

	(void)state;
	assert_int_equal(c->stale_nonce, 600);
	assert_true(c->verbose);
	conf_drop(c);
	c = LOAD(&s, "--stale-nonce", "10");
	assert_int_equal(c->stale_nonce, 10);
	conf_drop(c);
	c = LOAD(&s, "--stale-nonce=20s");
	assert_int_equal(c->stale_nonce, 20);
	conf_drop(c);
	c = LOAD(&s, "-v", "--stale-nonce");
	assert_int_equal(c->stale_nonce, 600);
	conf_drop(c);
}

static void legacy_options_take_their_values_along(void **state)
{
	struct said s;
	struct conf *c = LOAD(&s, "--ec-curve-name", "P-256", "-K",
			      "--cli-password=p", "--no-cli", "-A", "keep", "-v");

	(void)state;
	assert_true(c->verbose);
	said_expect(s.warnings, "command line: ec-curve-name: ignored");
	said_expect(s.warnings, "command line: keep-address-family");
	said_expect(s.warnings, "command line: no-cli: ignored");
	conf_drop(c);
}

static void wrong_words_are_listed(void **state)
{
	static const struct {
		const char *words[4];
		const char *said;
	} row[] = {
		{ { "--listening-prot=1" },
		  "command line: unknown option '--listening-prot'; did "
		  "you mean --listening-port?" },
		{ { "-W" }, "command line: unknown option '-W'" },
		{ { "-vW" }, "command line: unknown option '-W'" },
		{ { "--listening" }, "command line: --listening: may be --listening-ip or --listening-port, and more" },
		{ { "--user-q=1", "--user-m" }, "command line: user-max-bps: needs a value" },
		{ { "--denied-peer-ipx=1" }, "command line: unknown option '--denied-peer-ipx'" },
		{ { "--listening-port" }, "command line: listening-port: needs a value" },
		{ { "--listening-port=" }, "command line: listening-port: needs a value" },
		{ { "-L" }, "command line: listening-ip: needs a value" },
		{ { "-c" }, "command line: -c: needs a file" },
		{ { "stray" }, "command line: word 3 belongs to no option" },
		{ { "-v", "yes" }, "command line: word 4 belongs to no option" },
		{ { "-" }, "command line: word 3 belongs to no option" },
		{ { "--" }, "command line: unknown option '--'" },
		{ { "--verbose=perhaps" }, "command line: verbose: 'perhaps' is neither" },
		{ { "--help=1" }, "command line: unknown option '--help'" },
		{ { "--server-relay" }, "command line: server-relay: it would" },
		{ { "-M", "password=x" }, "command line: mysql-userdb: " },
		{ { "-p", "99999" }, "command line: listening-port: 99999 is above 65535" },
		{ { "-c", "/dev/null" }, "command line: -n contradicts -c" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		const char *words[8] = { "-n", "-z" };
		struct said s = { 0 };
		struct conf *c = NULL;
		struct words w;

		for (int j = 0; row[i].words[j]; j++)
			words[2 + j] = row[i].words[j];
		words_init(&w, words);
		if (conf_load(w.n, w.v, said_add, &s, NULL, &c) != ERR_CONF)
			fail_msg("accepted: %s", row[i].said);
		said_expect(s.errors, row[i].said);
		words_fini(&w);
	}
}

static void secrets_do_not_stay_in_argv(void **state)
{
	const char *const words[] = { "-n",
				      "-ubob:hunter2",
				      "-u",
				      "al:hunter2",
				      "--user=cy:hunter2",
				      "--static-auth-secret",
				      "hunter2",
				      "--stateless-nonce-secret=hunter2",
				      "--cli-password",
				      "hunter2",
				      "--realm=shown",
				      NULL };
	struct said s = { 0 };
	struct conf *c = NULL;
	struct words w;

	(void)state;
	words_init(&w, words);
	assert_int_equal(conf_load(w.n, w.v, said_add, &s, NULL, &c), OK);
	for (int i = 0; i < w.n; i++)
		assert_null(strstr(w.v[i], "hunter2"));
	assert_string_equal(w.v[5], "--user=xxxxxxxxxx");
	assert_string_equal(w.v[11], "--realm=shown");
	assert_non_null(conf_user_find(c, STR_LIT("bob")));
	assert_non_null(conf_user_find(c, STR_LIT("cy")));
	assert_int_equal(c->n_secrets, 1);
	assert_string_equal(c->stateless_nonce_secret, "hunter2");
	assert_memory_equal(c->secrets[0].p, "hunter2", 7);
	words_fini(&w);
	conf_drop(c);
}

/* They must not stay there either when the configuration is refused. */
static void secrets_of_a_refused_command_line_are_wiped(void **state)
{
	const char *const words[] = { "-n", "-u", "bob:hunter2", "--bogus", NULL };
	struct said s = { 0 };
	struct conf *c = NULL;
	struct words w;

	(void)state;
	words_init(&w, words);
	assert_int_equal(conf_load(w.n, w.v, said_add, &s, NULL, &c), ERR_CONF);
	assert_string_equal(w.v[3], "xxxxxxxxxxx");
	words_fini(&w);
}

/* All of it in one go, each with its place; and only for the server, which will need them. */
static void files_and_accounts_are_looked_at_for_a_server(void **state)
{
	static const char *const words[] = { "-n", "-z", "--cert=/nowhere/c.pem", "--pkey=/dev", "--CA-file=/dev/null/x",
					     "--proc-user=no such user", "--proc-group=no such group", "-l",
					     "/nowhere/log", "--pidfile=/dev/null/pid", "--min-port=1", NULL };
	static const char *const said[] = {
		"cert: /nowhere/c.pem: No such file", "pkey: /dev: is a directory",
		"CA-file: /dev/null/x: Not a directory", "proc-user: there is no user 'no such user'",
		"proc-group: there is no group 'no such group'", "log-file: /nowhere/log: /nowhere: No such file",
		"pidfile: /dev/null/pid: /dev/null is not a directory", "min-port: 1 is below 1024",
	};

	(void)state;
	for (int server = 0; server < 2; server++) {
		enum conf_action action;
		struct said s = { 0 };
		struct conf *c = NULL;
		struct words w;

		words_init(&w, words);
		assert_int_equal(conf_load(w.n, w.v, said_add, &s, server ? &action : NULL, &c), ERR_CONF);
		words_fini(&w);
		assert_int_equal(s.n_errors, server ? ARRAY_LEN(said) : 1);
		for (size_t i = 0; i < ARRAY_LEN(said) && server; i++)
			said_expect(s.errors, said[i]);
	}
}

static void actions_are_told(void **state)
{
	static const struct {
		const char *word;
		enum conf_action action;
		bool loads;
	} row[] = {
		{ "-v", CONF_RUN, true },
		{ "--check-config", CONF_CHECK, true },
		{ "--help", CONF_HELP, false },
		{ "-h", CONF_HELP, false },
		{ "--version", CONF_VERSION, false },
		{ "-vh", CONF_HELP, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		const char *const words[] = { "-n", "-z", row[i].word, NULL };
		enum conf_action action = CONF_RUN;
		struct said s = { 0 };
		struct conf *c = NULL;
		struct words w;

		words_init(&w, words);
		assert_int_equal(conf_load(w.n, w.v, said_add, &s, &action, &c), OK);
		assert_int_equal(action, row[i].action);
		assert_int_equal(c != NULL, row[i].loads);
		words_fini(&w);
		conf_drop(c);
	}
}

static void the_command_line_wins_and_adds(void **state)
{
	static const char text[] = "realm=file\nuser=a:1\ndenied-peer-ip=10.0.0.0/8\nverbose\n"
				   "listening-ip=192.0.2.1\n";
	char path[] = "/tmp/conf_argv.XXXXXX";
	int fd = mkstemp(path);
	const char *const words[] = {
		"--realm=words", "-c", path, "-u", "b:2", "--denied-peer-ip=172.16.0.0/12",
		"--verbose=no",	 NULL
	};
	struct said s;
	struct conf *c;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
	close(fd);
	c = load(&s, words);
	unlink(path);
	assert_string_equal(c->realm, "words");
	assert_int_equal(c->users.n, 2);
	assert_int_equal(c->denied.n, 2);
	assert_string_equal(c->denied_peer_ip.v[0], "10.0.0.0/8"); /* the file's come first */
	assert_int_equal(c->denied_peer_ip.line[0], 3);
	assert_int_equal(c->denied_peer_ip.line[1], 0);
	assert_false(c->verbose);
	assert_int_equal(s.n_warnings, 0);
	conf_drop(c);
}

static void repeated_flags_are_no_slip(void **state)
{
	struct said s;

	(void)state;
	conf_drop(LOAD(&s, "-v", "-v", "-L", "192.0.2.1"));
	assert_int_equal(s.n_warnings, 0);
	conf_drop(LOAD(&s, "-r", "a", "-r", "b", "-L", "192.0.2.1"));
	said_expect(s.warnings, "command line: realm: given again");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_of_an_option),
		cmocka_unit_test(names_may_be_cut_short),
		cmocka_unit_test(stale_nonce_takes_a_number_if_one_follows),
		cmocka_unit_test(legacy_options_take_their_values_along),
		cmocka_unit_test(wrong_words_are_listed),
		cmocka_unit_test(secrets_do_not_stay_in_argv),
		cmocka_unit_test(secrets_of_a_refused_command_line_are_wiped),
		cmocka_unit_test(files_and_accounts_are_looked_at_for_a_server),
		cmocka_unit_test(actions_are_told),
		cmocka_unit_test(the_command_line_wins_and_adds),
		cmocka_unit_test(repeated_flags_are_no_slip),
	};

	return cmocka_run_group_tests_name("conf_argv", tests, NULL, NULL);
}
