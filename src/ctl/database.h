/* The database of users that the configuration names, asked one thing after the other. */
#pragma once

#include "ctl/ctl.h"
#include "store/op.h"

/* Opens it, on first use, and waits until it answers. A file that is not there is made when c->makes_file. What is
 * wrong is printed. */
must_check enum err ctl_database_open(struct ctl *c);

/* Opens another one, which has to be there: `which` is redis-userdb=…, psql-userdb=… or userdb=…. The caller
 * closes it. */
must_check enum err ctl_database_open_other(const char *which, struct ctl_database **out);
void ctl_database_close(struct ctl_database *db); /* NULL is fine */

/* Asks, and waits for the answer; op->done and op->arg are set by this. */
enum store_status ctl_database_ask(struct ctl_database *db, struct store_op *op);

/* One admin op on the configuration's database, with messages: EXIT_SUCCESS, or EXIT_FAILURE after a line
 * that says what to do. `row` may be NULL; its op->arg is `arg`. STORE_NONE says that `name` is not there. */
int ctl_database_admin(struct ctl *c, enum store_admin_do what, const struct store_op *admin, store_row_fn *row,
		       void *arg);

/* A list: each row to `row`, whose op->arg is `c`; with --json it adds to c->rows, which are printed then. */
int ctl_database_list(struct ctl *c, const struct store_op *admin, store_row_fn *row);
