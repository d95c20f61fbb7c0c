#include "stun/msg.h"

struct str stun_error_text(unsigned code)
{
	switch (code) {
#define ERRCODE(code, reason, rfc) \
	case code:                 \
		return STR_LIT(reason);
#include "stun/error.def"
#undef ERRCODE
	default:
		return STR_LIT("Error");
	}
}
