#include "worker/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/thread.h"
#include "relay/dtls.h"
#include "worker/bridge.h"
#include "worker/msg.h"
#include "worker/notes.h"

/* TLS and DTLS that begin from now on. The reference becomes ours. */
static void set_cert(struct worker *w, struct net_cert *cert)
{
	if (w->relay->dtls)
		relay_dtls_set_cert(w->relay, net_cert_hold(cert));
	if (w->relay->shared->conf->has_tls)
		relay_conns_set_cert(w->relay, cert);
	else
		net_cert_drop(cert);
}

static void on_message(struct worker *w, struct worker_msg *msg)
{
	switch (msg->kind) {
	case WORKER_STOP:
		w->stop = true;
		break;
	case WORKER_CERT:
		set_cert(w, msg->cert);
		break;
	case WORKER_MOVED:
		relay_handoff_receive(w->relay, &msg->moved);
		break;
	case WORKER_STORE:
		worker_ask_answer(w, msg->job);
		break;
	case WORKER_LIST:
		worker_notes_ask(w, msg->listing);
		break;
	case WORKER_DRAIN:
		w->relay->draining = msg->on;
		break;
	case WORKER_WATCH:
		worker_notes_watch(w, msg->on);
		break;
	}
}

static void on_mail(int fd, void *arg)
{
	struct worker *w = arg;
	struct worker_msg msg;

	(void)fd;
	while (!mbox_recv(w->mbox, &msg))
		on_message(w, &msg);
	if (worker_notes_turn(w))
		net_loop_again(&w->mbox_watch);
}

static bool post(void *arg, unsigned worker, const struct relay_moved *m)
{
	const struct worker_msg msg = { .kind = WORKER_MOVED, .moved = *m };
	struct worker *w = arg;

	return w->all && !mbox_send(w->all[worker].mbox, &msg);
}

/* How late a tick is tells how long the loop was busy with something else. */
static void note_lag(struct worker *w, tick now)
{
	uint64_t late = w->next_tick && now > w->next_tick ? now - w->next_tick : 0;

	atomic_store_explicit(&w->relay->cnt.lag_ms, late, memory_order_relaxed);
	w->next_tick = now + WORKER_TICK_MS;
}

static void on_tick(int fd, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	relay_tick(w->relay);
	note_lag(w, w->relay->env.now);
	worker_ask_tick(w);
	worker_board_read(worker_bridge_board(w->bridge), &w->reader, w->relay);
}

static void *run(void *arg)
{
	struct worker *w = arg;

	while (!w->stop && !net_loop_turn(w->loop))
		relay_turn(w->relay);
	if (!w->stop) { /* its share of the clients would be served by nobody */
		log_error(w->relay->lg, NULL, "worker_failed",
			  "worker=%u reason=event_loop note=\"stopping: restart the server\"",
			  w->index);
		worker_bridge_fail(w->bridge);
	}
	return NULL;
}

static enum err listen_all(struct worker *w, const struct conf *conf, const int *fds)
{
	enum err e = OK;

	w->listeners = calloc(conf->n_udp_listeners + 1, sizeof *w->listeners);
	w->acceptors = calloc(conf->n_stream_listeners + 1, sizeof *w->acceptors);
	if (!w->listeners || !w->acceptors)
		return ERR_NOMEM;
	for (size_t i = 0; i < conf->n_udp_listeners && !e; i++) {
		e = relay_listen(w->relay, &w->listeners[i], *fds++, &conf->udp_listeners[i]);
		w->n_listeners += !e;
	}
	for (size_t i = 0; i < conf->n_stream_listeners && !e; i++) {
		e = relay_conn_listen(w->relay, &w->acceptors[i], *fds++,
				      &conf->stream_listeners[i]);
		w->n_acceptors += !e;
	}
	return e;
}

static enum err serve_dtls(struct worker *w, struct net_cert *cert)
{
	enum err e = relay_dtls_new(w->relay, net_cert_hold(cert));

