#include "stun/address.h"
#include "stun/msg.h"

enum kind {
	KIND_U8,
	KIND_U16,
	KIND_U32,
	KIND_FLAG,
	KIND_TEXT,
	KIND_BYTES,
	KIND_ADDR,
	KIND_XADDR,
	KIND_ERROR,
	KIND_ICMP,
	KIND_NONE,
};

static const struct {
	uint16_t min, max;
	uint8_t kind;
} rule[STUN_N_ATTR] = {
#define ATTR(id, number, min, max, kind, text) { min, max, KIND_##kind },
#include "stun/attr.def"
#undef ATTR
};

/* All known types are 0x0000..0x003F or 0x8000..0x803F: 128 slots find one without a search. */
#define SLOT(type) (((type)&0x3F) | ((type) >> 9 & 0x40))
enum {
	OUTSIDE_SLOTS = 0x7FC0,
	OPTIONAL = 0x8000, /* RFC 8489 s.14: types from here on need not be understood */
	/* ADDITIONAL-ADDRESS-FAMILY before RFC 8656 gave it a number: coturn's client sends it until
	 * 4.6. IANA has given this one to nobody; Microsoft's use of it is in answers only. */
	DRAFT_ADDITIONAL_FAMILY = 0x8032,
};

#define ATTR(id, number, min, max, kind, text) \
	_Static_assert(((number)&OUTSIDE_SLOTS) == 0, text " is outside the slots");
#include "stun/attr.def"
#undef ATTR

/* enum stun_attr + 1; 0: no such attribute */
static const uint8_t slots[128] = {
#define ATTR(id, number, min, max, kind, text) [SLOT(number)] = STUN_A_##id + 1,
#include "stun/attr.def"
#undef ATTR
};

/* enum stun_attr, or -1 */
static int attr_find(uint16_t type)
{
	return type & OUTSIDE_SLOTS ? -1 : slots[SLOT(type)] - 1;
}

/* The rest of a UTF-8 sequence, shortest form, no surrogates, <= U+10FFFF (RFC 3629 s.3). */
static bool utf8_tail(struct rd *r, uint8_t lead)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	unsigned n = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
	uint32_t point = lead & (0x3Fu >> n);

	if (lead < 0x80)
		return true;
	if (lead < 0xC2 || lead > 0xF4)
		return false;
	for (unsigned i = 0; i < n; i++) {
		uint8_t b = rd_u8(r); /* 0 behind the end, which is no tail byte */

		if ((b & 0xC0) != 0x80)
			return false;
		point = point << 6 | (b & 0x3F);
	}
	return point >= least[n] && point <= 0x10FFFF && (point < 0xD800 || point > 0xDFFF);
}

/* RFC 8489 s.9.2.2: in keys, names stand without their quotes and without NULs at the end; then
 * everywhere, so that the name in a log or a database is the one that was proved. */
static struct str bare_name(struct str s)
{
	for (;;) {
		if (s.len && s.p[s.len - 1] == '\0')
			s.len--;
		else if (s.len >= 2 && s.p[0] == '"' && s.p[s.len - 1] == '"')
			s = (struct str){ s.p + 1, s.len - 2 };
		else
			return s;
	}
}

/* Names go into keys, logs and databases: whole UTF-8, and no NUL that would end them early. */
static bool take_name(struct rd v, struct str *out)
{
	struct str name = bare_name(rd_str(&v, rd_left(&v)));
	struct rd r = rd_init(name.p, name.len);

	while (rd_left(&r)) {
		uint8_t lead = rd_u8(&r);

		if (lead == 0 || !utf8_tail(&r, lead))
			return false;
	}
	*out = name;
	return true;
}

static void take_number(struct stun_msg *m, int a, struct rd v)
{
	switch (a) {
	case STUN_A_CHANGE_REQUEST:
		m->change_request = rd_u32(&v);
		break;
	case STUN_A_CHANNEL_NUMBER:
		m->channel = rd_u16(&v);
		break;
	case STUN_A_LIFETIME:
		m->lifetime_s = rd_u32(&v);
		break;
	case STUN_A_REQUESTED_ADDRESS_FAMILY:
		m->family = rd_u8(&v);
		break;
	case STUN_A_ADDITIONAL_ADDRESS_FAMILY:
		m->additional_family = rd_u8(&v);
		break;
	case STUN_A_EVEN_PORT:
		m->even_port_reserve = rd_u8(&v) & 0x80; /* RFC 8656 s.18.7: the rest is RFFU */
		break;
	case STUN_A_REQUESTED_TRANSPORT:
		m->transport = rd_u8(&v);
		break;
	case STUN_A_RESPONSE_PORT:
		m->response_port = rd_u16(&v);
		break;
	case STUN_A_CONNECTION_ID:
		m->connection_id = rd_u32(&v);
		break;
	}
}

