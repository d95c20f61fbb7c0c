#include "conf/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct str skip_blanks(struct str s)
{
	while (s.len && is_blank(s.p[0])) {
		s.p++;
		s.len--;
	}
	return s;
}

static struct str trim_end(struct str s)
{
	while (s.len && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

/* Cuts the next line off *text, without its newline and carriage return. */
static struct str take_line(struct str *text)
{
	const char *newline = memchr(text->p, '\n', text->len);
	struct str line = { text->p, newline ? (size_t)(newline - text->p) : text->len };
	size_t taken = line.len + (newline ? 1 : 0);

	text->p += taken;
	text->len -= taken;
	if (line.len && line.p[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* Cuts the name off *line; what is left is the value. False: there is no value. */
static bool take_name(struct str *line, struct str *name)
{
	struct str rest = *line;
	bool equals;

	while (rest.len && !is_blank(rest.p[0]) && rest.p[0] != '=') {
		rest.p++;
		rest.len--;
	}
	*name = (struct str){ line->p, (size_t)(rest.p - line->p) };
	rest = skip_blanks(rest);
	equals = rest.len && rest.p[0] == '=';
	if (equals) {
		rest.p++;
		rest.len--;
	}
	*line = skip_blanks(rest);
	return equals || rest.len > 0;
}

static bool has_control(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (((unsigned char)s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 0x7f)
			return true;
	return false;
}

static bool looks_commented(struct str value)
{
	for (size_t i = 1; i < value.len; i++)
		if (value.p[i] == '#' && is_blank(value.p[i - 1]))
			return true;
	return false;
}

/* A number, a word or a yes is never followed by anything, so that what stands there is a comment, and
 * in real configurations (coturn reads numbers up to it). Texts may hold a '#': a secret, a path. */
static bool cut_comment(struct conf_reader *r, int at, const struct conf_row *row, struct str *value)
{
	struct str rest = *value;

	if (row->type == CONF_STR || row->type == CONF_LIST)
		return false;
	for (size_t i = 0; i < rest.len; i++)
		if (rest.p[i] == '#' && (i == 0 || is_blank(rest.p[i - 1])))
			rest.len = i;
	rest = trim_end(rest);
	if (rest.len && rest.p[rest.len - 1] == ';')
		rest = trim_end((struct str){ rest.p, rest.len - 1 });
	if (rest.len == value->len)
		return false;
	conf_reader_warn(r, at, row->name, "what follows the value is left out: a comment has a line of its own");
	*value = rest;
	return true;
}

/* Takes off the quotes around a value, and mentions what is likely a slip. */
static bool unquote(struct conf_reader *r, int at, const char *name, struct str *value)
{
	if (value->len == 0)
		return true;
	if (value->p[0] == '"') {
		if (value->len < 2 || value->p[value->len - 1] != '"') {
			conf_reader_error(r, at, name, "the value does not end with its quote");
			return false;
		}
		value->p++;
		value->len -= 2;
		return true;
	}
	if (looks_commented(*value))
		conf_reader_warn(r, at, name,
				 "'#' is part of the value: a comment has a line of its own");
	if (value->p[value->len - 1] == ';')
		conf_reader_warn(r, at, name, "the ';' at the end is part of the value");
	return true;
}

static void parse_line(struct conf_reader *r, int at, struct str line)
{
	struct str name;
	struct conf_name found;
	bool has_value;

	if (line.len > CONF_PARSE_LINE_MAX) {
		conf_reader_error(r, at, NULL, "the line is longer than %d bytes",
				  CONF_PARSE_LINE_MAX);
		return;
	}
	line = trim_end(skip_blanks(line));
	if (line.len == 0 || line.p[0] == '#')
		return;
	if (has_control(line)) {
		conf_reader_error(r, at, NULL,
				  "the line holds a NUL or another control character");
		return;
	}
	has_value = take_name(&line, &name);
	if (name.len == 0) {
		conf_reader_error(r, at, NULL, "there is no option before the '='");
		return;
	}
	found = conf_table_find(name);
	if (!found.row && !found.legacy) {
		conf_reader_unknown(r, at, "", name);
		return;
	}
	if (found.row && cut_comment(r, at, found.row, &line) && line.len == 0)
		has_value = false;
	if (unquote(r, at, found.row ? found.row->name : found.legacy->name, &line))
		conf_reader_give(r, at, found, has_value ? &line : NULL);
}

void conf_parse_text(struct conf_reader *r, struct str text)
{
	static const char mark[] = "\xef\xbb\xbf"; /* the byte order mark of some editors */
	int at = 1;

	if (text.len >= 3 && memcmp(text.p, mark, 3) == 0) {
		text.p += 3;
		text.len -= 3;
	}
	for (; text.len; at++)
		parse_line(r, at, take_line(&text));
}

/* Reads from fd until its end or until buf is full; -1 with errno. */
static ssize_t read_all(int fd, char *buf, size_t cap)
{
	size_t n = 0;

	while (n < cap) {
		ssize_t got = read(fd, buf + n, cap - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

/* Room for the whole file and one byte more, which tells one that grew. Pipes have no size:
 * they get the most there may be. */
static size_t room_for(const struct stat *st)
{
	bool sized = S_ISREG(st->st_mode) && st->st_size < CONF_PARSE_FILE_MAX;

	return (sized ? (size_t)st->st_size : CONF_PARSE_FILE_MAX) + 1;
}

static void parse_fd(struct conf_reader *r, const char *path, int fd)
{
	struct stat st;
	size_t cap;
	ssize_t n;
	char *buf;

	if (fstat(fd, &st)) {
		conf_reader_error(r, CONF_AT_NOWHERE, path, "%s", strerror(errno));
		return;
	}
	cap = room_for(&st);
	buf = malloc(cap);
	if (!buf) {
		r->no_memory = true;
		return;
	}
	n = read_all(fd, buf, cap);
	if (n < 0)
		conf_reader_error(r, CONF_AT_NOWHERE, path, "%s", strerror(errno));
	else if ((size_t)n == cap)
		conf_reader_error(r, CONF_AT_NOWHERE, path,
				  "larger than %d bytes, or changed while it was read",
				  CONF_PARSE_FILE_MAX);
	else
		conf_parse_text(r, (struct str){ buf, (size_t)n });
	crypto_wipe(buf, cap);
	free(buf);
}

void conf_parse_file(struct conf_reader *r, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	r->file = path;
	if (fd < 0) {
		conf_reader_error(r, CONF_AT_NOWHERE, path, "%s", strerror(errno));
		return;
	}
	parse_fd(r, path, fd);
	close(fd);
}
