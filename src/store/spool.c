#include "store/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	HEADER = 12,   /* of a batch: magic, length, CRC */
	MAX_FILES = 64, /* of earlier processes; the newest beyond that wait for the next start */
};

/* NAME.EPOCH.0 holds what a process that ended still had in memory, NAME.EPOCH.1 what was too much before. */
struct file {
	char *path; /* owned */
	long long epoch;
	int part;
};

struct store_spool {
	char *dir, *name;
	int64_t epoch;
	struct file file[MAX_FILES + 1];
	size_t n_files;
	int own_fd;	/* part 1 of this process; -1: not made yet */
	int read_fd;	/* of file[0]; -1: not open */
	off_t read_at;
	size_t got;	/* bytes of the batch that get() gave */
	size_t got_rows;
	uint64_t rows;
};

static enum err set_path(const struct store_spool *s, struct file *f)
{
	if (asprintf(&f->path, "%s/%s.%lld.%d", s->dir, s->name, f->epoch, f->part) >= 0)
		return OK;
	f->path = NULL;
	return ERR_NOMEM;
}

static int by_age(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	if (x->epoch != y->epoch)
		return x->epoch < y->epoch ? -1 : 1;
	return x->part - y->part;
}

static enum err find_files(struct store_spool *s)
{
	DIR *d = opendir(s->dir);
	size_t name_len = strlen(s->name);
	struct dirent *e;

	if (!d)
		return ERR_SYS;
	while ((e = readdir(d)) && s->n_files < MAX_FILES) {
		struct file *f = &s->file[s->n_files];
		char end;

		if (strncmp(e->d_name, s->name, name_len) != 0 || e->d_name[name_len] != '.')
			continue;
		if (sscanf(e->d_name + name_len, ".%lld.%d%c", &f->epoch, &f->part, &end) != 2)
			continue;
		if (!set_path(s, f))
			s->n_files++;
	}
	closedir(d);
	qsort(s->file, s->n_files, sizeof *s->file, by_age);
	return OK;
}

/* One batch of fd at `at`. ERR_NOTFOUND at the end; ERR_MALFORMED: damage, or a write that was cut off. */
static enum err read_batch(int fd, off_t at, struct store_batch **out, size_t *len)
{
	uint8_t header[HEADER], *buf;
	ssize_t n = pread(fd, header, sizeof header, at);
	struct rd r = rd_init(header + 4, 4);
	enum err e;
	size_t size;

	if (n == 0)
		return ERR_NOTFOUND;
	if (n != sizeof header)
		return ERR_MALFORMED;
	size = rd_u32(&r);
	if (size > STORE_BATCH_BYTES)
		return ERR_MALFORMED;
	buf = malloc(HEADER + size);
	if (!buf)
		return ERR_NOMEM;
	n = pread(fd, buf, HEADER + size, at);
	r = rd_init(buf, n > 0 ? (size_t)n : 0);
	e = store_batch_decode(&r, out);
	free(buf);
	*len = HEADER + size;
	return e == ERR_NOTFOUND ? ERR_MALFORMED : e;
}

/* How much earlier processes left. */
static void count_rows(struct store_spool *s)
{
	for (size_t i = 0; i < s->n_files; i++) {
		int fd = open(s->file[i].path, O_RDONLY | O_CLOEXEC);
		struct store_batch *b;
		size_t len;
		off_t at = 0;

		while (fd >= 0 && !read_batch(fd, at, &b, &len)) {
			s->rows += store_batch_rows(b);
			store_batch_free(b);
			at += (off_t)len;
		}
		if (fd >= 0)
			close(fd);
	}
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void remove_if_empty(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && st.st_size == 0)
		unlink(path);
}

void store_spool_close(struct store_spool *s)
{
	if (!s)
		return;
	close_fd(&s->read_fd);
	close_fd(&s->own_fd);
	for (size_t i = 0; i < s->n_files; i++) {
		if (s->file[i].epoch == s->epoch)
			remove_if_empty(s->file[i].path);
		free(s->file[i].path);
	}
	free(s->name);
	free(s->dir);
	free(s);
}

