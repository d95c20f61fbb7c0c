#include "store/op.h"

const char *store_status_text(enum store_status s)
{
	static const char *const text[N_STORE_STATUS] = {
		[STORE_OK] = "ok",
		[STORE_NONE] = "none",
		[STORE_FULL_USER] = "full_user",
		[STORE_FULL_REALM] = "full_realm",
		[STORE_FULL_BYTES] = "full_bytes",
		[STORE_REVOKED] = "revoked",
		[STORE_DOWN] = "down",
		[STORE_REFUSED] = "refused",
		[STORE_UNSUPPORTED] = "unsupported",
	};

	return (unsigned)s < N_STORE_STATUS ? text[s] : "none";
}
