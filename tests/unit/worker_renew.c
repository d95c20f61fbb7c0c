/* Certificates that are read again: what reaches a worker's mailbox, and what is said. */
#include "net_pki.h"

#include "base/tick.h"
#include "conf_said.h"
#include "worker/msg.h"
#include "worker/renew.h"

enum { ROOM = 4 };

/* One worker that never runs, watched through its mailbox. */
struct world {
	struct said said;
	struct conf *conf;
	struct log *log;
	struct net_tickets *tickets;
	struct net_cert *cert; /* as loaded at start */
	struct worker worker;
	struct worker_pool pool;
	struct worker_renew renew;
};

static void write_pair(EVP_PKEY *key, const char *cert, const char *pkey, long serial, long days)
{
	const struct pki_says says = { .cn = "turn.example.org", .serial = serial, .days = days };
	X509 *x = pki_cert(key, &says);

	pki_write_cert(cert, "w", x);
	pki_write_key(pkey, "w", key, NULL);
	X509_free(x);
}

static void problem(bool is_error, const char *text, void *arg)
{
	(void)arg;
	fail_msg("%d %s", is_error, text);
}

static void world_open(struct world *w, const char *more)
{
	const struct log_options to_file = { .file = "log", .level = LOG_DEBUG_ };
	struct logger *lg;
	char text[256];

	memset(w, 0, sizeof *w);
	unlink("log");
	snprintf(text, sizeof text, "listening-ip=127.0.0.1\nno-auth\nrealm=test\n%s", more);
	w->conf = said_load(&w->said, text);
	assert_int_equal(log_start(&w->log, &to_file), OK);
	assert_int_equal(log_logger(w->log, &lg), OK);
	assert_int_equal(worker_certs_load(w->conf, &w->tickets, &w->cert, problem, NULL), OK);
	assert_int_equal(mbox_new(&w->worker.mbox, sizeof(struct worker_msg), ROOM), OK);
	w->pool = (struct worker_pool){ .workers = &w->worker, .n = 1 };
	worker_renew_init(&w->renew, w->conf, &w->tickets, w->cert, &w->pool, lg);
}

static void world_close(struct world *w)
{
	log_stop(w->log);
	mbox_free(w->worker.mbox);
	net_cert_drop(w->cert);
	net_tickets_free(w->tickets);
	conf_drop(w->conf);
}

/* The serial number of the certificate that the worker was sent; 0: nothing was. */
static long sent(struct world *w)
{
	struct worker_msg msg;
	long serial;

	if (mbox_recv(w->worker.mbox, &msg))
		return 0;
	assert_int_equal(msg.kind, WORKER_CERT);
	serial = ASN1_INTEGER_get(
		X509_get0_serialNumber(SSL_CTX_get0_certificate(net_cert_context(msg.cert))));
	net_cert_drop(msg.cert);
	return serial;
}

static void look(struct world *w)
{
	worker_renew_look(&w->renew, tick_wall_s());
}

/* How often the log says it; ends the log. */
static int said_in_log(struct world *w, const char *what)
{
	char line[2048];
	int n = 0;
	FILE *f;

	log_stop(w->log);
	w->log = NULL;
	f = fopen("log", "r");
	assert_non_null(f);
	while (fgets(line, sizeof line, f))
		n += strstr(line, what) != NULL;
	fclose(f);
	return n;
}

static void world_close_told(struct world *w)
{
	const struct log_options none = { .file = "/dev/null", .level = LOG_INFO_ };

	assert_int_equal(log_start(&w->log, &none), OK);
	world_close(w);
}

#define FILES "cert=a.crt\npkey=a.key\n"

static void a_signal_sends_what_the_files_hold(void **state)
{
	struct pki *p = *state;
	struct world w;

	write_pair(p->ec, "a.crt", "a.key", 7, 90);
	world_open(&w, FILES);
	assert_int_equal(sent(&w), 0);
	write_pair(p->ec2, "a.crt", "a.key", 8, 90);
	worker_renew_now(&w.renew, "SIGHUP");
	assert_int_equal(sent(&w), 8);
	assert_int_equal(sent(&w), 0);
	look(&w);
	look(&w);
	assert_int_equal(sent(&w), 0); /* it was that state which was loaded */
	assert_int_equal(said_in_log(&w, "cert_loaded reason=SIGHUP expires=20"), 1);
	world_close_told(&w);
}

static void a_change_is_loaded_once_it_rests(void **state)
{
	struct pki *p = *state;
	struct world w;

	write_pair(p->ec, "a.crt", "a.key", 7, 90);
	world_open(&w, FILES);
	look(&w);
	look(&w);
	assert_int_equal(sent(&w), 0);
	write_pair(p->ec2, "b.crt", "b.key", 8, 90);
	assert_int_equal(rename("b.crt", "a.crt"), 0);
	look(&w); /* between the two files of a renewal */
	assert_int_equal(rename("b.key", "a.key"), 0);
	look(&w);
	assert_int_equal(sent(&w), 0);
	look(&w);
	assert_int_equal(sent(&w), 8);
	look(&w);
	look(&w);
	assert_int_equal(sent(&w), 0);
	assert_int_equal(said_in_log(&w, "cert_kept"), 0);
	world_close_told(&w);
}

static void point(const char *link, const char *to)
{
	assert_int_equal(symlink(to, "link.new"), 0);
	assert_int_equal(rename("link.new", link), 0);
}

