#include "conf/conf.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/crypto.h"
#include "conf/argv.h"
#include "conf/check.h"
#include "conf/parse.h"
#include "conf/reader.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif

/* Ours before coturn's, in each place. */
static const char *const places[] = {
	"./taciturn.conf",
	"./turnserver.conf",
	SYSCONFDIR "/taciturn.conf",
	"/etc/taciturn.conf",
	SYSCONFDIR "/turnserver.conf",
	"/etc/turnserver.conf",
	"/etc/coturn/turnserver.conf",
};

static void read_file(struct conf_reader *r, const struct conf_argv *a)
{
	if (a->file && a->no_file)
		conf_reader_error(r, CONF_AT_ARGV, NULL,
				  "-n contradicts -c: take one of them out");
	if (a->file) {
		conf_parse_file(r, a->file);
		return;
	}
	if (a->no_file)
		return;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (access(places[i], F_OK))
			continue;
		conf_reader_warn(r, CONF_AT_NOWHERE, NULL, "reading %s", places[i]);
		conf_parse_file(r, places[i]);
		return;
	}
	conf_reader_warn(r, CONF_AT_NOWHERE, NULL,
			 "no configuration file found; only the command line counts");
}

/* Hands the snapshot out, or throws it away. */
static enum err finish(struct conf_reader *r, struct conf **out)
{
	if (!r->no_memory)
		conf_check(r);
	if (!r->no_memory && r->n_errors == 0) {
		*out = r->conf;
		return OK;
	}
	conf_drop(r->conf);
	return r->no_memory ? ERR_NOMEM : ERR_CONF;
}

enum err conf_load(int argc, char **argv, conf_report_fn *report, void *arg,
		   enum conf_action *action, struct conf **out)
{
	struct conf_reader r;
	struct conf_argv a;
	enum err e = conf_reader_init(&r, report, arg);

	if (e)
		return e;
	e = conf_argv_scan(&a, &r, argc, argv);
	if (e)
		goto drop_conf;
	if (action)
		*action = a.action;
	if (a.action == CONF_HELP || a.action == CONF_VERSION) {
		*out = NULL;
		conf_argv_fini(&a);
		goto drop_conf;
	}
	r.for_server = action != NULL;
	read_file(&r, &a);
	conf_argv_apply(&a, &r);
	conf_argv_fini(&a);
	return finish(&r, out);

drop_conf:
	conf_drop(r.conf);
	return e;
}

enum err conf_from_text(const char *text, conf_report_fn *report, void *arg, struct conf **out)
{
	struct conf_reader r;
	enum err e = conf_reader_init(&r, report, arg);

	if (e)
		return e;
	r.file = "text";
	conf_parse_text(&r, str_of(text));
	return finish(&r, out);
}

struct conf *conf_hold(struct conf *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

static void free_text(char *text, bool secret)
{
	if (text && secret)
		crypto_wipe(text, strlen(text));
	free(text);
}

static void free_value(struct conf *c, const struct conf_row *row)
{
	void *field = conf_table_field(c, row);
	bool secret = row->flags & OPT_SECRET;

	if (row->type == CONF_STR)
		free_text(*(char **)field, secret);
	if (row->type == CONF_LIST) {
		struct conf_list *list = field;

		for (size_t i = 0; i < list->n; i++)
			free_text(list->v[i], secret);
		free(list->v);
		free(list->line);
	}
}

void conf_drop(struct conf *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	conf_users_fini(c);
	conf_http_fini(c);
	conf_alternates_fini(c);
	for (size_t i = 0; i < CONF_N_ROWS; i++)
		free_value(c, &conf_table_rows[i]);
	prefix_fini(&c->allowed);
	prefix_fini(&c->denied);
	prefix_fini(&c->proxies);
	free(c->passthroughs);
	free(c->listeners);
	free(c->udp_listeners);
	free(c->stream_listeners);
	free(c->relays);
	free(c->externals);
	free(c->locals);
	free(c->http_places);
	free(c);
}
