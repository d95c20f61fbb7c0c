#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/state.h"
#include "base/bug.h"

static const char *title_of(unsigned status)
{
	static const struct {
		unsigned status;
		const char *title;
	} titles[] = {
		{ 400, "Bad Request" },	      { 401, "Unauthorized" },
		{ 403, "Forbidden" },	      { 404, "Not Found" },
		{ 405, "Method Not Allowed" }, { 409, "Conflict" },
		{ 413, "Content Too Large" }, { 501, "Not Implemented" },
		{ 503, "Service Unavailable" },
	};

	for (size_t i = 0; i < ARRAY_LEN(titles); i++)
		if (titles[i].status == status)
			return titles[i].title;
	return "Internal Server Error";
}

static enum MHD_Result send_off(struct admin_request *q, unsigned status,
				struct MHD_Response *r, const char *type)
{
	enum MHD_Result done;

	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, "Content-Type", type);
	MHD_add_response_header(r, "Cache-Control", "no-store");
	MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	/* a body that was not read stands between this request and the next */
	if (status == 401 || status == 413 || status == 503)
		MHD_add_response_header(r, "Connection", "close");
	done = MHD_queue_response(q->conn, status, r);
	MHD_destroy_response(r);
	q->a->n_requests++;
	q->a->n_refused += status == 401 || status == 403;
	return done;
}

enum MHD_Result admin_reply_text(struct admin_request *q, char *text, size_t len,
				 const char *type)
{
	struct MHD_Response *r =
		MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);

	if (!r)
		free(text);
	return send_off(q, MHD_HTTP_OK, r, type);
}

static struct MHD_Response *of_json(json_t *body)
{
	char *text = body ? json_dumps(body, ADMIN_JSON_FLAGS) : NULL;
	struct MHD_Response *r = NULL;

	json_decref(body);
	if (text)
		r = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	if (!r)
		free(text);
	return r;
}

enum MHD_Result admin_reply_json(struct admin_request *q, unsigned status, json_t *body)
{
	if (!body)
		return admin_reply_problem(q, 500, "no memory");
	return send_off(q, status, of_json(body), "application/json");
}

enum MHD_Result admin_reply_problem_with(struct admin_request *q, unsigned status,
					 const char *detail, const char *header,
					 const char *value)
{
	struct MHD_Response *r = of_json(json_pack("{s:s, s:s, s:i, s:s}", "type",
						   "about:blank", "title", title_of(status),
						   "status", (int)status, "detail", detail));

	if (r && header)
		MHD_add_response_header(r, header, value);
	return send_off(q, status, r, "application/problem+json");
}

enum MHD_Result admin_reply_problem(struct admin_request *q, unsigned status, const char *detail)
{
	const char *header = status == 503 ? "Retry-After" : NULL;

	return admin_reply_problem_with(q, status, detail, header, "5");
}

json_t *admin_reply_string(const char *p, size_t len)
{
	static const char unknown[] = "\xef\xbf\xbd";
	json_t *j = json_stringn(p ? p : "", p ? len : 0);
	char *safe;
	size_t n = 0;

	if (j)
		return j;
	safe = malloc(len * 3 + 1);
	if (!safe)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)p[i] < 0x80) {
			safe[n++] = p[i];
			continue;
		}
		memcpy(safe + n, unknown, 3);
		n += 3;
	}
	j = json_stringn(safe, n);
	free(safe);
	return j;
}
