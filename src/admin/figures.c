#include "admin/figures.h"

#include <dirent.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bug.h"

const uint16_t admin_figures_codes[COUNTER_CODES] = {
	0,
#define ERRCODE(code, reason, where) code,
#include "stun/error.def"
#undef ERRCODE
};

const char *admin_figures_method(unsigned method)
{
	static const char *const names[COUNTER_METHODS] = {
		[1] = "binding",	   [3] = "allocate",	 [4] = "refresh",
		[8] = "create_permission", [9] = "channel_bind", [10] = "connect",
		[11] = "connection_bind",
	};

	return method < COUNTER_METHODS ? names[method] : NULL;
}

/* A block of counters is nothing but 64-bit numbers. */
void admin_figures_sum(const struct admin *a, struct counters *sum)
{
	_Static_assert(sizeof *sum % sizeof(uint64_t) == 0, "numbers only");
	_Atomic uint64_t *to = (_Atomic uint64_t *)sum;

	memset(sum, 0, sizeof *sum);
	for (unsigned w = 0; w < a->host.n_workers; w++) {
		const struct counters *c = a->host.counters(a->host.arg, w);
		const _Atomic uint64_t *from = (const _Atomic uint64_t *)c;

		for (size_t i = 0; i < sizeof *sum / sizeof *to; i++) {
			uint64_t v = atomic_load_explicit(&to[i], memory_order_relaxed) +
				     atomic_load_explicit(&from[i], memory_order_relaxed);

			atomic_store_explicit(&to[i], v, memory_order_relaxed);
		}
	}
}

/* Two counters are not read at one moment: a difference may look negative. */
static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

uint64_t admin_figures_sessions(const struct counters *sum)
{
	return less(counter_get(sum, alloc_opened), counter_get(sum, alloc_closed));
}

struct admin_relayed admin_figures_relayed(const struct counters *sum, unsigned transport, bool down)
{
	struct admin_relayed all = { 0, 0 };

	for (unsigned i = 0; i < COUNTER_REALMS * 2; i++) {
		const struct counter_traffic *t = &sum->relayed[i / 2][transport][i % 2][down];

		all.packets += counter_get(t, packets);
		all.bytes += counter_get(t, bytes);
	}
	return all;
}

uint64_t admin_figures_streams(const struct counters *sum)
{
	return less(counter_get(sum, conn_entered), counter_get(sum, conn_left));
}

double admin_figures_lag_s(const struct admin *a, unsigned i)
{
	return (double)counter_get(a->host.counters(a->host.arg, i), lag_ms) / 1000;
}

/* Since Linux 6.2 the directory's size is the number; before, its entries are counted. */
static uint64_t count_fds(void)
{
	struct stat st;
	uint64_t n = 0;
	DIR *d;

	if (!stat("/proc/self/fd", &st) && st.st_size > 0)
		return (uint64_t)st.st_size;
	d = opendir("/proc/self/fd");
	if (!d)
		return 0;
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n - 1; /* without the one that was just opened */
}

void admin_figures_process(struct admin_process *out)
{
	unsigned long long pages = 0;
	struct rlimit rl = { 0, 0 };
	FILE *f = fopen("/proc/self/statm", "re");

	if (f) {
		if (fscanf(f, "%*u %llu", &pages) != 1)
			pages = 0;
		fclose(f);
	}
	getrlimit(RLIMIT_NOFILE, &rl);
	*out = (struct admin_process){ count_fds(), rl.rlim_cur,
				       pages * (uint64_t)sysconf(_SC_PAGESIZE) };
}

uint64_t admin_figures_queue_drops(const struct admin *a)
{
	uint64_t n = 0;

	for (size_t i = 0; i < a->host.n_listen_fds; i++) {
		uint32_t info[SK_MEMINFO_VARS] = { 0 };
		socklen_t len = sizeof info;

		if (!getsockopt(a->host.listen_fds[i], SOL_SOCKET, SO_MEMINFO, info, &len))
			n += info[SK_MEMINFO_DROPS];
	}
	return n;
}

double admin_figures_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (double)t.tv_sec + (double)(t.tv_nsec / 1000000) / 1000;
}
