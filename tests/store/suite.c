/*
 * One suite for every kind of database: suite KIND CONNINFO [CONTROL]. CONTROL is the socket of tests/store/run,
 * which starts the databases; without it the tests that have something done to the database are skipped.
 */
#include "suite.h"
#include "world.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct world world;

static const struct {
	const char *name;
	const struct store_kind *kind;
	bool counts_leases, has_events;
} kinds[] = {
#ifdef HAVE_STORE_REDIS
	{ "redis", &store_redis, true, true },
#endif
#ifdef HAVE_STORE_PGSQL
	{ "postgresql", &store_pgsql, false, false },
#endif
#ifdef HAVE_STORE_SQLITE
	{ "sqlite", &store_sqlite, false, false },
#endif
};

static const struct {
	const char *name;
	int (*run)(void);
} groups[] = {
	{ "users", suite_users },   { "hostile", suite_hostile }, { "leases", suite_leases },
	{ "counts", suite_counts }, { "trouble", suite_trouble },
	{ "first", suite_first },   { "coturn", suite_coturn },
	{ "failover", suite_failover },
};

static int control_open(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof to.sun_path)
		return -1;
	strcpy(to.sun_path, path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
		perror(path);
		return -1;
	}
	return fd;
}

static int usage(void)
{
	fprintf(stderr, "usage: suite KIND CONNINFO [CONTROL [GROUP…]]\n");
	return 2;
}

static bool is_wanted(const char *group, char **names, int n)
{
	for (int i = 0; i < n; i++) {
		if (strcmp(names[i], group) == 0)
			return true;
	}
	return n <= 0;
}

int main(int argc, char **argv)
{
	int n_failed = 0;

	if (argc < 3)
		return usage();
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(kinds[i].name, argv[1]) == 0) {
			world.kind = kinds[i].kind;
			world.counts_leases = kinds[i].counts_leases;
			world.has_events = kinds[i].has_events;
		}
	}
	if (!world.kind)
		return usage();
	world.conninfo = argv[2];
	world.control = argc > 3 && argv[3][0] ? control_open(argv[3]) : -1;
	if (argc > 3 && argv[3][0] && world.control < 0)
		return 2;
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		if (is_wanted(groups[i].name, argv + 4, argc - 4))
			n_failed += groups[i].run();
	}
	if (world.loop)
		net_loop_free(world.loop);
	if (world.control >= 0)
		close(world.control);
	return n_failed ? 1 : 0;
}
