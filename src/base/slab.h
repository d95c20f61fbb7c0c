/* Objects of one size from chunks of 64 KiB: no malloc each, and freed ones are used again
 * first. A chunk that has become all free is given back to the system, so that a server that
 * held many sessions returns to its size; one is kept, so that an object that comes and goes
 * costs no system call. One thread. */
#pragma once

#include <stddef.h>

#include "base/list.h"

enum { SLAB_CHUNK = 64 * 1024, SLAB_SIZE_MAX = SLAB_CHUNK - 1024 };

struct slab_chunk;

struct slab {
	size_t size;		  /* of one object, rounded up to 16 */
	size_t n_used;		  /* objects handed out */
	struct list chunks;	  /* with objects in use; those that have free ones first */
	struct slab_chunk *spare; /* all free, or NULL */
};

/* size <= SLAB_SIZE_MAX */
void slab_init(struct slab *s, size_t size);

/* Unmaps everything; no object may be in use (BUG_ON). */
void slab_fini(struct slab *s);

/* A zeroed object, or NULL. */
void *slab_alloc(struct slab *s);

/* Takes it back; NULL is fine. The memory may be unmapped at once. An object that is not in use
 * is a bug (BUG_ON). */
void slab_free(struct slab *s, void *obj);
