#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf/addrs.h"
#include "conf/check.h"

/* One row of external-ip. */
struct external {
	struct addr outer;
	struct addr inner; /* family ADDR_NONE: the bare form */
};

static bool resolve(struct str text, uint8_t family, struct addr *out)
{
	static const int families[] = { AF_INET, AF_INET6 };
	char name[256];

	if (addr_parse_ip(text, out) == OK)
		return family == ADDR_NONE || out->family == family;
	if (text.len == 0 || text.len >= sizeof name)
		return false;
	memcpy(name, text.p, text.len);
	name[text.len] = '\0';
	for (int i = 0; i < 2; i++) {
		struct addrinfo hints = { .ai_family = families[i], .ai_socktype = SOCK_DGRAM };
		struct addrinfo *found = NULL;

		if (family != ADDR_NONE && (families[i] == AF_INET) != (family == ADDR_V4))
			continue;
		if (getaddrinfo(name, NULL, &hints, &found) || !found)
			continue;
		*out = addr_from_sa(found->ai_addr);
		out->port = 0;
		freeaddrinfo(found);
		return true;
	}
	return false;
}

static bool usable(const struct addr *a)
{
	return !addr_is_any(a) && !conf_addrs_is_multicast(a);
}

static bool parse_external(struct conf_reader *r, int at, const char *text,
			   struct external *out)
{
	const char *slash = strchr(text, '/');
	struct str outer = { text, slash ? (size_t)(slash - text) : strlen(text) };

	*out = (struct external){ 0 };
	if (slash &&
	    (!resolve(str_of(slash + 1), ADDR_NONE, &out->inner) || !usable(&out->inner))) {
		conf_reader_error(r, at, "external-ip", "'%s' is not an address of this host",
				  slash + 1);
		return false;
	}
	if (!resolve(outer, out->inner.family, &out->outer) || !usable(&out->outer)) {
		conf_reader_error(r, at, "external-ip",
				  "'%.*s' is not %s, and no host of that name "
				  "was found",
				  STR_ARG(outer),
				  out->inner.family == ADDR_V4	 ? "an IPv4 address"
				  : out->inner.family == ADDR_V6 ? "an IPv6 address"
								 : "an IP address");
		return false;
	}
	return true;
}

/* The relay of that inner address; without relay-ip it becomes one. */
static struct conf_relay *relay_for(struct conf_reader *r, const struct addr *inner)
{
	struct conf *c = r->conf;
	struct conf_relay *relays;

	for (size_t i = 0; i < c->n_relays; i++)
		if (addr_ip_eq(&c->relays[i].inner, inner))
			return &c->relays[i];
	if (c->relay_ip.n)
		return NULL;
	relays = realloc(c->relays, (c->n_relays + 1) * sizeof *relays);
	if (!relays) {
		r->no_memory = true;
		return NULL;
	}
	c->relays = relays;
	c->relays[c->n_relays] = (struct conf_relay){ .inner = *inner };
	return &c->relays[c->n_relays++];
}

/* RFC 8656 s.5: a relayed address is unique over all allocations, so an outer address has one inner. */
static bool outer_is_taken(const struct conf *c, const struct conf_relay *by,
			   const struct addr *outer)
{
	for (size_t i = 0; i < c->n_relays; i++)
		if (&c->relays[i] != by && addr_ip_eq(&c->relays[i].outer, outer))
			return true;
	return false;
}

static void map_pair(struct conf_reader *r, int at, const struct external *x)
{
	struct conf_relay *relay = relay_for(r, &x->inner);
	char inner[ADDR_IP_TEXT], outer[ADDR_IP_TEXT];

	if (r->no_memory)
		return;
	addr_print_ip(&x->inner, inner);
	addr_print_ip(&x->outer, outer);
	if (!relay)
		conf_reader_error(r, at, "external-ip",
				  "%s/%s: %s is none of the addresses of relay-ip", outer,
				  inner, inner);
	else if (outer_is_taken(r->conf, relay, &x->outer))
		conf_reader_error(r, at, "external-ip",
				  "%s/%s: %s stands for another address already; two "
				  "allocations could get "
				  "the same relayed address",
				  outer, inner, outer);
	else if (relay->outer.family != ADDR_NONE && !addr_ip_eq(&relay->outer, &x->outer))
		conf_reader_error(r, at, "external-ip",
				  "%s/%s: %s has another external address already", outer,
				  inner, inner);
	else
		relay->outer = x->outer;
}

