#include "relay/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LIST_LEN = RELAY_RECORD_PEERS * ADDR_TEXT_LEN + 8,
	RELAYED_LEN = TURN_N_LEGS * (ADDR_TEXT_LEN + 1),
	QUALITY_LEN = 320, /* two legs of at most 150 bytes */
	DROPS_LEN = N_RELAY_DROP * 26, /* the longest word, "=", ten digits and a space */
};

/* Room for one more; most sessions have one peer or two. */
static bool grow(struct relay_session *s)
{
	struct relay_peers *p = s->peers;
	size_t cap = p ? p->cap * 2u : 2;

	if (cap > RELAY_RECORD_PEERS)
		return false;
	p = realloc(p, sizeof *p + cap * sizeof p->ip[0]);
	if (!p)
		return false;
	if (!s->peers)
		*p = (struct relay_peers){ 0 };
	p->cap = (uint8_t)cap;
	s->peers = p;
	return true;
}

static void remember(struct relay_session *s, const struct addr *peer)
{
	struct relay_peers *p = s->peers;

	for (size_t i = 0; p && i < p->n; i++)
		if (addr_ip_eq(&p->ip[i], peer))
			return;
	if ((!p || p->n == p->cap) && !grow(s)) {
		if (p)
			p->more = true;
		return;
	}
	p = s->peers;
	p->ip[p->n] = *peer;
	p->ip[p->n++].port = 0;
}

void relay_record_peers(struct relay_session *s, const struct stun_msg *req)
{
	struct addr peer;
	size_t off = 0;

	if (req->method != STUN_CREATE_PERMISSION && req->method != STUN_CHANNEL_BIND &&
	    req->method != STUN_CONNECT)
		return;
	while (stun_peer_next(req, &off, &peer))
		if (peer.family != ADDR_NONE)
			remember(s, &peer);
}

/* Adds a word to a list with commas; what does not fit is left out. */
static void add(char *list, size_t cap, const char *word)
{
	size_t len = strlen(list), more = strlen(word);

	if (len + more + 2 > cap)
		return;
	if (len)
		list[len++] = ',';
	memcpy(list + len, word, more + 1);
}

static struct str print_peers(const struct relay *r, const struct relay_session *s, char *list)
{
	const struct relay_peers *p = s->peers;
	char text[ADDR_TEXT_LEN];

	*list = 0;
	for (size_t i = 0; p && i < p->n; i++)
		add(list, LIST_LEN,
		    r->shared->conf->log_ip == ADDR_MASK_FULL
			    ? addr_print_ip(&p->ip[i], text)
			    : relay_addr_print(r, &p->ip[i], text));
	if (p && p->more)
		add(list, LIST_LEN, "...");
	return str_of(list);
}

static struct str print_relayed(const struct relay_session *s, char *list)
{
	char text[ADDR_TEXT_LEN];

	*list = 0;
	for (int i = 0; i < TURN_N_LEGS; i++)
		if (s->turn.leg[i].relayed.family != ADDR_NONE)
			add(list, RELAYED_LEN, addr_print(&s->turn.leg[i].relayed, text));
	return str_of(list);
}

/* As the log calls them; records leave the first five letters away. */
static const char *const drop_words[N_RELAY_DROP] = {
	[RELAY_DROP_NO_CHANNEL] = "drop_no_channel",
	[RELAY_DROP_NO_PERMISSION] = "drop_no_permission",
	[RELAY_DROP_NO_FAMILY] = "drop_family",
	[RELAY_DROP_MALFORMED] = "drop_malformed",
	[RELAY_DROP_OWN_PORT] = "drop_own_port",
	[RELAY_DROP_BANDWIDTH] = "drop_bandwidth",
	[RELAY_DROP_SEND] = "drop_send",
	[RELAY_DROP_TRUNCATED] = "drop_truncated",
	[RELAY_DROP_OVERFLOW] = "drop_overflow",
	[RELAY_DROP_QUEUE] = "drop_queue",
	[RELAY_DROP_RECORD] = "drop_record",
	[RELAY_DROP_HOPS] = "drop_hops",
};

/* "no_permission=3 queue=17"; *all is how many. */
static struct str print_drops(const struct relay_session *s, char *list, uint64_t *all)
{
	size_t len = 0;

	*list = 0;
	*all = 0;
	for (int i = 0; i < N_RELAY_DROP; i++) {
		if (!s->drops[i])
			continue;
		*all += s->drops[i];
		len += (size_t)snprintf(list + len, DROPS_LEN - len, "%s%s=%lu",
					len ? " " : "", drop_words[i] + 5,
					(unsigned long)s->drops[i]);
	}
	return (struct str){ list, len };
}

