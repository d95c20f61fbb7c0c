#include "story.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/bug.h"

void story_wrong(struct story *s, const char *fmt, ...)
{
	va_list ap;

	printf("# %s:%d: ", s->file, s->line);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	s->failed = true;
}

void story_need(struct story *s, bool holds, const char *otherwise)
{
	if (!holds)
		story_wrong(s, "%s", otherwise);
}

void story_split(struct story *s, char *p)
{
	s->n_words = 0;
	for (;;) {
		p += strspn(p, " \t\r\n");
		if (!*p || *p == '#' || s->n_words == MAX_WORDS)
			return;
		s->word[s->n_words++] = p;
		p += *p == '"' ? 1 + strcspn(p + 1, "\"") : strcspn(p, " \t\r\n");
		if (*p)
			*p++ = 0;
	}
}

const char *story_word(const struct story *s, int i)
{
	return i < s->n_words ? s->word[i] : "";
}

bool story_is(const struct story *s, int i, const char *text)
{
	return strcmp(story_word(s, i), text) == 0;
}

struct str story_quoted(const struct story *s, int i)
{
	const char *p = story_word(s, i);

	return str_of(*p == '"' ? p + 1 : p);
}

const char *story_value(const struct story *s, int i, const char *key)
{
	size_t n = strlen(key);

	return strncmp(story_word(s, i), key, n) == 0 && story_word(s, i)[n] == '=' ? story_word(s, i) + n + 1 : NULL;
}

const char *story_given(struct story *s, int i, const char *key)
{
	const char *v = story_value(s, i, key);

	if (!v)
		story_wrong(s, "%s= is missing", key);
	return v ? v : "0";
}

struct name *story_name(struct story *s, const char *text)
{
	for (int i = 0; i < s->n_names; i++)
		if (strcmp(s->names[i].name, text) == 0)
			return &s->names[i];
	return NULL;
}

struct name *story_name_new(struct story *s, const char *text, size_t len)
{
	struct name *n = &s->names[s->n_names];

	BUG_ON(s->n_names == MAX_NAMES || len >= NAME_LEN);
	s->n_names++;
	memset(n, 0, sizeof *n);
	memcpy(n->name, text, len);
	return n;
}

struct addr story_address(struct story *s, const char *text)
{
	const char *eq = strchr(text, '=');
	struct name *n = story_name(s, text);
	struct addr a = { 0 };

	if (n)
		return n->addr;
	if (addr_parse(str_of(eq ? eq + 1 : text), 0, &a))
		story_wrong(s, "\"%s\" is no address", text);
	if (eq)
		story_name_new(s, text, (size_t)(eq - text))->addr = a;
	return a;
}

struct actor *story_actor(struct story *s, const char *text)
{
	for (int i = 0; i < s->n_actors; i++)
		if (strcmp(s->actors[i].name, text) == 0)
			return &s->actors[i];
	return NULL;
}
