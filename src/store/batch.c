#include "store/batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"

/*
 * In a file: u32 magic, u32 bytes that follow, u32 CRC of them; then EPOCH and SEQ as u64, who numbered it, and
 * the rows. A text is u32 length and bytes; numbers are big-endian.
 */
enum { MAGIC = 0x74616374, HEADER = 12 };

struct store_batch *store_batch_new(struct str from, int64_t epoch)
{
	struct store_batch *b = calloc(1, sizeof *b);
	char *p = malloc(from.len + 1);

	if (!b || !p) {
		free(b);
		free(p);
		return NULL;
	}
	memcpy(p, from.p, from.len);
	p[from.len] = '\0';
	b->from = (struct str){ p, from.len };
	b->epoch = epoch;
	list_init(&b->node);
	return b;
}

/* The texts of a record, in the order in which they stand in a file. */
enum { RECORD_TEXTS = 10 };

static void texts_of(struct store_record *r, struct str *text[RECORD_TEXTS])
{
	struct str *const all[RECORD_TEXTS] = { &r->node,   &r->realm,	&r->user,  &r->client, &r->transport,
						&r->relayed, &r->reason, &r->peers, &r->drops,	&r->quality };

	memcpy(text, all, sizeof all);
}

static void free_record_texts(struct store_record *r)
{
	struct str *text[RECORD_TEXTS];

	texts_of(r, text);
	for (size_t i = 0; i < RECORD_TEXTS; i++)
		free((char *)text[i]->p);
}

void store_batch_free(struct store_batch *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->n_usage; i++) {
		free((char *)b->usage[i].realm.p);
		free((char *)b->usage[i].user.p);
	}
	for (size_t i = 0; i < b->n_records; i++)
		free_record_texts(&b->records[i]);
	free(b->usage);
	free(b->records);
	free((char *)b->from.p);
	free(b);
}

/* Room is for a power of two of rows: it is used up when there are as many. */
static bool has_grown(size_t n)
{
	return (n & (n - 1)) == 0;
}

static size_t room(size_t n)
{
	return n ? n * 2 : 1;
}

enum err store_batch_add_usage(struct store_batch *b, const struct store_usage *row)
{
	if (store_batch_rows(b) >= STORE_BATCH_ROWS)
		return ERR_FULL;
	if (has_grown(b->n_usage)) {
		struct store_usage *all = realloc(b->usage, room(b->n_usage) * sizeof *all);

		if (!all)
			return ERR_NOMEM;
		b->usage = all;
	}
	b->usage[b->n_usage++] = *row;
	return OK;
}

enum err store_batch_add_record(struct store_batch *b, const struct store_record *row)
{
	if (store_batch_rows(b) >= STORE_BATCH_ROWS)
		return ERR_FULL;
	if (has_grown(b->n_records)) {
		struct store_record *all = realloc(b->records, room(b->n_records) * sizeof *all);

		if (!all)
			return ERR_NOMEM;
		b->records = all;
	}
	b->records[b->n_records++] = *row;
	return OK;
}

static bool copy_text(struct str *s)
{
	char *p = malloc(s->len + 1);

	if (p && s->len)
		memcpy(p, s->p, s->len);
	*s = (struct str){ p, p ? s->len : 0 };
	return p;
}

enum err store_batch_add_record_copy(struct store_batch *b, const struct store_record *row)
{
	struct store_record r = *row;
	struct str *text[RECORD_TEXTS];
	bool ok = true;
	enum err e;

	texts_of(&r, text);
	for (size_t i = 0; i < RECORD_TEXTS; i++)
		ok &= copy_text(text[i]);
	e = ok ? store_batch_add_record(b, &r) : ERR_NOMEM;
	if (e)
		free_record_texts(&r);
	return e;
}

/* --- bytes out --- */

struct out {
	uint8_t *buf;
	size_t len, cap;
	bool no_memory;
};

static void put(struct out *o, const void *p, size_t n)
{
	if (o->no_memory || n == 0)
		return;
	if (o->len + n > o->cap) {
		size_t cap = (o->len + n) * 2;
		uint8_t *buf = realloc(o->buf, cap);

		if (!buf) {
			o->no_memory = true;
			return;
		}
		o->buf = buf;
		o->cap = cap;
	}
	memcpy(o->buf + o->len, p, n);
	o->len += n;
}

static void put_u32(struct out *o, uint32_t v)
{
	const uint8_t b[] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

	put(o, b, sizeof b);
}

static void put_u64(struct out *o, uint64_t v)
{
	put_u32(o, (uint32_t)(v >> 32));
	put_u32(o, (uint32_t)v);
}

static void put_text(struct out *o, struct str s)
{
	put_u32(o, (uint32_t)s.len);
	put(o, s.p, s.len);
}

static void put_usage(struct out *o, const struct store_usage *u)
{
	put_text(o, u->realm);
	put_text(o, u->user);
	put_text(o, str_of(u->period));
	put_u64(o, u->rx_bytes);
	put_u64(o, u->tx_bytes);
	put_u64(o, u->rx_packets);
	put_u64(o, u->tx_packets);
	put_u64(o, u->sessions);
	put_u64(o, (uint64_t)u->ttl_s);
}

