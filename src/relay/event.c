#include "relay/event.h"

#include <stdio.h>
#include <string.h>

#include "relay/conn.h"
#include "relay/dtls.h"

enum {
	KEY_LEN = 1200, /* realm and user have up to 513 bytes each, the id has 18 */
	VALUE_LEN = 400,
};

static const char *const types[] = { [TURN_UDP] = "UDP",
				     [TURN_TCP] = "TCP",
				     [TURN_TLS] = "TLS/TCP",
				     [TURN_DTLS] = "DTLS" };

/*
 * turn/realm/R/user/U/allocation/ID/`what`. coturn's ID has 18 digits, a thread in the first three and a
 * counter in the others, which begins at 1 with each start: here it begins with the time of that, so that
 * the same key is not used twice.
 */
static struct str key_of(const struct relay *r, const struct relay_session *s,
			 const char *what, char buf[KEY_LEN])
{
	const struct str realm = s->turn.realm, user = s->turn.username;
	unsigned long long id = (unsigned long long)r->index * 1000000000000000ULL +
				(unsigned long long)(r->shared->epoch / 1000000 % 100000000) * 10000000 +
				s->id / r->shared->conf->n_workers % 10000000;
	int n = snprintf(buf, KEY_LEN, "turn/%s%.*s%suser/", realm.len ? "realm/" : "",
			 STR_ARG(realm), realm.len ? "/" : "");
	size_t at = (size_t)n;

	/* a user name is bytes, and goes as such */
	if (user.len && at + user.len < KEY_LEN) {
		memcpy(buf + at, user.p, user.len);
		at += user.len;
	}
	n = snprintf(buf + at, KEY_LEN - at, "/allocation/%018llu/%s", id, what);
	return (struct str){ buf, at + (size_t)n < KEY_LEN ? at + (size_t)n : KEY_LEN - 1 };
}

static void tell(struct relay *r, const struct relay_ask_event *events, size_t n)
{
	const struct relay_ask q = { .kind = RELAY_ASK_EVENT, .events = events, .n_events = n };

	if (!r->asker.ask(r->asker.arg, &q))
		count(&r->cnt, event_lost);
}

static void status(struct relay *r, struct relay_session *s, const char *word,
		   uint32_t lifetime_s)
{
	char key[KEY_LEN], value[VALUE_LEN], client[ADDR_TEXT_LEN], server[ADDR_TEXT_LEN];
	const char *ssl = "NONE", *cipher = "NONE";
	struct relay_ask_event e = { .kind = RELAY_EVENT_SET };

	if (s->path.dtls) {
		relay_dtls_cipher(s->path.dtls, &ssl, &cipher);
	} else if (s->path.conn) {
		struct net_tls *tls = relay_conn_stream(s->path.conn)->tls;

		ssl = tls ? net_tls_version(tls) : ssl;
		cipher = tls ? net_tls_cipher(tls) : cipher;
	}
	snprintf(value, sizeof value,
		 "%s lifetime=%lu, type=%s, local=%s, remote=%s, ssl=%s, cipher=%s", word,
		 (unsigned long)lifetime_s, types[s->turn.tuple.transport],
		 addr_print(&s->turn.tuple.server, server),
		 relay_addr_print(r, &s->turn.tuple.client, client), ssl, cipher);
	e.key = key_of(r, s, "status", key);
	e.value = str_of(value);
	tell(r, &e, 1);
}

void relay_event_opened(struct relay *r, struct relay_session *s, uint32_t lifetime_s)
{
	if (r->asker.events)
		status(r, s, "new", lifetime_s);
}

void relay_event_refreshed(struct relay *r, struct relay_session *s, uint32_t lifetime_s)
{
	if (r->asker.events)
		status(r, s, "refreshed", lifetime_s);
}

/* Both sides of a session: what the client sent is what peers got. */
static void traffic(struct relay *r, const struct relay_session *s, const char *const what[2],
		    const struct turn_traffic *rx, const struct turn_traffic *tx)
{
	struct relay_ask_event e[2];
	char key[2][KEY_LEN], value[2][VALUE_LEN];

	for (int i = 0; i < 2; i++) {
		const struct turn_traffic *in = i ? tx : rx, *out = i ? rx : tx;

		snprintf(value[i], VALUE_LEN, "rcvp=%llu, rcvb=%llu, sentp=%llu, sentb=%llu",
			 (unsigned long long)in->packets, (unsigned long long)in->bytes,
			 (unsigned long long)out->packets, (unsigned long long)out->bytes);
		e[i] = (struct relay_ask_event){ RELAY_EVENT_PUBLISH,
						 key_of(r, s, what[i], key[i]),
						 str_of(value[i]) };
	}
	tell(r, e, 2);
}

void relay_event_traffic(struct relay *r, struct relay_session *s, bool all)
{
	static const char *const what[2] = { "traffic", "traffic/peer" };
	const struct turn_session *t = &s->turn;
	struct relay_bill *b = s->bill;
	struct turn_traffic rx, tx;

	if (!r->asker.events || !b)
		return;
	rx = (struct turn_traffic){ t->rx.packets - b->out_rx.packets,
				    t->rx.bytes - b->out_rx.bytes };
	tx = (struct turn_traffic){ t->tx.packets - b->out_tx.packets,
				    t->tx.bytes - b->out_tx.bytes };
	if (rx.packets + tx.packets < (all ? 1 : RELAY_EVENT_PACKETS))
		return;
	traffic(r, s, what, &rx, &tx);
	b->out_rx = t->rx;
	b->out_tx = t->tx;
}

void relay_event_ended(struct relay *r, struct relay_session *s)
{
	static const char *const what[2] = { "total_traffic", "total_traffic/peer" };
	struct relay_ask_event e = { .kind = RELAY_EVENT_DEL, .value = STR_LIT("deleted") };
	char key[KEY_LEN];

	if (!r->asker.events)
		return;
	relay_event_traffic(r, s, true);
	e.key = key_of(r, s, "status", key);
	tell(r, &e, 1);
	traffic(r, s, what, &s->turn.rx, &s->turn.tx);
}
