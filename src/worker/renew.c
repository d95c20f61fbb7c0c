#include "worker/renew.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/tick.h"

enum { DATE_LEN = 32, WHY_LEN = 512, NOTE_LEN = 256 };

/* --- have the files changed --- */

/* FNV-1a: it tells states apart that nobody has chosen in order to be confused. */
static void mix(uint64_t *stamp, const void *p, size_t n)
{
	const unsigned char *b = p;

	for (size_t i = 0; i < n; i++)
		*stamp = (*stamp ^ b[i]) * 0x100000001b3;
}

/* stat() follows links: a new file renamed over the old one and a link that leads elsewhere (certbot,
 * Kubernetes) both show as another inode. */
static void stamp_file(uint64_t *stamp, const char *path)
{
	struct stat st;

	if (!path || !*path)
		return;
	if (stat(path, &st))
		memset(&st, 0, sizeof st);
	mix(stamp, &st.st_dev, sizeof st.st_dev);
	mix(stamp, &st.st_ino, sizeof st.st_ino);
	mix(stamp, &st.st_size, sizeof st.st_size);
	mix(stamp, &st.st_mtim, sizeof st.st_mtim);
	mix(stamp, &st.st_ctim, sizeof st.st_ctim);
}

static uint64_t stamp_all(const struct conf *conf)
{
	uint64_t stamp = 0xcbf29ce484222325;

	for (size_t i = 0; i < conf->cert.n; i++)
		stamp_file(&stamp, conf->cert.v[i]);
	for (size_t i = 0; i < conf->pkey.n; i++)
		stamp_file(&stamp, conf->pkey.v[i]);
	stamp_file(&stamp, conf->ca_file);
	stamp_file(&stamp, conf->ocsp_staple_file);
	return stamp;
}

/* --- may they be read at all --- */

static bool cannot_read(const char *path)
{
	return path && *path && faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0;
}

/* The first file that this process has no right to, or that is gone; NULL: none. */
static const char *find_unreadable(const struct conf *conf)
{
	for (size_t i = 0; i < conf->cert.n; i++)
		if (cannot_read(conf->cert.v[i]))
			return conf->cert.v[i];
	for (size_t i = 0; i < conf->pkey.n; i++)
		if (cannot_read(conf->pkey.v[i]))
			return conf->pkey.v[i];
	if (cannot_read(conf->ca_file))
		return conf->ca_file;
	return cannot_read(conf->ocsp_staple_file) ? conf->ocsp_staple_file : NULL;
}

static const char *what_to_do(const struct conf *conf, char *buf)
{
	const char *user =
		conf->proc_user && *conf->proc_user ? conf->proc_user : "the server's user";

	snprintf(buf, NOTE_LEN,
		 "the server runs as %s and has to read it and pass its folders: copy renewed "
		 "files to "
		 "where it may (certbot: a deploy hook), or set group and mode, or restart "
		 "after a renewal",
		 user);
	return buf;
}

/* --- what is said --- */

static const char *date(time_t at, char *buf)
{
	struct tm tm;

	if (!gmtime_r(&at, &tm) || !strftime(buf, DATE_LEN, "%Y-%m-%dT%H:%M:%SZ", &tm))
		strcpy(buf, "unknown");
	return buf;
}

static void warn_expiry(struct worker_renew *r, time_t now_s)
{
	char text[DATE_LEN];

	if (r->expires - now_s > WORKER_RENEW_SOON_S || now_s < r->nag)
		return;
	r->nag = now_s + WORKER_RENEW_NAG_S;
	log_warn(r->lg, NULL, r->expires <= now_s ? "cert_expired" : "cert_expires_soon",
		 "expires=%s days_left=%lld note=\"renew it; the server takes new files as "
		 "they come\"",
		 date(r->expires, text), (long long)(r->expires - now_s) / 86400);
}

static void on_problem(bool is_error, const char *text, void *arg)
{
	(void)is_error;
	snprintf(arg, WHY_LEN, "%s", text);
}

static void say_kept(struct worker_renew *r, const char *reason, const char *why)
{
	char quoted[2 * WHY_LEN], note[NOTE_LEN];
	bool unreadable = find_unreadable(r->conf) != NULL;

	log_error(r->lg, NULL, "cert_kept", "reason=%s why=%s%s%s%s", reason,
		  log_quote(str_of(why), quoted, sizeof quoted), unreadable ? " note=\"" : "",
		  unreadable ? what_to_do(r->conf, note) : "", unreadable ? "\"" : "");
}

/* --- the work --- */

void worker_renew_init(struct worker_renew *r, const struct conf *conf,
		       struct net_tickets **tickets, const struct net_cert *cert,
		       struct worker_pool *pool, struct logger *lg)
{
	char text[DATE_LEN], note[NOTE_LEN];
	const char *path;

	*r = (struct worker_renew){ .conf = conf, .tickets = tickets, .pool = pool, .lg = lg };
	if (!cert)
		return;
	r->stamp = r->seen = stamp_all(conf);
	r->expires = net_cert_expires(cert);
	log_info(lg, NULL, "cert_loaded", "reason=start expires=%s", date(r->expires, text));
	path = find_unreadable(conf);
	if (path)
		log_warn(lg, NULL, "cert_unreadable",
			 "file=%s note=\"renewed files will not be seen: %s\"", path,
			 what_to_do(conf, note));
	warn_expiry(r, tick_wall_s());
}

void worker_renew_now(struct worker_renew *r, const char *reason)
{
	struct net_cert *cert = NULL;
	char why[WHY_LEN] = "out of memory", text[DATE_LEN];

	if (!r->conf->has_tls)
		return;
	r->again = false;
	r->stamp = r->seen =
		stamp_all(r->conf); /* before they are read: what comes later is a change */
	if (worker_certs_load(r->conf, r->tickets, &cert, on_problem, why)) {
		say_kept(r, reason, why);
		return;
	}
	r->expires = net_cert_expires(cert);
	r->nag = 0;
	if (worker_pool_set_cert(r->pool, cert)) {
		r->again = true;
		say_kept(r, reason, "a worker is too busy to take it; it is tried again");
	} else {
		log_info(r->lg, NULL, "cert_loaded", "reason=%s expires=%s", reason,
			 date(r->expires, text));
		warn_expiry(r, tick_wall_s());
	}
	net_cert_drop(cert);
}

void worker_renew_look(struct worker_renew *r, time_t now_s)
{
	uint64_t found;
	bool rested;

	if (!r->conf->has_tls)
		return;
	found = stamp_all(r->conf);
	rested = found ==
		 r->seen; /* certificate and key are two files: one is there before the other */
	r->seen = found;
	if ((found != r->stamp && rested) || r->again)
		worker_renew_now(r, "files_changed");
	else
		warn_expiry(r, now_s);
}
