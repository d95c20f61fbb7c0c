/*
 * Tells stories to the protocol core: reads *.turn files (README beside them has the form), plays
 * each in simulated time, and compares what happens with what the story says. TAP.
 *
 *	run [FILE …]	default: every *.turn in $srcdir/tests/replay
 */
#include <glob.h>
#include <stdio.h>

#include "base/bug.h"
#include "story.h"

/* --- outcomes --------------------------------------------------------------------------- */

static void expect_reason(struct story *s, int at, enum turn_route got)
{
	static const char *const reason[] = {
		[TURN_ROUTE_OK] = "ok",
		[TURN_ROUTE_NO_CHANNEL] = "no-channel",
		[TURN_ROUTE_NO_PERMISSION] = "no-permission",
		[TURN_ROUTE_NO_FAMILY] = "no-allocation",
		[TURN_ROUTE_INVALID] = "invalid",
	};

	if (got == TURN_ROUTE_OK)
		story_wrong(s, "the datagram passed");
	else if (!story_is(s, at, reason[got]))
		story_wrong(s, "dropped for %s", reason[got]);
}

/* The relayed address of one family in the last answer. */
static struct addr relayed(struct story *s, enum addr_family family)
{
	struct rd r = rd_init(s->w->raw + STUN_HEADER_LEN, s->w->raw_len - STUN_HEADER_LEN);
	struct addr a = { 0 };

	while (rd_left(&r)) {
		uint8_t one[STUN_HEADER_LEN + 4 + 20];
		struct wr w = wr_init(one, sizeof one);
		uint16_t type = rd_u16(&r), len = rd_u16(&r);
		const uint8_t *v = rd_take(&r, (size_t)(len + 3) / 4 * 4);
		struct stun_msg m;

		if (!v || type != STUN_T_XOR_RELAYED_ADDRESS)
			continue;
		stun_begin(&w, STUN_SUCCESS, STUN_ALLOCATE, s->w->ans.txid);
		stun_add(&w, type, v, len);
		if (stun_decode(one, wr_len(&w), &m) == OK && m.xor_relayed.family == family)
			a = m.xor_relayed;
	}
	return a;
}

static void expect_relay(struct story *s, const char *text, enum addr_family family)
{
	struct addr a = relayed(s, family);
	struct name *n = story_name(s, text);

	if (a.family != family)
		story_wrong(s, "no relayed address of that family");
	else if (n && !addr_eq(&n->addr, &a))
		story_wrong(s, "another relayed address than %s", text);
	else if (!n)
		story_name_new(s, text, strlen(text))->addr = a;
}

static void expect_word(struct story *s, int i)
{
	const struct stun_msg *m = &s->w->ans;
	const char *v;

	if ((v = story_value(s, i, "relay")))
		expect_relay(s, v, ADDR_V4);
	else if ((v = story_value(s, i, "relay6")))
		expect_relay(s, v, ADDR_V6);
	else if ((v = story_value(s, i, "lifetime")))
		story_need(s, m->lifetime_s == strtoul(v, NULL, 10), "another lifetime");
	else if ((v = story_value(s, i, "after")))
		story_need(s, m->xor_relayed.port == story_address(s, v).port + 1, "another port");
	else if ((v = story_value(s, i, "token")))
		memcpy(story_name_new(s, v, strlen(v))->token, m->reservation_token.p, TURN_TOKEN_LEN);
	else if (story_is(s, i, "half"))
		story_need(s, stun_has(m, STUN_A_ADDRESS_ERROR_CODE), "all of it");
	else
		story_wrong(s, "what is \"%s\"?", story_word(s, i));
}

static void expect_answer(struct story *s, int at)
{
	unsigned code = s->w->code;

	if (story_is(s, at, "ok") && code == 0) {
		for (int i = at + 1; i < s->n_words && !s->failed; i++)
			expect_word(s, i);
		return;
	}
	if (story_is(s, at, "silence") ? code != WORLD_SILENCE : code == 0 || code != strtoul(story_word(s, at), NULL, 10))
		story_wrong(s, "answered %u", code);
}

