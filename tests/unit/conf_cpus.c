#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bug.h"
#include "conf/check.h"

enum { PATH_LEN = 256 };

/* A file below `root`, with the directories above it. */
static void put_file(const char *root, const char *name, const char *text)
{
	char path[PATH_LEN];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", root, name);
	for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		mkdir(path, 0700);
		*p = '/';
	}
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void remove_tree(const char *root)
{
	char command[PATH_LEN];

	snprintf(command, sizeof command, "rm -rf '%s'", root);
	assert_int_equal(system(command), 0);
}

static void the_least_quota_on_the_way_up_counts(void **state)
{
	static const struct {
		const char *self;
		struct {
			const char *name, *text;
		} file[4];
		unsigned n;
	} row[] = {
		{ "0::/\n", { { "cpu.max", "200000 100000\n" } }, 2 },
		{ "0::/\n", { { "cpu.max", "150000 100000\n" } }, 2 },
		{ "0::/\n", { { "cpu.max", "50000 100000\n" } }, 1 },
		{ "0::/\n", { { "cpu.max", "max 100000\n" } }, 0 },
		{ "0::/\n", { { 0 } }, 0 },
		{ "0::/a/b\n",
		  { { "a/cpu.max", "300000 100000\n" }, { "a/b/cpu.max", "max 100000\n" } },
		  3 },
		{ "0::/a/b\n",
		  { { "a/cpu.max", "300000 100000\n" }, { "a/b/cpu.max", "100000 100000\n" } },
		  1 },
		/* a container sees the host's path, and its own files at the root */
		{ "0::/docker/0123\n", { { "cpu.max", "400000 100000\n" } }, 4 },
		/* version 1, beside a version 2 without the controller */
		{ "4:cpu,cpuacct:/x\n0::/\n",
		  { { "cpu/x/cpu.cfs_quota_us", "250000\n" },
		    { "cpu/x/cpu.cfs_period_us", "100000\n" } },
		  3 },
		{ "4:cpuacct,cpu:/x\n",
		  { { "cpu/cpu.cfs_quota_us", "100000\n" },
		    { "cpu/cpu.cfs_period_us", "100000\n" } },
		  1 },
		{ "4:cpu:/x\n",
		  { { "cpu/x/cpu.cfs_quota_us", "-1\n" },
		    { "cpu/x/cpu.cfs_period_us", "100000\n" } },
		  0 },
		{ "4:cpuset:/x\n",
		  { { "cpu/x/cpu.cfs_quota_us", "100000\n" },
		    { "cpu/x/cpu.cfs_period_us", "100000\n" } },
		  0 },
		{ "garbage\n\n::\n", { { "cpu.max", "x\n" } }, 0 },
		{ "0::/\n", { { "cpu.max", "100000 0\n" } }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		char root[] = "/tmp/conf_cpus.XXXXXX", self[PATH_LEN];

		assert_non_null(mkdtemp(root));
		for (size_t k = 0; k < ARRAY_LEN(row[i].file) && row[i].file[k].name; k++)
			put_file(root, row[i].file[k].name, row[i].file[k].text);
		put_file(root, "self", row[i].self);
		snprintf(self, sizeof self, "%s/self", root);
		assert_int_equal(conf_cpus_quota(self, root), row[i].n);
		remove_tree(root);
	}
}

static void no_cgroup_is_no_limit(void **state)
{
	(void)state;
	assert_int_equal(conf_cpus_quota("/nonexistent", "/nonexistent"), 0);
	assert_true(conf_cpus_count() >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_least_quota_on_the_way_up_counts),
		cmocka_unit_test(no_cgroup_is_no_limit),
	};

	return cmocka_run_group_tests_name("conf_cpus", tests, NULL, NULL);
}
