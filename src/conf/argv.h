/* The command line. It is read in two steps, for it names the file, and yet wins over it: scan
 * first, then the file, then apply. Control thread. Inside of conf/ only. */
#pragma once

#include "conf/reader.h"

struct conf_argv_item {
	struct conf_name name;
	char *value; /* inside argv, or NULL: bare */
};

struct conf_argv {
	struct conf_argv_item *items; /* in the order given */
	size_t n;
	const char *file; /* of -c, or NULL */
	bool no_file;	  /* -n */
	enum conf_action action;
};

/* Takes the words apart. Unknown options and missing values are reported to r. */
must_check enum err conf_argv_scan(struct conf_argv *a, struct conf_reader *r, int argc,
				   char **argv);

/* Stores the values, and overwrites the secret ones in argv so that ps does not show them. */
void conf_argv_apply(struct conf_argv *a, struct conf_reader *r);

void conf_argv_fini(struct conf_argv *a);