enum err store_spool_open(struct store_spool **out, const char *dir, const char *name, int64_t epoch)
{
	struct store_spool *s = calloc(1, sizeof *s);
	enum err e;

	if (!s)
		return ERR_NOMEM;
	s->own_fd = s->read_fd = -1;
	s->epoch = epoch;
	s->name = strdup(name);
	s->dir = strdup(dir);
	if (!s->name || !s->dir)
		e = ERR_NOMEM;
	else
		e = access(dir, W_OK | X_OK) ? ERR_SYS : find_files(s);
	if (e) {
		int no = errno;

		store_spool_close(s);
		errno = no;
		return e;
	}
	count_rows(s);
	*out = s;
	return OK;
}

static enum err open_own(struct store_spool *s, int part, int *fd)
{
	struct file f = { .epoch = s->epoch, .part = part };
	enum err e = set_path(s, &f);

	if (e)
		return e;
	*fd = open(f.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (*fd < 0 || part == 0) {
		free(f.path);
		return *fd < 0 ? ERR_SYS : OK;
	}
	s->file[s->n_files++] = f;
	return OK;
}

static enum err append(int fd, const struct store_batch *b)
{
	uint8_t *buf = NULL;
	size_t len = 0;
	enum err e = store_batch_encode(b, &buf, &len);
	off_t before = lseek(fd, 0, SEEK_END);

	if (!e && (write(fd, buf, len) != (ssize_t)len || fdatasync(fd))) {
		e = ERR_SYS;
		(void)!ftruncate(fd, before); /* half of one would hide those behind it */
	}
	free(buf);
	return e;
}

enum err store_spool_put(struct store_spool *s, const struct store_batch *b, bool first)
{
	enum err e = OK;
	int fd = -1;

	if (first) {
		e = open_own(s, 0, &fd);
		if (!e)
			e = append(fd, b);
		close_fd(&fd);
		return e;
	}
	if (s->own_fd < 0)
		e = open_own(s, 1, &s->own_fd);
	if (!e)
		e = append(s->own_fd, b);
	if (!e)
		s->rows += store_batch_rows(b);
	return e;
}

static bool is_own(const struct store_spool *s)
{
	return s->file[0].epoch == s->epoch;
}

/* The first file has been read: an old one goes, our own is begun anew. */
static void file_is_read(struct store_spool *s, bool damaged)
{
	char *aside = NULL;

	close_fd(&s->read_fd);
	s->read_at = 0;
	if (is_own(s)) {
		(void)!ftruncate(s->own_fd, 0);
		return;
	}
	if (!damaged)
		unlink(s->file[0].path);
	else if (asprintf(&aside, "%s.damaged", s->file[0].path) >= 0)
		rename(s->file[0].path, aside);
	free(aside);
	free(s->file[0].path);
	s->n_files--;
	memmove(&s->file[0], &s->file[1], s->n_files * sizeof *s->file);
}

enum err store_spool_get(struct store_spool *s, struct store_batch **out)
{
	while (s->n_files) {
		enum err e;

		if (s->read_fd < 0)
			s->read_fd = open(s->file[0].path, O_RDONLY | O_CLOEXEC);
		e = s->read_fd < 0 ? ERR_MALFORMED : read_batch(s->read_fd, s->read_at, out, &s->got);
		if (!e) {
			s->got_rows = store_batch_rows(*out);
			return OK;
		}
		if (e == ERR_NOMEM)
			return e;
		if (is_own(s)) {
			if (s->read_at)
				file_is_read(s, false);
			return ERR_NOTFOUND;
		}
		file_is_read(s, e == ERR_MALFORMED);
	}
	return ERR_NOTFOUND;
}

void store_spool_done(struct store_spool *s)
{
	s->read_at += (off_t)s->got;
	s->rows -= s->got_rows < s->rows ? s->got_rows : s->rows;
	s->got = s->got_rows = 0;
}

uint64_t store_spool_rows(const struct store_spool *s)
{
	return s->rows;
}
