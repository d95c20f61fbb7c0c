#include "net/http.h"

#include <stdio.h>

#include "base/bug.h"

enum { TOKEN_MAX = 128 };

static const struct str acme = { "/.well-known/acme-challenge/", 28 };

/* Do p[0 .. len) and the word agree as far as both go? */
static bool agree(struct str word, const char *p, size_t len)
{
	return memcmp(word.p, p, len < word.len ? len : word.len) == 0;
}

enum net_http net_http_sniff(const void *p, size_t len)
{
	static const struct str method[] = {
		{ "GET ", 4 },	  { "HEAD ", 5 },
		{ "POST ", 5 },	  { "PUT ", 4 },
		{ "DELETE ", 7 }, { "OPTIONS ", 8 },
		{ "PATCH ", 6 },  { "CONNECT ", 8 },
		{ "TRACE ", 6 },  { "PRI * HTTP/2.0\r\n", 16 }, /* RFC 9113 s.3.4 */
	};
	enum net_http best = len ? NET_HTTP_NO : NET_HTTP_MORE;

	for (size_t i = 0; len && i < ARRAY_LEN(method); i++) {
		if (!agree(method[i], p, len))
			continue;
		if (len >= method[i].len)
			return NET_HTTP_YES;
		best = NET_HTTP_MORE;
	}
	return best;
}

/* What stands before the next space or the end of the line. */
static struct str next_word(struct str *line)
{
	size_t n = 0;
	struct str word;

	while (n < line->len && line->p[n] != ' ')
		n++;
	word = (struct str){ line->p, n };
	if (n < line->len)
		n++;
	*line = (struct str){ line->p + n, line->len - n };
	return word;
}

enum net_http net_http_read(const void *p, size_t len, struct net_http_request *out)
{
	struct str line = { p, len < NET_HTTP_LINE ? len : NET_HTTP_LINE };
	const char *end = line.len ? memchr(p, '\n', line.len) : NULL;
	struct net_http_request q;

	if (!end)
		return len < NET_HTTP_LINE ? NET_HTTP_MORE : NET_HTTP_NO;
	line.len = (size_t)(end - line.p);
	q.method = next_word(&line);
	q.target = next_word(&line);
	if (!q.method.len || !q.target.len)
		return NET_HTTP_NO;
	*out = q;
	return NET_HTTP_YES;
}

static bool is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

bool net_http_acme_token(const struct net_http_request *q, struct str *token)
{
	struct str t = { q->target.p + acme.len, q->target.len - acme.len };

	if (!str_eq(q->method, STR_LIT("GET")) || q->target.len <= acme.len ||
	    memcmp(q->target.p, acme.p, acme.len) != 0 || t.len > TOKEN_MAX)
		return false;
	/* base64url and nothing else: no CR LF, no dots, no second slash can reach the Location */
	for (size_t i = 0; i < t.len; i++)
		if (!is_token_char(t.p[i]))
			return false;
	*token = t;
	return true;
}

static size_t written(int n)
{
	BUG_ON(n < 0 || n >= NET_HTTP_ANSWER);
	return (size_t)n;
}

size_t net_http_page(unsigned status, bool head, char buf[NET_HTTP_ANSWER])
{
	const char *title = status == 502 ? "Bad Gateway" : "Not Found";
	char page[256];
	int n = snprintf(page, sizeof page,
			 "<!doctype html><title>%u %s</title><h1>%u %s</h1><p>%s</p>\n", status,
			 title, status, title,
			 status == 502 ? "The web site behind this port does not answer."
				       : "There is no web site here.");

	return written(
		snprintf(buf, NET_HTTP_ANSWER,
			 "HTTP/1.1 %u %s\r\nContent-Type: text/html\r\nContent-Length: %d\r\n"
			 "Cache-Control: no-store\r\nConnection: close\r\n\r\n%s",
			 status, title, n, head ? "" : page));
}

size_t net_http_redirect(struct str base, struct str token, char buf[NET_HTTP_ANSWER])
{
	return written(snprintf(
		buf, NET_HTTP_ANSWER,
		"HTTP/1.1 301 Moved Permanently\r\nLocation: %.*s%.*s\r\nContent-Length: 0\r\n"
		"Connection: close\r\n\r\n",
		STR_ARG(base), STR_ARG(token)));
}
