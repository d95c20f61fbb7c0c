/* A story while it is told: its line as words, the names it gave, who is in it. */
#pragma once

#include "../unit/turn_world.h"

enum { MAX_WORDS = 32, MAX_NAMES = 32, MAX_CLIENTS = 8, NAME_LEN = 32 };

/* A name that the story gave to an address or a token. */
struct name {
	char name[NAME_LEN];
	struct addr addr;
	uint8_t token[TURN_TOKEN_LEN];
};

struct actor {
	char name[NAME_LEN];
	struct world_client c;
	uint8_t wire[WORLD_WIRE_MAX]; /* its last request */
	size_t wire_len;
};

struct story {
	const char *file;
	int line;
	char title[160];
	char conf[4096];
	struct world *w;
	struct name names[MAX_NAMES];
	int n_names;
	struct actor actors[MAX_CLIENTS];
	int n_actors;
	char *word[MAX_WORDS]; /* of this line */
	int n_words;
	bool failed;
};

/* Something is not as the story says: one line of output, and the story has failed. */
void story_wrong(struct story *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void story_need(struct story *s, bool holds, const char *otherwise);

/* Cuts the line into words; "…" is one word, and keeps its first quote. */
void story_split(struct story *s, char *p);

/* The word at i, or "". */
const char *story_word(const struct story *s, int i);
bool story_is(const struct story *s, int i, const char *text);

/* The text in quotes at i. */
struct str story_quoted(const struct story *s, int i);

/* The value of "key=value" at i, or NULL; the second: where it has to be there. */
const char *story_value(const struct story *s, int i, const char *key);
const char *story_given(struct story *s, int i, const char *key);

/* What has that name, or NULL; a new name, of the first `len` characters. */
struct name *story_name(struct story *s, const char *text);
struct name *story_name_new(struct story *s, const char *text, size_t len);

/* "P", "198.51.100.9:7000", or both for once: "P=198.51.100.9:7000". */
struct addr story_address(struct story *s, const char *text);

struct actor *story_actor(struct story *s, const char *text);
