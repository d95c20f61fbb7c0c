/*
 * STUN messages (RFC 8489) with the attributes of RFC 8656, 6062, 8016, 5780 and 7635. Pure: no
 * I/O, no clock, no memory. A message is decoded once into a flat struct whose text borrows from
 * the datagram; it is built into a bounded writer.
 *
 * All of it may be called from any thread; a struct crypto belongs to the calling one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/crypto.h"
#include "base/err.h"
#include "base/rd.h"
#include "base/str.h"
#include "base/wr.h"

enum {
	STUN_HEADER_LEN = 20,
	STUN_COOKIE = 0x2112A442,
	STUN_TXID_LEN = 12,
	STUN_INTEGRITY_ATTR_LEN = 24,	 /* MESSAGE-INTEGRITY with its header */
	STUN_INTEGRITY256_ATTR_LEN = 36, /* MESSAGE-INTEGRITY-SHA256, likewise */
	STUN_FINGERPRINT_ATTR_LEN = 8,
};

enum stun_class { STUN_REQUEST, STUN_INDICATION, STUN_SUCCESS, STUN_ERROR };

enum stun_method {
	STUN_BINDING = 0x001,  /* RFC 8489 */
	STUN_ALLOCATE = 0x003, /* RFC 8656 s.17 */
	STUN_REFRESH = 0x004,
	STUN_SEND = 0x006,
	STUN_DATA = 0x007,
	STUN_CREATE_PERMISSION = 0x008,
	STUN_CHANNEL_BIND = 0x009,
	STUN_CONNECT = 0x00A, /* RFC 6062 s.6.1 */
	STUN_CONNECTION_BIND = 0x00B,
	STUN_CONNECTION_ATTEMPT = 0x00C,
};

/* Attributes known to the codec: STUN_A_x is a dense index (attr.def), for the bit sets below;
 * STUN_T_x the number on the wire. */
enum stun_attr {
#define ATTR(id, number, min, max, kind, text) STUN_A_##id,
#include "stun/attr.def"
#undef ATTR
	STUN_N_ATTR
};
_Static_assert(STUN_N_ATTR <= 64, "attribute sets are 64 bits");

enum stun_attr_type {
#define ATTR(id, number, min, max, kind, text) STUN_T_##id = number,
#include "stun/attr.def"
#undef ATTR
};

#define STUN_BIT(id) (UINT64_C(1) << STUN_A_##id)

/*
 * A decoded message. `present` has a bit for each known attribute that occurred before the
 * integrity attribute, `bad` for those of them whose length or value breaks their format; the
 * field of a bad or absent attribute is zero. Only the first of several counts (RFC 8489 s.14),
 * but for those that stun_peer_next() and stun_origin_next() walk. Attributes behind MESSAGE-INTEGRITY are
 * ignored save MESSAGE-INTEGRITY-SHA256 and FINGERPRINT, behind MESSAGE-INTEGRITY-SHA256 save
 * FINGERPRINT (RFC 8489 s.14.5, 14.6).
 */
struct stun_msg {
	const uint8_t *raw; /* the whole message, borrowed */
	size_t raw_len;
	enum stun_class class;
	uint16_t method;
	uint8_t txid[STUN_TXID_LEN];

	uint64_t present, bad;
	uint16_t n_unknown; /* comprehension-required attributes not in attr.def, before the
			     * integrity attribute; stun_unknown() names them */

	uint16_t integrity_off; /* of the attribute header in raw; 0: none */
	uint16_t integrity256_off;
	uint16_t integrity256_len; /* of its value: 16 .. 32, a multiple of 4 */
	uint32_t fingerprint_off;  /* may pass 65535: the longest message has 65552 bytes */

	struct str username, realm; /* without the quotes around them and NULs behind */
	struct str nonce;
	struct str software, origin, data, userhash;
	struct str password_algorithms, password_algorithm;
	struct str access_token;      /* RFC 7635 */
	struct str mobility_ticket;   /* RFC 8016 */
	struct str reservation_token; /* 8 bytes */
	struct addr peer;	      /* the first XOR-PEER-ADDRESS */
	struct addr xor_mapped, xor_relayed, mapped, alternate_server, other_address,
		response_origin;
	uint32_t lifetime_s;
	uint32_t connection_id;	 /* RFC 6062 */
	uint32_t change_request; /* RFC 5780 */
	uint32_t icmp_data;
	uint16_t icmp; /* type << 8 | code, as in the attribute's second half-word */
	uint16_t channel;
	uint16_t response_port;
	uint16_t error_code; /* 300 .. 699 */
	struct str error_reason;
	uint8_t transport;	   /* REQUESTED-TRANSPORT: an IP protocol number */
	uint8_t family;		   /* REQUESTED-ADDRESS-FAMILY as on the wire: 1, 2 */
	uint8_t additional_family; /* ADDITIONAL-ADDRESS-FAMILY, likewise */
	bool even_port_reserve;	   /* EVEN-PORT's R bit */
};

