#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "base/bug.h"
#include "log/log.h"
#include "log/ring.h"

/* A directory with a log file in it. */
struct place {
	char dir[32], file[64], other[64];
};

static void place_init(struct place *p)
{
	strcpy(p->dir, "/tmp/log_log.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->file, sizeof p->file, "%s/log", p->dir);
	snprintf(p->other, sizeof p->other, "%s/log.1", p->dir);
}

static void place_fini(struct place *p)
{
	unlink(p->file);
	unlink(p->other);
	rmdir(p->dir);
}

/* The whole file, terminated; the caller frees it. */
static char *slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 4 << 20);

	assert_non_null(f);
	assert_non_null(text);
	assert_true(fread(text, 1, (4 << 20) - 1, f) < (4 << 20) - 1);
	fclose(f);
	return text;
}

static size_t count(const char *text, const char *part)
{
	size_t n = 0;

	for (; (text = strstr(text, part)) != NULL; text += strlen(part))
		n++;
	return n;
}

static struct log *start(struct place *p, enum log_format format, enum log_level level)
{
	struct log_options opt = { .file = p->file, .format = format, .level = level };
	struct log *l = NULL;

	assert_int_equal(log_start(&l, &opt), OK);
	return l;
}

static void lines_arrive_before_stop_returns(void **state)
{
	struct place p;
	struct logger *lg = NULL;
	struct log *l;
	char *text;

	(void)state;
	place_init(&p);
	l = start(&p, LOG_TEXT, LOG_INFO_);
	assert_int_equal(log_logger(l, &lg), OK);
	log_info(lg, "session=1.2.3", "alloc_open", "relay=%s lifetime=%u", "192.0.2.1:5",
		 600u);
	log_debug(lg, NULL, "not_written", "x=%d", 1);
	log_warn(lg, NULL, "no_values", "%s", "");
	log_error(NULL, NULL, "nobody", "x=%d", 1);
	log_stop(l);
	text = slurp(p.file);
	assert_non_null(strstr(
		text, "Z INFO alloc_open session=1.2.3 relay=192.0.2.1:5 lifetime=600\n"));
	assert_non_null(strstr(text, "Z WARN no_values\n"));
	assert_int_equal(count(text, "\n"), 2);
	free(text);
	place_fini(&p);
}

static void json_lines_too(void **state)
{
	struct place p;
	struct logger *lg = NULL;
	struct log *l;
	char *text;

	(void)state;
	place_init(&p);
	l = start(&p, LOG_JSON, LOG_DEBUG_);
	assert_int_equal(log_logger(l, &lg), OK);
	log_debug(lg, "session=a", "tick", "n=%d", 7);
	log_stop(l);
	text = slurp(p.file);
	assert_non_null(strstr(
		text, "\"level\":\"debug\",\"event\":\"tick\",\"session\":\"a\",\"n\":7}\n"));
	free(text);
	place_fini(&p);
}

