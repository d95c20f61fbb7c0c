/* The rules between options, and what is derived from them; check.c calls the others. Each
 * reports to the reader what is wrong and goes on. Control thread. Inside of conf/ only. */
#pragma once

#include "conf/reader.h"

/* Everything below, once all options are in. */
void conf_check(struct conf_reader *r);

/* users.c: realm, users, secrets, has_credentials */
void conf_users_build(struct conf_reader *r);
/* users.c: wipes and frees what it built */
void conf_users_fini(struct conf *c);

/* hosts.c: listeners, locals, relays */
void conf_hosts_build(struct conf_reader *r);
/* hosts.c: adds this host's addresses of one family, or of both (ADDR_NONE) */
struct conf_addrs;
void conf_hosts_add_all(struct conf_reader *r, struct conf_addrs *l, enum addr_family family);
/* external.c: what relay addresses are called outside, and externals; after the relays are known */
void conf_external_build(struct conf_reader *r);

/* backend.c: https-backend, tls-passthrough, acme-redirect; after has_tls is known */
void conf_backend_build(struct conf_reader *r);

/* alternates.c: alternate-server and its relatives, alternate-domain */
void conf_alternates_build(struct conf_reader *r);
/* alternates.c: frees what it built */
void conf_alternates_fini(struct conf *c);

/* http.c: where the stats port is, and who may use it; after certificates are known */
void conf_http_build(struct conf_reader *r);
/* http.c: wipes and frees what it built */
void conf_http_fini(struct conf *c);

/* files.c: files and accounts that the server will need. For the server only: other programs that read its
 * configuration may be elsewhere, or may not read them. */
void conf_files_check(struct conf_reader *r);

/* cpus.c: processors that this process may use: its affinity, or its cgroup's quota when that
 * is less, rounded up; >= 1. */
unsigned conf_cpus_count(void);
/* cpus.c: the quota alone, rounded up, 0: none; `self` is a file such as /proc/self/cgroup,
 * `root` a directory such as /sys/fs/cgroup. */
unsigned conf_cpus_quota(const char *self, const char *root);
