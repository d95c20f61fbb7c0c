#include "worker/listen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/sock.h"

static void tell(const struct addr *at, bool udp, enum err e, conf_report_fn *report, void *arg)
{
	char text[ADDR_TEXT_LEN], line[256];
	const char *hint = "";
	int no = errno;

	if (e == ERR_INUSE)
		hint = ": another program serves this port (`ss -lntup` names it); stop it, or "
		       "set listening-port";
	else if (e == ERR_PERM)
		hint = ": ports below 1024 need root or CAP_NET_BIND_SERVICE";
	else if (no == EADDRNOTAVAIL)
		hint = ": this host has no such address; correct listening-ip";
	snprintf(line, sizeof line, "cannot listen on %s/%s: %s%s", addr_print(at, text),
		 udp ? "udp" : "tcp", strerror(no), hint);
	report(true, line, arg);
}

/* All of one worker; the first of them finds out what is taken. */
static enum err open_one(const struct conf *conf, bool join, struct worker_sockets *s,
			 conf_report_fn *report, void *arg)
{
	const struct net_sock_options o = { .kind = NET_SOCK_LISTENER,
					    .gro = conf->udp_gro,
					    .join = join,
					    .buf_size = conf->sock_buf_size };
	enum err first = OK;

	for (size_t i = 0; i < worker_listen_count(conf); i++) {
		bool udp = i < conf->n_udp_listeners;
		const struct addr *at =
			udp ? &conf->udp_listeners[i]
			    : &conf->stream_listeners[i - conf->n_udp_listeners];
		enum err e = udp ? net_sock_udp(at, &o, &s->fds[s->n])
				 : net_sock_listen(at, join, &s->fds[s->n]);

		if (e) {
			tell(at, udp, e, report, arg);
			first = first ? first : e;
			continue;
		}
		s->n++;
	}
	return first;
}

/* A relayed port is opened when a client asks for it, too late to tell anybody what is wrong. */
static enum err try_relay(const struct addr *inner, conf_report_fn *report, void *arg)
{
	const struct net_sock_options o = { .kind = NET_SOCK_RELAY };
	char text[ADDR_IP_TEXT], line[256];
	enum err e;
	int fd;

	e = net_sock_udp(inner, &o, &fd);
	if (!e) {
		net_sock_close(&fd);
		return OK;
	}
	snprintf(line, sizeof line, "cannot relay from %s: %s%s", addr_print_ip(inner, text), strerror(errno),
		 errno == EADDRNOTAVAIL
			 ? ": this host has no such address; correct relay-ip, or PRIVATE of external-ip"
			 : "");
	report(true, line, arg);
	return e;
}

enum err worker_listen_open(const struct conf *conf, struct worker_sockets *out,
			    conf_report_fn *report, void *arg)
{
	struct worker_sockets s = {
		calloc(conf->n_workers * worker_listen_count(conf) + 1, sizeof(int)), 0
	};
	enum err e = OK;

	if (!s.fds)
		return ERR_NOMEM;
	for (unsigned w = 0; w < conf->n_workers && !e; w++)
		e = open_one(conf, w > 0, &s, report, arg);
	for (size_t i = 0; i < conf->n_relays && !conf->stun_only; i++) {
		enum err e2 = try_relay(&conf->relays[i].inner, report, arg);

		e = e ? e : e2;
	}
	if (e) {
		worker_listen_close(&s);
		return e;
	}
	*out = s;
	return OK;
}

/* --- --check-config --- */

/* Any port will do: those of the configuration may be a running server's. */
static void look_for(const char *option, const struct addr *at, conf_report_fn *report, void *arg)
{
	const struct net_sock_options o = { .kind = NET_SOCK_RELAY };
	char text[ADDR_IP_TEXT], line[128];
	struct addr any_port = *at;
	int fd;

	any_port.port = 0;
	if (!net_sock_udp(&any_port, &o, &fd)) {
		net_sock_close(&fd);
		return;
	}
	if (errno != EADDRNOTAVAIL)
		return;
	snprintf(line, sizeof line, "%s: this host has no address %s; the server does not start where it is missing",
		 option, addr_print_ip(at, text));
	report(false, line, arg);
}

static bool is_listened_on(const struct conf *conf, const struct addr *at)
{
	for (size_t i = 0; i < conf->n_listeners; i++)
		if (addr_ip_eq(&conf->listeners[i], at))
			return true;
	return false;
}

void worker_listen_check(const struct conf *conf, conf_report_fn *report, void *arg)
{
	for (size_t i = 0; i < conf->n_listeners; i++)
		look_for("listening-ip", &conf->listeners[i], report, arg);
	for (size_t i = 0; i < conf->n_relays && !conf->stun_only; i++) {
		const struct addr *inner = &conf->relays[i].inner;

		if (conf->relay_ip.n)
			look_for("relay-ip", inner, report, arg);
		else if (!is_listened_on(conf, inner)) /* else it was told */
			look_for("external-ip", inner, report, arg);
	}
	if (conf->has_http && conf->http_wanted)
		look_for("http-address", &conf->http, report, arg);
}

void worker_listen_close(struct worker_sockets *s)
{
	for (size_t i = 0; i < s->n; i++)
		net_sock_close(&s->fds[i]);
	free(s->fds);
	*s = (struct worker_sockets){ NULL, 0 };
}
