/*
 * The configuration: an immutable snapshot with a reference count. Built by conf_load() from a
 * file and the command line through one table (options.def), checked whole, then only read.
 *
 * struct conf has two parts: the plain values, one field per row of options.def, and what
 * check.c derives from them. Readers use the derived part where there is one.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/hmap.h"
#include "base/prefix.h"
#include "base/str.h"
#include "log/log.h"

enum { CONF_KEY_LEN = 16 }; /* an MD5 long-term key */

/* Values of a repeatable option, in the order given; file first, then command line. */
struct conf_list {
	char **v;  /* terminated strings */
	int *line; /* of the file; 0: the command line */
	size_t n;
};

/* One static account (`user`). */
struct conf_user {
	struct hnode node; /* in conf.users, by conf_user_hash() of the name */
	struct str name;
	uint8_t key[CONF_KEY_LEN]; /* MD5(name:realm:password) */
};

/* One relay address: what sockets bind to, and what clients are told (`relay-ip`, `external-ip`);
 * ports are 0. Without external-ip both are equal. */
struct conf_relay {
	struct addr inner, outer;
};

enum { CONF_ACME_MAX = 1024 }; /* bytes of acme-redirect */

/* One row of tls-passthrough. */
struct conf_passthrough {
	char name[256]; /* in lower case */
	struct addr to;
};

/* What a token of the stats port may do. */
enum conf_role { CONF_ROLE_NONE, CONF_ROLE_READ, CONF_ROLE_MINT, CONF_ROLE_ADMIN };

enum { CONF_TOKEN_MIN = 16, CONF_TOKEN_MAX = 256 };

struct conf_token {
	enum conf_role role;
	struct str text; /* owned */
};

/* Servers that clients are sent to instead. */
struct conf_alternates {
	struct addr *v;
	size_t n;
};

enum conf_alternate_kind {
	CONF_ALTERNATE_UDP,
	CONF_ALTERNATE_TCP,
	CONF_ALTERNATE_TLS, /* and DTLS */
	CONF_N_ALTERNATES
};

struct conf {
	_Atomic unsigned refs;

	/* plain values: a field named as the row says for every option */
#define OPT(field, name, short_name, type, def, min, max, flags, help) CONF_FIELD_##type(field)
#define CONF_FIELD_BOOL(f)					       bool f;
#define CONF_FIELD_INT(f)					       int64_t f;
#define CONF_FIELD_SIZE(f)					       int64_t f;
#define CONF_FIELD_TIME(f)					       int64_t f;
#define CONF_FIELD_STR(f)					       char *f;
#define CONF_FIELD_LIST(f)					       struct conf_list f;
#define CONF_FIELD_ENUM(f)					       int f;
#include "conf/options.def"
#undef OPT

	/* derived by check.c */
	struct addr *listeners; /* every listening-ip with listening-port */
	size_t n_listeners;
	struct addr *udp_listeners; /* listening-port, and tls-listening-port with dtls */
	size_t n_udp_listeners;
	struct addr *
		stream_listeners; /* TCP: listening-port, and tls-listening-port with a cert, tcp-proxy-port */
	size_t n_stream_listeners;
	bool has_tls, has_dtls;	   /* either: certificates are to be read */
	struct conf_relay *relays; /* relay-ip in the order given; without it the listeners'
				    * addresses, for a wildcard all of the host's; then the
				    * PRIVATE ones of external-ip. Empty only with stun-only */
	size_t n_relays;
	struct addr *locals; /* all addresses of this host, where a listener is on a wildcard */
	size_t n_locals;
	struct addr *externals; /* outer addresses of external-ip, to recognise our own */
	size_t n_externals;
	struct prefix_set allowed, denied;     /* allowed-peer-ip, denied-peer-ip */
	struct addr backend;		       /* https-backend, when has_backend */
	bool has_backend;		       /* it is set, and TLS is served */
	struct conf_passthrough *passthroughs; /* tls-passthrough */
	size_t n_passthroughs;
	struct prefix_set proxies; /* proxy-protocol-from */
	struct conf_alternates alternates[CONF_N_ALTERNATES]; /* alternate-server and its relatives */
	struct hmap users;	   /* struct conf_user, static accounts */
	struct str *secrets;	   /* static-auth-secret, in order */
	size_t n_secrets;
	bool has_credentials; /* any user or secret */
	bool has_http;	      /* the stats port is to be served, at `http` */
	bool http_wanted;     /* its port was asked for: it must be had */
	bool http_open;	      /* metrics need no token */
	struct addr http;
	struct addr *http_places; /* where it is reached: `http`, or on a wildcard all of this host's */
	size_t n_http_places;
	const char *http_cert_file, *http_pkey_file; /* both or none; borrowed */
	struct conf_token *tokens;
	size_t n_tokens;
	unsigned n_workers;   /* relay-threads, resolved; >= 1 */
};

/* Where a message about the configuration goes: one call a problem, a whole line without
 * newline ("/etc/t.conf:12: listening-port: 70000 is above 65535"). is_error false: a warning,
 * the configuration is still usable. */
typedef void conf_report_fn(bool is_error, const char *text, void *arg);

/* What main() was asked to do besides running. */
enum conf_action { CONF_RUN, CONF_CHECK, CONF_HELP, CONF_VERSION };

/*
 * Reads the command line, and the file it names (-c; -n: none; neither: the first of
 * ./taciturn.conf, ./turnserver.conf, SYSCONFDIR/taciturn.conf, /etc/taciturn.conf,
 * SYSCONFDIR/turnserver.conf, /etc/turnserver.conf, /etc/coturn/turnserver.conf that exists, and
 * a report says which).
 * The command line wins over the file for single values and adds to lists. All that is wrong is
 * reported, not just the first; ERR_CONF when any of it is an error. On OK *out has one
 * reference. action is NULL for programs that are not the server: files and accounts that the configuration
 * names are not looked at then. When *action becomes CONF_HELP or CONF_VERSION nothing else is
 * done, OK is returned and *out is NULL. Secrets in argv are overwritten, so that ps does not
 * show them: who wants to load again keeps a copy from before. Control thread.
 */
must_check enum err conf_load(int argc, char **argv, conf_report_fn *report, void *arg,
			      enum conf_action *action, struct conf **out);

/* Builds from text instead of a file, and no command line: for tests and fuzzing. */
must_check enum err conf_from_text(const char *text, conf_report_fn *report, void *arg,
				   struct conf **out);

/* One more, one less reference; the last one wipes the secrets and frees all. Any thread. */
struct conf *conf_hold(struct conf *c);
void conf_drop(struct conf *c);

/* What access tokens have to be made for: server-name, or the realm. */
static inline struct str conf_server_name(const struct conf *c)
{
	return str_of(c->server_name && *c->server_name ? c->server_name : c->realm);
}

/* The static account of that name, or NULL. Any thread. */
const struct conf_user *conf_user_find(const struct conf *c, struct str name);

/* The help text and the version to standard output. */
void conf_print_help(void);
void conf_print_version(void);
