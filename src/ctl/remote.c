/* taciturnctl status, sessions, drain, reload, and credential with --url: what the stats port of a running server
 * does. */
#include <event2/http.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/http.h"

enum { PATH_MAX_LEN = 2048 };

/* A name that clients chose, for a terminal: no control character of C0 or C1 gets there. */
static void put_text(const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		bool is_c1 = p[0] == 0xC2 && p[1] >= 0x80 && p[1] < 0xA0;

		putchar(*p < 0x20 || *p == 0x7F || is_c1 ? '?' : *p);
		p += is_c1;
	}
}

static const char *string_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "-";
}

static json_int_t number_of(const json_t *object, const char *outer, const char *name)
{
	return (json_int_t)json_number_value(json_object_get(json_object_get(object, outer), name));
}

int ctl_credential_of_server(struct ctl *c)
{
	json_t *body = json_pack("{s:s, s:I}", "user", c->user, "ttl", (json_int_t)(c->ttl_s ? c->ttl_s : CTL_TTL_S));
	json_t *answer, *servers;

	if (!body)
		return ctl_fail("--user: it has to be UTF-8");
	if (ctl_http_ask(c, CTL_HTTP_POST, "/api/v1/credentials", body, &answer))
		return EXIT_FAILURE;
	servers = json_incref(json_object_get(answer, "iceServers"));
	json_decref(answer);
	if (!servers)
		return ctl_fail("%s: an answer without iceServers", c->url);
	return ctl_put_json(json_pack("{s:o}", "iceServers", servers));
}

int ctl_status(struct ctl *c)
{
	json_t *answer, *store;
	size_t i;

	if (c->argc)
		return ctl_fail("usage: taciturnctl status [--url URL] [--token-file FILE]");
	if (ctl_http_ask(c, CTL_HTTP_GET, "/api/v1/status", NULL, &answer))
		return EXIT_FAILURE;
	if (c->json)
		return ctl_put_json(answer);
	printf("node      %s\nversion   %s\nstate     %s\n", string_of(answer, "node"), string_of(answer, "version"),
	       string_of(answer, "state"));
	printf("uptime    %.0f s\n", json_number_value(json_object_get(answer, "uptime_s")));
	printf("sessions  %" JSON_INTEGER_FORMAT " now, %" JSON_INTEGER_FORMAT " opened, %" JSON_INTEGER_FORMAT " ended\n",
	       number_of(answer, "sessions", "now"), number_of(answer, "sessions", "opened"),
	       number_of(answer, "sessions", "ended"));
	printf("memory    %" JSON_INTEGER_FORMAT " KiB\n", number_of(answer, "process", "resident_bytes") / 1024);
	json_array_foreach (json_object_get(answer, "stores"), i, store)
		printf("store     %s, for %s: %s, %" JSON_INTEGER_FORMAT " waiting\n", string_of(store, "kind"),
		       string_of(store, "used_for"), json_is_true(json_object_get(store, "up")) ? "up" : "down",
		       json_integer_value(json_object_get(store, "waiting")));
	json_decref(answer);
	return EXIT_SUCCESS;
}

static void put_session(const json_t *s)
{
	put_text(string_of(s, "id"));
	putchar('\t');
	put_text(string_of(s, "user"));
	printf("\t%s\t%s\t%s\t%.0f s\tup %" JSON_INTEGER_FORMAT "\tdown %" JSON_INTEGER_FORMAT "\n",
	       string_of(s, "transport"), string_of(s, "client"), string_of(s, "state"),
	       json_number_value(json_object_get(s, "age_s")), number_of(s, "up", "bytes"), number_of(s, "down", "bytes"));
}

static int end_session(struct ctl *c, const char *id)
{
	char *encoded = evhttp_uriencode(id, -1, 0), path[PATH_MAX_LEN];
	json_t *answer;
	enum err e;

	snprintf(path, sizeof path, "/api/v1/sessions/%.1000s", encoded ? encoded : "");
	free(encoded);
	e = ctl_http_ask(c, CTL_HTTP_DELETE, path, NULL, &answer);
	if (e)
		return EXIT_FAILURE;
	if (c->json)
		return ctl_put_json(answer);
	json_decref(answer);
	return EXIT_SUCCESS;
}

/* A page of sessions behind `cursor`, which becomes the next page's, or "". */
static enum err list_page(struct ctl *c, char cursor[64], json_t *all)
{
	char *user = c->user ? evhttp_uriencode(c->user, -1, 0) : NULL, path[PATH_MAX_LEN];
	json_t *answer, *row;
	size_t i;
	enum err e;

	snprintf(path, sizeof path, "/api/v1/sessions?limit=1000%s%s%s%.1600s", cursor[0] ? "&cursor=" : "", cursor,
		 user ? "&user=" : "", user ? user : "");
	free(user);
	e = ctl_http_ask(c, CTL_HTTP_GET, path, NULL, &answer);
	if (e)
		return e;
	json_array_foreach (json_object_get(answer, "sessions"), i, row)
		if (c->json)
			json_array_append(all, row);
		else
			put_session(row);
	row = json_object_get(answer, "next");
	snprintf(cursor, 64, "%.63s", json_is_string(row) ? json_string_value(row) : "");
	json_decref(answer);
	return OK;
}

int ctl_sessions(struct ctl *c)
{
	char cursor[64] = "";
	json_t *all;
	enum err e;

	if (c->argc == 2 && strcmp(c->argv[0], "end") == 0 && !c->user)
		return end_session(c, c->argv[1]);
	if (c->argc)
		return ctl_fail("usage: taciturnctl sessions [--user USER] | sessions end ID");
	all = json_array();
	do
		e = list_page(c, cursor, all);
	while (!e && cursor[0]);
	if (!e && c->json)
		return ctl_put_json(all);
	json_decref(all);
	return e ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int post(struct ctl *c, const char *path, json_t *body, const char *member)
{
	json_t *answer;
	char *text;

	if (ctl_http_ask(c, CTL_HTTP_POST, path, body, &answer))
		return EXIT_FAILURE;
	if (c->json)
		return ctl_put_json(answer);
	text = json_dumps(json_object_get(answer, member), JSON_ENCODE_ANY);
	if (text)
		printf("%s: %s\n", member, text);
	free(text);
	json_decref(answer);
	return EXIT_SUCCESS;
}

int ctl_drain(struct ctl *c)
{
	const char *word = c->argc == 1 ? c->argv[0] : "";
	bool off = strcmp(word, "off") == 0, stay = strcmp(word, "stay") == 0;

	if (c->argc && !off && !stay)
		return ctl_fail("usage: taciturnctl drain [stay | off]");
	return post(c, "/api/v1/drain",
		    off ? json_pack("{s:b}", "drain", 0) : json_pack("{s:b, s:b}", "drain", 1, "exit", !stay), "state");
}

int ctl_reload(struct ctl *c)
{
	if (c->argc)
		return ctl_fail("usage: taciturnctl reload");
	return post(c, "/api/v1/reload", NULL, "reloaded");
}
