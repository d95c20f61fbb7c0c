/* What the process is to the system: its user, its descriptors, its pid file, its service manager.
 * Control thread, before the workers start unless said otherwise. */
#pragma once

#include <sys/types.h>

#include "conf/conf.h"

/* As many descriptors as the system lets us have, for a session takes one or two; no privilege to be gained
 * by any program that is started from here, and no death by SIGPIPE. Before any thread is started, which
 * each inherit it. */
void worker_process_prepare(void);

/* Goes into the background: the parent waits for worker_process_ready() and exits 0, or exits 1 if
 * the child died first. Before any thread is started. */
must_check enum err worker_process_daemonize(int *ready_fd);

/* Tells systemd (sd_notify) and the parent in daemon mode (ready_fd, or -1) that clients are served;
 * and that they are no more. */
void worker_process_ready(int ready_fd);
void worker_process_stopping(void);

struct worker_ids {
	uid_t uid;
	gid_t gid;
};

/* Whom worker_process_drop() will become; -1 and -1 when that is nobody else. A name that is not
 * known is reported. */
must_check enum err worker_process_ids(const struct conf *conf, struct worker_ids *out,
				       conf_report_fn *report, void *arg);

/* Becomes proc-user and proc-group, for good. What went wrong is reported
 * with what to do. */
must_check enum err worker_process_drop(const struct conf *conf, conf_report_fn *report,
					void *arg);

/* Writes the pid file, where one is configured, and keeps it open as *pid_fd, which is left alone
 * without one. Removing closes it (-1: nothing to do), and empties what cannot be removed. */
must_check enum err worker_process_write_pid(const struct conf *conf, int *pid_fd,
					     conf_report_fn *report, void *arg);
void worker_process_remove_pid(const struct conf *conf, int pid_fd);
