/* What a request wants: its path to a row of route.def, its query to parameters. Pure; any thread. */
#pragma once

#include "base/err.h"
#include "base/str.h"

enum { ADMIN_ROUTE_ARG = 1024, ADMIN_ROUTE_PARAMS = 12, ADMIN_ROUTE_TEXT = 2048 };

enum admin_route_id {
#define ROUTE(name, method, path, role) ADMIN_ROUTE_##name,
#include "admin/route.def"
#undef ROUTE
	ADMIN_N_ROUTES
};

enum admin_role {
	ADMIN_ROLE_OPEN,
	ADMIN_ROLE_READ,
	ADMIN_ROLE_MINT,
	ADMIN_ROLE_ADMIN,
	ADMIN_ROLE_METRICS,
};

enum admin_method {
	ADMIN_GET = 1,
	ADMIN_POST = 2,
	ADMIN_PUT = 4,
	ADMIN_DELETE = 8,
	ADMIN_HEAD = 16,
};

struct admin_route {
	enum admin_route_id id;
	enum admin_role role;
	enum admin_method method;
	const char *path;
};

extern const struct admin_route admin_route_rows[ADMIN_N_ROUTES];

/* A name of a method, "GET"; 0: none that is known. */
unsigned admin_route_method(const char *name);

/* What was found for a path and a method. */
struct admin_found {
	const struct admin_route *route; /* NULL: none */
	unsigned allowed;		 /* methods that the path has; 0: it is no row at all */
	struct str arg;			 /* what stands for {}, as it was sent */
};

/* `path` without its query; `metrics` is the path of /metrics. */
struct admin_found admin_route_find(struct str path, unsigned method, struct str metrics);

/* Undoes percent-encoding into `out`. ERR_MALFORMED: a % without two digits, a NUL; ERR_RANGE: too long. */
must_check enum err admin_route_decode(struct str text, char *out, size_t cap, size_t *len);

/* The parameters of a query, decoded. */
struct admin_query {
	size_t n, used;
	struct {
		struct str name, value;
	} params[ADMIN_ROUTE_PARAMS];
	char text[ADMIN_ROUTE_TEXT];
};

/* `text` is what follows the '?'. ERR_MALFORMED: wrong encoding, or a name twice; ERR_RANGE: too much of
 * it. */
must_check enum err admin_route_query(struct str text, struct admin_query *out);

/* The parameter's value; p is NULL without it. */
struct str admin_query_find(const struct admin_query *q, const char *name);
