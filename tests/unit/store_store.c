/* A store thread whose event loop fails: it says so, ends when it is told to, and takes nothing with it. */
#include <dirent.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_said.h"
#include "store/inside.h"

enum err __wrap_net_loop_turn(struct net_loop *l);

/* No other loop turns in this program. */
enum err __wrap_net_loop_turn(struct net_loop *l)
{
	(void)l;
	return ERR_SYS;
}

static void on_failed(void *arg)
{
	atomic_fetch_add((_Atomic unsigned *)arg, 1);
}

struct world {
	struct said said;
	struct conf *conf;
	struct log *log;
	struct store *s;
	_Atomic unsigned n_failed;
	char dir[40], log_file[64];
};

static struct world *begin(void)
{
	struct world *w = calloc(1, sizeof *w);
	const struct store_hooks hooks = { .failed = on_failed, .arg = &w->n_failed };
	const struct log_options o = { .file = w->log_file, .level = LOG_INFO_ };
	char text[200];

	strcpy(w->dir, "/tmp/taciturn-store.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->log_file, sizeof w->log_file, "%s/.log", w->dir);
	snprintf(text, sizeof text, "no-auth\nrealm=r\nuser-byte-quota=1000000\nstore-spool-dir=%s\n", w->dir);
	w->conf = said_load(&w->said, text);
	assert_int_equal(log_start(&w->log, &o), OK);
	assert_int_equal(store_start(&w->s, w->conf, "n", 1, &hooks, w->log, said_add, &w->said), OK);
	while (!atomic_load(&w->n_failed))
		sched_yield();
	return w;
}

static struct store_job *job(enum store_job_kind kind)
{
	struct store_job *j = store_job_new(kind, STR_LIT("r"), STR_LIT("alice"));

	assert_non_null(j);
	if (kind != STORE_JOB_USAGE)
		return j;
	j->usage = calloc(1, sizeof *j->usage);
	j->n_usage = 1;
	j->usage[0] = (struct store_usage){ .realm = { strdup("r"), 1 }, .user = { strdup("alice"), 5 }, .rx_bytes = 7 };
	strcpy(j->usage[0].period, "2026-11");
	return j;
}

/* Bytes of the files in the directory but the log; they are removed, and the directory. */
static off_t clean(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	struct stat st;
	char path[400];
	off_t n = 0;

	assert_non_null(d);
	while ((e = readdir(d))) {
		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || stat(path, &st))
			continue;
		n += e->d_name[0] == '.' ? 0 : st.st_size;
		unlink(path);
	}
	closedir(d);
	rmdir(dir);
	return n;
}

static void read_log(const struct world *w, char *out, size_t cap)
{
	FILE *f = fopen(w->log_file, "r");

	assert_non_null(f);
	out[fread(out, 1, cap - 1, f)] = '\0';
	fclose(f);
}

/* More than its mailbox has room for: workers that end have all the time something to tell. */
static void it_says_so_and_takes_what_still_comes(void **state)
{
	enum { N = 20000 };
	struct world *w = begin();
	char log[4096];

	(void)state;
	for (int i = 0; i < N; i++) {
		struct store_job *j = job(i == N / 2 ? STORE_JOB_USAGE : STORE_JOB_RELEASE);

		while (store_send(w->s, j))
			sched_yield();
	}
	store_stop(w->s); /* and what was relayed is in a file */
	assert_int_equal(atomic_load(&w->n_failed), 1);
	log_stop(w->log);
	read_log(w, log, sizeof log);
	said_expect(log, "ERROR store_failed reason=event_loop note=");
	assert_null(strstr(log, "store_lost"));
	assert_true(clean(w->dir) > 0);
	conf_drop(w->conf);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_says_so_and_takes_what_still_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