static void long_lines_are_cut(void **state)
{
	struct place p;
	struct logger *lg = NULL;
	struct log *l;
	char *text, longer[3 * LOG_LINE_MAX];

	(void)state;
	memset(longer, 'a', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	place_init(&p);
	l = start(&p, LOG_TEXT, LOG_INFO_);
	assert_int_equal(log_logger(l, &lg), OK);
	log_info(lg, NULL, "long", "k=%s", longer);
	log_info(lg, longer, "long", "k=%s", "v");
	log_stop(l);
	text = slurp(p.file);
	assert_int_equal(count(text, "\n"), 2);
	assert_true(strlen(text) <= 2 * (LOG_LINE_MAX + 64));
	assert_true(strlen(text) > LOG_LINE_MAX);
	free(text);
	place_fini(&p);
}

enum { WRITERS = 4, LINES = 5000 };

struct writer {
	pthread_t thread;
	struct logger *lg;
	int id;
};

static void *write_lines(void *arg)
{
	struct writer *w = arg;

	for (int i = 0; i < LINES; i++)
		log_info(w->lg, NULL, "line", "writer=%d n=%d", w->id, i);
	return NULL;
}

/* Each line is there or counted as lost, whole, and in its writer's order. */
static void no_line_vanishes(void **state)
{
	struct writer w[WRITERS] = { 0 };
	int last[WRITERS] = { -1, -1, -1, -1 };
	struct place p;
	struct log *l;
	char *text, *line, *rest;
	unsigned long long n = 0, lost;

	(void)state;
	place_init(&p);
	l = start(&p, LOG_TEXT, LOG_INFO_);
	for (int i = 0; i < WRITERS; i++) {
		w[i].id = i;
		assert_int_equal(log_logger(l, &w[i].lg), OK);
		assert_int_equal(pthread_create(&w[i].thread, NULL, write_lines, &w[i]), 0);
	}
	for (int i = 0; i < WRITERS; i++)
		pthread_join(w[i].thread, NULL);
	lost = log_dropped(l);
	log_stop(l);
	text = slurp(p.file);
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		const char *fields = strstr(line, " line writer=");
		int id, i, end = 0;

		if (strstr(line, "WARN log_lost lines="))
			continue;
		assert_non_null(fields);
		assert_int_equal(sscanf(fields, " line writer=%d n=%d%n", &id, &i, &end), 2);
		assert_int_equal(fields[end], '\0');
		assert_in_range(id, 0, WRITERS - 1);
		assert_true(i > last[id]);
		last[id] = i;
		n++;
	}
	assert_int_equal(n + lost, WRITERS * LINES);
	free(text);
	place_fini(&p);
}

/* A pipe that nobody reads is full after 64 KiB; then the ring fills, the writer goes on. */
static void a_slow_reader_costs_lines_but_no_time(void **state)
{
	struct place p;
	struct logger *lg = NULL;
	struct log *l;
	int fd;

	(void)state;
	place_init(&p);
	assert_int_equal(mkfifo(p.file, 0600), 0);
	fd = open(p.file, O_RDONLY | O_NONBLOCK);
	assert_true(fd >= 0);
	l = start(&p, LOG_TEXT, LOG_INFO_);
	assert_int_equal(log_logger(l, &lg), OK);
	while (log_dropped(l) == 0)
		log_info(lg, NULL, "flood", "x=%d", 1);
	close(fd); /* the blocked write ends with EPIPE, which must not end the process */
	log_stop(l);
	place_fini(&p);
}

static void a_full_disk_is_counted_and_told_once(void **state)
{
	struct log_options opt = { .file = "/dev/full" };
	struct logger *lg = NULL;
	struct log *l = NULL;
	int saved = dup(STDERR_FILENO), pipe_fd[2];
	char said[1024] = "";

	(void)state;
	assert_int_equal(pipe(pipe_fd), 0);
	assert_int_equal(log_start(&l, &opt), OK);
	assert_int_equal(log_logger(l, &lg), OK);
	dup2(pipe_fd[1], STDERR_FILENO);
	for (unsigned long long i = 1; i <= 3; i++) {
		log_info(lg, NULL, "x", "k=%d", 1);
		while (log_dropped(l) < i) /* until the log thread has tried */
			sched_yield();
	}
	log_stop(l);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(pipe_fd[1]);
	assert_true(read(pipe_fd[0], said, sizeof said - 1) > 0);
	close(pipe_fd[0]);
	assert_int_equal(count(said, "\n"), 1);
	assert_non_null(strstr(said, "/dev/full: cannot be written: No space left"));
}

