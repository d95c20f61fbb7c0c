#include "admin/body.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/bug.h"

/* NULL: it is no object. */
static json_t *object_of(struct str body)
{
	json_error_t why;
	json_t *j = json_loadb(body.len ? body.p : "", body.len, JSON_REJECT_DUPLICATES, &why);

	if (json_is_object(j))
		return j;
	json_decref(j);
	return NULL;
}

static const char no_object[] = "the body is not a JSON object";

static bool flag(const json_t *body, const char *name, bool *out, size_t *n)
{
	json_t *v = json_object_get(body, name);

	if (!v)
		return true;
	*n += 1;
	*out = json_is_true(v);
	return json_is_boolean(v);
}

const char *admin_body_drain(struct str body, bool *drain, bool *exit)
{
	json_t *j;
	size_t n = 0;
	bool good;

	if (!body.len)
		return NULL;
	j = object_of(body);
	if (!j)
		return no_object;
	good = flag(j, "drain", drain, &n) && flag(j, "exit", exit, &n);
	/* a misspelt one would mean the default, which is not what anybody wants */
	good = good && n == json_object_size(j);
	json_decref(j);
	return good ? NULL : "there are drain and exit, each true or false";
}

const char *admin_body_mint(struct str body, json_t **json, struct str *user, int64_t *ttl_s)
{
	json_t *name, *ttl;

	*json = object_of(body);
	if (!*json)
		return no_object;
	name = json_object_get(*json, "user");
	ttl = json_object_get(*json, "ttl");
	if ((name && !json_is_string(name)) || (ttl && !json_is_integer(ttl)))
		return "user is a string, ttl a whole number";
	if (name)
		*user = (struct str){ json_string_value(name), json_string_length(name) };
	if (ttl)
		*ttl_s = json_integer_value(ttl);
	return NULL;
}

/* One limit of the body onto `value`. */
static const char *add_limit(const char *key, json_t *v, char *value)
{
	static const char *const numbers[] = { "max_allocations", "max_bps", "max_bytes" };
	size_t len = strlen(value), room = ADMIN_BODY_LIMITS - len;
	const char *period = json_string_value(v);

	if (strcmp(key, "period") == 0) {
		if (!period || (strcmp(period, "day") && strcmp(period, "month") && strcmp(period, "30d")))
			return "period is day, month or 30d";
		snprintf(value + len, room, "%speriod=%s", len ? " " : "", period);
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		if (strcmp(key, numbers[i]) != 0)
			continue;
		if (!json_is_integer(v) || json_integer_value(v) < 0)
			return "a limit is a whole number from 0 on";
		snprintf(value + len, room, "%s%s=%" JSON_INTEGER_FORMAT, len ? " " : "", key,
			 json_integer_value(v));
		return NULL;
	}
	return "a limit is one of max_allocations, max_bps, max_bytes, period";
}

const char *admin_body_limits(struct str body, json_t **json, char value[ADMIN_BODY_LIMITS])
{
	const char *key, *wrong = NULL;
	json_t *v;

	value[0] = '\0';
	*json = object_of(body);
	if (!*json)
		return no_object;
	json_object_foreach (*json, key, v)
		wrong = wrong ? wrong : add_limit(key, v, value);
	return wrong;
}