static void put_record(struct out *o, const struct store_record *r)
{
	struct store_record copy = *r;
	struct str *text[RECORD_TEXTS];

	texts_of(&copy, text);
	put_text(o, str_of(r->id));
	for (size_t i = 0; i < RECORD_TEXTS; i++)
		put_text(o, *text[i]);
	put_u64(o, (uint64_t)r->opened_ms);
	put_u64(o, (uint64_t)r->closed_ms);
	put_u64(o, r->rx_packets);
	put_u64(o, r->rx_bytes);
	put_u64(o, r->tx_packets);
	put_u64(o, r->tx_bytes);
	put_u64(o, r->dropped);
}

static void patch_u32(struct out *o, size_t at, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		o->buf[at + (size_t)i] = (uint8_t)(v >> (24 - 8 * i));
}

enum err store_batch_encode(const struct store_batch *b, uint8_t **buf, size_t *len)
{
	struct out o = { *buf, *len, *len, false };
	size_t start = *len, body;

	put_u32(&o, MAGIC);
	put_u64(&o, 0); /* length and CRC */
	put_u64(&o, (uint64_t)b->epoch);
	put_u64(&o, b->seq);
	put_text(&o, b->from);
	put_u32(&o, (uint32_t)b->n_usage);
	for (size_t i = 0; i < b->n_usage; i++)
		put_usage(&o, &b->usage[i]);
	put_u32(&o, (uint32_t)b->n_records);
	for (size_t i = 0; i < b->n_records; i++)
		put_record(&o, &b->records[i]);
	*buf = o.buf;
	if (o.no_memory)
		return ERR_NOMEM;
	body = start + HEADER;
	patch_u32(&o, start + 4, (uint32_t)(o.len - body));
	patch_u32(&o, start + 8, crypto_crc32(0, o.buf + body, o.len - body));
	*len = o.len;
	return OK;
}

/* --- bytes in --- */

static uint64_t get_u64(struct rd *r)
{
	uint64_t high = rd_u32(r);

	return high << 32 | rd_u32(r);
}

/* A copy; empty, and *ok false, when there is no memory. */
static struct str get_text(struct rd *r, bool *ok)
{
	struct str s = rd_str(r, rd_u32(r));
	char *p = malloc(s.len + 1);

	if (!p) {
		*ok = false;
		return (struct str){ NULL, 0 };
	}
	if (s.len)
		memcpy(p, s.p, s.len);
	p[s.len] = '\0';
	return (struct str){ p, s.len };
}

static void get_fixed(struct rd *r, char *out, size_t cap)
{
	struct str s = rd_str(r, rd_u32(r));

	if (s.len >= cap) {
		r->bad = true;
		return;
	}
	if (s.len)
		memcpy(out, s.p, s.len);
	out[s.len] = '\0';
}

static bool get_usage(struct rd *r, struct store_batch *b)
{
	struct store_usage u = { 0 };
	bool ok = true;

	u.realm = get_text(r, &ok);
	u.user = get_text(r, &ok);
	get_fixed(r, u.period, sizeof u.period);
	u.rx_bytes = get_u64(r);
	u.tx_bytes = get_u64(r);
	u.rx_packets = get_u64(r);
	u.tx_packets = get_u64(r);
	u.sessions = get_u64(r);
	u.ttl_s = (int64_t)get_u64(r);
	if (ok && rd_ok(r) && !store_batch_add_usage(b, &u))
		return true;
	free((char *)u.realm.p);
	free((char *)u.user.p);
	return false;
}

static bool get_record(struct rd *r, struct store_batch *b)
{
	struct store_record rec = { 0 };
	struct str *text[RECORD_TEXTS];
	bool ok = true;

	texts_of(&rec, text);
	get_fixed(r, rec.id, sizeof rec.id);
	for (size_t i = 0; i < RECORD_TEXTS; i++)
		*text[i] = get_text(r, &ok);
	rec.opened_ms = (int64_t)get_u64(r);
	rec.closed_ms = (int64_t)get_u64(r);
	rec.rx_packets = get_u64(r);
	rec.rx_bytes = get_u64(r);
	rec.tx_packets = get_u64(r);
	rec.tx_bytes = get_u64(r);
	rec.dropped = get_u64(r);
	if (ok && rd_ok(r) && !store_batch_add_record(b, &rec))
		return true;
	free_record_texts(&rec);
	return false;
}

static bool get_body(struct rd *r, struct store_batch *b)
{
	uint32_t n = rd_u32(r);

	while (n && rd_ok(r) && get_usage(r, b))
		n--;
	if (n)
		return false;
	n = rd_u32(r);
	while (n && rd_ok(r) && get_record(r, b))
		n--;
	return n == 0 && rd_exact(r);
}

enum err store_batch_decode(struct rd *r, struct store_batch **out)
{
	uint32_t magic, len, crc;
	struct store_batch *b;
	struct rd body;
	int64_t epoch;
	uint64_t seq;

	if (rd_left(r) == 0)
		return ERR_NOTFOUND;
	magic = rd_u32(r);
	len = rd_u32(r);
	crc = rd_u32(r);
	if (!rd_ok(r) || magic != MAGIC || len > STORE_BATCH_BYTES)
		return ERR_MALFORMED;
	body = rd_sub(r, len);
	if (!rd_ok(&body) || crypto_crc32(0, body.p, len) != crc)
		return ERR_MALFORMED;
	epoch = (int64_t)get_u64(&body);
	seq = get_u64(&body);
	b = store_batch_new(rd_str(&body, rd_u32(&body)), epoch);
	if (!b)
		return ERR_NOMEM;
	b->seq = seq;
	if (!get_body(&body, b)) {
		store_batch_free(b);
		return ERR_MALFORMED;
	}
	*out = b;
	return OK;
}