/* --- requests --------------------------------------------------------------------------- */

static const uint8_t *token_find(struct story *s, const char *text)
{
	const struct name *n = story_name(s, text);

	if (!n)
		story_wrong(s, "which token is \"%s\"?", text);
	return n ? n->token : s->w->raw;
}

static void add_argument(struct story *s, int i)
{
	struct wr *w = &s->w->req;
	const char *v;
	struct addr a;

	if (story_is(s, i, "udp") || story_is(s, i, "tcp"))
		stun_add_u32(w, STUN_T_REQUESTED_TRANSPORT, (story_is(s, i, "udp") ? 17u : 6u) << 24);
	else if ((v = story_value(s, i, "lifetime")))
		stun_add_u32(w, STUN_T_LIFETIME, (uint32_t)strtoul(v, NULL, 10));
	else if ((v = story_value(s, i, "family")))
		stun_add_u32(w, STUN_T_REQUESTED_ADDRESS_FAMILY, (*v == '6' ? 2u : 1u) << 24);
	else if (story_is(s, i, "both"))
		stun_add_u32(w, STUN_T_ADDITIONAL_ADDRESS_FAMILY, 2u << 24);
	else if (story_is(s, i, "even") || story_is(s, i, "reserve"))
		stun_add(w, STUN_T_EVEN_PORT, story_is(s, i, "even") ? "\0" : "\x80", 1);
	else if ((v = story_value(s, i, "token")))
		stun_add(w, STUN_T_RESERVATION_TOKEN, token_find(s, v), TURN_TOKEN_LEN);
	else if (strncmp(story_word(s, i), "0x", 2) == 0)
		stun_add_u32(w, STUN_T_CHANNEL_NUMBER, (uint32_t)strtoul(story_word(s, i), NULL, 16) << 16);
	else {
		a = story_address(s, story_word(s, i));
		stun_add_xor_addr(w, STUN_T_XOR_PEER_ADDRESS, &a);
	}
}

/* TIME NAME METHOD ARGUMENTS -> OUTCOME, the arguments from `at` on. */
static void request(struct story *s, struct actor *actor, uint16_t method, int at)
{
	struct world *w = s->w;
	bool once = false, plain = false;

	world_begin(w, STUN_REQUEST, method);
	for (; at < s->n_words && !story_is(s, at, "->"); at++)
		if (story_is(s, at, "once") || story_is(s, at, "plain"))
			*(story_is(s, at, "once") ? &once : &plain) = true;
		else if (story_value(s, at, "password"))
			snprintf(actor->c.password, sizeof actor->c.password, "%s", story_value(s, at, "password"));
		else
			add_argument(s, at);
	if (s->failed)
		return;
	if (plain)
		world_ask_plain(w, &actor->c);
	else
		once ? world_ask(w, &actor->c) : world_do(w, &actor->c);
	actor->wire_len = plain ? wr_len(&w->req) : w->wire_len;
	memcpy(actor->wire, plain ? w->body : w->wire, actor->wire_len);
	expect_answer(s, at + 1);
}

/* --- data ------------------------------------------------------------------------------- */

/* NAME send PEER "text" or NAME channel NUMBER "text" -> PEER gets "text" | nothing REASON */
static void to_peer(struct story *s, struct actor *actor, bool channel)
{
	uint8_t raw[512];
	struct wr out = wr_init(raw, sizeof raw);
	struct turn_to_peer *to = &s->w->out;
	const struct turn_session *t = world_session(s->w, &actor->c);
	enum turn_route route = TURN_ROUTE_NO_FAMILY;
	struct str text = story_quoted(s, 4);
	struct stun_msg m;
	struct addr a;

	if (channel) {
		uint16_t number = (uint16_t)strtoul(story_word(s, 3), NULL, 16);

		if (t)
			route = turn_route_channel(t, number, s->w->env.now, to);
		to->data = text;
	} else {
		a = story_address(s, story_word(s, 3));
		world_begin(s->w, STUN_INDICATION, STUN_SEND);
		stun_add_xor_addr(&s->w->req, STUN_T_XOR_PEER_ADDRESS, &a);
		stun_add_str(&s->w->req, STUN_T_DATA, text);
		wr_bytes(&out, s->w->body, wr_len(&s->w->req));
		BUG_ON(out.bad || stun_decode(raw, wr_len(&out), &m));
		if (t)
			route = turn_route_send(&s->w->env, t, &m, to);
	}
	if (story_is(s, 6, "nothing")) {
		expect_reason(s, 7, route);
		return;
	}
	a = story_address(s, story_word(s, 6));
	if (route != TURN_ROUTE_OK)
		story_wrong(s, "dropped");
	else if (!addr_eq(&to->to, &a) || !str_eq(to->data, story_quoted(s, 8)))
		story_wrong(s, "sent elsewhere, or something else");
}

