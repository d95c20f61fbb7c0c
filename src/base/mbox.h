/*
 * Bounded mailbox between threads: many senders, one receiver, an eventfd that the receiver's
 * loop watches. Messages are plain data of one size that the sender forgets. A full mailbox
 * refuses; it never blocks and never grows.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"

struct mbox;

/* Room for `cap` messages of `size` bytes each. */
must_check enum err mbox_new(struct mbox **out, size_t size, size_t cap);
void mbox_free(struct mbox *m);

/* The descriptor that is readable while messages wait. */
int mbox_fd(const struct mbox *m);

/* Copies the message in. ERR_FULL when there is no room. Any thread. */
must_check enum err mbox_send(struct mbox *m, const void *msg);

/* Copies the oldest message out; ERR_NOTFOUND when there is none (the descriptor is then no
 * longer readable). The receiving thread only. */
must_check enum err mbox_recv(struct mbox *m, void *msg);
