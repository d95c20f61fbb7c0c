#include "turn_model.h"

enum {
	ALLOCATE = 0x003,
	REFRESH = 0x004,
	PERMIT = 0x008,
	BIND = 0x009,
	UDP = 17,
};

void model_init(struct model *m)
{
	memset(m, 0, sizeof *m);
	for (int i = 0; i < MODEL_CLIENTS; i++)
		m->nonce_s[i] = -1;
	for (int i = 0; i < 2 * MODEL_PORTS; i++)
		m->port[i / MODEL_PORTS][i % MODEL_PORTS].owner = -1;
}

/* The peers that the simulation's configuration allows. */
static bool allowed(const struct addr *a)
{
	static const uint8_t v4[] = { 198, 51, 100 }, v6[] = { 0x20, 0x01, 0x0d, 0xb8, 0, 1 };

	return a->family == ADDR_V4 ? memcmp(a->ip, v4, sizeof v4) == 0 :
				      memcmp(a->ip, v6, sizeof v6) == 0;
}

static int leg_of(const struct addr *a)
{
	return a->family == ADDR_V6;
}

static void close_leg(struct model *m, struct model_session *s, int leg)
{
	s->leg[leg].live = false;
	m->port[leg][s->leg[leg].port].owner = -1;
	for (int i = s->n_perms - 1; i >= 0; i--)
		if (leg_of(&s->perm[i].ip) == leg)
			s->perm[i] = s->perm[--s->n_perms];
	for (int i = s->n_chans - 1; i >= 0; i--)
		if (leg_of(&s->chan[i].peer) == leg)
			s->chan[i] = s->chan[--s->n_chans];
	if (!s->leg[!leg].live)
		memset(s, 0, sizeof *s);
}

void model_at(struct model *m, tick now, int64_t wall_s)
{
	m->now = now;
	m->wall_s = wall_s;
	for (int c = 0; c < MODEL_CLIENTS; c++) {
		struct model_session *s = &m->session[c];

		for (int leg = 0; leg < 2; leg++)
			if (s->leg[leg].live && s->leg[leg].until <= now)
				close_leg(m, s, leg);
		for (int i = s->n_perms - 1; i >= 0; i--)
			if (s->perm[i].until <= now)
				s->perm[i] = s->perm[--s->n_perms];
		for (int i = s->n_chans - 1; i >= 0; i--)
			if (s->chan[i].until <= now)
				s->chan[i] = s->chan[--s->n_chans];
	}
}

struct model_session *model_live(struct model *m, int client)
{
	return m->session[client].open ? &m->session[client] : NULL;
}

static unsigned authenticate(struct model *m, int client, const struct model_ask *a)
{
	const struct model_session *s = model_live(m, client);
	const struct model_cred *cred;

	if (a->cred < 0)
		return 401;
	cred = &m->cred[a->cred];
	if (!cred->known || a->wrong_password)
		return 401;
	if (!(s && s->cred == a->cred) && cred->expires_s && cred->expires_s < m->wall_s)
		return 401;
	if (a->wrong_nonce || m->nonce_s[client] < 0 || m->wall_s - m->nonce_s[client] > 600)
		return 438;
	return a->unknown ? 420 : 0;
}

static uint32_t lifetime(const struct model_ask *a)
{
	return a->lifetime < 600 ? 600 : a->lifetime > 3600 ? 3600 : (uint32_t)a->lifetime;
}

static bool is_free(const struct model *m, int leg, int port)
{
	return port < MODEL_PORTS && m->port[leg][port].owner < 0 &&
	       m->port[leg][port].reserved_until <= m->now;
}

static bool can_open(const struct model *m, const struct model_ask *a, int leg)
{
	for (int p = 0; p < MODEL_PORTS; p += a->even ? 2 : 1)
		if (is_free(m, leg, p) && (!a->reserve || is_free(m, leg, p + 1)))
			return true;
	return false;
}

static bool is_reserved(const struct model *m, const struct model_ask *a, int leg, int port)
{
	return m->port[leg][port].reserved_until > m->now &&
	       memcmp(m->port[leg][port].token, a->token_value, 8) == 0;
}

