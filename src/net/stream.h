/*
 * One TCP connection of a client, plain or under TLS: what arrives, with what was left over of an
 * unfinished message; and what leaves, at once where the kernel takes it, else through a queue
 * that is bounded by time: the oldest media is dropped, control messages never. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/list.h"
#include "base/tick.h"
#include "net/loop.h"
#include "net/tls.h"

enum {
	NET_STREAM_READ = 65536,      /* bytes taken off a connection at once */
	NET_STREAM_KEEP = 20 + 65535, /* of an unfinished message, at most */
	NET_SCRATCH =
		NET_STREAM_READ + NET_STREAM_KEEP, /* memory to read into; one per worker */
	NET_STREAM_QUEUE_BYTES = 4 << 20,	   /* of media that waits, whatever its age */
	NET_STREAM_CONTROL_BYTES = 64
				   << 10, /* of answers that wait: then nothing more is read */
};

/* Why a connection is no more. */
enum net_stream_end {
	NET_STREAM_OPEN,
	NET_STREAM_CLOSED,    /* by the client, in order */
	NET_STREAM_ERROR,     /* reset, or the kernel gave up */
	NET_STREAM_TLS_ERROR, /* handshake or record layer */
};

struct net_stream {
	struct net_loop *loop;
	struct net_watch in, out;
	int fd;
	bool out_watched, in_paused;
	struct net_tls *tls; /* NULL: plain */
	net_fd_fn *on_input; /* there is something to read, or the end */
	void *arg;
	enum net_stream_end end;

	uint8_t *kept; /* the beginning of an unfinished message; owned */
	size_t n_kept;

	struct net_waiting
		*pending; /* begun and not finished: goes out before all else; owned */
	size_t pending_off;
	struct list queue;		     /* of whole messages that wait */
	size_t queued_media, queued_control; /* bytes */
	uint64_t dropped; /* media given up for its age or for want of room */
	tick queue_ms;	  /* option stream-queue-ms */
};

/* Takes over a connected, non-blocking descriptor, but for when it fails. on_input(fd, arg) is called when
 * there may be something to read. */
must_check enum err net_stream_init(struct net_stream *s, struct net_loop *l, int fd,
				    tick queue_ms, net_fd_fn *on_input, void *arg);

/* From here on the connection speaks TLS; `tls` becomes the stream's. Nothing may be kept by then: what
 * was said in the clear must not pass for the other. */
void net_stream_set_tls(struct net_stream *s, struct net_tls *tls);

/* Closes and frees all it holds; the struct is the caller's. A TLS end is said where that needs no
 * waiting. */
void net_stream_fini(struct net_stream *s);

/* Gives the connection away: the descriptor and TLS (NULL: plain) become the caller's, what was kept is
 * forgotten. False, and nothing has changed: it has ended, or what was written has not all left. */
bool net_stream_release(struct net_stream *s, int *fd, struct net_tls **tls);
/* Somebody else reads and writes at the descriptor, and under its TLS; both stay the stream's. Nothing may wait
 * to be sent. */
void net_stream_detach(struct net_stream *s);
/* The stream serves again. On failure it stays as it was. */
must_check enum err net_stream_attach(struct net_stream *s);

/* Says that nothing more will be sent, if all has been: the client may still be heard. */
void net_stream_end_write(struct net_stream *s);

/* Reads what waits behind what was kept, into scratch (NET_SCRATCH bytes); returns how many bytes lie
 * there now. 0: nothing new, or too many answers wait; see s->end, which may be set with the last bytes too.
 * *more: TLS holds more than fitted, of which the descriptor will not tell. */
size_t net_stream_read(struct net_stream *s, uint8_t *scratch, bool *more);

/* Puts the end of what was read aside until more has come. ERR_NOMEM. */
must_check enum err net_stream_keep(struct net_stream *s, const uint8_t *p, size_t n);

/* Messages of one connection that leave together: in one write, in as few TLS records as hold them. The
 * memory that is added is borrowed until the flush. */
enum { NET_BURST_MESSAGES = 64, NET_BURST_PARTS = 3 };

struct net_burst {
	struct net_stream *stream; /* NULL: none is open */
	size_t n, n_iov, bytes;
	struct iovec iov[NET_BURST_MESSAGES * NET_BURST_PARTS];
	struct net_burst_message {
		uint32_t len;
		uint8_t parts;
		bool control;
	} message[NET_BURST_MESSAGES];
	uint8_t *record; /* NET_TLS_RECORD bytes to gather a TLS record in */
};

/* Adds one message of n <= NET_BURST_PARTS parts, flushing what waits when it is for another
 * connection or there is no room. */
void net_burst_add(struct net_burst *b, struct net_stream *s, const struct iovec *parts,
		   size_t n, bool control, tick now);

/* Sends what waits; what the kernel does not take is queued, or dropped. Afterwards s->end may be set: its
 * owner is not called for that. The stream must still be there. */
void net_burst_flush(struct net_burst *b, tick now);
