#include "base/slab.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bug.h"

/* With AddressSanitizer a free object is forbidden ground, as free()'d memory is. */
#if defined(__SANITIZE_ADDRESS__)
#define SLAB_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLAB_ASAN 1
#endif
#endif
#ifdef SLAB_ASAN
#include <sanitizer/asan_interface.h>
#define forbid(p, n) __asan_poison_memory_region(p, n)
#define allow(p, n)  __asan_unpoison_memory_region(p, n)
#else
#define forbid(p, n) ((void)(p), (void)(n))
#define allow(p, n)  ((void)(p), (void)(n))
#endif

enum {
	ALIGN = 16,
	WORD_BITS = 64,
	MAX_OBJECTS = SLAB_CHUNK / ALIGN,
};

/* At the start of its 64 KiB, which are aligned to their size: an object finds its chunk by
 * masking its own address. Objects follow. */
struct slab_chunk {
	struct list node;
	struct slab *owner;
	uint32_t n_used;
	uint32_t n_touched; /* objects from here on were never used: still mmap()'s zeros */
	uint64_t used[MAX_OBJECTS / WORD_BITS]; /* a bit each */
};

_Static_assert(sizeof(struct slab_chunk) % ALIGN == 0, "objects are aligned");
_Static_assert(sizeof(struct slab_chunk) + SLAB_SIZE_MAX <= SLAB_CHUNK, "one object fits");

void slab_init(struct slab *s, size_t size)
{
	BUG_ON(size == 0 || size > SLAB_SIZE_MAX);
	s->size = (size + ALIGN - 1) / ALIGN * ALIGN;
	s->n_used = 0;
	s->spare = NULL;
	list_init(&s->chunks);
}

static uint32_t per_chunk(const struct slab *s)
{
	return (uint32_t)((SLAB_CHUNK - sizeof(struct slab_chunk)) / s->size);
}

static char *object_at(const struct slab *s, struct slab_chunk *c, uint32_t i)
{
	return (char *)(c + 1) + i * s->size;
}

static void *map(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* The system likes to put a mapping beside the last one, so that after the first chunk most are
 * aligned at once. */
static char *map_aligned(void)
{
	char *p = map(SLAB_CHUNK);
	size_t head;

	if (!p || (uintptr_t)p % SLAB_CHUNK == 0)
		return p;
	munmap(p, SLAB_CHUNK);
	p = map(2 * SLAB_CHUNK);
	if (!p)
		return NULL;
	head = SLAB_CHUNK - (uintptr_t)p % SLAB_CHUNK;
	munmap(p, head);
	if (head < SLAB_CHUNK)
		munmap(p + head + SLAB_CHUNK, SLAB_CHUNK - head);
	return p + head;
}

static struct slab_chunk *chunk_new(struct slab *s)
{
	struct slab_chunk *c = (struct slab_chunk *)(void *)map_aligned();

	if (!c)
		return NULL;
	allow(c, SLAB_CHUNK); /* an earlier mapping here may have left its marks */
	list_init(&c->node);
	c->owner = s;
	forbid(c + 1, SLAB_CHUNK - sizeof *c);
	return c;
}

static void chunk_free(struct slab_chunk *c)
{
	allow(c, SLAB_CHUNK);
	munmap(c, SLAB_CHUNK);
}

void slab_fini(struct slab *s)
{
	BUG_ON(s->n_used > 0);
	if (s->spare)
		chunk_free(s->spare);
	s->spare = NULL;
}

/* A chunk with a free object, in the list. */
static struct slab_chunk *chunk_with_room(struct slab *s)
{
	struct slab_chunk *c = list_entry(s->chunks.next, struct slab_chunk, node);

	if (!list_empty(&s->chunks) && c->n_used < per_chunk(s))
		return c;
	c = s->spare ? s->spare : chunk_new(s);
	if (!c)
		return NULL;
	s->spare = NULL;
	list_push(s->chunks.next, &c->node); /* before the first */
	return c;
}

/* The lowest free object: those in use stay together, and untouched pages untouched. */
static uint32_t first_free(const struct slab_chunk *c)
{
	uint32_t w = 0;

	while (c->used[w] == UINT64_MAX)
		w++;
	return w * WORD_BITS + (uint32_t)__builtin_ctzll(~c->used[w]);
}

void *slab_alloc(struct slab *s)
{
	struct slab_chunk *c = chunk_with_room(s);
	uint32_t i;
	char *obj;

	if (!c)
		return NULL;
	i = first_free(c);
	obj = object_at(s, c, i);
	c->used[i / WORD_BITS] |= (uint64_t)1 << i % WORD_BITS;
	c->n_used++;
	s->n_used++;
	if (c->n_used == per_chunk(s)) {
		list_del(&c->node);
		list_push(&s->chunks, &c->node);
	}
	allow(obj, s->size);
	if (i < c->n_touched)
		memset(obj, 0, s->size);
	else
		c->n_touched = i + 1;
	return obj;
}

static void chunk_retire(struct slab *s, struct slab_chunk *c)
{
	list_del(&c->node);
	if (s->spare)
		chunk_free(c);
	else
		s->spare = c;
}

void slab_free(struct slab *s, void *obj)
{
	struct slab_chunk *c;
	uint64_t bit;
	size_t off;
	uint32_t i;

	if (!obj)
		return;
	c = (struct slab_chunk *)((uintptr_t)obj & ~(uintptr_t)(SLAB_CHUNK - 1));
	off = (size_t)((char *)obj - (char *)(c + 1));
	i = (uint32_t)(off / s->size);
	bit = (uint64_t)1 << i % WORD_BITS;
	BUG_ON(c->owner != s || off % s->size != 0 || i >= per_chunk(s));
	BUG_ON(!(c->used[i / WORD_BITS] & bit)); /* freed before */
	forbid(obj, s->size);
	c->used[i / WORD_BITS] &= ~bit;
	c->n_used--;
	s->n_used--;
	if (c->n_used == 0) {
		chunk_retire(s, c);
		return;
	}
	list_del(&c->node);
	list_push(s->chunks.next, &c->node); /* before the first */
}