static bool find_token(const struct model *m, const struct model_ask *a, int *leg)
{
	for (*leg = 0; *leg < 2; ++*leg)
		for (int p = 0; p < MODEL_PORTS; p++)
			if (is_reserved(m, a, *leg, p))
				return true;
	return false;
}

static int held_by(struct model *m, const char *account)
{
	int n = 0;

	for (int c = 0; c < MODEL_CLIENTS; c++)
		n += m->session[c].open && strcmp(m->cred[m->session[c].cred].account, account) == 0;
	return n;
}

/* s.7.2, the checks 3 to 9 as far as the request alone decides. */
static unsigned check_allocate(const struct model_ask *a)
{
	if (a->transport < 0)
		return 400;
	if (a->transport != UDP)
		return a->transport == 6 ? 400 : 442; /* RFC 6062 s.5.1: TCP over UDP */
	if (a->token && (a->even || a->family || a->additional))
		return 400;
	if (a->family && a->additional)
		return 400;
	if (a->additional && (a->reserve || a->additional != 2))
		return 400;
	return a->family > 2 ? 440 : 0;
}

static unsigned choose_legs(struct model *m, const struct model_ask *a)
{
	int leg;

	m->want[0] = m->want[1] = false;
	if (a->token) {
		if (!find_token(m, a, &leg))
			return 508;
		m->want[leg] = true;
		return 0;
	}
	for (leg = 0; leg < 2; leg++)
		m->want[leg] = (a->additional || leg == (a->family == 2)) && can_open(m, a, leg);
	return m->want[0] || m->want[1] ? 0 : 508;
}

static uint32_t left_s(const struct model *m, const struct model_session *s)
{
	tick until = UINT64_MAX;

	for (int leg = 0; leg < 2; leg++)
		if (s->leg[leg].live && s->leg[leg].until < until)
			until = s->leg[leg].until;
	return (uint32_t)((until - m->now + 999) / 1000);
}

static unsigned allocate(struct model *m, int client, const struct model_ask *a)
{
	struct model_session *s = model_live(m, client);
	unsigned code;

	if (s && memcmp(s->txid, a->txid, sizeof s->txid) == 0 && s->cred == a->cred) {
		m->lifetime_s = left_s(m, s);
		return 0;
	}
	if (s)
		return 437;
	code = check_allocate(a);
	if (!code && held_by(m, m->cred[a->cred].account) >= MODEL_USER_QUOTA)
		code = 486;
	if (!code)
		code = choose_legs(m, a);
	if (code)
		return code;
	s = &m->session[client];
	memset(s, 0, sizeof *s);
	s->open = m->opened = true;
	s->cred = a->cred;
	memcpy(s->txid, a->txid, sizeof s->txid);
	m->lifetime_s = lifetime(a);
	return 0;
}

bool model_opened(struct model *m, int client, const struct model_ask *a, int leg, int port)
{
	struct model_session *s = &m->session[client];
	int p = port - MODEL_FIRST_PORT;

	if (p < 0 || p >= MODEL_PORTS || !m->want[leg] || s->leg[leg].live)
		return false;
	if (a->token ? !is_reserved(m, a, leg, p) : !is_free(m, leg, p))
		return false;
	if (a->even && p % 2)
		return false;
	m->want[leg] = false;
	m->port[leg][p].owner = client;
	m->port[leg][p].reserved_until = 0;
	s->leg[leg].live = true;
	s->leg[leg].port = p;
	s->leg[leg].until = m->now + SEC(m->lifetime_s);
	return true;
}

void model_reserved(struct model *m, int client, const uint8_t token[8])
{
	struct model_session *s = &m->session[client];

	for (int leg = 0; leg < 2; leg++)
		if (s->leg[leg].live) {
			m->port[leg][s->leg[leg].port + 1].reserved_until = m->now + SEC(60);
			memcpy(m->port[leg][s->leg[leg].port + 1].token, token, 8);
		}
	s->has_token = true;
	memcpy(s->token, token, 8);
}

