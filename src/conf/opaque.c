#include "conf/opaque.h"

#ifdef HAVE_UNISTRING
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#include "base/crypto.h"

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

/* RFC 8264 s.9: what no string of the FreeformClass has. A joiner's neighbours are not looked at: it stands
 * where the script wants it, or a password is odd. */
static bool is_disallowed(ucs4_t c)
{
	const uint32_t refused = UC_CATEGORY_MASK_Cc | UC_CATEGORY_MASK_Cs | UC_CATEGORY_MASK_Co |
				 UC_CATEGORY_MASK_Cn;
	const ucs4_t joiner = 0x200D, non_joiner = 0x200C;

	return uc_is_general_category_withtable(c, refused) ||
	       (uc_is_property_default_ignorable_code_point(c) && c != joiner && c != non_joiner);
}

/* s.4.2.2: a space of any kind becomes the one of ASCII. `to` has room for as much as `from` takes. */
static bool map_spaces(const uint8_t *from, size_t n, uint8_t *to, size_t *len)
{
	*len = 0;
	while (n) {
		ucs4_t c;
		int used = u8_mbtoucr(&c, from, n);

		if (used < 0 || is_disallowed(c))
			return false;
		if (uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Zs)) {
			to[(*len)++] = ' ';
		} else {
			memcpy(to + *len, from, (size_t)used);
			*len += (size_t)used;
		}
		from += used;
		n -= (size_t)used;
	}
	return true;
}

static enum conf_opaque finish(const char *text, uint8_t *nfc, size_t len, char **out)
{
	char *whole;

	if (!nfc)
		return errno == ENOMEM ? CONF_OPAQUE_NO_MEMORY : CONF_OPAQUE_REFUSED;
	if (len == strlen(text) && memcmp(nfc, text, len) == 0) {
		crypto_wipe(nfc, len);
		free(nfc);
		return CONF_OPAQUE_SAME;
	}
	whole = malloc(len + 1);
	if (whole) {
		memcpy(whole, nfc, len);
		whole[len] = '\0';
		*out = whole;
	}
	crypto_wipe(nfc, len);
	free(nfc);
	return whole ? CONF_OPAQUE_CHANGED : CONF_OPAQUE_NO_MEMORY;
}

enum conf_opaque conf_opaque_prepare(const char *text, char **out)
{
	size_t n = strlen(text), len, len_nfc = 0;
	enum conf_opaque result = CONF_OPAQUE_REFUSED;
	uint8_t *mapped;

	if (is_ascii(text))
		return CONF_OPAQUE_SAME;
	mapped = malloc(n);
	if (!mapped)
		return CONF_OPAQUE_NO_MEMORY;
	if (map_spaces((const uint8_t *)text, n, mapped, &len)) {
		uint8_t *nfc = u8_normalize(UNINORM_NFC, mapped, len, NULL, &len_nfc);

		result = finish(text, nfc, len_nfc, out);
	}
	crypto_wipe(mapped, n);
	free(mapped);
	return result;
}
#else
enum conf_opaque conf_opaque_prepare(const char *text, char **out)
{
	(void)text;
	(void)out;
	return CONF_OPAQUE_SAME;
}
#endif
