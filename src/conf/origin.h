/* The one spelling of an origin (RFC 6454), in which clients' and databases' are compared. */
#pragma once

#include "base/str.h"

enum { CONF_ORIGIN_MAX = 255 }; /* bytes; coturn's column has 127 characters */

/* "scheme://host" or "scheme://host:port" in small letters, without a path and the scheme's usual port; text of
 * another form stays as it is. Into out; empty: it is too long for that, and nobody's. */
struct str conf_origin_canon(struct str origin, char out[CONF_ORIGIN_MAX]);
