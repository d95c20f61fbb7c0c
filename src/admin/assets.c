#include "admin/assets.h"

#include <string.h>

#include "admin/state.h"

/* Nothing from elsewhere, nothing inline: what gets into the page cannot run. */
#define POLICY                                                                          \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " \
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/* A page may be asked for without its suffix: / is /index.html, /check is /check.html. */
static const struct admin_asset *find(struct str path)
{
	for (size_t i = 0; i < admin_assets_data_n; i++) {
		const struct admin_asset *f = &admin_assets_data_rows[i];
		struct str name = str_of(f->path);

		if (str_eq(path, name))
			return f;
		if (str_eq(path, STR_LIT("/")) && strcmp(f->path, "/index.html") == 0)
			return f;
		if (path.len > 1 && name.len == path.len + 5 &&
		    memcmp(name.p, path.p, path.len) == 0 &&
		    strcmp(name.p + path.len, ".html") == 0)
			return f;
	}
	return NULL;
}

static const char *header(struct admin_request *q, const char *name)
{
	const char *v = MHD_lookup_connection_value(q->conn, MHD_HEADER_KIND, name);

	return v ? v : "";
}

static enum MHD_Result send_off(struct admin_request *q, const struct admin_asset *f)
{
	bool packed = strstr(header(q, MHD_HTTP_HEADER_ACCEPT_ENCODING), "gzip");
	bool same = strstr(header(q, MHD_HTTP_HEADER_IF_NONE_MATCH), f->etag);
	struct MHD_Response *r = MHD_create_response_from_buffer(
		same ? 0 : packed ? f->packed_len : f->plain_len,
		(void *)(packed ? f->packed : f->plain), MHD_RESPMEM_PERSISTENT);
	enum MHD_Result done;

	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, "Content-Type", f->type);
	MHD_add_response_header(r, "ETag", f->etag);
	MHD_add_response_header(r, "Cache-Control", "no-cache");
	MHD_add_response_header(r, "Vary", "Accept-Encoding");
	MHD_add_response_header(r, "Content-Security-Policy", POLICY);
	MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(r, "Referrer-Policy", "no-referrer");
	if (packed && !same)
		MHD_add_response_header(r, "Content-Encoding", "gzip");
	done = MHD_queue_response(q->conn, same ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	q->a->n_requests++;
	return done;
}

bool admin_assets_serve(struct admin_request *q, struct str path, enum MHD_Result *result)
{
	const struct admin_asset *f = find(path);

	if (!f)
		return false;
	*result = send_off(q, f);
	return true;
}
