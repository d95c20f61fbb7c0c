/* What a backend is given: the loop of the store thread, a log, and a way to say that it came or went. */
#pragma once

#include "log/log.h"
#include "net/loop.h"
#include "store/op.h"

struct event_base;

struct store_env {
	struct net_loop *loop;	 /* net_loop_base() is its event_base, for libraries that want one */
	struct event_base *base;
	struct logger *lg;	/* of the store thread */
	uint64_t hash_key[2];
	/* The connection came up or went: for the log, the metrics and what waits for it. */
	void (*changed)(void *arg, const struct store_backend *b, bool is_up, const char *why);
	/* A connection to a database or a Sentinel stands, on that socket. */
	void (*reached)(void *arg, int fd);
	void *arg;
	bool must_exist; /* SQLite: a file that is not there is not made, and an empty one gets no tables */
	unsigned timeout_ms; /* of one answer; backends give up a connection that is silent for longer */
};
