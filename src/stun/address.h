/* Address values, shared by the files of this folder; others use stun/msg.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/rd.h"

/*
 * Reads the value of an address attribute: family, port, address and nothing behind them. False
 * leaves *out untouched. `mask` is XORed over port and address (16 bytes: cookie and transaction
 * id, as they stand in the header); NULL: plain form.
 */
bool stun_address_decode(struct rd value, const uint8_t *mask, struct addr *out);