/* Of a leg that carried RTP; what is not known is left out. */
static void log_quality(struct log_text *t, const struct relay_session *s, enum relay_quality_leg leg, tick now)
{
	static const char *const keys[RELAY_N_LEGS][4] = {
		[RELAY_LEG_CLIENT] = { "client_rtp", "client_lost", "client_jitter_ms",
				       "client_rtt_ms" },
		[RELAY_LEG_PEER] = { "peer_rtp", "peer_lost", "peer_jitter_ms", "peer_rtt_ms" },
	};
	struct relay_quality_report q;

	relay_quality_report(s->quality, leg, now, &q);
	if (q.is_rtp) {
		log_text_number(t, keys[leg][0], q.received);
		log_text_number(t, keys[leg][1], q.lost);
		log_text_number(t, keys[leg][2], (q.jitter_us + 500) / 1000);
	}
	if (q.has_rtt)
		log_text_number(t, keys[leg][3], q.rtt_ms);
}

static struct str print_quality(const struct relay_session *s, tick now, char out[QUALITY_LEN])
{
	static const char *const names[RELAY_N_LEGS] = { "client", "peer" };
	size_t len = 0;

	for (int leg = 0; s->quality && leg < RELAY_N_LEGS; leg++) {
		struct relay_quality_report q;

		relay_quality_report(s->quality, (enum relay_quality_leg)leg, now, &q);
		if (!q.is_rtp)
			continue;
		len += (size_t)snprintf(out + len, QUALITY_LEN - len,
					"%s\"%s\":{\"received\":%llu,\"lost\":%llu,\"jitter_ms\":%.1f",
					len ? "," : "{", names[leg], (unsigned long long)q.received,
					(unsigned long long)q.lost, q.jitter_us / 1000.0);
		if (q.has_rtt)
			len += (size_t)snprintf(out + len, QUALITY_LEN - len, ",\"rtt_ms\":%u", q.rtt_ms);
		len += (size_t)snprintf(out + len, QUALITY_LEN - len, "}");
	}
	if (len)
		len += (size_t)snprintf(out + len, QUALITY_LEN - len, "}");
	return (struct str){ out, len };
}

static struct str or_none(struct str s)
{
	return s.len ? s : STR_LIT("none");
}

static void log_end(struct relay *r, const struct relay_session *s,
		    const struct relay_record *rec)
{
	const struct turn_session *turn = &s->turn;
	struct log_text t;

	log_text_init(&t);
	log_text_word(&t, NULL, STR_LIT("session_end"));
	relay_session_add_who(&t, s);
	log_text_word(&t, "reason", rec->reason);
	log_text_number(&t, "seconds", (r->env.now - turn->opened) / 1000);
	log_text_number(&t, "rx_packets", turn->rx.packets);
	log_text_number(&t, "rx_bytes", turn->rx.bytes);
	log_text_number(&t, "tx_packets", turn->tx.packets);
	log_text_number(&t, "tx_bytes", turn->tx.bytes);
	log_text_number(&t, "dropped", rec->dropped);
	for (int i = 0; i < N_RELAY_DROP; i++)
		if (s->drops[i])
			log_text_number(&t, drop_words[i], s->drops[i]);
	for (int leg = 0; s->quality && leg < RELAY_N_LEGS; leg++)
		log_quality(&t, s, (enum relay_quality_leg)leg, r->env.now);
	log_text_word(&t, "transport", rec->transport);
	log_text_word(&t, "relayed", or_none(rec->relayed));
	log_text_word(&t, "peers", or_none(rec->peers));
	log_put(r->lg, LOG_INFO_, &t);
}

void relay_record_end(struct relay *r, const struct relay_session *s, enum turn_end why)
{
	char id[RELAY_ASK_ID_LEN], client[ADDR_TEXT_LEN], relayed[RELAYED_LEN], peers[LIST_LEN],
		drops[DROPS_LEN], quality[QUALITY_LEN];
	const struct turn_session *t = &s->turn;
	struct relay_record rec = {
		.node = str_of(r->shared->node),
		.realm = t->realm,
		.user = t->user,
		.client = str_of(relay_addr_print(r, &t->tuple.client, client)),
		.transport = str_of(turn_transport_text(t->tuple.transport)),
		.relayed = print_relayed(s, relayed),
		.reason = str_of(turn_end_text(why)),
		.peers = print_peers(r, s, peers),
		.quality = print_quality(s, r->env.now, quality),
		.rx = t->rx,
		.tx = t->tx,
	};
	struct relay_ask q = { .kind = RELAY_ASK_RECORD, .record = &rec };

	rec.drops = print_drops(s, drops, &rec.dropped);
	log_end(r, s, &rec);
	if (!r->asker.records)
		return;
	rec.id = relay_session_id(r, s->id, id);
	rec.closed_ms = tick_wall_ms();
	rec.opened_ms = rec.closed_ms - (int64_t)(r->env.now - t->opened);
	if (!r->asker.ask(r->asker.arg, &q))
		count(&r->cnt, store_lost);
}
