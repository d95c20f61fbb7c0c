#include <stdlib.h>
#include <string.h>

#include "admin/state.h"
#include "base/bug.h"

/* One reader. What waits for it is a piece of the heap that grows up to ADMIN_STREAM_MAX. */
struct admin_stream {
	struct list all; /* in admin.streams */
	struct admin *a;
	struct MHD_Connection *conn;
	char *buf;
	size_t len, cap;
	uint64_t n_lost; /* events that did not fit */
	bool suspended;	 /* everything was sent */
	bool ended;	 /* the server stops */
};

/* --- what waits --- */

static bool reserve(struct admin_stream *s, size_t more)
{
	size_t cap = s->cap ? s->cap : 4096;
	char *buf;

	if (s->len + more > ADMIN_STREAM_MAX)
		return false;
	while (cap < s->len + more)
		cap *= 2;
	if (cap == s->cap)
		return true;
	buf = realloc(s->buf, cap);
	if (!buf)
		return false;
	s->buf = buf;
	s->cap = cap;
	return true;
}

static bool append(struct admin_stream *s, const char *event, const char *data)
{
	size_t n = strlen(event) + strlen(data) + sizeof "event: \ndata: \n\n";

	if (!reserve(s, n))
		return false;
	s->len += (size_t)snprintf(s->buf + s->len, n, "event: %s\ndata: %s\n\n", event, data);
	return true;
}

/* First that something is missing, then what is new. */
static void push(struct admin_stream *s, const char *event, const char *data, bool counts)
{
	char lost[48];

	if (s->n_lost) {
		snprintf(lost, sizeof lost, "{\"events\":%llu}", (unsigned long long)s->n_lost);
		if (append(s, "lost", lost))
			s->n_lost = 0;
	}
	if (!append(s, event, data))
		s->n_lost += counts;
	if (s->suspended && s->len) {
		s->suspended = false;
		MHD_resume_connection(s->conn);
	}
}

/* Takes the JSON. */
static void push_all(struct admin *a, const char *event, json_t *j, bool counts)
{
	char *text = j ? json_dumps(j, ADMIN_JSON_FLAGS) : NULL;

	json_decref(j);
	if (!text)
		return;
	for (struct list *n = a->streams.next; n != &a->streams; n = n->next)
		push(list_entry(n, struct admin_stream, all), event, text, counts);
	free(text);
}

/* --- the reader --- */

static ssize_t on_read(void *arg, uint64_t pos, char *out, size_t max)
{
	struct admin_stream *s = arg;
	size_t n = s->len < max ? s->len : max;

	(void)pos;
	if (s->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (n == 0) {
		s->suspended = true;
		MHD_suspend_connection(s->conn);
		return 0;
	}
	memcpy(out, s->buf, n);
	memmove(s->buf, s->buf + n, s->len - n);
	s->len -= n;
	return (ssize_t)n;
}

/* The workers tell of sessions while anybody listens. */
static void set_watch(struct admin *a)
{
	const struct worker_msg msg = { .kind = WORKER_WATCH, .on = a->n_streams > 0 };
	bool all = true;

	if (a->told_watch == msg.on)
		return;
	for (unsigned i = 0; i < a->host.n_workers; i++)
		all &= a->host.send(a->host.arg, i, &msg);
	if (all) /* else again in a second */
		a->told_watch = msg.on;
}

static void on_closed(void *arg)
{
	struct admin_stream *s = arg;

	list_del(&s->all);
	s->a->n_streams--;
	free(s->buf);
	free(s);
}

static json_t *hello(struct admin *a)
{
	static const char *const names[] = { "version", "node", "epoch", "now_at" };
	json_t *all = admin_status_json(a, false), *few = json_object();

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		json_object_set(few, names[i], json_object_get(all, names[i]));
	json_decref(all);
	return few;
}

static void greet(struct admin_stream *s)
{
	json_t *j = hello(s->a);
	char *text = j ? json_dumps(j, ADMIN_JSON_FLAGS) : NULL;

	json_decref(j);
	if (text)
		push(s, "hello", text, false);
	free(text);
}

enum MHD_Result admin_events_serve(struct admin_request *q)
{
	struct admin *a = q->a;
	struct admin_stream *s =
		a->n_streams < ADMIN_STREAMS ? calloc(1, sizeof *s) : NULL;
	struct MHD_Response *r;
	enum MHD_Result done;

	if (!s)
		return admin_reply_problem(q, 503, "too many event streams");
	s->a = a;
	s->conn = q->conn;
	r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16384, on_read, s, on_closed);
	if (!r) {
		free(s);
		return admin_reply_problem(q, 500, "no memory");
	}
	list_push(&a->streams, &s->all);
	a->n_streams++;
	greet(s);
	MHD_add_response_header(r, "Content-Type", "text/event-stream");
	MHD_add_response_header(r, "Cache-Control", "no-store");
	MHD_add_response_header(r, "X-Accel-Buffering", "no");
	MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	done = MHD_queue_response(q->conn, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	a->n_requests++;
	set_watch(a);
	return done;
}

/* --- what happens --- */

void admin_events_session(struct admin *a, const struct worker_note *n)
{
	bool opened = n->kind == WORKER_NOTE_OPENED;
	json_t *row;

	for (struct list *i = a->streams.next; i != &a->streams; i = i->next)
		list_entry(i, struct admin_stream, all)->n_lost += n->lost;
	if (!a->n_streams || !n->row)
		return;
	row = admin_sessions_row(a, n->row);
	if (row && !opened)
		json_object_set_new(row, "reason", json_string(turn_end_text(n->why)));
	push_all(a, opened ? "opened" : "ended", row, true);
}

void admin_events_second(struct admin *a)
{
	bool leaves, draining = a->host.draining(a->host.arg, &leaves);

	set_watch(a);
	if (a->n_streams && draining != a->was_draining)
		push_all(a, "state",
			 json_pack("{s:s}", "state", draining ? "draining" : "serving"), false);
	a->was_draining = draining;
	if (a->n_streams)
		push_all(a, "totals", admin_status_json(a, false), false);
}

void admin_events_stop(struct admin *a)
{
	for (struct list *n = a->streams.next; n != &a->streams; n = n->next) {
		struct admin_stream *s = list_entry(n, struct admin_stream, all);

		s->ended = true;
		if (s->suspended) {
			s->suspended = false;
			MHD_resume_connection(s->conn);
		}
	}
}
