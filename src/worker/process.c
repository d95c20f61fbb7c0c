#include "worker/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

static enum err fail(conf_report_fn *report, void *arg, const char *what, const char *which,
		     const char *why)
{
	char line[512];

	snprintf(line, sizeof line, "%s %s: %s", what, which, why);
	report(true, line, arg);
	return ERR_CONF;
}

void worker_process_prepare(void)
{
	struct rlimit rl;

	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (getrlimit(RLIMIT_NOFILE, &rl))
		return;
	rl.rlim_cur = rl.rlim_max;
	(void)!setrlimit(RLIMIT_NOFILE, &rl);
}

/* The parent's part: the child's word, or its death, becomes our exit status. */
static void wait_for_child(int fd, pid_t child)
{
	char word = 0;

	if (read(fd, &word, 1) == 1)
		_exit(0);
	waitpid(child, NULL, 0);
	_exit(1);
}

enum err worker_process_daemonize(int *ready_fd)
{
	int pipe_fd[2], null_fd;
	pid_t child;

	if (pipe2(pipe_fd, O_CLOEXEC))
		return ERR_SYS;
	child = fork();
	if (child < 0) {
		close(pipe_fd[0]);
		close(pipe_fd[1]);
		return ERR_SYS;
	}
	if (child > 0) {
		close(pipe_fd[1]);
		wait_for_child(pipe_fd[0], child);
	}
	close(pipe_fd[0]);
	setsid();
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd >= 0) {
		dup2(null_fd, STDIN_FILENO);
		close(null_fd);
	}
	*ready_fd = pipe_fd[1];
	return OK;
}

/* The parent may have been a shell's foreground job: from here on its terminal is left alone. */
static void leave_terminal(int ready_fd)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null_fd >= 0) {
		dup2(null_fd, STDOUT_FILENO);
		dup2(null_fd, STDERR_FILENO);
		close(null_fd);
	}
	(void)!write(ready_fd, "r", 1);
	close(ready_fd);
}

void worker_process_ready(int ready_fd)
{
#ifdef HAVE_SYSTEMD
	sd_notify(0, "READY=1");
#endif
	if (ready_fd >= 0)
		leave_terminal(ready_fd);
}

void worker_process_stopping(void)
{
#ifdef HAVE_SYSTEMD
	sd_notify(0, "STOPPING=1");
#endif
}

static enum err become(struct worker_ids ids, const char *user, conf_report_fn *report,
		       void *arg)
{
	if (setgroups(0, NULL) && errno != EPERM)
		return fail(report, arg, "cannot leave the groups of", "root", strerror(errno));
	if (setresgid(ids.gid, ids.gid, ids.gid) || setresuid(ids.uid, ids.uid, ids.uid))
		return fail(report, arg, "cannot become proc-user", user, strerror(errno));
	return OK;
}

enum err worker_process_ids(const struct conf *conf, struct worker_ids *out,
			    conf_report_fn *report, void *arg)
{
	const struct passwd *pw = NULL;
	const struct group *gr = NULL;

	if (conf->proc_user && *conf->proc_user && !(pw = getpwnam(conf->proc_user)))
		return fail(report, arg, "proc-user", conf->proc_user, "no such user");
	if (conf->proc_group && *conf->proc_group && !(gr = getgrnam(conf->proc_group)))
		return fail(report, arg, "proc-group", conf->proc_group, "no such group");
	*out = (struct worker_ids){ (uid_t)-1, (gid_t)-1 };
	if (pw || gr)
		*out = (struct worker_ids){ pw ? pw->pw_uid : getuid(),
					    gr ? gr->gr_gid : pw->pw_gid };
	return OK;
}

enum err worker_process_drop(const struct conf *conf, conf_report_fn *report, void *arg)
{
	struct worker_ids ids;
	enum err e = worker_process_ids(conf, &ids, report, arg);

	if (e || ids.uid == (uid_t)-1)
		return e;
	return become(ids, conf->proc_user && *conf->proc_user ? conf->proc_user : "(same)",
		      report, arg);
}

enum err worker_process_write_pid(const struct conf *conf, int *pid_fd, conf_report_fn *report,
				  void *arg)
{
	int fd;

	if (!conf->pidfile || !*conf->pidfile)
		return OK;
	fd = open(conf->pidfile, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return fail(report, arg, "cannot write pidfile", conf->pidfile,
			    strerror(errno));
	if (dprintf(fd, "%ld\n", (long)getpid()) < 0) {
		fail(report, arg, "cannot write pidfile", conf->pidfile, strerror(errno));
		close(fd);
		return ERR_CONF;
	}
	*pid_fd = fd;
	return OK;
}

void worker_process_remove_pid(const struct conf *conf, int pid_fd)
{
	if (pid_fd < 0)
		return;
	/* proc-user may not be allowed to remove it, but need not leave a number in it that will be
	 * another process's */
	if (unlink(conf->pidfile))
		(void)!ftruncate(pid_fd, 0);
	close(pid_fd);
}
