#include "conf_said.h"

#include <unistd.h>

#include "conf/table.h"

#define BASE "no-auth\nlistening-ip=192.0.2.1\n"

static void every_form_of_a_line(void **state)
{
	static const char *const lines[] = {
		"listening-port=3479",
		"listening-port 3479",
		"listening-port\t3479",
		"listening-port = 3479",
		"  listening-port  =  3479  ",
		"\tlistening-port\t=\t3479\t",
		"listening-port=\"3479\"",
		"listening-port \"3479\"",
		"listening-port=3479\r",
		"# listening-port=1\nlistening-port=3479",
		"  # comment\nlistening-port=3479",
		"\r\n\r\nlistening-port=3479\r\n",
	};
	struct said s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		char text[256];
		struct conf *c;

		snprintf(text, sizeof text, BASE "%s", lines[i]);
		c = said_load(&s, text);
		assert_int_equal(c->listening_port, 3479);
		assert_int_equal(s.n_warnings, 0);
		conf_drop(c);
	}
}

static void a_byte_order_mark_is_skipped(void **state)
{
	struct said s;

	(void)state;
	conf_drop(said_load(&s, "\xef\xbb\xbf" BASE));
	assert_int_equal(s.n_warnings, 0);
}

static void texts_keep_what_is_inside(void **state)
{
	struct said s;
	struct conf *c = said_load(&s, BASE "realm=\" a = b \"\npidfile /run/x y.pid\n"
					    "proc-user=a=b\nproc-group=a\"b\"\n");

	(void)state;
	assert_string_equal(c->realm, " a = b ");
	assert_string_equal(c->pidfile, "/run/x y.pid");
	assert_string_equal(c->proc_user, "a=b");
	assert_string_equal(c->proc_group, "a\"b\"");
	conf_drop(c);
}

static void defaults_hold(void **state)
{
	struct said s;
	struct conf *c = said_load(&s, BASE);

	(void)state;
	assert_int_equal(c->listening_port, 3478);
	assert_int_equal(c->min_port, 49152);
	assert_int_equal(c->max_port, 65535);
	assert_int_equal(c->stale_nonce, 600);
	assert_true(c->udp_gro);
	assert_false(c->fingerprint);
	assert_string_equal(c->rest_api_separator, ":");
	assert_string_equal(c->syslog_facility, "daemon");
	assert_null(c->pidfile);
	assert_int_equal(c->log_format, LOG_TEXT);
	conf_drop(c);
}

static void wrong_lines_are_refused_with_their_number(void **state)
{
	static const struct {
		const char *line, *said;
	} row[] = {
		{ "listening-port=70000", "text:3: listening-port: 70000 is above 65535" },
		{ "listening-port=0", "text:3: listening-port: 0 is below 1" },
		{ "listening-port=3478x", "text:3: listening-port: '3478x' is not a number" },
		{ "listening-port", "text:3: listening-port: needs a value" },
		{ "listening-port=", "text:3: listening-port: needs a value" },
		{ "listening-port=\"\"", "text:3: listening-port: needs a value" },
		{ "realm=", "text:3: realm: needs a value" },
		{ "denied-peer-ip", "text:3: denied-peer-ip: needs a value" },
		{ "max-bps=1X", "text:3: max-bps: '1X' is not a size" },
		{ "stale-nonce=1w", "text:3: stale-nonce: '1w' is not a time" },
		{ "user-quota=12 13", "text:3: user-quota: '12 13' is not a number" },
		{ "user-quota=12#13", "text:3: user-quota: '12#13' is not a number" },
		{ "user-quota=# 12", "text:3: user-quota: needs a value" },
		{ "denied-peer-ip=51.0.0.0-51.0.0.9 # ours", "text:3: denied-peer-ip: '51.0.0.0-51.0.0.9 # ours'" },
		{ "fingerprint=perhaps",
		  "text:3: fingerprint: 'perhaps' is neither yes nor no" },
		{ "log-format=xml", "text:3: log-format: 'xml' is none of text|json" },
		{ "realm=\"abc", "text:3: realm: the value does not end with its quote" },
		{ "realm=\"", "text:3: realm: the value does not end with its quote" },
		{ "realm=\"abc\" # here",
		  "text:3: realm: the value does not end with its quote" },
		{ "=3478", "text:3: there is no option before the '='" },
		{ "listening_port=1", "text:3: unknown option 'listening_port'; did you mean "
				      "listening-port?" },
		{ "completely-different=1", "text:3: unknown option 'completely-different'\n" },
		{ "realm=a\x01"
		  "b",
		  "text:3: the line holds a NUL or another control character" },
		{ "max-bps=99999999999999999999",
		  "text:3: max-bps: 99999999999999999999 is too "
		  "large" },
		{ "n", "unknown option 'n'" },
		{ "c=file", "unknown option 'c'" },
		{ "check-config", "unknown option 'check-config'" },
	};
	struct said s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		char text[256];

		snprintf(text, sizeof text, BASE "%s\n", row[i].line);
		said_refuse(&s, text, row[i].said);
		assert_int_equal(s.n_errors, 1);
	}
}

