/* Passwords, keys and secrets on their way in: never from the command line, which every process can read. */
#pragma once

#include <stddef.h>

#include "base/err.h"

enum { CTL_INPUT_MAX = 512 }; /* bytes, terminator included */

/* Reads one line into buf (CTL_INPUT_MAX bytes), without its end: of the file `from`, of standard input
 * ("-"), or (NULL) from the terminal, asked for twice with `what` and not echoed. What is wrong is printed.
 * The caller wipes buf. */
must_check enum err ctl_input_read(const char *from, const char *what, char buf[CTL_INPUT_MAX]);

/* A token of the stats port: of the file `from` or standard input ("-"); or (NULL) of TACITURN_TOKEN in the
 * environment; or from the terminal, not echoed. Else as above. */
must_check enum err ctl_input_token(const char *from, char buf[CTL_INPUT_MAX]);
