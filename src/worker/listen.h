/* From the configuration to the same listeners in every worker. */
#pragma once

#include "conf/conf.h"
#include "log/log.h"

/* The sockets of all workers: of each worker its UDP ones, then its TCP ones, in the order of
 * conf->udp_listeners and conf->stream_listeners. */
struct worker_sockets {
	int *fds;
	size_t n;
};

/* How many of them one worker has. */
static inline size_t worker_listen_count(const struct conf *conf)
{
	return conf->n_udp_listeners + conf->n_stream_listeners;
}

/* Binds everything, before privileges are dropped and before any worker serves: a SO_REUSEPORT
 * group that changes sends clients to other workers. What cannot be bound, a relay address that this host
 * does not have too, is reported through `report`, with what to do about it. */
must_check enum err worker_listen_open(const struct conf *conf, struct worker_sockets *out,
				       conf_report_fn *report, void *arg);
/* For --check-config: a warning for each address of the configuration that this host does not have, by its option.
 * Nothing is listened on, so that a running server need not be stopped. */
void worker_listen_check(const struct conf *conf, conf_report_fn *report, void *arg);
void worker_listen_close(struct worker_sockets *s);