static void all_problems_are_reported(void **state)
{
	struct said s;

	(void)state;
	said_refuse(&s, BASE "min-port=1\nrelam=x\nmax-port=x\noauth\nrelay-ip=x\n",
		    ":3: min-port");
	said_expect(s.errors, ":4: unknown");
	said_expect(s.errors, ":5: max-port");
	said_expect(s.errors, ":6: oauth");
	said_expect(s.errors, ":7: relay-ip");
	assert_int_equal(s.n_errors, 5);
}

static void a_bare_stale_nonce_is_coturns_default(void **state)
{
	static const char *const lines[] = { "stale-nonce\n", "stale-nonce=\n", "stale-nonce # s\n" };
	struct said s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		char text[256];
		struct conf *c;

		snprintf(text, sizeof text, BASE "%s", lines[i]);
		c = said_load(&s, text);
		assert_int_equal(c->stale_nonce, 600);
		conf_drop(c);
	}
}

/* The documentation of Synapse has user-quota with a comment behind it. */
static void a_comment_behind_a_number_or_a_yes_is_left_out(void **state)
{
	struct said s;
	struct conf *c = said_load(&s, BASE "user-quota=12 # 4 streams per call, so 12 streams = 3\n"
					    "total-quota = 1200;\nverbose # all\nfingerprint=no\t# none\n"
					    "stale-nonce=\"20\" # seconds\nlog-format=json ; # yes\n");

	(void)state;
	assert_int_equal(c->user_quota, 12);
	assert_int_equal(c->total_quota, 1200);
	assert_true(c->verbose);
	assert_false(c->fingerprint);
	assert_int_equal(c->stale_nonce, 20);
	assert_int_equal(c->log_format, LOG_JSON);
	assert_int_equal(s.n_warnings, 6);
	said_expect(s.warnings, "text:3: user-quota: what follows the value is left out");
	conf_drop(c);
}

static void the_last_of_two_wins_with_a_warning(void **state)
{
	struct said s;
	struct conf *c = said_load(&s, BASE "realm=a\nmin-port=2000\nrealm=b\nmin-port=3000\n");

	(void)state;
	assert_string_equal(c->realm, "b");
	assert_int_equal(c->min_port, 3000);
	said_expect(s.warnings, "text:5: realm: given again; line 3 no longer counts");
	said_expect(s.warnings, "text:6: min-port: given again");
	conf_drop(c);
}

static void slips_are_mentioned(void **state)
{
	struct said s;

	(void)state;
	conf_drop(said_load(&s, BASE "realm=example.org # ours\npidfile=/run/t.pid;\n"));
	said_expect(s.warnings, "text:3: realm: '#' is part of the value");
	said_expect(s.warnings, "text:4: pidfile: the ';' at the end");
}

static void a_line_has_a_longest_length(void **state)
{
	char text[6000] = BASE "realm=";
	size_t n = strlen(text);
	struct said s;

	(void)state;
	memset(text + n, 'a', 4096 - 6 + 1);
	said_refuse(&s, text, "text:3: the line is longer than 4096 bytes");
	/* one less is read, and then refused for another reason */
	text[n + 4096 - 6] = '\0';
	said_refuse(&s, text, "text:3: realm: longer than 127 characters");
}

