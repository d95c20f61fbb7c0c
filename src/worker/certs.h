/* From the configuration to certificates for TLS and DTLS. Control thread. */
#pragma once

#include "conf/conf.h"
#include "net/cert.h"

enum { WORKER_TICKET_ROTATE_S = 6 * 3600 };

/* Reads what cert, pkey and their like name. Without both all is OK and *cert stays NULL. *tickets is made
 * when it is NULL, and kept over reloads. What is wrong is reported. */
must_check enum err worker_certs_load(const struct conf *conf, struct net_tickets **tickets,
				      struct net_cert **cert, conf_report_fn *report,
				      void *arg);
