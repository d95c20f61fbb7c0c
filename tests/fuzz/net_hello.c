/*
 * libFuzzer target for src/net/hello.c: any bytes as the begin of a TLS connection. What is a ClientHello is
 * one whatever follows it, and none may be waited for without end.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "net/hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* From memory of exactly that size. */
static enum net_hello read_name(const uint8_t *bytes, size_t n, char *name)
{
	uint8_t *exact = malloc(n ? n : 1);
	enum net_hello r;

	BUG_ON(!exact);
	if (n)
		memcpy(exact, bytes, n);
	r = net_hello_name(exact, n, name);
	free(exact);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char name[NET_HELLO_NAME] = "", shorter[NET_HELLO_NAME];
	enum net_hello r = read_name(bytes, n, name);

	BUG_ON(r == NET_HELLO_MORE && n >= NET_HELLO_PEEK);
	BUG_ON(strlen(name) >= NET_HELLO_NAME);
	for (size_t i = 0; name[i]; i++)
		BUG_ON(name[i] <= ' ' || name[i] >= 0x7f || (name[i] >= 'A' && name[i] <= 'Z'));
	if (n && n < 1024) { /* one byte less is waited for, or says the same */
		enum net_hello less = read_name(bytes, n - 1, shorter);

		BUG_ON(less == NET_HELLO_BAD && r != NET_HELLO_BAD);
		BUG_ON(less == NET_HELLO_OK && (r != NET_HELLO_OK || strcmp(name, shorter) != 0));
	}
	return 0;
}