static void secrets_are_never_shown(void **state)
{
	static const char *const lines[] = {
		"user=hunter2",		"user=:hunter2",      "user=bob:0xhunter2",
		"user=bob:0x12hunter2", "user=\"bob:hunter2", "static-auth-secret=\"hunter2",
	};
	struct said s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		char text[256];

		snprintf(text, sizeof text, "%s\n", lines[i]);
		said_refuse(&s, text, "text:1: ");
		said_not(&s, "hunter2");
	}
	conf_drop(said_load(&s, "static-auth-secret=hunter2 # x;\nuser=a:hunter2\n"
				"static-auth-secret=hunter2 # x;\nuser=a:hunter2;\n"
				"pkey-pwd=hunter2\npkey-pwd=hunter2\n"));
	said_not(&s, "hunter2");
}

static void legacy_names_do_what_their_row_says(void **state)
{
	struct said s;

	(void)state;
	conf_drop(said_load(&s, BASE
			    "no-sslv3\nno-cli\nno-cli\nkeep-address-family\nmobility=no\n"
			    "oauth=no\nserver-relay=0\nmobility=off\nno-multicast-peers\n"));
	said_expect(s.warnings, "text:3: no-sslv3: ignored: ");
	said_expect(s.warnings, "text:6: keep-address-family: HAS NO EFFECT: ");
	said_expect(s.warnings, "multicast peers are denied by default");
	assert_int_equal(s.n_warnings, 4); /* no-cli once; what is switched off, never */
	said_refuse(&s, BASE "server-relay\n", "text:3: server-relay: it would relay without");
	said_refuse(&s, BASE "mysql-userdb=ip=1 password=hunter2\n",
		    "text:3: mysql-userdb: ");
	said_not(&s, "hunter2");
	said_refuse(&s, BASE "secure-stun\n", "not available in this version");
}

static void values_that_mean_not_used_are_accepted_in_silence(void **state)
{
	static const char *const unused[] = {
		"relay-device=0",	  "relay-device 0",	"relay-device=off",
		"relay-device=No",	  "aux-server=0",	"mysql-userdb=no",
		"multiplex-peer-port=0", "server-relay=no",	"oauth=0",
		"multiplex-peer-max-peers=\"0\"",
	};
	static const char *const used[] = {
		"relay-device=1",     "relay-device=00",     "relay-device",
		"relay-device=",      "listening-device=n0", "mongo-userdb=no.such",
		"aux-server=f",	      "multiplex-peer-port=3478",
		"relay-device=noeth",
	};
	char text[256];
	struct said s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(unused); i++) {
		snprintf(text, sizeof text, BASE "%s\n", unused[i]);
		conf_drop(said_load(&s, text));
		assert_int_equal(s.n_warnings, 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(used); i++) {
		snprintf(text, sizeof text, BASE "%s\n", used[i]);
		said_refuse(&s, text, "text:3: ");
	}
}

/* conf_load() of a file with these bytes. */
static enum err load_file(struct said *s, const char *bytes, size_t n, struct conf **out)
{
	char path[] = "/tmp/conf_parse.XXXXXX";
	const char *const words[] = { "-c", path, NULL };
	int fd = mkstemp(path);
	struct words w;
	enum err e;

	memset(s, 0, sizeof *s);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), n);
	close(fd);
	words_init(&w, words);
	e = conf_load(w.n, w.v, said_add, s, NULL, out);
	words_fini(&w);
	unlink(path);
	return e;
}

static void files_are_read(void **state)
{
	static const char good[] = BASE "realm=file.example";
	static const char nul[] = BASE "realm=fi\0le\nrealm=ok\n";
	struct conf *c = NULL;
	struct said s;

	(void)state;
	assert_int_equal(load_file(&s, good, sizeof good - 1, &c), OK);
	assert_string_equal(c->realm, "file.example");
	conf_drop(c);
	assert_int_equal(load_file(&s, nul, sizeof nul - 1, &c), ERR_CONF);
	said_expect(s.errors, ":3: the line holds a NUL");
	assert_int_equal(s.n_errors, 1);
}

