/* /metrics as text, in Prometheus' format 0.0.4. Control thread. */
#pragma once

#include <stdio.h>

#include "admin/figures.h"

/* All series of ours. */
void admin_metrics_write(FILE *f, const struct admin *a, const struct counters *sum);

/* legacy.c: coturn's, under coturn's names. */
void admin_legacy_write(FILE *f, const struct admin *a, const struct counters *sum);

/* A label's value, of text that others chose: quotes and the like are escaped, what is no UTF-8 becomes U+FFFD. */
void admin_metrics_label(FILE *f, struct str text);
