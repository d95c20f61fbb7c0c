/* The configuration file: lines of "name=value", "name value" or a bare "name". Control thread.
 * Inside of conf/ only. */
#pragma once

#include "conf/reader.h"

enum {
	CONF_PARSE_LINE_MAX = 4096,    /* bytes of a line */
	CONF_PARSE_FILE_MAX = 4 << 20, /* bytes of a file */
};

/* Reads all lines; problems are reported and the rest is read on. */
void conf_parse_text(struct conf_reader *r, struct str text);

/* The same from a file; that it cannot be read is an error of its own. */
void conf_parse_file(struct conf_reader *r, const char *path);
