/*
 * The first bytes of a connection, looked at without taking them: who reads on finds all that was not
 * taken. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum net_preface {
	NET_PREFACE_SOME,   /* *n bytes are there, at least one */
	NET_PREFACE_NONE,   /* not yet, or no more than there were */
	NET_PREFACE_CLOSED, /* the peer has ended; what it said, if anything, was not enough */
	NET_PREFACE_ERROR,
};

/* Copies up to cap of the bytes that wait at a non-blocking TCP descriptor. `before` is how many there were
 * the last time, 0 in the beginning: as many again are not news. */
enum net_preface net_preface_peek(int fd, void *buf, size_t cap, size_t before, size_t *n);

/* From now on the descriptor is readable only when more than n bytes wait, or the peer has ended; 0: as
 * usual. Without it a loop would turn and turn on what was left in place. */
void net_preface_await(int fd, size_t n);

/* Takes n bytes that were peeked. False: they are not there any more, which is the kernel's fault. */
bool net_preface_take(int fd, size_t n);
