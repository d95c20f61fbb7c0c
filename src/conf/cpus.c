#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/check.h"

enum { PATH_MAX_LEN = 4096, CPUS_MAX = 8192 };

/* The first line of a file, without newline. */
static bool read_line(const char *path, char *buf, size_t cap)
{
	FILE *f = fopen(path, "re");
	bool ok;

	if (!f)
		return false;
	ok = fgets(buf, (int)cap, f) != NULL;
	fclose(f);
	if (ok)
		buf[strcspn(buf, "\n")] = '\0';
	return ok;
}

static unsigned round_up(long long quota, long long period)
{
	long long n;

	if (quota <= 0 || period <= 0)
		return 0;
	n = quota / period + (quota % period != 0);
	return n > CPUS_MAX ? CPUS_MAX : (unsigned)n;
}

/* Version 2: one file "QUOTA PERIOD" or "max PERIOD". */
static unsigned quota_v2(const char *dir)
{
	char path[PATH_MAX_LEN], line[64];
	long long quota, period;

	snprintf(path, sizeof path, "%s/cpu.max", dir);
	if (!read_line(path, line, sizeof line) ||
	    sscanf(line, "%lld %lld", &quota, &period) != 2)
		return 0;
	return round_up(quota, period);
}

/* Version 1: a file each, -1 means no quota. */
static unsigned quota_v1(const char *dir)
{
	char path[PATH_MAX_LEN], line[64];
	long long quota, period;

	snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", dir);
	if (!read_line(path, line, sizeof line) || sscanf(line, "%lld", &quota) != 1)
		return 0;
	snprintf(path, sizeof path, "%s/cpu.cfs_period_us", dir);
	if (!read_line(path, line, sizeof line) || sscanf(line, "%lld", &period) != 1)
		return 0;
	return round_up(quota, period);
}

static unsigned smaller(unsigned a, unsigned b)
{
	if (a == 0 || b == 0)
		return a + b; /* 0: no limit */
	return a < b ? a : b;
}

/* A group is bound by its own quota and by that of each group above. In a container the path is
 * the host's and may not exist here; then the way up ends at the mount, which does. */
static unsigned walk_up(const char *mount, char *group, unsigned (*quota)(const char *dir))
{
	unsigned least = 0;

	for (;;) {
		char dir[PATH_MAX_LEN];
		char *slash = strrchr(group, '/');

		if (snprintf(dir, sizeof dir, "%s%s", mount, group) < (int)sizeof dir - 32)
			least = smaller(least, quota(dir));
		if (!slash)
			return least;
		*slash = '\0';
	}
}

static bool names_cpu(const char *controllers)
{
	size_t n;

	for (; *controllers; controllers += n + (controllers[n] == ',')) {
		n = strcspn(controllers, ",");
		if (n == 3 && memcmp(controllers, "cpu", 3) == 0)
			return true;
	}
	return false;
}

/* One line "ID:CONTROLLERS:/GROUP"; version 2 has the id 0 and no controllers. */
static unsigned quota_of_line(char *line, const char *root)
{
	char *controllers = strchr(line, ':');
	char *group = controllers ? strchr(controllers + 1, ':') : NULL;
	char mount[PATH_MAX_LEN];

	if (!group)
		return 0;
	*controllers++ = '\0';
	*group++ = '\0';
	if (*controllers == '\0')
		return walk_up(root, group, quota_v2);
	if (!names_cpu(controllers))
		return 0;
	snprintf(mount, sizeof mount, "%s/cpu", root);
	return walk_up(mount, group, quota_v1);
}

unsigned conf_cpus_quota(const char *self, const char *root)
{
	FILE *f = fopen(self, "re");
	unsigned least = 0;
	char line[PATH_MAX_LEN];

	if (!f)
		return 0;
	while (fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = '\0';
		least = smaller(least, quota_of_line(line, root));
	}
	fclose(f);
	return least;
}

static unsigned affinity(void)
{
	cpu_set_t *set = CPU_ALLOC(CPUS_MAX);
	size_t size = CPU_ALLOC_SIZE(CPUS_MAX);
	int n = 0;

	if (!set)
		return 1;
	if (sched_getaffinity(0, size, set) == 0)
		n = CPU_COUNT_S(size, set);
	CPU_FREE(set);
	return n < 1 ? 1 : (unsigned)n;
}

unsigned conf_cpus_count(void)
{
	return smaller(affinity(), conf_cpus_quota("/proc/self/cgroup", "/sys/fs/cgroup"));
}
