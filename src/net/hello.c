#include "net/hello.h"

#include <string.h>

#include "base/rd.h"

enum {
	HANDSHAKE = 22,
	CLIENT_HELLO = 1,
	SERVER_NAME = 0,
	HOST_NAME = 0,
	RECORD_MAX = 16384,
	HEADER = 4
};

/* A handshake message out of the records that carry it. */
struct message {
	uint8_t bytes[NET_HELLO_MAX];
	size_t n;
};

/* How many bytes the message has by its own header; 0: that is not there yet. */
static size_t whole_len(const struct message *m)
{
	const uint8_t *b = m->bytes;

	return m->n < HEADER ? 0 : HEADER + ((size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3]);
}

static enum net_hello judge(const struct message *m)
{
	size_t len = whole_len(m);

	if (m->n && m->bytes[0] != CLIENT_HELLO)
		return NET_HELLO_BAD;
	if (len > NET_HELLO_MAX)
		return NET_HELLO_BAD;
	return len && m->n >= len ? NET_HELLO_OK : NET_HELLO_MORE;
}

/* Adds what is there of one record. */
static enum net_hello add_record(struct rd *r, struct message *m)
{
	uint8_t type = rd_u8(r), major = rd_u8(r);
	size_t len, n;
	const uint8_t *p;

	rd_u8(r); /* the minor version: anything, RFC 8446 s.5.1 */
	len = rd_u16(r);
	if (!rd_ok(r))
		return NET_HELLO_MORE;
	if (type != HANDSHAKE || major != 3 || !len || len > RECORD_MAX)
		return NET_HELLO_BAD;
	n = len < rd_left(r) ? len : rd_left(r);
	p = rd_take(r, n);
	if (n > NET_HELLO_MAX - m->n) /* what follows the message belongs to nobody here */
		n = NET_HELLO_MAX - m->n;
	if (n)
		memcpy(m->bytes + m->n, p, n);
	m->n += n;
	return judge(m);
}

/* Text that a host's name may be, or "". */
static void copy_name(struct str from, char *name)
{
	size_t n = from.len;

	name[0] = '\0';
	if (n && from.p[n - 1] == '.')
		n--;
	if (n >= NET_HELLO_NAME)
		return;
	for (size_t i = 0; i < n; i++) {
		char c = from.p[i];

		if (c <= ' ' || c >= 0x7f) {
			name[0] = '\0';
			return;
		}
		name[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	name[n] = '\0';
}

static bool read_server_name(struct rd ext, char *name)
{
	struct rd list = rd_sub(&ext, rd_u16(&ext));

	while (rd_ok(&list) && rd_left(&list)) {
		uint8_t type = rd_u8(&list);
		struct str text = rd_str(&list, rd_u16(&list));

		if (rd_ok(&list) && type == HOST_NAME && !name[0])
			copy_name(text, name);
	}
	return rd_ok(&list) && rd_exact(&ext);
}

static bool read_extensions(struct rd all, char *name)
{
	while (rd_ok(&all) && rd_left(&all)) {
		uint16_t type = rd_u16(&all);
		struct rd ext = rd_sub(&all, rd_u16(&all));

		if (rd_ok(&ext) && type == SERVER_NAME && !read_server_name(ext, name))
			return false;
	}
	return rd_ok(&all);
}

static enum net_hello read_hello(const struct message *m, char *name)
{
	struct rd r = rd_init(m->bytes + HEADER, whole_len(m) - HEADER);

	name[0] = '\0';
	rd_u16(&r);		 /* legacy_version */
	rd_take(&r, 32);	 /* random */
	rd_take(&r, rd_u8(&r));	 /* legacy_session_id */
	rd_take(&r, rd_u16(&r)); /* cipher_suites */
	rd_take(&r, rd_u8(&r));	 /* legacy_compression_methods */
	if (!rd_ok(&r))
		return NET_HELLO_BAD;
	if (!rd_left(&r)) /* before TLS 1.3 there need be no extensions */
		return NET_HELLO_OK;
	if (!read_extensions(rd_sub(&r, rd_u16(&r)), name) || !rd_exact(&r)) {
		name[0] = '\0';
		return NET_HELLO_BAD;
	}
	return NET_HELLO_OK;
}

enum net_hello net_hello_name(const void *p, size_t len, char *name)
{
	struct rd r = rd_init(p, len);
	struct message m;
	enum net_hello h = NET_HELLO_MORE;

	m.n = 0;
	while (h == NET_HELLO_MORE && rd_ok(&r) && rd_left(&r))
		h = add_record(&r, &m);
	if (h == NET_HELLO_MORE && len >= NET_HELLO_PEEK)
		return NET_HELLO_BAD;
	return h == NET_HELLO_OK ? read_hello(&m, name) : h;
}