static void expect_delivery(struct story *s, const struct addr *peer, uint16_t channel, struct str text)
{
	uint8_t raw[512];
	struct stun_msg m;
	size_t n;

	if (story_is(s, 8, "channel")) {
		if (channel != strtoul(story_word(s, 9), NULL, 16))
			story_wrong(s, "on channel 0x%04x", channel);
		return;
	}
	if (channel || !story_is(s, 8, "data")) {
		story_wrong(s, "on channel 0x%04x", channel);
		return;
	}
	n = turn_route_data_header(peer, text.len, &s->w->rng, raw);
	memcpy(raw + n, text.p, text.len);
	memset(raw + n + text.len, 0, 4);
	BUG_ON(stun_decode(raw, n + (text.len + 3) / 4 * 4, &m));
	struct addr from = story_address(s, story_word(s, 9));
	if (!addr_eq(&m.peer, &from) || !str_eq(m.data, text))
		story_wrong(s, "from somebody else, or something else");
}

/* TIME PEER to RELAY "text" -> NAME gets channel NUMBER | NAME gets data PEER | nothing REASON */
static void from_peer(struct story *s)
{
	struct addr from = story_address(s, story_word(s, 1)), at = story_address(s, story_word(s, 3)), peer;
	struct str text = story_quoted(s, 4);
	enum turn_route route = TURN_ROUTE_NO_FAMILY;
	const struct actor *told = story_actor(s, story_word(s, 6));
	const struct turn_session *owner = NULL;
	uint16_t channel = 0;

	for (int i = 0; i < s->n_actors; i++) {
		const struct turn_session *t = world_session(s->w, &s->actors[i].c);

		if (!t || !(addr_eq(&t->leg[0].relayed, &at) || addr_eq(&t->leg[1].relayed, &at)))
			continue;
		owner = t;
		route = turn_route_peer(&s->w->env, t, &from, &channel, &peer);
	}
	if (story_is(s, 6, "nothing"))
		expect_reason(s, 7, route);
	else if (route != TURN_ROUTE_OK || !told || owner != world_session(s->w, &told->c))
		story_wrong(s, "dropped, or for somebody else");
	else
		expect_delivery(s, &peer, channel, text);
}

/* --- lines ------------------------------------------------------------------------------ */

static const struct {
	const char *word;
	uint16_t method;
} methods[] = {
	{ "BINDING", STUN_BINDING },	     { "ALLOCATE", STUN_ALLOCATE },
	{ "REFRESH", STUN_REFRESH },	     { "CREATE-PERMISSION", STUN_CREATE_PERMISSION },
	{ "CHANNEL-BIND", STUN_CHANNEL_BIND },
};

static void act(struct story *s, struct actor *actor)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (story_is(s, 2, methods[i].word)) {
			request(s, actor, methods[i].method, 3);
			return;
		}
	if (story_is(s, 2, "AGAIN")) {
		world_give(s->w, &actor->c.at, actor->wire, actor->wire_len);
		expect_answer(s, 4);
	} else if (story_is(s, 2, "SEND") || story_is(s, 2, "CHANNEL")) {
		to_peer(s, actor, story_is(s, 2, "CHANNEL"));
	} else {
		story_wrong(s, "what is \"%s\"?", story_word(s, 2));
	}
}

