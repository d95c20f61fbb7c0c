#include "store/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER = 12 }; /* of a batch: magic, length, CRC */

/* An open file, which we have the lock of. */
struct file {
	char *path; /* owned */
	long long epoch;
	int fd;
	off_t at; /* read up to here */
	uint64_t rows; /* behind that */
};

struct store_spool {
	char *dir, *name;
	int64_t epoch;
	struct file file[STORE_SPOOL_FILES]; /* of others, oldest first */
	size_t n_files;
	struct file own; /* fd -1: not made yet */
	off_t own_size;
	unsigned n_damaged;
	struct file *got_of; /* the file of the batch that get() gave; NULL: none is out */
	size_t got, got_rows;
};

static void forget(struct file *f)
{
	if (f->fd >= 0)
		close(f->fd); /* the lock goes with it */
	free(f->path);
	*f = (struct file){ .fd = -1 };
}

static enum err set_path(const struct store_spool *s, struct file *f)
{
	if (asprintf(&f->path, "%s/%s.%lld", s->dir, s->name, f->epoch) >= 0)
		return OK;
	f->path = NULL;
	return ERR_NOMEM;
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

/* --- files of others --- */

static void count_rows(struct file *f)
{
	struct store_batch *b;
	off_t at = 0;
	size_t len;

	while (!read_batch(f->fd, at, &b, &len)) {
		f->rows += store_batch_rows(b);
		store_batch_free(b);
		at += (off_t)len;
	}
}

/* Locks a file that was found. False: it is a living process's, or gone, or there is nothing in it. */
static bool claim(struct file *f)
{
	struct stat st;

	f->fd = open(f->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (f->fd < 0 || flock(f->fd, LOCK_EX | LOCK_NB) || fstat(f->fd, &st) || st.st_nlink == 0)
		return false;
	if (st.st_size == 0) /* whoever is just making it sees that it is gone, and makes it again */
		unlink(f->path);
	return st.st_size > 0;
}

static bool is_known(const struct store_spool *s, long long epoch)
{
	for (size_t i = 0; i < s->n_files; i++)
		if (s->file[i].epoch == epoch)
			return true;
	return epoch == s->epoch;
}

static int by_age(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	return x->epoch < y->epoch ? -1 : x->epoch > y->epoch;
}

void store_spool_scan(struct store_spool *s)
{
	size_t name_len = strlen(s->name), n_before = s->n_files;
	DIR *d = s->got_of ? NULL : opendir(s->dir); /* the order may change: not while a batch is out */
	struct dirent *e;

	while (d && (e = readdir(d)) && s->n_files < STORE_SPOOL_FILES) {
		struct file f = { .fd = -1 };
		char end;

		if (strncmp(e->d_name, s->name, name_len) != 0 || e->d_name[name_len] != '.' ||
		    sscanf(e->d_name + name_len, ".%lld%c", &f.epoch, &end) != 1 || is_known(s, f.epoch))
			continue;
		if (set_path(s, &f) || !claim(&f)) {
			forget(&f);
			continue;
		}
		count_rows(&f);
		s->file[s->n_files++] = f;
	}
	if (d)
		closedir(d);
	if (s->n_files != n_before)
		qsort(s->file, s->n_files, sizeof *s->file, by_age);
}

/* --- begin and end --- */

void store_spool_close(struct store_spool *s)
{
	if (!s)
		return;
	if (s->own.fd >= 0 && s->own_size == 0)
		unlink(s->own.path);
	forget(&s->own);
	for (size_t i = 0; i < s->n_files; i++)
		forget(&s->file[i]);
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
	s->own.fd = -1;
	s->epoch = epoch;
	s->name = strdup(name);
	s->dir = strdup(dir);
	if (!s->name || !s->dir)
		e = ERR_NOMEM;
	else
		e = access(dir, R_OK | W_OK | X_OK) ? ERR_SYS : OK;
	if (e) {
		int no = errno;

		store_spool_close(s);
		errno = no;
		return e;
	}
	*out = s;
	return OK;
}

/* --- our own file --- */

/* Another process may find it before we have the lock, and remove it as an empty one: then once more. */
static enum err make_own(struct store_spool *s)
{
	struct file f = { .epoch = s->epoch, .fd = -1 };
	struct stat st = { 0 };
	enum err e = set_path(s, &f);
	int no;

	for (int i = 0; !e && i < 100 && st.st_nlink == 0; i++) {
		if (f.fd >= 0)
			close(f.fd);
		f.fd = open(f.path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (f.fd < 0 || flock(f.fd, LOCK_EX) || fstat(f.fd, &st))
			e = ERR_SYS;
	}
	if (!e && st.st_nlink) {
		s->own = f;
		s->own_size = st.st_size;
		return OK;
	}
	no = errno;
	forget(&f);
	errno = no;
	return e ? e : ERR_SYS;
}

static enum err append(struct store_spool *s, const uint8_t *buf, size_t len)
{
	if (s->own_size + (int64_t)len > STORE_SPOOL_BYTES)
		return ERR_FULL;
	if (pwrite(s->own.fd, buf, len, s->own_size) == (ssize_t)len && !fdatasync(s->own.fd)) {
		s->own_size += (off_t)len;
		return OK;
	}
	if (!errno) /* a short write says nothing */
		errno = ENOSPC;
	return ERR_SYS;
}

enum err store_spool_put(struct store_spool *s, const struct store_batch *b)
{
	enum err e = s->own.fd < 0 ? make_own(s) : OK;
	uint8_t *buf = NULL;
	size_t len = 0;
	int no;

	if (!e)
		e = store_batch_encode(b, &buf, &len);
	errno = e ? errno : 0;
	if (!e)
		e = append(s, buf, len);
	no = errno;
	if (e && s->own.fd >= 0) /* half of one would hide those behind it */
		(void)!ftruncate(s->own.fd, s->own_size);
	free(buf);
	if (!e)
		s->own.rows += store_batch_rows(b);
	errno = no;
	return e;
}

/* --- reading --- */

static void put_aside(struct store_spool *s, struct file *f)
{
	char *aside = NULL;

	s->n_damaged++;
	if (asprintf(&aside, "%s.damaged", f->path) >= 0)
		rename(f->path, aside);
	free(aside);
}

/* The first of the others' files has been read, as far as it can be. */
static void others_is_read(struct store_spool *s, bool damaged)
{
	struct file *f = &s->file[0];

	if (damaged)
		put_aside(s, f);
	else
		unlink(f->path);
	forget(f);
	s->n_files--;
	memmove(&s->file[0], &s->file[1], s->n_files * sizeof *s->file);
}

/* Ours is begun anew. */
static void own_is_read(struct store_spool *s, bool damaged)
{
	if (damaged) {
		put_aside(s, &s->own);
		forget(&s->own);
	} else if (!ftruncate(s->own.fd, 0)) {
		s->own.at = 0;
	} else {
		return; /* what is known already is sent once more after a restart, and known by its number */
	}
	s->own_size = 0;
}

static enum err get_of(struct store_spool *s, struct file *f, struct store_batch **out)
{
	enum err e = read_batch(f->fd, f->at, out, &s->got);

	if (e)
		return e;
	s->got_of = f;
	s->got_rows = store_batch_rows(*out);
	return OK;
}

enum err store_spool_get(struct store_spool *s, struct store_batch **out)
{
	enum err e;

	while (s->n_files) {
		e = get_of(s, &s->file[0], out);
		if (!e || e == ERR_NOMEM)
			return e;
		others_is_read(s, e == ERR_MALFORMED);
	}
	if (s->own.fd < 0 || s->own_size == 0)
		return ERR_NOTFOUND;
	e = s->own.at < s->own_size ? get_of(s, &s->own, out) : ERR_NOTFOUND;
	if (!e || e == ERR_NOMEM)
		return e;
	own_is_read(s, e == ERR_MALFORMED);
	return ERR_NOTFOUND;
}

void store_spool_done(struct store_spool *s)
{
	struct file *f = s->got_of;

	if (!f)
		return;
	f->at += (off_t)s->got;
	f->rows -= s->got_rows < f->rows ? s->got_rows : f->rows;
	s->got_of = NULL;
}

uint64_t store_spool_rows(const struct store_spool *s)
{
	uint64_t n = s->own.rows;

	for (size_t i = 0; i < s->n_files; i++)
		n += s->file[i].rows;
	return n;
}

unsigned store_spool_damaged(const struct store_spool *s)
{
	return s->n_damaged;
}
