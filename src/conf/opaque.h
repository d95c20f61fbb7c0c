/* The OpaqueString profile (RFC 8265 s.4.2), which RFC 8489 wants for user names, passwords and realms. */
#pragma once

#include "base/err.h"

enum conf_opaque {
	CONF_OPAQUE_SAME,    /* it is prepared as it stands; so is whatever is ASCII */
	CONF_OPAQUE_CHANGED, /* *out is the prepared text, the caller's to wipe and free */
	CONF_OPAQUE_REFUSED, /* not UTF-8, or with a character that the profile does not allow */
	CONF_OPAQUE_NO_MEMORY,
};

/* Prepares a text: all spaces become U+0020, and the whole Unicode's form C. *out is set with CHANGED only.
 * Where the library for it was not built in, everything is SAME. Any thread. */
enum conf_opaque conf_opaque_prepare(const char *text, char **out);
