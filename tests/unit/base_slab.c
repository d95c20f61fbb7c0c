#include "base/slab.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/rng.h"

enum { MANY = 3000 };

static size_t n_chunks(const struct slab *s)
{
	size_t n = s->spare ? 1 : 0;

	for (const struct list *l = s->chunks.next; l != &s->chunks; l = l->next)
		n++;
	return n;
}

static bool all_bytes(const uint8_t *p, uint8_t want, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] != want)
			return false;
	}
	return true;
}

static void objects_are_zeroed_aligned_and_apart(void **state)
{
	static const size_t sizes[] = { 1,   15,   16,	 17,	100,
					512, 1000, 4096, 40000, SLAB_SIZE_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		uint8_t *obj[300];
		struct slab s;

		slab_init(&s, sizes[i]);
		for (int round = 0; round < 2; round++) { /* the second meets used memory */
			for (size_t k = 0; k < ARRAY_LEN(obj); k++) {
				obj[k] = slab_alloc(&s);
				assert_non_null(obj[k]);
				assert_int_equal((uintptr_t)obj[k] % 16, 0);
				assert_true(all_bytes(obj[k], 0, sizes[i]));
				memset(obj[k], (int)k, sizes[i]);
			}
			assert_int_equal(s.n_used, ARRAY_LEN(obj));
			for (size_t k = 0; k < ARRAY_LEN(obj); k++) {
				assert_true(all_bytes(obj[k], (uint8_t)k, sizes[i]));
				slab_free(&s, obj[k]);
			}
			assert_int_equal(s.n_used, 0);
		}
		slab_fini(&s);
	}
}

static void freed_objects_are_used_again_first(void **state)
{
	struct slab s;
	void *obj[10], *again;

	(void)state;
	slab_init(&s, 48);
	for (size_t i = 0; i < 10; i++)
		obj[i] = slab_alloc(&s);
	slab_free(&s, obj[4]);
	again = slab_alloc(&s);
	assert_ptr_equal(again, obj[4]);
	for (size_t i = 0; i < 10; i++)
		slab_free(&s, obj[i]);
	slab_fini(&s);
}

static void free_of_null_is_fine(void **state)
{
	struct slab s;

	(void)state;
	slab_init(&s, 48);
	slab_free(&s, NULL);
	slab_fini(&s);
}

static bool mapped(void *p)
{
	unsigned char resident;

	return mincore((void *)((uintptr_t)p & ~(uintptr_t)(SLAB_CHUNK - 1)), 1, &resident) ==
	       0;
}

static void empty_chunks_go_back_to_the_system_but_one(void **state)
{
	void **obj = test_calloc(MANY, sizeof *obj);
	size_t n_mapped = 0;
	struct slab s;

	(void)state;
	slab_init(&s, 500);
	for (size_t i = 0; i < MANY; i++)
		obj[i] = slab_alloc(&s);
	assert_true(n_chunks(&s) >= MANY * 500 / SLAB_CHUNK);
	assert_true(n_chunks(&s) <= MANY * 512 / (SLAB_CHUNK - 1024) + 1);
	for (size_t i = 0; i < MANY; i++)
		slab_free(&s, obj[i]);
	assert_int_equal(n_chunks(&s), 1);
	assert_non_null(s.spare);
	for (size_t i = 0; i < MANY; i += 50)
		n_mapped += (uintptr_t)obj[i] / SLAB_CHUNK != (uintptr_t)s.spare / SLAB_CHUNK &&
			    mapped(obj[i]);
	/* something else may have moved in meanwhile, but not everywhere */
	assert_true(n_mapped < MANY / 50 / 2);
	slab_fini(&s);
	test_free(obj);
}

static void one_object_that_comes_and_goes_keeps_its_chunk(void **state)
{
	void *chunk = NULL;
	struct slab s;

	(void)state;
	slab_init(&s, 500);
	for (int i = 0; i < 100; i++) {
		void *p = slab_alloc(&s);

		assert_true(!chunk || s.chunks.next == chunk);
		chunk = s.chunks.next;
		slab_free(&s, p);
		assert_int_equal(n_chunks(&s), 1);
	}
	slab_fini(&s);
}

