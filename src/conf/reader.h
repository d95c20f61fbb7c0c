/* What is being built while a configuration is read: the snapshot, who is told about problems,
 * and where each option was given. Control thread. Inside of conf/ only. */
#pragma once

#include "conf/conf.h"
#include "conf/table.h"

/* A place: a line of the file (>= 1), or one of these. */
enum { CONF_AT_ARGV = 0, CONF_AT_NOWHERE = -1 };

struct conf_reader {
	struct conf *conf; /* under construction, owned */
	conf_report_fn *report;
	void *arg;
	const char *file;	  /* the name that messages give it */
	bool for_server;	  /* files and accounts that it names are looked at */
	unsigned n_errors;	  /* reported so far */
	bool no_memory;		  /* something could not be kept: the result is ERR_NOMEM */
	int at[CONF_N_ROWS];	  /* where each option was last given */
	bool said[CONF_N_LEGACY]; /* that legacy name was commented on */
};

/* An empty snapshot with all defaults. ERR_NOMEM leaves nothing behind. */
must_check enum err conf_reader_init(struct conf_reader *r, conf_report_fn *report, void *arg);

/* Reports "PLACE: NAME: text"; `name` may be NULL. Control characters become '?'. */
void conf_reader_error(struct conf_reader *r, int at, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void conf_reader_warn(struct conf_reader *r, int at, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* An option was given at `at`; value NULL: bare. Stores it, or reports why not. */
void conf_reader_give(struct conf_reader *r, int at, struct conf_name name,
		      const struct str *value);

/* A name that is in no table: reports it, with what may have been meant. */
void conf_reader_unknown(struct conf_reader *r, int at, const char *dashes, struct str name);