/* Where text or bytes go; NULL: only their presence is kept. */
static struct str *bytes_field(struct stun_msg *m, int a)
{
	switch (a) {
	case STUN_A_NONCE:
		return &m->nonce;
	case STUN_A_SOFTWARE:
		return &m->software;
	case STUN_A_ORIGIN:
		return &m->origin;
	case STUN_A_DATA:
		return &m->data;
	case STUN_A_USERHASH:
		return &m->userhash;
	case STUN_A_PASSWORD_ALGORITHMS:
		return &m->password_algorithms;
	case STUN_A_PASSWORD_ALGORITHM:
		return &m->password_algorithm;
	case STUN_A_ACCESS_TOKEN:
		return &m->access_token;
	case STUN_A_MOBILITY_TICKET:
		return &m->mobility_ticket;
	case STUN_A_RESERVATION_TOKEN:
		return &m->reservation_token;
	default:
		return NULL;
	}
}

static bool take_bytes(struct stun_msg *m, int a, struct rd v)
{
	size_t len = rd_left(&v);
	size_t off = (size_t)(v.p - m->raw) - 4; /* of the attribute's header */
	struct str *field;

	switch (a) {
	case STUN_A_MESSAGE_INTEGRITY:
		m->integrity_off = (uint16_t)off;
		return true;
	case STUN_A_MESSAGE_INTEGRITY_SHA256:
		if (len % 4) /* RFC 8489 s.14.6 */
			return false;
		m->integrity256_off = (uint16_t)off;
		m->integrity256_len = (uint16_t)len;
		return true;
	case STUN_A_FINGERPRINT:
		m->fingerprint_off = (uint32_t)off;
		return true;
	case STUN_A_USERNAME:
		return take_name(v, &m->username);
	case STUN_A_REALM:
		return take_name(v, &m->realm);
	}
	field = bytes_field(m, a);
	if (field)
		*field = rd_str(&v, len);
	return true;
}