/* certbot: a link to another file. Kubernetes: a link to a folder is swapped, the files' own links stay. */
static void links_that_lead_elsewhere_are_changes(void **state)
{
	struct pki *p = *state;
	struct world w;

	mkdir("v1", 0755);
	mkdir("v2", 0755);
	write_pair(p->ec, "v1/crt", "v1/key", 7, 90);
	write_pair(p->ec, "v2/crt", "v2/key", 8, 90);
	point("data", "v1");
	point("k.crt", "data/crt");
	point("k.key", "data/key");
	world_open(&w, "cert=k.crt\npkey=k.key\n");
	point("data", "v2");
	look(&w);
	look(&w);
	assert_int_equal(sent(&w), 8);
	point("k.crt", "v1/crt");
	point("k.key", "v1/key");
	look(&w);
	look(&w);
	assert_int_equal(sent(&w), 7);
	world_close(&w);
	unlink("v1/crt"), unlink("v1/key"), unlink("v2/crt"), unlink("v2/key");
	rmdir("v1"), rmdir("v2");
}

static void a_bad_file_keeps_the_old_and_is_told_once(void **state)
{
	struct pki *p = *state;
	struct world w;

	write_pair(p->ec, "a.crt", "a.key", 7, 90);
	world_open(&w, FILES);
	pki_write("a.crt", "w", "not PEM", 7);
	for (int i = 0; i < 5; i++)
		look(&w);
	assert_int_equal(sent(&w), 0);
	unlink("a.crt");
	for (int i = 0; i < 5; i++)
		look(&w);
	assert_int_equal(sent(&w), 0);
	write_pair(p->ec2, "a.crt", "b.key", 8, 90); /* the key is still the old one */
	for (int i = 0; i < 5; i++)
		look(&w);
	assert_int_equal(sent(&w), 0);
	assert_int_equal(rename("b.key", "a.key"), 0);
	look(&w);
	look(&w);
	assert_int_equal(sent(&w), 8);
	assert_int_equal(said_in_log(&w, "cert_kept reason=files_changed"), 3);
	world_close_told(&w);
}

static void a_full_mailbox_is_tried_again(void **state)
{
	struct pki *p = *state;
	struct world w;

	write_pair(p->ec, "a.crt", "a.key", 7, 90);
	world_open(&w, FILES);
	for (int i = 0; i < ROOM + 1; i++)
		worker_renew_now(&w.renew, "SIGUSR2");
	for (int i = 0; i < ROOM; i++)
		assert_int_equal(sent(&w), 7);
	assert_int_equal(sent(&w), 0);
	look(&w);
	assert_int_equal(sent(&w), 7);
	look(&w);
	assert_int_equal(sent(&w), 0);
	world_close(&w);
}

static void tickets_stay(void **state)
{
	struct pki *p = *state;
	struct net_tickets *before;
	struct world w;

	write_pair(p->ec, "a.crt", "a.key", 7, 90);
	world_open(&w, FILES);
	before = w.tickets;
	worker_renew_now(&w.renew, "SIGHUP");
	assert_int_equal(sent(&w), 7);
	assert_ptr_equal(w.tickets, before);
	world_close(&w);
}

static void what_expires_soon_is_told_at_start_and_daily(void **state)
{
	struct pki *p = *state;
	time_t now = tick_wall_s();
	struct world w;

	write_pair(p->ec, "a.crt", "a.key", 7, 13);
	world_open(&w, FILES);
	worker_renew_look(&w.renew, now + 60);
	worker_renew_look(&w.renew, now + 86400 - 60);
	worker_renew_look(&w.renew, now + 86400 + 60);
	worker_renew_look(&w.renew, now + 86400 + 120);
	worker_renew_look(&w.renew, now + 14 * 86400);
	assert_int_equal(said_in_log(&w, "cert_expires_soon"), 2);
	world_close_told(&w);
}

static void what_expires_later_is_not_told(void **state)
{
	struct pki *p = *state;
	time_t now = tick_wall_s();
	struct world w;

	write_pair(p->ec, "a.crt", "a.key", 7, 30);
	world_open(&w, FILES);
	worker_renew_look(&w.renew, now + 15 * 86400);
	assert_int_equal(w.renew.nag, 0);
	worker_renew_look(&w.renew, now + 17 * 86400);
	assert_int_not_equal(w.renew.nag, 0);
	assert_int_equal(said_in_log(&w, "cert_expires_soon"), 1);
	world_close_told(&w);
}

static void without_tls_there_is_nothing_to_do(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, "");
	worker_renew_now(&w.renew, "SIGHUP");
	look(&w);
	assert_int_equal(sent(&w), 0);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signal_sends_what_the_files_hold),
		cmocka_unit_test(a_change_is_loaded_once_it_rests),
		cmocka_unit_test(links_that_lead_elsewhere_are_changes),
		cmocka_unit_test(a_bad_file_keeps_the_old_and_is_told_once),
		cmocka_unit_test(a_full_mailbox_is_tried_again),
		cmocka_unit_test(tickets_stay),
		cmocka_unit_test(what_expires_soon_is_told_at_start_and_daily),
		cmocka_unit_test(what_expires_later_is_not_told),
		cmocka_unit_test(without_tls_there_is_nothing_to_do),
	};

	return cmocka_run_group_tests(tests, pki_open, pki_close);
}