static inline bool stun_has(const struct stun_msg *m, enum stun_attr a)
{
	return m->present >> a & 1;
}

/*
 * Decodes a whole message of exactly `len` bytes. ERR_MALFORMED: not STUN, a length that is not
 * sensible, an attribute that leaves the message, a FINGERPRINT that is not last (nothing may be
 * answered then). A wrong length or value inside one attribute only sets its `bad` bit. `raw` must
 * outlive *out.
 */
must_check enum err stun_decode(const void *raw, size_t len, struct stun_msg *out);

/* Walks the XOR-PEER-ADDRESS attributes of a decoded message in order: start with *off = 0; false
 * when there is none left. A malformed one gives family ADDR_NONE. */
bool stun_peer_next(const struct stun_msg *m, size_t *off, struct addr *out);

/* The same for ORIGIN, of which there is one for each frame within another. */
bool stun_origin_next(const struct stun_msg *m, size_t *off, struct str *out);

/* The types of the n_unknown attributes, each once, in their order: the first `max` of them into
 * `types`. Returns how many. */
size_t stun_unknown(const struct stun_msg *m, uint16_t *types, size_t max);

/* True when FINGERPRINT is absent, or present and right. */
bool stun_fingerprint_ok(const struct stun_msg *m);

/* MESSAGE-INTEGRITY (HMAC-SHA1) or -SHA256 right under `key`? False when it is absent. Constant
 * time. A truncated SHA256 value is refused: TURN allows no truncation (RFC 8489 s.14.6). */
bool stun_integrity_ok(struct crypto *c, const struct stun_msg *m, struct str key);
bool stun_integrity256_ok(struct crypto *c, const struct stun_msg *m, struct str key);

/* --- building: begin, attributes, integrity, fingerprint; lengths are kept right throughout --- */

/* The 16 bits of the type field for a method and a class (RFC 8489 s.5). */
uint16_t stun_type(uint16_t method, enum stun_class cls);

/* Starts a message in *w, which must be empty. */
void stun_begin(struct wr *w, enum stun_class cls, uint16_t method,
		const uint8_t txid[STUN_TXID_LEN]);

/* One attribute with its padding. What does not fit sets w->bad. */
void stun_add(struct wr *w, uint16_t type, const void *value, size_t len);
void stun_add_u32(struct wr *w, uint16_t type, uint32_t v);
void stun_add_str(struct wr *w, uint16_t type, struct str s);
void stun_add_addr(struct wr *w, uint16_t type, const struct addr *a); /* MAPPED-ADDRESS form */
void stun_add_xor_addr(struct wr *w, uint16_t type, const struct addr *a); /* XOR form */
/* ERROR-CODE; reason may be empty. */
void stun_add_error(struct wr *w, unsigned code, struct str reason);
void stun_add_address_error(struct wr *w, enum addr_family f, unsigned code, struct str reason);
void stun_add_unknown(struct wr *w, const uint16_t *types, size_t n);
void stun_add_icmp(struct wr *w, uint8_t type, uint8_t code, uint32_t data);
/* MESSAGE-INTEGRITY or -SHA256 over what is there so far; an error leaves the writer bad:
 * ERR_CRYPTO, or ERR_FULL when it does not fit, or did not before. */
must_check enum err stun_add_integrity(struct wr *w, struct crypto *c, struct str key);
must_check enum err stun_add_integrity256(struct wr *w, struct crypto *c, struct str key);
void stun_add_fingerprint(struct wr *w);

/* The reason phrase for an error code (error.def), or "Error". */
struct str stun_error_text(unsigned code);

/* "Allocate", "Binding" …; "method-0x00f" is never made up: NULL for an unknown one. */
const char *stun_method_name(uint16_t method);

/* A dump for logs and tools, one line, e.g. "Allocate request txid=… LIFETIME=600"; terminated,
 * cut to fit; no nonce, integrity or token bytes in it. Returns buf. */
const char *stun_print(const struct stun_msg *m, char *buf, size_t cap);
