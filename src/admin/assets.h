/* The files of assets/, compiled in by gen-assets at build time. Constant; any thread. */
#pragma once

#include <stddef.h>

struct admin_asset {
	const char *path; /* "/app.js" */
	const char *type;
	const char *etag; /* in its quotes */
	const unsigned char *plain;
	size_t plain_len;
	const unsigned char *packed; /* gzip */
	size_t packed_len;
};

extern const struct admin_asset admin_assets_data_rows[];
extern const size_t admin_assets_data_n;