static unsigned refresh(struct model *m, struct model_session *s, const struct model_ask *a)
{
	bool any = false, on[2];

	for (int leg = 0; leg < 2; leg++) {
		on[leg] = s->leg[leg].live && (!a->family || a->family == leg + 1);
		any |= on[leg];
	}
	if (!any)
		return 443;
	m->lifetime_s = a->lifetime == 0 ? 0 : lifetime(a);
	for (int leg = 0; leg < 2; leg++) {
		if (on[leg] && a->lifetime == 0)
			close_leg(m, s, leg);
		else if (on[leg])
			s->leg[leg].until = m->now + SEC(m->lifetime_s);
	}
	return 0;
}

static bool same_ip(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

static void grant(struct model *m, struct model_session *s, const struct addr *peer)
{
	int i = 0;

	while (i < s->n_perms && !same_ip(&s->perm[i].ip, peer))
		i++;
	if (i == s->n_perms)
		s->n_perms++;
	s->perm[i].ip = *peer;
	s->perm[i].until = m->now + SEC(300);
}

static unsigned permit(struct model *m, struct model_session *s, const struct model_ask *a)
{
	if (a->odd_peer || a->n_peers == 0)
		return 400;
	for (int i = 0; i < a->n_peers; i++) {
		if (!s->leg[leg_of(&a->peer[i])].live)
			return 443;
		if (!allowed(&a->peer[i]))
			return 403;
	}
	for (int i = 0; i < a->n_peers; i++)
		grant(m, s, &a->peer[i]);
	return 0;
}

static unsigned bind_channel(struct model *m, struct model_session *s, const struct model_ask *a)
{
	int at = s->n_chans;

	if (a->number < 0x4000 || a->number > 0x4FFF || a->n_peers == 0)
		return 400;
	for (int i = 0; i < s->n_chans; i++) {
		bool number = s->chan[i].number == a->number;
		bool peer = addr_eq(&s->chan[i].peer, &a->peer[0]);

		if (number != peer)
			return 400;
		if (number)
			at = i;
	}
	if (!s->leg[leg_of(&a->peer[0])].live)
		return 443;
	if (!allowed(&a->peer[0]))
		return 403;
	s->chan[at].number = a->number;
	s->chan[at].peer = a->peer[0];
	s->chan[at].until = m->now + SEC(600);
	if (at == s->n_chans)
		s->n_chans++;
	grant(m, s, &a->peer[0]);
	return 0;
}

unsigned model_ask(struct model *m, int client, const struct model_ask *a)
{
	struct model_session *s = model_live(m, client);
	unsigned code = authenticate(m, client, a);

	m->opened = false;
	if (code)
		return code;
	if (a->method == ALLOCATE)
		return allocate(m, client, a);
	if (!s)
		return 437;
	if (s->cred != a->cred)
		return 441;
	return a->method == REFRESH ? refresh(m, s, a) : a->method == PERMIT ? permit(m, s, a) :
									      bind_channel(m, s, a);
}

bool model_data(struct model *m, int client, const struct addr *peer, int *number)
{
	const struct model_session *s = model_live(m, client);
	bool ok = false;

	*number = 0;
	if (!s || !s->leg[leg_of(peer)].live)
		return false;
	for (int i = 0; i < s->n_perms; i++)
		ok |= same_ip(&s->perm[i].ip, peer);
	for (int i = 0; i < s->n_chans; i++)
		if (addr_eq(&s->chan[i].peer, peer))
			*number = s->chan[i].number;
	return ok;
}

const struct addr *model_channel(struct model *m, int client, int number)
{
	const struct model_session *s = model_live(m, client);
	int other;

	for (int i = 0; s && i < s->n_chans; i++)
		if (s->chan[i].number == number)
			return model_data(m, client, &s->chan[i].peer, &other) ? &s->chan[i].peer : NULL;
	return NULL;
}

tick model_some_end(struct model *m, int client, uint32_t chance)
{
	const struct model_session *s = model_live(m, client);
	uint32_t n;

	if (!s)
		return 0;
	n = chance % (uint32_t)(2 + s->n_perms + s->n_chans);
	if (n < 2)
		return s->leg[n].live ? s->leg[n].until : 0;
	n -= 2;
	return n < (uint32_t)s->n_perms ? s->perm[n].until : s->chan[n - (uint32_t)s->n_perms].until;
}