	if (e)
		net_cert_drop(cert);
	return e;
}

enum err worker_init(struct worker *w, unsigned index, const struct relay_shared *shared,
		     const int *fds, struct net_cert *cert, struct logger *lg)
{
	enum err e;

	memset(w, 0, sizeof *w);
	w->index = index;
	e = net_loop_new(&w->loop);
	if (!e)
		e = mbox_new(&w->mbox, sizeof(struct worker_msg), WORKER_MBOX_LEN);
	if (!e)
		e = relay_new(&w->relay, shared, index, w->loop, lg);
	if (!e)
		e = net_loop_watch(w->loop, &w->mbox_watch, mbox_fd(w->mbox), on_mail, w);
	if (!e)
		e = net_loop_every(w->loop, WORKER_TICK_MS, on_tick, w);
	if (!e) {
		w->relay->post = post;
		w->relay->post_arg = w;
	}
	if (!e && shared->conf->has_tls && cert)
		relay_conns_set_cert(w->relay, net_cert_hold(cert));
	if (!e && shared->conf->has_dtls && cert)
		e = serve_dtls(w, cert);
	if (!e)
		e = listen_all(w, shared->conf, fds);
	return e;
}

enum err worker_connect(struct worker *w, struct worker_bridge *bridge)
{
	struct relay_asker asker = worker_bridge_kinds(w->relay->shared->conf);

	w->bridge = bridge;
	asker.ask = worker_ask;
	asker.arg = w;
	return worker_bridge_store(bridge) ? relay_set_asker(w->relay, &asker) : OK;
}

enum err worker_start(struct worker *w)
{
	enum err e = thread_start(&w->thread, run, w);
	char name[16];

	if (e)
		return e;
	w->running = true;
	snprintf(name, sizeof name, "worker-%u", w->index);
	pthread_setname_np(w->thread, name);
	return OK;
}

void worker_stop(struct worker *w)
{
	const struct worker_msg msg = { .kind = WORKER_STOP };

	if (!w->running)
		return;
	w->running = false;
	while (mbox_send(w->mbox, &msg)) { /* full: the worker is emptying it, unless its loop failed */
		if (!pthread_tryjoin_np(w->thread, NULL))
			return;
		sched_yield();
	}
	pthread_join(w->thread, NULL);
}

enum err worker_set_cert(struct worker *w, struct net_cert *cert)
{
	const struct worker_msg msg = { .kind = WORKER_CERT, .cert = net_cert_hold(cert) };
	enum err e = mbox_send(w->mbox, &msg);

	if (e)
		net_cert_drop(cert);
	return e;
}

/* What came after the worker had stopped to read. */
static void empty_mailbox(struct worker *w)
{
	struct worker_msg msg;

	while (w->mbox && !mbox_recv(w->mbox, &msg)) {
		if (msg.kind == WORKER_MOVED)
			relay_handoff_dispose(&msg.moved);
		else if (msg.kind == WORKER_CERT)
			net_cert_drop(msg.cert);
		else if (msg.kind == WORKER_STORE)
			worker_ask_return(w, msg.job);
		else if (msg.kind == WORKER_LIST)
			free(msg.listing);
	}
}

void worker_fini(struct worker *w)
{
	empty_mailbox(w);
	free(w->listed);
	for (size_t i = 0; i < w->n_listeners; i++)
		relay_unlisten(&w->listeners[i]);
	for (size_t i = 0; i < w->n_acceptors; i++)
		relay_conn_unlisten(&w->acceptors[i]);
	relay_end(w->relay);
	worker_ask_finish(w);
	relay_free(w->relay);
	free(w->listeners);
	free(w->acceptors);
	if (w->mbox && w->mbox_watch.fn)
		net_loop_unwatch(&w->mbox_watch);
	empty_mailbox(w);
	mbox_free(w->mbox);
	net_loop_free(w->loop);
}
