#include "conf/argv.h"

#include <stdlib.h>

struct scan {
	struct conf_argv *a;
	struct conf_reader *r;
	char **argv;
	int argc;
	int next; /* index of the first word that was not taken */
};

/* How an option is followed by its value. */
enum wants { WANTS_NOTHING, WANTS_NUMBER_MAYBE, WANTS_VALUE };

static enum wants name_wants(struct conf_name name)
{
	if (name.legacy)
		return name.legacy->value == CONF_LEGACY_FLAG ? WANTS_NOTHING : WANTS_VALUE;
	if (name.row->type == CONF_BOOL)
		return WANTS_NOTHING;
	return name.row->flags & OPT_BARE ? WANTS_NUMBER_MAYBE : WANTS_VALUE;
}

static const char *name_text(struct conf_name name)
{
	return name.row ? name.row->name : name.legacy->name;
}

/* Takes the next word as a value, if there is one that will do. */
static char *take_word(struct scan *s, enum wants wants)
{
	char *word = s->next < s->argc ? s->argv[s->next] : NULL;

	if (!word || wants == WANTS_NOTHING)
		return NULL;
	if (wants == WANTS_NUMBER_MAYBE && !(word[0] >= '0' && word[0] <= '9'))
		return NULL;
	s->next++;
	return word;
}

static void add(struct scan *s, struct conf_name name, char *value)
{
	if (!value) {
		enum wants wants = name_wants(name);

		value = take_word(s, wants);
		if (!value && wants == WANTS_VALUE) {
			conf_reader_error(s->r, CONF_AT_ARGV, name_text(name), "needs a value");
			return;
		}
	}
	s->a->items[s->a->n++] = (struct conf_argv_item){ .name = name, .value = value };
}

/* The options that are about the command itself and have no place in a file. */
static bool special(struct conf_argv *a, struct str name)
{
	if (str_eq(name, STR_LIT("help")))
		a->action = CONF_HELP;
	else if (str_eq(name, STR_LIT("version")))
		a->action = CONF_VERSION;
	else if (str_eq(name, STR_LIT("check-config")))
		a->action = CONF_CHECK;
	else
		return false;
	return true;
}

/* coturn's command line may cut names short (getopt_long), as long as it is clear which is meant.
 * False: it is not, and that was said. */
static bool begins(struct scan *s, struct str text, struct conf_name *name)
{
	struct conf_name other;
	unsigned n = conf_table_find_prefix(text, name, &other);

	if (n < 2)
		return true;
	conf_reader_error(s->r, CONF_AT_ARGV, NULL, "--%.*s: may be --%s or --%s%s",
			  STR_ARG(text), name_text(*name), name_text(other),
			  n > 2 ? ", and more" : "");
	return false;
}

static void scan_long(struct scan *s, char *word)
{
	char *equals = strchr(word, '=');
	struct str text = { word, equals ? (size_t)(equals - word) : strlen(word) };
	struct conf_name name = conf_table_find(text);

	if (!name.row && !name.legacy && !equals && special(s->a, text))
		return;
	if (!name.row && !name.legacy && !begins(s, text, &name))
		return;
	if (name.row || name.legacy)
		add(s, name, equals ? equals + 1 : NULL);
	else
		conf_reader_unknown(s->r, CONF_AT_ARGV, "--", text);
}

static void scan_file(struct scan *s, char *rest)
{
	char *path = *rest ? rest : take_word(s, WANTS_VALUE);

	if (path)
		s->a->file = path;
	else
		conf_reader_error(s->r, CONF_AT_ARGV, "-c", "needs a file");
}

/* One letter of "-vfX1.2.3.4"; true: the rest of the word was its value. */
static bool scan_letter(struct scan *s, char *at)
{
	struct conf_name name = conf_table_find_letter(*at);

	if (*at == 'c') {
		scan_file(s, at + 1);
		return true;
	}
	if (*at == 'n' || *at == 'h') {
		s->a->no_file |= *at == 'n';
		if (*at == 'h')
			s->a->action = CONF_HELP;
		return false;
	}
	if (!name.row && !name.legacy) {
		conf_reader_unknown(s->r, CONF_AT_ARGV, "-", (struct str){ at, 1 });
		return true; /* what follows may be its value: no guessing */
	}
	if (name_wants(name) == WANTS_NOTHING) {
		add(s, name, NULL);
		return false;
	}
	add(s, name, at[1] ? at + 1 : NULL);
	return true;
}

static void scan_word(struct scan *s, char *word)
{
	if (word[0] != '-' || word[1] == '\0') {
		/* not shown: it may be the half of a secret that was not quoted */
		conf_reader_error(s->r, CONF_AT_ARGV, NULL, "word %d belongs to no option",
				  s->next - 1);
		return;
	}
	if (word[1] == '-') {
		scan_long(s, word + 2);
		return;
	}
	for (char *p = word + 1; *p; p++)
		if (scan_letter(s, p))
			return;
}

enum err conf_argv_scan(struct conf_argv *a, struct conf_reader *r, int argc, char **argv)
{
	struct scan s = { .a = a, .r = r, .argc = argc, .argv = argv, .next = 1 };
	size_t most = 1;

	/* no word holds more options than letters */
	for (int i = 1; i < argc; i++)
		most += strlen(argv[i]) + 1;
	*a = (struct conf_argv){ .action = CONF_RUN };
	a->items = calloc(most, sizeof *a->items);
	if (!a->items)
		return ERR_NOMEM;
	while (s.next < argc)
		scan_word(&s, argv[s.next++]);
	return OK;
}

static bool is_secret(struct conf_name name)
{
	if (name.legacy)
		return name.legacy->value == CONF_LEGACY_SECRET;
	return name.row->flags & OPT_SECRET;
}

void conf_argv_apply(struct conf_argv *a, struct conf_reader *r)
{
	for (size_t i = 0; i < a->n; i++) {
		struct conf_argv_item *item = &a->items[i];
		struct str value = str_of(item->value);

		conf_reader_give(r, CONF_AT_ARGV, item->name, item->value ? &value : NULL);
		if (item->value && is_secret(item->name))
			memset(item->value, 'x', value.len);
	}
}

void conf_argv_fini(struct conf_argv *a)
{
	free(a->items);
	a->items = NULL;
	a->n = 0;
}
