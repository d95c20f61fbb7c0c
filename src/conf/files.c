#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/check.h"

/* Only whether it can be read: what is in it is the business of those who need it. */
static void check_file(struct conf_reader *r, int at, const char *name, const char *path)
{
	struct stat st;
	int fd;

	if (!path || !*path)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		conf_reader_error(r, at, name, "%s: %s", path, strerror(errno));
		return;
	}
	if (!fstat(fd, &st) && S_ISDIR(st.st_mode))
		conf_reader_error(r, at, name, "%s: is a directory", path);
	close(fd);
}

static void check_list(struct conf_reader *r, const char *name, const struct conf_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		check_file(r, list->line[i], name, list->v[i]);
}

/* A file that will be made: its directory has to be there. */
static void check_place(struct conf_reader *r, int at, const char *name, const char *path)
{
	char *copy, *dir;
	struct stat st;

	if (!path || !*path)
		return;
	copy = strdup(path);
	if (!copy) {
		r->no_memory = true;
		return;
	}
	dir = dirname(copy);
	if (stat(dir, &st))
		conf_reader_error(r, at, name, "%s: %s: %s", path, dir, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		conf_reader_error(r, at, name, "%s: %s is not a directory", path, dir);
	free(copy);
}

static bool is_path(const char *log_file)
{
	return log_file && strcmp(log_file, "-") != 0 && strcmp(log_file, "stdout") != 0 &&
	       strcmp(log_file, "syslog") != 0;
}

static void check_ids(struct conf_reader *r)
{
	const struct conf *c = r->conf;

	if (c->proc_user && *c->proc_user && !getpwnam(c->proc_user))
		conf_reader_error(r, r->at[CONF_ROW_proc_user], "proc-user", "there is no user '%s'",
				  c->proc_user);
	if (c->proc_group && *c->proc_group && !getgrnam(c->proc_group))
		conf_reader_error(r, r->at[CONF_ROW_proc_group], "proc-group", "there is no group '%s'",
				  c->proc_group);
}

void conf_files_check(struct conf_reader *r)
{
	const struct conf *c = r->conf;

	check_ids(r);
	if (is_path(c->log_file))
		check_place(r, r->at[CONF_ROW_log_file], "log-file", c->log_file);
	check_place(r, r->at[CONF_ROW_pidfile], "pidfile", c->pidfile);
	if (c->has_http) {
		check_file(r, r->at[CONF_ROW_http_cert], "http-cert", c->http_cert);
		check_file(r, r->at[CONF_ROW_http_pkey], "http-pkey", c->http_pkey);
	}
	if (!c->has_tls && !c->has_dtls)
		return;
	check_list(r, "cert", &c->cert);
	check_list(r, "pkey", &c->pkey);
	check_file(r, r->at[CONF_ROW_ca_file], "CA-file", c->ca_file);
	check_file(r, r->at[CONF_ROW_ocsp_staple_file], "ocsp-staple-file", c->ocsp_staple_file);
}
