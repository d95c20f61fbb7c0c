#include "conf/period.h"

#include <string.h>
#include <time.h>

bool conf_period_find(const char *word, enum conf_period *out)
{
	static const char *const words[N_CONF_PERIOD] = {
		[CONF_PERIOD_MONTH] = "month",
		[CONF_PERIOD_DAY] = "day",
		[CONF_PERIOD_30D] = "30d",
	};

	for (unsigned i = 0; i < N_CONF_PERIOD; i++)
		if (strcmp(word, words[i]) == 0) {
			*out = (enum conf_period)i;
			return true;
		}
	return false;
}

int64_t conf_period_keep_s(enum conf_period p)
{
	return (p == CONF_PERIOD_DAY ? 2 : 62) * INT64_C(86400);
}

const char *conf_period_name(enum conf_period p, int64_t wall_s, char out[CONF_PERIOD_NAME])
{
	enum { DAY_S = 86400, WINDOW = 30 };
	time_t t = (time_t)wall_s;
	struct tm tm;

	if (p == CONF_PERIOD_30D)
		t -= t % ((time_t)WINDOW * DAY_S);
	gmtime_r(&t, &tm);
	strftime(out, CONF_PERIOD_NAME, p == CONF_PERIOD_MONTH ? "%Y-%m" : "%Y-%m-%d", &tm);
	return out;
}