static void a_file_that_cannot_be_read_is_an_error(void **state)
{
	static const char *const rows[][3] = {
		{ "-c", "/nonexistent/taciturn.conf", "No such file" },
		{ "-c", "/tmp", "directory" },
		{ "-c", "/dev/zero", "larger than" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *const words[] = { rows[i][0], rows[i][1], "-z", NULL };
		struct said s = { 0 };
		struct conf *c = NULL;
		struct words w;

		words_init(&w, words);
		assert_int_equal(conf_load(w.n, w.v, said_add, &s, NULL, &c), ERR_CONF);
		words_fini(&w);
		said_expect(s.errors, rows[i][1]);
		said_expect(s.errors, rows[i][2]);
	}
}

/* Takes the '#' off the lines of the sample that hold an option and a default. */
static char *uncomment(FILE *sample)
{
	char line[256], *text = calloc(1, 65536);

	assert_non_null(text);
	strcpy(text, "listening-ip=192.0.2.1\n");
	while (fgets(line, sizeof line, sample)) {
		char *equals = strchr(line, '=');

		if (line[0] != '#' || line[1] == ' ' || !equals || equals[1] == '\n')
			continue;
		assert_true(strlen(text) + strlen(line) < 65536);
		strcat(text, line + 1);
	}
	return text;
}

static void assert_defaults(struct conf *c, const struct conf_row *row)
{
	const void *field = conf_table_field(c, row);

	if (row->type == CONF_BOOL)
		assert_int_equal(*(const bool *)field,
				 strcmp(row->name, "stun-only") == 0 || row->num != 0);
	else if (row->type == CONF_ENUM)
		assert_int_equal(*(const int *)field, row->num);
	else if (row->type == CONF_STR && row->text)
		assert_string_equal(*(char *const *)field, row->text);
	else if (row->type != CONF_STR && row->type != CONF_LIST)
		assert_int_equal(*(const int64_t *)field, row->num);
}

static void the_sample_file_holds_the_defaults(void **state)
{
	const char *srcdir = getenv("srcdir");
	struct said s;
	struct conf *c;
	char path[512], *text, *stun_only;
	FILE *sample;

	(void)state;
	snprintf(path, sizeof path, "%s/etc/taciturn.conf", srcdir ? srcdir : ".");
	sample = fopen(path, "r");
	assert_non_null(sample);
	text = uncomment(sample);
	fclose(sample);
	/* by default nobody could relay; the one line that is changed lets it load */
	stun_only = strstr(text, "stun-only=no\n");
	assert_non_null(stun_only);
	memcpy(stun_only, "stun-only=1 ", 12);
	c = said_load(&s, text);
	assert_int_equal(s.n_warnings, 0);
	for (size_t i = 0; i < CONF_N_ROWS; i++)
		assert_defaults(c, &conf_table_rows[i]);
	conf_drop(c);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_of_a_line),
		cmocka_unit_test(a_byte_order_mark_is_skipped),
		cmocka_unit_test(texts_keep_what_is_inside),
		cmocka_unit_test(defaults_hold),
		cmocka_unit_test(wrong_lines_are_refused_with_their_number),
		cmocka_unit_test(all_problems_are_reported),
		cmocka_unit_test(a_bare_stale_nonce_is_coturns_default),
		cmocka_unit_test(a_comment_behind_a_number_or_a_yes_is_left_out),
		cmocka_unit_test(the_last_of_two_wins_with_a_warning),
		cmocka_unit_test(slips_are_mentioned),
		cmocka_unit_test(a_line_has_a_longest_length),
		cmocka_unit_test(secrets_are_never_shown),
		cmocka_unit_test(legacy_names_do_what_their_row_says),
		cmocka_unit_test(values_that_mean_not_used_are_accepted_in_silence),
		cmocka_unit_test(files_are_read),
		cmocka_unit_test(the_sample_file_holds_the_defaults),
		cmocka_unit_test(a_file_that_cannot_be_read_is_an_error),
	};

	return cmocka_run_group_tests_name("conf_parse", tests, NULL, NULL);
}
