#include <stdbool.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The source itself, with memory that can be made to run out. */
static bool no_memory;

static void *scarce_calloc(size_t n, size_t size)
{
	return no_memory ? NULL : calloc(n, size);
}

#define calloc scarce_calloc
#include "base/hmap.c"
#undef calloc

enum { MANY = 5000 };

struct item {
	uint64_t key;
	bool in;
	struct hnode node;
};

static struct item *item_of(struct hnode *n)
{
	return n ? container_of(n, struct item, node) : NULL;
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 31) * 0x9e3779b97f4a7c15;
	return x ^ x >> 29;
}

static struct item *find(const struct hmap *m, uint64_t key, uint64_t hash)
{
	for (struct hnode *n = hmap_find(m, hash); n; n = hmap_same(n)) {
		if (item_of(n)->key == key)
			return item_of(n);
	}
	return NULL;
}

static void count_node(struct hnode *node, void *arg)
{
	(void)node;
	++*(uint32_t *)arg;
}

static uint32_t counted(const struct hmap *m)
{
	uint32_t n = 0;

	hmap_each(m, count_node, &n);
	return n;
}

static void four_nodes_need_no_memory(void **state)
{
	struct item it[5] = { 0 };
	struct hmap m;

	(void)state;
	hmap_init(&m);
	no_memory = true;
	for (uint64_t i = 0; i < 4; i++)
		hmap_insert(&m, &it[i].node, i);
	no_memory = false;
	assert_null(m.buckets);
	for (uint64_t i = 0; i < 4; i++)
		assert_ptr_equal(hmap_find(&m, i), &it[i].node);
	hmap_insert(&m, &it[4].node, 4);
	assert_non_null(m.buckets);
	for (uint64_t i = 0; i < 5; i++)
		assert_ptr_equal(hmap_find(&m, i), &it[i].node);
	assert_null(hmap_find(&m, 5));
	hmap_fini(&m);
	assert_int_equal(m.n, 0);
	assert_null(hmap_any(&m));
}

static void insertion_cannot_fail_without_memory(void **state)
{
	static struct item it[200];
	struct hmap m;

	(void)state;
	hmap_init(&m);
	for (uint64_t i = 0; i < 200; i++) {
		/* first no array, then one, then none that grows */
		no_memory = i < 50 || i >= 100;
		hmap_insert(&m, &it[i].node, mix(i));
	}
	assert_non_null(m.buckets); /* an array that cannot grow is kept */
	for (uint64_t i = 0; i < 200; i++)
		assert_ptr_equal(hmap_find(&m, mix(i)), &it[i].node);
	assert_int_equal(counted(&m), 200);
	for (uint64_t i = 0; i < 200; i++) /* nor does an array that cannot shrink matter */
		hmap_remove(&m, &it[i].node);
	no_memory = false;
	assert_int_equal(m.n, 0);
	hmap_fini(&m);
}

static void same_hash_in_several_nodes(void **state)
{
	struct item it[12] = { 0 };
	struct hmap m;

	(void)state;
	hmap_init(&m);
	for (uint64_t i = 0; i < 12; i++) {
		it[i].key = i;
		hmap_insert(&m, &it[i].node, i % 3); /* and buckets collide too */
	}
	for (uint64_t i = 0; i < 12; i++)
		assert_ptr_equal(find(&m, i, i % 3), &it[i]);
	assert_null(find(&m, 12, 0));
	hmap_fini(&m);
}

/* Stepping through one hash while removing must meet every node, also when the map shrinks
 * under way. */
static void removing_while_stepping_through_one_hash(void **state)
{
	static struct item it[40];
	struct hnode *n, *next;
	struct hmap m;
	int met = 0;

	(void)state;
	hmap_init(&m);
	for (size_t i = 0; i < 40; i++)
		hmap_insert(&m, &it[i].node, i < 38 ? 7 : i);
	for (n = hmap_find(&m, 7); n; n = next) {
		next = hmap_same(n);
		hmap_remove(&m, n);
		met++;
	}
	assert_int_equal(met, 38);
	assert_int_equal(m.n, 2);
	hmap_fini(&m);
}

/* Random insertions and removals beside an array of flags; swelling first, then ebbing away. */
static void agrees_with_a_model(void **state)
{
	struct item *it = test_calloc(MANY, sizeof *it);
	uint32_t n_in = 0, n_largest = 0;
	uint64_t rnd = 1;
	struct hmap m;

	(void)state;
	hmap_init(&m);
	for (int step = 0; step < 60000; step++) {
		uint64_t key = mix(rnd += 2) % MANY;
		struct item *i = &it[key];
		bool swell = step < 30000 ? mix(rnd) % 4 > 0 : mix(rnd) % 16 == 0;

		assert_ptr_equal(find(&m, key, mix(key)), i->in ? i : NULL);
		if (!i->in && swell) {
			i->key = key;
			hmap_insert(&m, &i->node, mix(key));
			i->in = true;
			n_in++;
		} else if (i->in && !swell) {
			hmap_remove(&m, &i->node);
			i->in = false;
			n_in--;
		}
		assert_int_equal(m.n, n_in);
		n_largest = n_in > n_largest ? n_in : n_largest;
	}
	assert_int_equal(counted(&m), n_in);
	assert_true(n_largest > MANY / 2 && n_in < MANY / 4);
	for (uint32_t n = n_in; n > 0; n--) {
		assert_int_equal(m.n, n);
		hmap_remove(&m, hmap_any(&m));
	}
	assert_null(hmap_any(&m));
	assert_null(m.buckets); /* what it grew to was given back */
	test_free(it);
}

static void array_is_neither_crowded_nor_left_behind(void **state)
{
	struct item *it = test_calloc(MANY, sizeof *it);
	struct hmap m;

	(void)state;
	hmap_init(&m);
	for (uint64_t i = 0; i < MANY; i++) {
		hmap_insert(&m, &it[i].node, mix(i));
		assert_true(!m.buckets || m.n <= m.mask + 1);
	}
	for (uint64_t i = 0; i < MANY; i++) {
		hmap_remove(&m, &it[i].node);
		assert_true(!m.buckets || m.n * 8 >= m.mask || m.mask == 7);
	}
	assert_null(m.buckets);
	test_free(it);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(four_nodes_need_no_memory),
		cmocka_unit_test(insertion_cannot_fail_without_memory),
		cmocka_unit_test(same_hash_in_several_nodes),
		cmocka_unit_test(removing_while_stepping_through_one_hash),
		cmocka_unit_test(agrees_with_a_model),
		cmocka_unit_test(array_is_neither_crowded_nor_left_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
