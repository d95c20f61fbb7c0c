/* A request at a server's stats port, over HTTP or HTTPS (docs/api.md). What is wrong is printed. */
#pragma once

#include <jansson.h>

#include "base/err.h"

struct ctl;

enum ctl_http_method { CTL_HTTP_GET, CTL_HTTP_POST, CTL_HTTP_DELETE };

/*
 * Asks for path (with its query, encoded) at c->url, with the token of --token-file, of the environment or of the
 * terminal, and waits for the answer. body: a request's, or NULL; its reference is taken. The server's certificate
 * is checked, for the host's name, against --ca or what the system trusts. *out: the JSON of an answer that is a
 * success, the caller's. Redirections are not followed: the token is for this server.
 */
must_check enum err ctl_http_ask(struct ctl *c, enum ctl_http_method method, const char *path, json_t *body,
				 json_t **out);