static void reopen_follows_logrotate(void **state)
{
	struct place p;
	struct logger *lg = NULL;
	struct log *l;
	char *text;

	(void)state;
	place_init(&p);
	l = start(&p, LOG_TEXT, LOG_INFO_);
	assert_int_equal(log_logger(l, &lg), OK);
	log_info(lg, NULL, "before", "k=%d", 1);
	for (struct stat st = { 0 }; st.st_size == 0;) /* until it is written */
		assert_int_equal(stat(p.file, &st), 0);
	assert_int_equal(rename(p.file, p.other), 0);
	log_reopen(l);
	while (access(p.file, F_OK)) /* until the log thread has done it */
		sched_yield();
	log_info(lg, NULL, "after", "k=%d", 1);
	log_stop(l);
	text = slurp(p.other);
	assert_int_equal(count(text, "before"), 1);
	assert_int_equal(count(text, "after"), 0);
	free(text);
	text = slurp(p.file);
	assert_int_equal(count(text, "after"), 1);
	free(text);
	place_fini(&p);
}

static void what_cannot_be_opened_is_refused(void **state)
{
	static const struct {
		struct log_options opt;
		enum err e;
	} row[] = {
		{ { .file = "/nonexistent/log" }, ERR_NOTFOUND },
		{ { .file = "/tmp" }, ERR_SYS },
		{ { .use_syslog = true, .facility = "nowhere" }, ERR_RANGE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct log *l = NULL;

		assert_int_equal(log_start(&l, &row[i].opt), row[i].e);
		assert_null(l);
	}
	log_stop(NULL);
}

static void facilities_have_numbers(void **state)
{
	(void)state;
	assert_int_equal(log_facility(NULL), LOG_DAEMON);
	assert_int_equal(log_facility("daemon"), LOG_DAEMON);
	assert_int_equal(log_facility("LOG_LOCAL7"), LOG_LOCAL7);
	assert_int_equal(log_facility("Local0"), LOG_LOCAL0);
	assert_int_equal(log_facility("local8"), -1);
	assert_int_equal(log_facility(""), -1);
}

static void seldom_is_the_first_and_every_power_of_two(void **state)
{
	unsigned long long n = 0;

	(void)state;
	for (unsigned long long i = 1; i <= 64; i++)
		assert_int_equal(log_seldom(&n), i == 1 || i == 2 || i == 4 || i == 8 ||
							 i == 16 || i == 32 || i == 64);
}

/* The ring alone, over its end many times, with lines of every length. */
static void the_ring_gives_back_what_was_put(void **state)
{
	static struct log_ring r;
	char text[LOG_LINE_MAX], got[LOG_LINE_MAX];
	struct log_line line, taken;

	(void)state;
	memset(text, 'x', sizeof text);
	for (uint16_t i = 0; i < 3 * LOG_LINE_MAX; i++) {
		line = (struct log_line){ .wall_ms = i, .len = i % (LOG_LINE_MAX + 1) };
		assert_true(log_ring_put(&r, &line, text));
		assert_true(log_ring_take(&r, &taken, got));
		assert_int_equal(taken.wall_ms, i);
		assert_int_equal(taken.len, line.len);
		assert_memory_equal(got, text, line.len);
		assert_true(log_ring_is_empty(&r));
	}
	line.len = 1024;
	for (size_t n = 0; n < LOG_RING_SIZE / (sizeof line + 1024); n++)
		assert_true(log_ring_put(&r, &line, text));
	assert_false(log_ring_put(&r, &line, text));
	assert_true(log_ring_take(&r, &taken, got));
	assert_true(log_ring_put(&r, &line, text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_arrive_before_stop_returns),
		cmocka_unit_test(json_lines_too),
		cmocka_unit_test(long_lines_are_cut),
		cmocka_unit_test(no_line_vanishes),
		cmocka_unit_test(a_slow_reader_costs_lines_but_no_time),
		cmocka_unit_test(a_full_disk_is_counted_and_told_once),
		cmocka_unit_test(reopen_follows_logrotate),
		cmocka_unit_test(what_cannot_be_opened_is_refused),
		cmocka_unit_test(facilities_have_numbers),
		cmocka_unit_test(seldom_is_the_first_and_every_power_of_two),
		cmocka_unit_test(the_ring_gives_back_what_was_put),
	};

	return cmocka_run_group_tests_name("log_log", tests, NULL, NULL);
}
