#include "base/err.h"

#include <errno.h>

const char *err_text(enum err e)
{
	static const char *const text[N_ERR] = {
		[OK] = "success",
		[ERR_NOMEM] = "out of memory",
		[ERR_MALFORMED] = "malformed",
		[ERR_RANGE] = "out of range",
		[ERR_FULL] = "full",
		[ERR_NOTFOUND] = "not found",
		[ERR_INUSE] = "address already in use",
		[ERR_PERM] = "permission denied",
		[ERR_UNSUPPORTED] = "not supported here",
		[ERR_CRYPTO] = "cryptographic library failed",
		[ERR_SYS] = "system error",
		[ERR_CONF] = "configuration error",
	};

	return (unsigned)e < N_ERR ? text[e] : "unknown error";
}

enum err err_from_errno(int no)
{
	switch (no) {
	case 0:
		return OK;
	case ENOMEM:
	case ENOBUFS:
		return ERR_NOMEM;
	case EADDRINUSE:
		return ERR_INUSE;
	case EACCES:
	case EPERM:
		return ERR_PERM;
	case EMFILE:
	case ENFILE:
		return ERR_FULL;
	case ENOENT:
		return ERR_NOTFOUND;
	case EAFNOSUPPORT:
	case EPROTONOSUPPORT:
	case EOPNOTSUPP:
		return ERR_UNSUPPORTED;
	default:
		return ERR_SYS;
	}
}