static struct addr *addr_field(struct stun_msg *m, int a)
{
	switch (a) {
	case STUN_A_MAPPED_ADDRESS:
		return &m->mapped;
	case STUN_A_XOR_PEER_ADDRESS:
		return &m->peer;
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

static bool take_addr(struct stun_msg *m, int a, struct rd v)
{
	const uint8_t *mask = rule[a].kind == KIND_XADDR ? m->raw + 4 : NULL;
	struct addr *field = addr_field(m, a);

	return field && stun_address_decode(v, mask, field);
}

static bool take_error(struct stun_msg *m, struct rd v)
{
	unsigned class, number;

	rd_u16(&v);
	class = rd_u8(&v) & 7; /* the 21 bits before it are reserved (s.14.8) */
	number = rd_u8(&v);
	if (class < 3 || class > 6 || number > 99)
		return false;
	m->error_code = (uint16_t)(class * 100 + number);
	m->error_reason = rd_str(&v, rd_left(&v));
	return true;
}

static void take_icmp(struct stun_msg *m, struct rd v)
{
	rd_u16(&v); /* reserved (RFC 8656 s.18.13) */
	m->icmp = rd_u16(&v);
	m->icmp_data = rd_u32(&v);
}

/* False: the value breaks its format, and its field is still zero. */
static bool take_value(struct stun_msg *m, int a, struct rd v)
{
	if (rd_left(&v) < rule[a].min || rd_left(&v) > rule[a].max)
		return false;
	switch (rule[a].kind) {
	case KIND_U8:
	case KIND_U16:
	case KIND_U32:
		take_number(m, a, v);
		return true;
	case KIND_TEXT:
	case KIND_BYTES:
		return take_bytes(m, a, v);
	case KIND_ADDR:
	case KIND_XADDR:
		return take_addr(m, a, v);
	case KIND_ERROR:
		return take_error(m, v);
	case KIND_ICMP:
		take_icmp(m, v);
		return true;
	default: /* KIND_FLAG, KIND_NONE: that it is there is all */
		return true;
	}
}

/* What may still count given the integrity attributes so far (s.14.5, 14.6, 14.7)? An integrity
 * attribute of a wrong length closes the message too: nobody vouches for what is behind it. */
static uint64_t countable(const struct stun_msg *m)
{
	if (m->present & STUN_BIT(MESSAGE_INTEGRITY_SHA256))
		return STUN_BIT(FINGERPRINT);
	if (m->present & STUN_BIT(MESSAGE_INTEGRITY))
		return STUN_BIT(FINGERPRINT) | STUN_BIT(MESSAGE_INTEGRITY_SHA256);
	return UINT64_MAX;
}

static void take_attr(struct stun_msg *m, uint16_t type, struct rd v)
{
	uint64_t open = countable(m), bit;
	int a;

	if (type == DRAFT_ADDITIONAL_FAMILY && rd_left(&v) == 4)
		type = STUN_T_ADDITIONAL_ADDRESS_FAMILY;
	a = attr_find(type);
	if (a < 0) {
		m->n_unknown += type < OPTIONAL && open == UINT64_MAX;
		return;
	}
	bit = UINT64_C(1) << a;
	if (!(open & bit) || m->present & bit)
		return;
	m->present |= bit;
	if (!take_value(m, a, v))
		m->bad |= bit;
}

/* Cuts the next attribute off: its type, its value, and the padding that nobody reads. */
static uint16_t next_attr(struct rd *r, struct rd *value)
{
	uint16_t type = rd_u16(r);
	uint16_t len = rd_u16(r);

	*value = rd_sub(r, len);
	rd_take(r, -len & 3);
	return type;
}

/* Everything that makes a message one (s.5, 6.3): after this, decoding cannot fail. */
static bool shape_ok(const void *raw, size_t len)
{
	struct rd r = rd_init(raw, len), value;
	uint16_t type = rd_u16(&r);
	uint16_t length = rd_u16(&r);

	if (type & 0xC000 || length & 3 || length != len - STUN_HEADER_LEN)
		return false;
	if (rd_u32(&r) != STUN_COOKIE)
		return false;
	rd_take(&r, STUN_TXID_LEN);
	while (rd_left(&r))
		if (next_attr(&r, &value) == STUN_T_FINGERPRINT && rd_left(&r))
			return false; /* s.14.7: it MUST be the last */
	return rd_ok(&r);
}

enum err stun_decode(const void *raw, size_t len, struct stun_msg *out)
{
	struct rd r, value;
	uint16_t type;

	if (len < STUN_HEADER_LEN || !shape_ok(raw, len))
		return ERR_MALFORMED;
	memset(out, 0, sizeof *out);
	out->raw = raw;
	out->raw_len = len;
	r = rd_init(raw, len);
	type = rd_u16(&r);
	out->class = (enum stun_class)((type >> 4 & 1) | (type >> 7 & 2));
	out->method = (type & 0x00F) | (type >> 1 & 0x070) | (type >> 2 & 0xF80);
	rd_take(&r, STUN_HEADER_LEN - STUN_TXID_LEN - 2);
	memcpy(out->txid, rd_take(&r, STUN_TXID_LEN), STUN_TXID_LEN);
	while (rd_left(&r)) {
		type = next_attr(&r, &value);
		take_attr(out, type, value);
	}
	return OK;
}

/* The next attribute of that type at or behind *off, which moves behind it. */
static bool next_of(const struct stun_msg *m, uint16_t wanted, size_t *off, struct rd *value)
{
	size_t from = *off < STUN_HEADER_LEN ? STUN_HEADER_LEN : *off;
	struct rd r = rd_init(m->raw, m->raw_len);
	uint16_t type;

	rd_take(&r, from);
	while (rd_left(&r)) {
		type = next_attr(&r, value);
		if (type == STUN_T_MESSAGE_INTEGRITY || type == STUN_T_MESSAGE_INTEGRITY_SHA256)
			return false; /* what is behind it does not count */
		if (type != wanted)
			continue;
		*off = m->raw_len - rd_left(&r);
		return true;
	}
	return false;
}

bool stun_peer_next(const struct stun_msg *m, size_t *off, struct addr *out)
{
	struct rd value;

	if (!next_of(m, STUN_T_XOR_PEER_ADDRESS, off, &value))
		return false;
	if (!stun_address_decode(value, m->raw + 4, out))
		*out = (struct addr){ .family = ADDR_NONE };
	return true;
}

bool stun_origin_next(const struct stun_msg *m, size_t *off, struct str *out)
{
	struct rd value;

	if (!next_of(m, STUN_T_ORIGIN, off, &value))
		return false;
	*out = rd_str(&value, rd_left(&value));
	return true;
}

size_t stun_unknown(const struct stun_msg *m, uint16_t *types, size_t max)
{
	struct rd r = rd_init(m->raw, m->raw_len), value;
	uint8_t seen[OPTIONAL / 8] = { 0 };
	size_t n = 0;

	rd_take(&r, STUN_HEADER_LEN);
	while (n < max && rd_left(&r)) {
		uint16_t type = next_attr(&r, &value);

		if (type == STUN_T_MESSAGE_INTEGRITY || type == STUN_T_MESSAGE_INTEGRITY_SHA256)
			break; /* what is behind it does not count */
		if (type >= OPTIONAL || attr_find(type) >= 0 || seen[type / 8] >> type % 8 & 1)
			continue;
		seen[type / 8] |= (uint8_t)(1 << type % 8);
		types[n++] = type;
	}
	return n;
}
