#include "ctl/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/crypto.h"
#include "ctl/ctl.h"

/* Up to the first newline. read() and no stdio: its buffers would keep the secret. */
static enum err read_line(int fd, char buf[CTL_INPUT_MAX])
{
	size_t n = 0;
	ssize_t got;

	while (n < CTL_INPUT_MAX - 1 && (got = read(fd, buf + n, 1)) != 0) {
		if (got < 0)
			return ERR_SYS;
		if (buf[n] == '\n')
			break;
		n++;
	}
	if (n == CTL_INPUT_MAX - 1)
		return ERR_RANGE;
	if (n && buf[n - 1] == '\r')
		n--;
	buf[n] = '\0';
	return n ? OK : ERR_NOTFOUND;
}

static enum err ask(int tty, const char *prompt, const char *what, char buf[CTL_INPUT_MAX])
{
	struct termios before, silent;
	enum err e;

	dprintf(tty, "%s%s: ", prompt, what);
	if (tcgetattr(tty, &before))
		return ERR_SYS;
	silent = before;
	silent.c_lflag &= (tcflag_t)~ECHO;
	if (tcsetattr(tty, TCSAFLUSH, &silent))
		return ERR_SYS;
	e = read_line(tty, buf);
	(void)!tcsetattr(tty, TCSAFLUSH, &before);
	dprintf(tty, "\n");
	return e;
}

static enum err ask_twice(const char *what, char buf[CTL_INPUT_MAX])
{
	char again[CTL_INPUT_MAX];
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
	enum err e;

	if (tty < 0) {
		ctl_fail("no terminal to ask for the %s: give --file FILE, or --file - for standard input",
			 what);
		return ERR_NOTFOUND;
	}
	e = ask(tty, "New ", what, buf);
	if (!e)
		e = ask(tty, "Repeat ", what, again);
	if (!e && strcmp(buf, again) != 0) {
		ctl_fail("the two are not the same");
		e = ERR_MALFORMED;
	} else if (e) {
		ctl_fail("no %s was read", what);
	}
	crypto_wipe(again, sizeof again);
	close(tty);
	return e;
}

static enum err read_file(const char *from, char buf[CTL_INPUT_MAX])
{
	bool is_stdin = strcmp(from, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(from, O_RDONLY | O_CLOEXEC);
	enum err e;

	if (fd < 0) {
		ctl_fail("%s: %s", from, strerror(errno));
		return ERR_SYS;
	}
	e = read_line(fd, buf);
	if (e)
		ctl_fail("%s: %s", is_stdin ? "standard input" : from,
			 e == ERR_RANGE	     ? "its first line is too long"
			 : e == ERR_NOTFOUND ? "its first line is empty"
					     : strerror(errno));
	if (!is_stdin)
		close(fd);
	return e;
}

enum err ctl_input_read(const char *from, const char *what, char buf[CTL_INPUT_MAX])
{
	enum err e = from ? read_file(from, buf) : ask_twice(what, buf);

	if (e)
		crypto_wipe(buf, CTL_INPUT_MAX);
	return e;
}

static enum err ask_token(char buf[CTL_INPUT_MAX])
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
	enum err e;

	if (tty < 0) {
		ctl_fail("no terminal to ask for the token: give --token-file FILE, or TACITURN_TOKEN");
		return ERR_NOTFOUND;
	}
	e = ask(tty, "", "Token", buf);
	if (e)
		ctl_fail("no token was read");
	close(tty);
	return e;
}

enum err ctl_input_token(const char *from, char buf[CTL_INPUT_MAX])
{
	const char *known = getenv("TACITURN_TOKEN");

	if (from)
		return ctl_input_read(from, "token", buf);
	if (!known || !known[0])
		return ask_token(buf);
	if (strlen(known) >= CTL_INPUT_MAX) {
		ctl_fail("TACITURN_TOKEN is too long");
		return ERR_RANGE;
	}
	memcpy(buf, known, strlen(known) + 1);
	return OK;
}
