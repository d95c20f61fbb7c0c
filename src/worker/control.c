#include "worker/control.h"

#include <signal.h>
#include <string.h>

#include "base/tick.h"

static void on_stop(int signo, void *arg)
{
	struct worker_control *c = arg;

	log_info(c->lg, NULL, "stopping", "signal=%s", signo == SIGINT ? "SIGINT" : "SIGTERM");
	c->stop_signal = signo;
}

void worker_control_reload(struct worker_control *c, const char *reason)
{
	log_reopen(c->log);
	log_info(c->lg, NULL, "log_reopened", "reason=%s", reason);
	if (c->renew)
		worker_renew_now(c->renew, reason);
}

static void on_hangup(int signo, void *arg)
{
	(void)signo;
	worker_control_reload(arg, "SIGHUP");
}

/* coturn's signal for draining. */
static void on_user1(int signo, void *arg)
{
	struct worker_control *c = arg;

	(void)signo;
	if (c->drain)
		worker_drain_set(c->drain, true, true, "SIGUSR1");
}

/* coturn's signal for new certificates. */
static void on_user2(int signo, void *arg)
{
	struct worker_control *c = arg;

	(void)signo;
	if (c->renew)
		worker_renew_now(c->renew, "SIGUSR2");
}

static void on_look(int fd, void *arg)
{
	struct worker_control *c = arg;

	(void)fd;
	worker_renew_look(c->renew, tick_wall_s());
	if (c->trim)
		worker_trim_look(c->trim, net_loop_now(c->loop));
	if (c->drain && worker_drain_look(c->drain))
		c->stop_signal = SIGUSR1;
}

enum err worker_control_init(struct worker_control *c, struct log *log, struct logger *lg)
{
	enum err e;

	*c = (struct worker_control){ .log = log, .lg = lg };
	e = net_loop_new(&c->loop);
	if (!e)
		e = net_loop_signal(c->loop, SIGTERM, on_stop, c);
	if (!e)
		e = net_loop_signal(c->loop, SIGINT, on_stop, c);
	if (!e)
		e = net_loop_signal(c->loop, SIGHUP, on_hangup, c);
	if (!e)
		e = net_loop_signal(c->loop, SIGUSR1, on_user1, c);
	if (!e)
		e = net_loop_signal(c->loop, SIGUSR2, on_user2, c);
	if (e)
		worker_control_fini(c);
	return e;
}

void worker_control_drain(struct worker_control *c, struct worker_drain *drain)
{
	c->drain = drain;
}

void worker_control_trim(struct worker_control *c, struct worker_trim *trim)
{
	c->trim = trim;
}

enum err worker_control_renew(struct worker_control *c, struct worker_renew *renew)
{
	c->renew = renew;
	return net_loop_every(c->loop, WORKER_RENEW_LOOK_MS, on_look, c);
}

static void on_failure(int fd, void *arg)
{
	struct worker_control *c = arg;

	(void)fd;
	c->failed = true;
}

enum err worker_control_guard(struct worker_control *c, int fd)
{
	return net_loop_watch(c->loop, &c->failure, fd, on_failure, c);
}

enum err worker_control_run(struct worker_control *c)
{
	enum err e = OK;

	while (!c->stop_signal && !c->failed && !e)
		e = net_loop_turn(c->loop);
	return c->failed ? ERR_SYS : e;
}

void worker_control_fini(struct worker_control *c)
{
	if (c->failure.fn)
		net_loop_unwatch(&c->failure);
	net_loop_free(c->loop);
	c->loop = NULL;
}
