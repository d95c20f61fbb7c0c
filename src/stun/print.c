#include "base/bug.h"
#include "stun/msg.h"

#include <stdarg.h>
#include <stdio.h>

struct out {
	char *p;
	size_t left; /* terminator included; >= 1 */
};

__attribute__((format(printf, 2, 3))) static void put(struct out *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(o->p, o->left, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n >= o->left)
		n = (int)o->left - 1;
	o->p += n;
	o->left -= (size_t)n;
}

const char *stun_method_name(uint16_t method)
{
	switch (method) {
	case STUN_BINDING:
		return "Binding";
	case STUN_ALLOCATE:
		return "Allocate";
	case STUN_REFRESH:
		return "Refresh";
	case STUN_SEND:
		return "Send";
	case STUN_DATA:
		return "Data";
	case STUN_CREATE_PERMISSION:
		return "CreatePermission";
	case STUN_CHANNEL_BIND:
		return "ChannelBind";
	case STUN_CONNECT:
		return "Connect";
	case STUN_CONNECTION_BIND:
		return "ConnectionBind";
	case STUN_CONNECTION_ATTEMPT:
		return "ConnectionAttempt";
	default:
		return NULL;
	}
}

/* Text that a peer chose: quoted, and nothing in it can end the line or move a terminal. */
static void put_text(struct out *o, struct str s)
{
	put(o, "\"");
	for (size_t i = 0; i < s.len && o->left > 1; i++) {
		unsigned char ch = (unsigned char)s.p[i];

		if (ch < 0x20 || ch > 0x7E || ch == '"' || ch == '\\')
			put(o, "\\x%02x", ch);
		else
			put(o, "%c", ch);
	}
	put(o, "\"");
}

static void put_addr(struct out *o, const struct addr *a)
{
	char text[ADDR_TEXT_LEN];

	if (a->family == ADDR_NONE)
		put(o, "bad");
	else
		put(o, "%s", addr_print(a, text));
}

static const struct addr *addr_of(const struct stun_msg *m, int a)
{
	switch (a) {
	case STUN_A_MAPPED_ADDRESS:
		return &m->mapped;
	case STUN_A_XOR_RELAYED_ADDRESS:
		return &m->xor_relayed;
	case STUN_A_XOR_MAPPED_ADDRESS:
		return &m->xor_mapped;
	case STUN_A_ALTERNATE_SERVER:
		return &m->alternate_server;
	case STUN_A_RESPONSE_ORIGIN:
		return &m->response_origin;
	case STUN_A_OTHER_ADDRESS:
		return &m->other_address;
	default:
		return NULL;
	}
}

static const struct str *text_of(const struct stun_msg *m, int a)
{
	switch (a) {
	case STUN_A_USERNAME:
		return &m->username;
	case STUN_A_REALM:
		return &m->realm;
	case STUN_A_SOFTWARE:
		return &m->software;
	case STUN_A_ORIGIN:
		return &m->origin;
	default:
		return NULL;
	}
}

/* "=value"; nothing for what has none or must not be shown: nonces, keys, tokens, tickets. */
static void put_value(struct out *o, const struct stun_msg *m, int a)
{
	switch (a) {
	case STUN_A_CHANGE_REQUEST:
		put(o, "=0x%x", m->change_request);
		break;
	case STUN_A_CHANNEL_NUMBER:
		put(o, "=0x%04x", m->channel);
		break;
	case STUN_A_LIFETIME:
		put(o, "=%u", m->lifetime_s);
		break;
	case STUN_A_DATA:
		put(o, "=%zu bytes", m->data.len);
		break;
	case STUN_A_REQUESTED_ADDRESS_FAMILY:
		put(o, "=%u", m->family);
		break;
	case STUN_A_ADDITIONAL_ADDRESS_FAMILY:
		put(o, "=%u", m->additional_family);
		break;
	case STUN_A_EVEN_PORT:
		put(o, "=%s", m->even_port_reserve ? "reserve" : "even");
		break;
	case STUN_A_REQUESTED_TRANSPORT:
		put(o, "=%u", m->transport);
		break;
	case STUN_A_RESPONSE_PORT:
		put(o, "=%u", m->response_port);
		break;
	case STUN_A_CONNECTION_ID:
		put(o, "=%u", m->connection_id);
		break;
	case STUN_A_ICMP:
		put(o, "=%u/%u/%u", m->icmp >> 8, m->icmp & 0xFF, m->icmp_data);
		break;
	case STUN_A_ERROR_CODE:
		put(o, "=%u ", m->error_code);
		put_text(o, m->error_reason);
		break;
	}
}

static void put_peers(struct out *o, const struct stun_msg *m, const char *name)
{
	struct addr peer;
	size_t off = 0;

	while (o->left > 1 && stun_peer_next(m, &off, &peer)) {
		put(o, " %s=", name);
		put_addr(o, &peer);
	}
}

static void put_attr(struct out *o, const struct stun_msg *m, int a, const char *name)
{
	const struct addr *addr = addr_of(m, a);
	const struct str *text = text_of(m, a);

	if (a == STUN_A_XOR_PEER_ADDRESS) {
		put_peers(o, m, name);
		return;
	}
	put(o, " %s", name);
	if (m->bad >> a & 1) {
		put(o, "=bad");
	} else if (addr) {
		put(o, "=");
		put_addr(o, addr);
	} else if (text) {
		put(o, "=");
		put_text(o, *text);
	} else {
		put_value(o, m, a);
	}
}

const char *stun_print(const struct stun_msg *m, char *buf, size_t cap)
{
	static const char *const names[STUN_N_ATTR] = {
#define ATTR(id, number, min, max, kind, text) text,
#include "stun/attr.def"
#undef ATTR
	};
	static const char *const classes[] = { "request", "indication", "success", "error" };
	const char *method = stun_method_name(m->method);
	struct out o = { buf, cap };
	uint16_t unknown[16];
	size_t n;

	if (cap == 0)
		return buf;
	buf[0] = '\0';
	if (method)
		put(&o, "%s", method);
	else
		put(&o, "0x%03x", m->method);
	put(&o, " %s txid=", classes[m->class]);
	for (size_t i = 0; i < STUN_TXID_LEN; i++)
		put(&o, "%02x", m->txid[i]);
	for (int a = 0; a < STUN_N_ATTR; a++)
		if (m->present >> a & 1)
			put_attr(&o, m, a, names[a]);
	n = m->n_unknown ? stun_unknown(m, unknown, ARRAY_LEN(unknown)) : 0;
	for (size_t i = 0; i < n; i++)
		put(&o, " 0x%04x", unknown[i]);
	return buf;
}
