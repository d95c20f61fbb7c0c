#include "net/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bug.h"

enum { RECORDS = 64 }; /* read at once: a client may make them as small as it likes */

/* A message that waits; as pending also a TLS record of several. */
struct net_waiting {
	struct list node;
	tick since;
	uint32_t len;
	bool control;
	uint8_t bytes[];
};

enum err net_stream_init(struct net_stream *s, struct net_loop *l, int fd, tick queue_ms,
			 net_fd_fn *on_input, void *arg)
{
	memset(s, 0, sizeof *s);
	s->loop = l;
	s->fd = fd;
	s->queue_ms = queue_ms;
	s->on_input = on_input;
	s->arg = arg;
	list_init(&s->queue);
	return net_loop_watch(l, &s->in, fd, on_input, arg);
}

void net_stream_set_tls(struct net_stream *s, struct net_tls *tls)
{
	BUG_ON(s->n_kept); /* it would pass for something that was said under TLS */
	s->tls = tls;
}

/* Takes w out of the queue. */
static void unqueue(struct net_stream *s, struct net_waiting *w)
{
	if (w->control)
		s->queued_control -= w->len;
	else
		s->queued_media -= w->len;
	list_del(&w->node);
}

static struct net_waiting *first_waiting(struct net_stream *s)
{
	return list_entry(s->queue.next, struct net_waiting, node);
}

void net_stream_fini(struct net_stream *s)
{
	while (!list_empty(&s->queue)) {
		struct net_waiting *w = first_waiting(s);

		unqueue(s, w);
		free(w);
	}
	free(s->kept);
	free(s->pending);
	net_loop_unwatch(&s->in); /* while paused too: net_loop_again() may have been called */
	if (s->out_watched)
		net_loop_unwatch(&s->out);
	net_tls_free(s->tls);
	close(s->fd);
}

void net_stream_detach(struct net_stream *s)
{
	BUG_ON(s->pending || !list_empty(&s->queue));
	net_loop_unwatch(&s->in);
}

enum err net_stream_attach(struct net_stream *s)
{
	return net_loop_watch(s->loop, &s->in, s->fd, s->on_input, s->arg);
}

void net_stream_end_write(struct net_stream *s)
{
	if (s->pending || !list_empty(&s->queue))
		return;
	if (s->tls)
		net_tls_end_write(s->tls);
	shutdown(s->fd, SHUT_WR);
}

/* --- in --- */

static size_t read_plain(struct net_stream *s, uint8_t *p, size_t cap)
{
	ssize_t n = recv(s->fd, p, cap, MSG_DONTWAIT);

	if (n > 0)
		return (size_t)n;
	if (n == 0)
		s->end = NET_STREAM_CLOSED;
	else if (errno != EAGAIN && errno != EINTR)
		s->end = NET_STREAM_ERROR;
	return 0;
}

/* A read gives a record at most: as many as fit are taken, while TLS holds any: of what comes later the
 * descriptor tells. *more is not set when the last read said that there is none, for a part of a record
 * counts as "more" with OpenSSL. */
static size_t read_tls(struct net_stream *s, uint8_t *p, size_t cap, bool *more)
{
	size_t total = 0, n;

	for (int i = 0; i < RECORDS && cap - total >= NET_TLS_RECORD; i++) {
		enum net_tls_result r = net_tls_read(s->tls, p + total, cap - total, &n);

		if (r == NET_TLS_OK) {
			total += n;
			if (!net_tls_has_more(s->tls))
				return total;
			continue;
		}
		if (r == NET_TLS_CLOSED)
			s->end = NET_STREAM_CLOSED;
		else if (r == NET_TLS_FAILED)
			s->end = NET_STREAM_TLS_ERROR;
		return total;
	}
	*more = net_tls_has_more(s->tls);
	return total;
}

size_t net_stream_read(struct net_stream *s, uint8_t *scratch, bool *more)
{
	size_t n = s->n_kept, got;

	*more = false;
	if (s->end || s->in_paused)
		return 0;
	got = s->tls ? read_tls(s, scratch + n, NET_STREAM_READ, more)
		     : read_plain(s, scratch + n, NET_STREAM_READ);
	if (!got)
		return 0;
	if (n)
		memcpy(scratch, s->kept, n);
	free(s->kept);
	s->kept = NULL;
	s->n_kept = 0;
	return n + got;
}

enum err net_stream_keep(struct net_stream *s, const uint8_t *p, size_t n)
{
	BUG_ON(n > NET_STREAM_KEEP || s->n_kept);
	if (n == 0)
		return OK;
	s->kept = malloc(n);
	if (!s->kept)
		return ERR_NOMEM;
	memcpy(s->kept, p, n);
	s->n_kept = n;
	return OK;
}

/* --- out --- */