/* The address of ours that packets to `outer` would leave from: the one that a NAT stands before. */
static bool route_source(const struct addr *outer, struct addr *source)
{
	struct addr to = *outer;
	struct sockaddr_storage sa;
	socklen_t len;
	bool known;
	int fd;

	to.port = 9; /* nothing is sent */
	len = addr_to_sa(&to, &sa);
	fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	known = connect(fd, (struct sockaddr *)&sa, len) == 0;
	len = sizeof sa;
	known = known && getsockname(fd, (struct sockaddr *)&sa, &len) == 0;
	close(fd);
	if (known)
		*source = addr_from_sa((struct sockaddr *)&sa);
	return known;
}

/* Which of the relay addresses without a pair a bare form is for: the one that the route to it uses, or
 * the first of its family. */
static struct conf_relay *bare_relay(struct conf *c, const struct addr *outer)
{
	struct conf_relay *first = NULL;
	struct addr source = { 0 };

	if (!route_source(outer, &source))
		source.family = ADDR_NONE;
	for (size_t i = 0; i < c->n_relays; i++) {
		struct conf_relay *relay = &c->relays[i];

		if (relay->inner.family != outer->family || relay->outer.family != ADDR_NONE)
			continue;
		if (addr_ip_eq(&relay->inner, &source))
			return relay;
		first = first ? first : relay;
	}
	return first;
}

/* The other addresses that a bare form would have to share are given up: a relayed address is unique over
 * all allocations (RFC 8656 s.5), and clients could not reach those by their inner names. */
static void leave_out(struct conf_reader *r, int at, const struct conf_relay *kept)
{
	struct addr outer = kept->outer, inner = kept->inner;
	struct conf *c = r->conf;
	char text[ADDR_IP_TEXT], gone[ADDR_IP_TEXT];
	size_t n = 0;

	for (size_t i = 0; i < c->n_relays; i++) {
		struct conf_relay relay = c->relays[i];

		if (relay.inner.family == outer.family && relay.outer.family == ADDR_NONE) {
			conf_reader_warn(r, at, "external-ip",
					 "%s is for %s; %s does not relay: write "
					 "PUBLIC/PRIVATE for each to use both",
					 addr_print_ip(&outer, text),
					 addr_print_ip(&inner, (char[ADDR_IP_TEXT]){ 0 }),
					 addr_print_ip(&relay.inner, gone));
			continue;
		}
		c->relays[n++] = relay;
	}
	c->n_relays = n;
}

/* The bare form: for one relay address of its family that no pair has mapped. */
static void map_bare(struct conf_reader *r, int at, const struct external *x)
{
	struct conf_relay *relay = bare_relay(r->conf, &x->outer);
	char outer[ADDR_IP_TEXT];

	if (!relay) {
		conf_reader_warn(r, at, "external-ip",
				 "there is no relay address of %s's family",
				 addr_print_ip(&x->outer, outer));
		return;
	}
	relay->outer = x->outer;
	leave_out(r, at, relay);
}

/* Pairs first: a bare form fills what they leave. `bare` says which this pass does. */
static void map_externals(struct conf_reader *r, const struct external *x, const bool *valid,
			  bool bare)
{
	const struct conf_list *list = &r->conf->external_ip;
	bool seen[ADDR_V6 + 1] = { false };

	for (size_t i = 0; i < list->n; i++) {
		if (!valid[i] || (x[i].inner.family == ADDR_NONE) != bare)
			continue;
		if (!bare) {
			map_pair(r, list->line[i], &x[i]);
			continue;
		}
		if (seen[x[i].outer.family])
			conf_reader_error(
				r, list->line[i], "external-ip",
				"'%s': a second one of this family; write PUBLIC/PRIVATE "
				"to say which is whose",
				list->v[i]);
		else
			map_bare(r, list->line[i], &x[i]);
		seen[x[i].outer.family] = true;
	}
}

void conf_external_build(struct conf_reader *r)
{
	struct conf *c = r->conf;
	const struct conf_list *list = &c->external_ip;
	struct external *x = calloc(list->n + 1, sizeof *x);
	bool *valid = calloc(list->n + 1, sizeof *valid);
	struct conf_addrs outer = { 0 };

	if (!x || !valid) {
		r->no_memory = true;
		goto free_all;
	}
	for (size_t i = 0; i < list->n; i++) {
		valid[i] = parse_external(r, list->line[i], list->v[i], &x[i]);
		if (valid[i])
			conf_addrs_add(r, &outer, &x[i].outer);
	}
	map_externals(r, x, valid, false);
	map_externals(r, x, valid, true);
	c->externals = outer.v;
	c->n_externals = outer.n;
free_all:
	free(x);
	free(valid);
}
