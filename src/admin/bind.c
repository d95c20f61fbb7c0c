#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/crypto.h"

enum { FILE_MAX = 1 << 20, BACKLOG = 1024 };

/* A whole file as terminated text; NULL: errno tells. */
static char *read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char *text = fd >= 0 ? calloc(1, FILE_MAX) : NULL;
	ssize_t n = text ? read(fd, text, FILE_MAX - 1) : -1;
	int no = errno;

	if (fd >= 0)
		close(fd);
	if (n < 0) {
		free(text);
		text = NULL;
	}
	errno = no;
	return text;
}

static enum err load(const char *path, char **out, conf_report_fn *report, void *arg)
{
	char line[512];

	*out = read_file(path);
	if (*out)
		return OK;
	snprintf(line, sizeof line, "http-cert, http-pkey: cannot read %s: %s", path,
		 strerror(errno));
	report(true, line, arg);
	return ERR_CONF;
}

/* No SO_REUSEPORT: a port of somebody else is refused. An IPv6 wildcard serves IPv4 too. */
static int open_socket(const struct addr *at)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sa(at, &sa);
	const int one = 1, zero = 0;
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), no;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (at->family == ADDR_V6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
	if (!bind(fd, (struct sockaddr *)&sa, len) && !listen(fd, BACKLOG))
		return fd;
	no = errno;
	close(fd);
	errno = no;
	return -1;
}

static void tell(const struct conf *conf, conf_report_fn *report, void *arg)
{
	char text[ADDR_TEXT_LEN], line[512];
	int no = errno;

	snprintf(line, sizeof line, "cannot serve the stats port at %s: %s%s%s",
		 addr_print(&conf->http, text), strerror(no),
		 no == EADDRINUSE ? ": another program has it; set http-port" : "",
		 conf->http_wanted ? "" : " (going on without it; http-port=0 says so)");
	report(conf->http_wanted, line, arg);
}

enum err admin_bind(const struct conf *conf, struct admin_bound *out, conf_report_fn *report,
		    void *arg)
{
	enum err e = OK;

	*out = (struct admin_bound){ .fd = -1 };
	if (!conf->has_http)
		return OK;
	if (conf->http_cert_file) {
		e = load(conf->http_cert_file, &out->cert, report, arg);
		if (!e)
			e = load(conf->http_pkey_file, &out->pkey, report, arg);
	}
	if (!e)
		out->fd = open_socket(&conf->http);
	if (!e && out->fd < 0) {
		tell(conf, report, arg);
		e = conf->http_wanted ? ERR_CONF : OK;
	}
	if (e)
		admin_unbind(out);
	return e;
}

void admin_unbind(struct admin_bound *b)
{
	if (b->fd >= 0)
		close(b->fd);
	if (b->pkey)
		crypto_wipe(b->pkey, strlen(b->pkey));
	free(b->pkey);
	free(b->cert);
	*b = (struct admin_bound){ .fd = -1 };
}