/* What one attempt to write came to: bytes taken, or 0 when it has to wait; s->end when it is over. */
static size_t write_some(struct net_stream *s, const uint8_t *p, size_t n)
{
	ssize_t k;

	if (s->end)
		return 0;
	if (s->tls) {
		size_t record = n < NET_TLS_RECORD ? n : NET_TLS_RECORD;
		enum net_tls_result r = net_tls_write(s->tls, p, record);

		if (r == NET_TLS_OK)
			return record;
		if (r != NET_TLS_AGAIN)
			s->end = NET_STREAM_TLS_ERROR;
		return 0;
	}
	k = send(s->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (k >= 0)
		return (size_t)k;
	if (errno != EAGAIN && errno != EINTR)
		s->end = NET_STREAM_ERROR;
	return 0;
}

static bool has_waiting(const struct net_stream *s)
{
	return s->pending || !list_empty(&s->queue);
}

static void on_writable(int fd, void *arg);

/* Reading stops while too many answers wait, writing is watched while anything does. */
static void adjust_watches(struct net_stream *s)
{
	bool want_out = has_waiting(s) && !s->end;
	bool pause = s->queued_control > NET_STREAM_CONTROL_BYTES && !s->end;

	if (want_out && !s->out_watched)
		s->out_watched =
			!net_loop_watch_writable(s->loop, &s->out, s->fd, on_writable, s);
	else if (!want_out && s->out_watched) {
		net_loop_unwatch(&s->out);
		s->out_watched = false;
	}
	if (pause && !s->in_paused) {
		net_loop_unwatch(&s->in);
		s->in_paused = true;
	} else if (!pause && s->in_paused) {
		net_loop_unwatch(&s->in); /* net_loop_again() may have been called */
		s->in_paused =
			net_loop_watch(s->loop, &s->in, s->fd, s->on_input, s->arg) != OK;
	}
}

/* One copy of what n parts hold; NULL: no memory. */
static struct net_waiting *copy_of(const struct iovec *iov, size_t n, size_t len)
{
	struct net_waiting *w = malloc(sizeof *w + len);
	size_t off = 0;

	if (!w)
		return NULL;
	*w = (struct net_waiting){ .len = (uint32_t)len };
	list_init(&w->node);
	for (size_t i = 0; i < n; i++) {
		memcpy(w->bytes + off, iov[i].iov_base, iov[i].iov_len);
		off += iov[i].iov_len;
	}
	return w;
}

/* Bytes of one or more messages of which `off` have left: the others have to follow. */
static void finish_later(struct net_stream *s, const struct iovec *iov, size_t n, size_t len,
			 size_t off)
{
	s->pending = copy_of(iov, n, len);
	s->pending_off = off;
	if (!s->pending)
		s->end = NET_STREAM_ERROR; /* half a message was sent: there is no going on */
}

/* Drops media that waited too long, oldest first. */
static void drop_old(struct net_stream *s, tick now)
{
	struct list *at = s->queue.next;

	while (at != &s->queue) {
		struct net_waiting *w = list_entry(at, struct net_waiting, node);

		at = at->next;
		if (w->control)
			continue;
		if (now - w->since <= s->queue_ms && s->queued_media <= NET_STREAM_QUEUE_BYTES)
			return;
		unqueue(s, w);
		free(w);
		s->dropped++;
	}
}

static void enqueue(struct net_stream *s, const struct iovec *iov,
		    const struct net_burst_message *m, tick now)
{
	struct net_waiting *w = copy_of(iov, m->parts, m->len);

	if (!w) {
		if (m->control)
			s->end = NET_STREAM_ERROR;
		else
			s->dropped++;
		return;
	}
	w->since = now;
	w->control = m->control;
	list_push(&s->queue, &w->node);
	if (m->control)
		s->queued_control += m->len;
	else
		s->queued_media += m->len;
	drop_old(s, now);
}

/* True when nothing pending is left. */
static bool finish_pending(struct net_stream *s)
{
	struct net_waiting *w = s->pending;

	while (w && s->pending_off < w->len) {
		size_t n = write_some(s, w->bytes + s->pending_off, w->len - s->pending_off);

		if (!n)
			return false;
		s->pending_off += n;
	}
	free(w);
	s->pending = NULL;
	return true;
}

/* The queue, message by message: a connection that was full once has no hurry to save calls. */
static void drain_queue(struct net_stream *s)
{
	while (finish_pending(s) && !list_empty(&s->queue)) {
		s->pending = first_waiting(s);
		s->pending_off = 0;
		unqueue(s, s->pending);
	}
}

static void on_writable(int fd, void *arg)
{
	struct net_stream *s = arg;
	bool was_paused = s->in_paused;

	(void)fd;
	drop_old(s, net_loop_now(s->loop));
	drain_queue(s);
	adjust_watches(s);
	/* The owner hears of an end as of any; and of what TLS has decrypted the descriptor will not tell. */
	if (s->end || (was_paused && !s->in_paused))
		s->on_input(s->fd, s->arg);
}

bool net_stream_release(struct net_stream *s, int *fd, struct net_tls **tls)
{
	if (s->end || has_waiting(s))
		return false;
	*fd = s->fd;
	*tls = s->tls;
	s->fd = -1;
	s->tls = NULL;
	free(s->kept);
	s->kept = NULL;
	s->n_kept = 0;
	net_loop_unwatch(&s->in);
	return true;
}

/* --- bursts --- */

void net_burst_add(struct net_burst *b, struct net_stream *s, const struct iovec *parts,
		   size_t n, bool control, tick now)
{
	struct net_burst_message *m;

	if (b->stream && (b->stream != s || b->n == NET_BURST_MESSAGES))
		net_burst_flush(b, now);
	b->stream = s;
	m = &b->message[b->n++];
	*m = (struct net_burst_message){ 0, (uint8_t)n, control };
	for (size_t i = 0; i < n; i++) {
		b->iov[b->n_iov++] = parts[i];
		m->len += (uint32_t)parts[i].iov_len;
	}
	b->bytes += m->len;
}

/* How many bytes a plain connection took of the whole burst. */
static size_t write_plain(struct net_burst *b)
{
	struct msghdr m = { .msg_iov = b->iov, .msg_iovlen = b->n_iov };
	int flags = MSG_DONTWAIT | MSG_NOSIGNAL, fd = b->stream->fd;
	/* in one piece it goes by the shorter way into the kernel */
	ssize_t n = b->n_iov == 1 ? send(fd, b->iov->iov_base, b->iov->iov_len, flags)
				  : sendmsg(fd, &m, flags);

	if (n >= 0)
		return (size_t)n;
	if (errno != EAGAIN && errno != EINTR)
		b->stream->end = NET_STREAM_ERROR;
	return 0;
}

/* Queues a message; one of which `sent` bytes have left becomes pending. */
static void put_off(struct net_stream *s, const struct iovec *iov,
		    const struct net_burst_message *m, size_t sent, tick now)
{
	if (sent)
		finish_later(s, iov, m->parts, m->len, sent);
	else
		enqueue(s, iov, m, now);
}

static void flush_plain(struct net_burst *b, tick now)
{
	size_t sent = has_waiting(b->stream) ? 0 : write_plain(b);
	struct iovec *iov = b->iov;

	if (sent == b->bytes)
		return;
	for (size_t i = 0; i < b->n && !b->stream->end; i++) {
		if (sent >= b->message[i].len) {
			sent -= b->message[i].len;
		} else {
			put_off(b->stream, iov, &b->message[i], sent, now);
			sent = 0;
		}
		iov += b->message[i].parts;
	}
}

/* Gathers messages from `i` on for one record; returns how many. A message longer than a record
 * is alone and goes the slow way. What is in one piece stays where it is. */
static size_t gather(struct net_burst *b, size_t i, const struct iovec *iov,
		     const uint8_t **record, size_t *len)
{
	size_t n = 0;

	*record = b->record;
	*len = 0;
	if (b->n_iov == 1 && iov->iov_len <= NET_TLS_RECORD) {
		*record = iov->iov_base;
		*len = iov->iov_len;
		return 1;
	}
	for (; i < b->n && *len + b->message[i].len <= NET_TLS_RECORD; i++, n++)
		for (size_t k = 0; k < b->message[i].parts; k++, iov++) {
			memcpy(b->record + *len, iov->iov_base, iov->iov_len);
			*len += iov->iov_len;
		}
	return n;
}

static void flush_tls(struct net_burst *b, tick now)
{
	struct net_stream *s = b->stream;
	struct iovec *iov = b->iov;
	const uint8_t *record;
	size_t i = 0, len;

	while (i < b->n && !s->end) {
		size_t n = has_waiting(s) ? 0 : gather(b, i, iov, &record, &len);

		if (!n) { /* behind what waits, or too long for one record */
			bool idle = !has_waiting(s);

			enqueue(s, iov, &b->message[i], now);
			if (idle)
				drain_queue(s);
			n = 1;
		} else if (!write_some(s, record, len) && !s->end) {
			finish_later(s, &(struct iovec){ (void *)record, len }, 1, len, 0);
		}
		for (; n; n--)
			iov += b->message[i++].parts;
	}
}

void net_burst_flush(struct net_burst *b, tick now)
{
	struct net_stream *s = b->stream;

	if (!s)
		return;
	if (!s->end && s->tls)
		flush_tls(b, now);
	else if (!s->end)
		flush_plain(b, now);
	adjust_watches(s);
	b->stream = NULL;
	b->n = b->n_iov = b->bytes = 0;
}
