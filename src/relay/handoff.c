#include "relay/handoff.h"

#include <stdlib.h>
#include <string.h>

#include "relay/conn.h"
#include "turn/tcp.h"

bool relay_handoff_is_due(const struct relay *r, const struct stun_msg *req, unsigned *worker)
{
	if (!r->post || req->class != STUN_REQUEST || req->method != STUN_CONNECTION_BIND)
		return false;
	/* who does not even try to authenticate is challenged where it is */
	if ((!req->integrity_off && !req->integrity256_off) ||
	    !stun_has(req, STUN_A_CONNECTION_ID) || req->bad & STUN_BIT(CONNECTION_ID))
		return false;
	*worker = turn_tcp_owner(req->connection_id, r->shared->conf->n_workers);
	return *worker != r->index;
}

void relay_handoff_dispose(struct relay_moved *m)
{
	net_tls_free(m->tls); /* before the descriptor: it says goodbye */
	net_sock_close(&m->fd);
	free(m->bytes);
}

void relay_handoff_send(struct relay *r, unsigned worker, struct relay_moved *m)
{
	uint8_t *copy = malloc(m->n);
	char client[ADDR_TEXT_LEN];

	if (copy)
		memcpy(copy, m->bytes, m->n);
	m->bytes = copy;
	relay_addr_print(r, &m->tuple.client, client);
	if (copy && r->post(r->post_arg, worker, m)) {
		count(&r->cnt, conn_moved);
		if (r->shared->conf->verbose)
			log_debug(r->lg, NULL, "conn_moved", "client=%s worker=%u", client,
				  worker);
		return;
	}
	relay_handoff_dispose(m);
	count(&r->cnt, conn_not_moved);
	if (log_seldom(&r->n_not_moved))
		log_warn(r->lg, NULL, "conn_not_moved", "client=%s worker=%u reason=%s n=%llu",
			 client, worker, copy ? "its_mailbox_is_full" : "no_memory",
			 r->n_not_moved);
}

void relay_handoff_receive(struct relay *r, struct relay_moved *m)
{
	relay_clock(r);
	relay_conn_arrive(r, m);
}
