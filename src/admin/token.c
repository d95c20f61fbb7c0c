#include "admin/token.h"

#include <strings.h>

#include "base/crypto.h"

enum conf_role admin_token_role(const struct conf *conf, const char *header)
{
	enum conf_role role = CONF_ROLE_NONE;
	struct str given;

	if (!header || strncasecmp(header, "Bearer ", 7) != 0)
		return CONF_ROLE_NONE;
	given = str_of(header + 7);
	while (given.len && given.p[0] == ' ') {
		given.p++;
		given.len--;
	}
	for (size_t i = 0; i < conf->n_tokens; i++) {
		const struct conf_token *t = &conf->tokens[i];

		if (t->text.len == given.len && crypto_equal(t->text.p, given.p, given.len) &&
		    t->role > role)
			role = t->role;
	}
	return role;
}

bool admin_token_may(enum conf_role has, enum admin_role needed)
{
	switch (needed) {
	case ADMIN_ROLE_OPEN:
		return true;
	case ADMIN_ROLE_MINT:
		return has == CONF_ROLE_MINT || has == CONF_ROLE_ADMIN;
	case ADMIN_ROLE_READ:
	case ADMIN_ROLE_METRICS:
		return has == CONF_ROLE_READ || has == CONF_ROLE_ADMIN;
	case ADMIN_ROLE_ADMIN:
		break;
	}
	return has == CONF_ROLE_ADMIN;
}
