/* What the files of this folder share. Inside of admin/ only. Control thread. */
#pragma once

#include <jansson.h>
#include <microhttpd.h>

#include "admin/admin.h"
#include "admin/route.h"
#include "base/list.h"

struct admin_ask;    /* sessions.c: a question to the workers */
struct admin_stream; /* events.c: a reader of events */
struct admin_order;  /* order.c: what a database is told */
struct admin_wire;   /* order.c: by which it comes back */

/* What was relayed in the 10 s before, and the sessions then, by the client's transport. */
struct admin_sample {
	double at;
	uint64_t bps[COUNTER_TRANSPORTS], sessions[COUNTER_TRANSPORTS];
};

struct admin_history {
	tick taken; /* the last one; 0: none yet */
	uint64_t bytes[COUNTER_TRANSPORTS];
	size_t next, n;
	struct admin_sample samples[ADMIN_HISTORY];
};

struct admin {
	struct admin_host host;
	struct MHD_Daemon *daemon;
	struct net_watch daemon_watch, timer_watch, second_watch, notes_watch, orders_watch;
	int timer_fd, second_fd; /* MHD's next deadline; each second */
	struct admin_wire *wire;
	struct list asks, streams, orders;
	unsigned n_asks, n_streams, n_orders;
	uint64_t next_ticket;
	uint64_t n_requests, n_refused; /* answered; of these with 401, 403 */
	unsigned long long n_bad_tokens; /* for log_seldom() */
	tick started;
	struct {
		tick since; /* the minute that is counted */
		unsigned n, n_sources;
		struct admin_source {
			struct addr net;
			unsigned n;
		} sources[ADMIN_CHECKS];
	} checks; /* credentials without a token, for check-page */
	struct admin_history history;
	bool was_draining; /* as the streams were told */
	bool told_watch;   /* the workers tell of sessions */
};

struct admin_request {
	struct admin *a;
	struct MHD_Connection *conn;
	const struct admin_route *route;
	struct admin_query query;
	char arg[ADMIN_ROUTE_ARG]; /* what stands for {}, decoded */
	size_t arg_len;
	bool seen;	/* its head has come */
	bool begun;	/* … and was looked at */
	bool too_large; /* the body */
	char *body;
	size_t body_len;
	struct admin_ask *ask;	   /* what is being waited for */
	struct admin_order *order; /* or this */
	size_t uri_len;
	char uri[];
};

/* 13 digits: seconds since 1970, and the milliseconds. */
#define ADMIN_JSON_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(13))

typedef enum MHD_Result admin_handler_fn(struct admin_request *q);

/* A handler for each row of route.def: admin_<file>_… in the file that its name says. */
admin_handler_fn admin_health_live, admin_health_ready, admin_metrics_serve, admin_status_serve,
	admin_sessions_list, admin_sessions_one, admin_sessions_end, admin_sessions_user,
	admin_order_quota, admin_events_serve, admin_control_drain, admin_control_reload,
	admin_mint_serve, admin_mint_check, admin_order_revoke, admin_mint_rest,
	admin_history_serve;

/* --- sessions.c --- */
/* The realm that a request names its user in: that of `?realm=`, else the server's. Borrowed from `q`. */
struct str admin_sessions_realm(const struct admin_request *q);

/* --- http.c --- */
/* Lets libmicrohttpd work; after connections were resumed. Not from within a handler. */
void admin_http_turn(struct admin *a);

/* --- reply.c --- */
/* Answers with JSON, which it takes; NULL: 500. */
enum MHD_Result admin_reply_json(struct admin_request *q, unsigned status, json_t *body);
/* Answers with problem+json. `header` and `value`: one more header, or NULL. */
enum MHD_Result admin_reply_problem(struct admin_request *q, unsigned status, const char *detail);
enum MHD_Result admin_reply_problem_with(struct admin_request *q, unsigned status,
					 const char *detail, const char *header,
					 const char *value);
/* Answers with text on the heap, which it takes. */
enum MHD_Result admin_reply_text(struct admin_request *q, char *text, size_t len,
				 const char *type);
/* A JSON string of bytes that others chose: what is no UTF-8 becomes U+FFFD. */
json_t *admin_reply_string(const char *p, size_t len);

/* --- assets.c --- */
/* Answers with a file of the page. False: there is none of that path. */
bool admin_assets_serve(struct admin_request *q, struct str path, enum MHD_Result *result);

/* --- status.c --- */
/* `whole`: with what seldom changes. */
json_t *admin_status_json(struct admin *a, bool whole);

/* --- sessions.c --- */
/* A session, as the interface tells of it. */
json_t *admin_sessions_row(const struct admin *a, const struct relay_row *row);
/* A worker has answered; takes the listing. */
void admin_sessions_answered(struct admin *a, struct relay_listing *l);
/* Once a second: gives up on workers that do not answer. */
void admin_sessions_second(struct admin *a);
/* The request of this ask is over. */
void admin_ask_drop(struct admin_ask *ask);
/* Lets all go on that wait, for the daemon ends. */
void admin_sessions_stop(struct admin *a);

/* --- order.c --- */
must_check enum err admin_order_start(struct admin *a);
/* Readable while orders are back: then admin_order_turn(). */
int admin_order_fd(const struct admin *a);
void admin_order_turn(struct admin *a);
/* Once a second: nobody waits for ever. */
void admin_order_second(struct admin *a);
/* The request of this order is over. */
void admin_order_drop(struct admin_order *o);
/* Lets all go on that wait, for the daemon ends; and after it has ended. */
void admin_order_stop(struct admin *a);
void admin_order_end(struct admin *a);

/* --- history.c --- */
/* Once a second. */
void admin_history_second(struct admin *a);

/* --- events.c --- */
void admin_events_session(struct admin *a, const struct worker_note *n);
void admin_events_second(struct admin *a);
void admin_events_stop(struct admin *a);

/* --- figures.c: sums over the workers --- */
struct admin_sums; /* admin/figures.h */