/* "client NAME ADDRESS user=X password=Y" or "guest NAME ADDRESS id=X secret=Y ttl=SECONDS" */
static void introduce(struct story *s)
{
	struct actor *a = &s->actors[s->n_actors];

	BUG_ON(s->n_actors == MAX_CLIENTS);
	s->n_actors++;
	if (story_is(s, 0, "client"))
		a->c = world_client(story_word(s, 2), story_given(s, 3, "user"), story_given(s, 4, "password"));
	else
		a->c = world_guest(s->w, story_word(s, 2), story_given(s, 3, "id"), story_given(s, 4, "secret"),
				   atoi(story_given(s, 5, "ttl")));
	snprintf(a->name, sizeof a->name, "%s", story_word(s, 1));
}

/* The clock reads TIME; the wheel turns as a busy server's does, every 100 ms. */
static void set_clock(struct story *s)
{
	tick at = SEC(1000) + (tick)(strtod(story_word(s, 0), NULL) * 1000 + 0.5);

	if (at < s->w->env.now)
		story_wrong(s, "time goes backwards");
	while (s->w->env.now + 100 < at)
		world_pass(s->w, 100);
	if (at > s->w->env.now)
		world_pass(s->w, at - s->w->env.now);
}

static void play_line(struct story *s, char *text)
{
	struct actor *actor;

	story_split(s, text);
	if (s->n_words == 0)
		return;
	if (story_is(s, 0, "client") || story_is(s, 0, "guest")) {
		introduce(s);
		return;
	}
	set_clock(s);
	actor = story_actor(s, story_word(s, 1));
	if (actor)
		act(s, actor);
	else if (story_is(s, 1, "sessions"))
		story_need(s, s->w->n_sessions == strtoul(story_word(s, 2), NULL, 10), "another number of sessions");
	else if (story_is(s, 2, "to"))
		from_peer(s);
	else
		story_wrong(s, "who is \"%s\"?", story_word(s, 1));
}

/* The first comment is the title; "conf" lines come before the world does. */
static void read_head(struct story *s, FILE *f)
{
	char line[512];

	snprintf(s->conf, sizeof s->conf, "%s", WORLD_CONF);
	while (fgets(line, sizeof line, f)) {
		if (line[0] == '#' && !s->title[0])
			snprintf(s->title, sizeof s->title, "%.*s", (int)strcspn(line + 1, "\r\n"), line + 1);
		if (strncmp(line, "conf ", 5) == 0)
			strncat(s->conf, line + 5, sizeof s->conf - strlen(s->conf) - 1);
	}
	rewind(f);
}

static bool play(struct story *s, FILE *f)
{
	char line[512];

	read_head(s, f);
	s->w = world_new(s->conf);
	while (!s->failed && fgets(line, sizeof line, f)) {
		s->line++;
		if (strncmp(line, "conf ", 5) != 0)
			play_line(s, line);
	}
	world_free(s->w);
	return !s->failed;
}

static bool tell(const char *file, int n)
{
	struct story *s = calloc(1, sizeof *s);
	FILE *f = fopen(file, "r");
	const char *slash = strrchr(file, '/');
	bool good = false;

	BUG_ON(!s);
	s->file = slash ? slash + 1 : file;
	if (f)
		good = play(s, f);
	printf("%sok %d - %s:%s\n", good ? "" : "not ", n, s->file, s->title);
	if (f)
		fclose(f);
	free(s);
	return good;
}

int main(int argc, char **argv)
{
	const char *srcdir = getenv("srcdir");
	char pattern[4096];
	glob_t all = { 0 };
	int failed = 0;

	snprintf(pattern, sizeof pattern, "%s/tests/replay/*.turn", srcdir ? srcdir : ".");
	if (argc < 2 && glob(pattern, 0, NULL, &all) != 0) {
		printf("Bail out! no stories at %s\n", pattern);
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	size_t n = argc < 2 ? all.gl_pathc : (size_t)argc - 1;
	printf("1..%zu\n", n);
	for (size_t i = 0; i < n; i++)
		failed += !tell(argc < 2 ? all.gl_pathv[i] : argv[i + 1], (int)i + 1);
	globfree(&all);
	return failed != 0;
}