/* Chunks with free objects must all be used up before there is a new one. */
static void holes_are_filled_before_a_new_chunk(void **state)
{
	void **obj = test_calloc(MANY, sizeof *obj);
	size_t n_before;
	struct slab s;

	(void)state;
	slab_init(&s, 500);
	for (size_t i = 0; i < MANY; i++)
		obj[i] = slab_alloc(&s);
	n_before = n_chunks(&s);
	for (size_t i = 0; i < MANY; i += 3)
		slab_free(&s, obj[i]);
	for (size_t i = 0; i < MANY; i += 3)
		obj[i] = slab_alloc(&s);
	assert_int_equal(n_chunks(&s), n_before);
	for (size_t i = 0; i < MANY; i++)
		slab_free(&s, obj[i]);
	slab_fini(&s);
	test_free(obj);
}

/* Also where one hole is all there is, in whichever chunk. */
static void single_hole_is_found_before_the_spare_chunk(void **state)
{
	void *obj[1000];
	struct slab s;
	size_t n = 0;

	(void)state;
	slab_init(&s, 500);
	while (n_chunks(&s) < 6) {
		assert_true(n < ARRAY_LEN(obj));
		obj[n++] = slab_alloc(&s);
	}
	slab_free(&s, obj[--n]); /* five full ones and the spare */
	assert_non_null(s.spare);
	for (size_t i = 0; i < n; i += 50) {
		slab_free(&s, obj[i]);
		obj[i] = slab_alloc(&s);
		assert_non_null(s.spare);
	}
	while (n > 0)
		slab_free(&s, obj[--n]);
	slab_fini(&s);
}

static void random_use_keeps_every_object_whole(void **state)
{
	uint8_t **obj = test_calloc(MANY, sizeof *obj);
	struct slab s;
	struct rng rng;
	size_t n = 0;

	(void)state;
	rng_init_seeded(&rng, 42);
	slab_init(&s, 120);
	for (int step = 0; step < 60000; step++) {
		uint32_t i = rng_below(&rng, MANY);

		if (obj[i]) {
			assert_true(all_bytes(obj[i], (uint8_t)i, 120));
			slab_free(&s, obj[i]);
			obj[i] = NULL;
			n--;
		} else if (step % 20000 < 12000) { /* swells and ebbs */
			obj[i] = slab_alloc(&s);
			assert_true(all_bytes(obj[i], 0, 120));
			memset(obj[i], (int)i, 120);
			n++;
		}
		assert_int_equal(s.n_used, n);
	}
	for (size_t i = 0; i < MANY; i++)
		slab_free(&s, obj[i]);
	assert_int_equal(n_chunks(&s), 1);
	slab_fini(&s);
	test_free(obj);
}

static void free_twice(void)
{
	void *p, *q;
	struct slab s;

	slab_init(&s, 100);
	p = slab_alloc(&s);
	q = slab_alloc(&s);
	slab_free(&s, p);
	slab_free(&s, p);
	slab_free(&s, q);
}

static void free_the_middle(void)
{
	struct slab s;

	slab_init(&s, 100);
	slab_free(&s, (char *)slab_alloc(&s) + 16);
}

static void free_to_another(void)
{
	struct slab s, t;

	slab_init(&s, 100);
	slab_init(&t, 100);
	slab_free(&t, slab_alloc(&s));
}

static void fini_while_in_use(void)
{
	struct slab s;

	slab_init(&s, 100);
	if (slab_alloc(&s))
		slab_fini(&s);
}

static void init_too_large(void)
{
	struct slab s;

	slab_init(&s, SLAB_SIZE_MAX + 1);
}

/* In a child, for a bug ends the process. */
static bool aborts(void (*fn)(void))
{
	pid_t pid = fork();
	int status = 0;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit none = { 0, 0 };
		int null = open("/dev/null", O_WRONLY);

		setrlimit(RLIMIT_CORE, &none);
		signal(SIGABRT, SIG_DFL); /* cmocka may have its own */
		dup2(null, STDERR_FILENO);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void misuse_ends_the_process(void **state)
{
	(void)state;
	assert_true(aborts(free_twice));
	assert_true(aborts(free_the_middle));
	assert_true(aborts(free_to_another));
	assert_true(aborts(fini_while_in_use));
	assert_true(aborts(init_too_large));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_zeroed_aligned_and_apart),
		cmocka_unit_test(freed_objects_are_used_again_first),
		cmocka_unit_test(free_of_null_is_fine),
		cmocka_unit_test(empty_chunks_go_back_to_the_system_but_one),
		cmocka_unit_test(one_object_that_comes_and_goes_keeps_its_chunk),
		cmocka_unit_test(holes_are_filled_before_a_new_chunk),
		cmocka_unit_test(single_hole_is_found_before_the_spare_chunk),
		cmocka_unit_test(random_use_keeps_every_object_whole),
		cmocka_unit_test(misuse_ends_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
