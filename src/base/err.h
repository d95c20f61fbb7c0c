/* What can go wrong, as one enum; 0 is success. */
#pragma once

#define must_check __attribute__((warn_unused_result))

enum err {
	OK = 0,
	ERR_NOMEM,	 /* an allocation failed */
	ERR_MALFORMED,	 /* bytes from outside that do not follow their format */
	ERR_RANGE,	 /* a value outside what is allowed */
	ERR_FULL,	 /* a bounded thing is at its bound */
	ERR_NOTFOUND,	 /* what was asked for is not there */
	ERR_INUSE,	 /* an address or a file is taken by somebody else */
	ERR_PERM,	 /* the system refused for want of a privilege */
	ERR_UNSUPPORTED, /* this build, kernel or host cannot do it */
	ERR_CRYPTO,	 /* OpenSSL refused */
	ERR_SYS,	 /* a system call failed otherwise; errno has the reason */
	ERR_CONF,	 /* the configuration is wrong; it was reported where it was found */
	N_ERR
};

/* A short English text for `e`; never NULL. Any thread. */
const char *err_text(enum err e);

/* The value that stands for errno value `no`. Any thread. */
enum err err_from_errno(int no);
