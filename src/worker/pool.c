#include "worker/pool.h"

#include <stdlib.h>

#include "worker/bridge.h"
#include "worker/msg.h"

static enum err start_one(struct worker_pool *p, unsigned i, const struct relay_shared *shared,
			  const struct worker_sockets *sockets, struct net_cert *cert,
			  struct log *log)
{
	struct logger *lg;
	enum err e = log_logger(log, &lg);

	if (e)
		return e;
	e = worker_init(&p->workers[i], i, shared,
			sockets->fds + i * worker_listen_count(shared->conf), cert, lg);
	p->workers[i].all = p->workers;
	p->workers[i].control = p->notes;
	return e;
}

enum err worker_pool_start(struct worker_pool *p, const struct relay_shared *shared,
			   const struct worker_sockets *sockets, struct net_cert *cert,
			   struct log *log, struct worker_bridge *bridge)
{
	enum err e = OK;

	p->bridge = bridge;
	p->n = shared->conf->n_workers;
	p->workers = calloc(p->n, sizeof *p->workers);
	if (!p->workers)
		return ERR_NOMEM;
	for (unsigned i = 0; i < p->n && !e; i++)
		e = start_one(p, i, shared, sockets, cert, log);
	for (unsigned i = 0; i < p->n && !e; i++)
		e = worker_connect(&p->workers[i], bridge);
	if (!e)
		worker_bridge_connect(bridge, p->workers);
	for (unsigned i = 0; i < p->n && !e; i++)
		e = worker_start(&p->workers[i]);
	if (e)
		worker_pool_stop(p);
	return e;
}

enum err worker_pool_set_cert(struct worker_pool *p, struct net_cert *cert)
{
	enum err first = OK;

	for (unsigned i = 0; i < p->n; i++) {
		enum err e = worker_set_cert(&p->workers[i], cert);

		first = first ? first : e;
	}
	return first;
}

enum err worker_pool_listen(struct worker_pool *p)
{
	return mbox_new(&p->notes, sizeof(struct worker_note), WORKER_NOTES);
}

enum err worker_pool_send(struct worker_pool *p, unsigned worker, const struct worker_msg *msg)
{
	return mbox_send(p->workers[worker].mbox, msg);
}

/* With what nobody read. */
static void free_notes(struct mbox *notes)
{
	struct worker_note note;

	while (notes && !mbox_recv(notes, &note))
		worker_note_dispose(&note);
	mbox_free(notes);
}

void worker_pool_stop(struct worker_pool *p)
{
	for (unsigned i = 0; i < p->n; i++)
		worker_stop(&p->workers[i]);
	if (p->bridge)
		worker_bridge_connect(p->bridge, NULL);
	for (unsigned i = 0; i < p->n; i++)
		if (p->workers[i].loop)
			worker_fini(&p->workers[i]);
	free(p->workers);
	free_notes(p->notes);
	*p = (struct worker_pool){ 0 };
}
