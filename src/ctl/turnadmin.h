/* coturn's turnadmin, for scripts that call it: its flags on our databases, when the program goes by that
 * name (a symbolic link). Its -p takes a password from the command line; taciturnctl does not. */
#pragma once

#include <stdbool.h>

/* Whether the program was called turnadmin. */
bool ctl_turnadmin_is_meant(const char *argv0);

/* Does what the flags say; returns the exit status. */
int ctl_turnadmin(int argc, char **argv);
