/*
 * What the databases say, as of their last reading: an immutable snapshot with a reference count, like
 * struct conf, but replaced while the server runs. The store thread builds one, workers get a reference by
 * message and swap their pointer at the end of a loop turn; auth/ and turn/ only read it.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hmap.h"
#include "base/prefix.h"
#include "base/str.h"

enum {
	CONF_LIVE_UNSET = -1, /* a limit that the database does not have: the configuration's holds */
	CONF_LIVE_REALM_MAX = 513, /* bytes of a realm that sessions get from here: as long as a user name may be */
};

/* One realm of the databases. `name` may be empty: what holds for all realms (coturn's tables allow it). */
struct conf_live_realm {
	struct str name;
	struct str *secrets; /* of time-limited credentials, valid beside static-auth-secret */
	size_t n_secrets;
	struct prefix_set allowed, denied;     /* beside allowed-peer-ip and denied-peer-ip */
	int64_t max_bps;		       /* bytes per second and session, or CONF_LIVE_UNSET */
	int64_t total_quota, user_quota;       /* allocations, or CONF_LIVE_UNSET */
};

/* A user whose credentials are void if they were made before a moment. */
struct conf_live_revoked {
	struct hnode node; /* in conf_live.revoked, by conf_live_hash() of realm and user */
	struct str realm, user;
	int64_t before_s; /* seconds since 1970 */
};

/* ORIGIN of a client, and the realm it leads to. */
struct conf_live_origin {
	struct hnode node;	  /* in conf_live.origins */
	struct str origin, realm; /* the origin as of conf_origin_canon() */
};

/* A key of RFC 7635 tokens. */
struct conf_live_oauth {
	struct str kid, realm, alg; /* alg: A256GCM, A128GCM; empty: A256GCM */
	uint8_t key[64];
	size_t key_len; /* at least what the algorithm takes */
	int64_t timestamp_s; /* valid from, <= 2^48; 0: always */
	int64_t lifetime_s;  /* <= 2^48; 0: for ever */
};

struct conf_live {
	_Atomic unsigned refs;
	uint64_t hash_key[2];
	struct conf_live_realm *realms;
	size_t n_realms;
	struct hmap origins;
	size_t n_origins;
	struct str *origin_realms; /* each once */
	size_t n_origin_realms;
	struct conf_live_oauth *oauth;
	size_t n_oauth;
	struct hmap revoked;
	struct str *withdrawn; /* marks of secrets whose sessions are to end, store/withdraw.h */
	size_t n_withdrawn;
	struct prefix_set stores; /* where the databases themselves are */
	uint64_t digest; /* of all that is in it: equal ones need not be handed out again */
};

/* An empty snapshot with one reference; filled by the add functions below, then only read. Strings are
 * copied. ERR_NOMEM leaves it as it was. The store thread. */
must_check enum err conf_live_new(struct conf_live **out, const uint64_t hash_key[2]);
/* The realm of that name, made when it is not there; valid until the next realm is made. */
must_check enum err conf_live_realm(struct conf_live *l, struct str name, struct conf_live_realm **out);
must_check enum err conf_live_add_secret(struct conf_live *l, struct str realm, struct str secret);
/* `range` is IP, IP-IP or IP/LEN; ERR_MALFORMED: it is none, and nothing was added. */
must_check enum err conf_live_add_peer(struct conf_live *l, struct str realm, bool allowed, struct str range);
/* `name` is max-bps, total-quota or user-quota; others and values that are no number: ERR_MALFORMED. */
must_check enum err conf_live_add_option(struct conf_live *l, struct str realm, struct str name,
					 struct str value);
/* The last one of an origin counts; one that is too long leads nowhere, nor does one to no realm, or to one beyond
 * CONF_LIVE_REALM_MAX: ERR_MALFORMED. */
must_check enum err conf_live_add_origin(struct conf_live *l, struct str origin, struct str realm);
must_check enum err conf_live_add_revoked(struct conf_live *l, struct str realm, struct str user,
					  int64_t before_s);
/* A secret that is valid no more, by its mark. */
must_check enum err conf_live_add_withdrawn(struct conf_live *l, struct str mark);
/* A database is there; loopback is not kept, it has a switch of its own. */
must_check enum err conf_live_add_store(struct conf_live *l, const struct addr *at);
/* ikm_base64 as in coturn's table; ERR_MALFORMED when it is no key, too short, or for an
 * algorithm that is not known; when its realm is beyond CONF_LIVE_REALM_MAX, or its times are no times. */
must_check enum err conf_live_add_oauth(struct conf_live *l, const struct conf_live_oauth *key,
					struct str ikm_base64);

/* One more, one less reference; the last one wipes the secrets and frees all. Any thread. */
struct conf_live *conf_live_hold(struct conf_live *l);
void conf_live_drop(struct conf_live *l);

/* Questions, any thread. A NULL snapshot knows nothing. */
const struct conf_live_realm *conf_live_find_realm(const struct conf_live *l, struct str name);
bool conf_live_is_store(const struct conf_live *l, const struct addr *a);
/* 0: not revoked. */
int64_t conf_live_revoked_before(const struct conf_live *l, struct str realm, struct str user);
/* The realm that an origin leads to, in whatever spelling; the realm of that name, if any origin leads to it. NULL:
 * there is none. */
const struct str *conf_live_find_origin(const struct conf_live *l, struct str origin);
const struct str *conf_live_find_origin_realm(const struct conf_live *l, struct str realm);
const struct conf_live_oauth *conf_live_find_oauth(const struct conf_live *l, struct str kid);
