/* Any bytes as a configuration file: no crash, no leak, and either a snapshot or a report of
 * what was wrong. Names are not resolved: that would ask the network. */
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "conf/conf.h"
#include "conf/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **out)
{
	(void)node;
	(void)service;
	(void)hints;
	(void)out;
	return EAI_NONAME;
}

/* The host's addresses: the same on every machine, and cheap. */
int getifaddrs(struct ifaddrs **out)
{
	static struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { 0x010200c0 } };
	static struct ifaddrs all = { .ifa_flags = IFF_UP, .ifa_addr = (struct sockaddr *)&in };

	*out = &all;
	return 0;
}

void freeifaddrs(struct ifaddrs *all)
{
	(void)all;
}

static void count_errors(bool is_error, const char *text, void *arg)
{
	unsigned *n = arg;

	for (; *text; text++)
		BUG_ON((unsigned char)*text < ' ' || *text == 0x7f);
	*n += is_error;
}

/* What readers of a snapshot rely on. */
static void check_snapshot(const struct conf *c)
{
	BUG_ON(!c->realm);
	BUG_ON(c->n_workers < 1 || c->n_workers > 128);
	BUG_ON(c->min_port > c->max_port);
	BUG_ON(strlen(c->rest_api_separator) != 1);
	BUG_ON(!c->no_auth && !c->stun_only && !c->has_credentials);
	BUG_ON(!c->stun_only && c->n_relays == 0);
	for (size_t i = 0; i < c->n_relays; i++)
		BUG_ON(c->relays[i].inner.family != c->relays[i].outer.family);
}

static void as_text(const uint8_t *bytes, size_t n)
{
	char *text = malloc(n + 1);
	unsigned n_errors = 0;
	struct conf *c = NULL;
	enum err e;

	BUG_ON(!text);
	memcpy(text, bytes, n);
	text[n] = '\0';
	e = conf_from_text(text, count_errors, &n_errors, &c);
	BUG_ON((e == OK) != (n_errors == 0));
	BUG_ON((e == OK) != (c != NULL));
	if (c)
		check_snapshot(c);
	conf_drop(c);
	free(text);
}

/* With NUL bytes, which only a file can hold. */
static void as_bytes(const uint8_t *bytes, size_t n)
{
	unsigned n_errors = 0;
	struct conf_reader r;

	BUG_ON(conf_reader_init(&r, count_errors, &n_errors));
	conf_parse_text(&r, (struct str){ (const char *)bytes, n });
	BUG_ON(r.n_errors != n_errors);
	conf_drop(r.conf);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	as_text(bytes, n);
	if (memchr(bytes, 0, n))
		as_bytes(bytes, n);
	return 0;
}
