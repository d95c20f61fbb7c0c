#include "suite.h"
#include "world.h"

static struct asked *batch_new(enum store_op_kind kind, struct str node, int64_t epoch, uint64_t seq)
{
	struct asked *a = asked_new(kind, STR_LIT(""), STR_LIT(""));

	a->op.node = node;
	a->op.epoch = epoch;
	a->op.seq = seq;
	return a;
}

static void usage(struct str node, int64_t epoch, uint64_t seq, struct store_usage *rows, size_t n)
{
	struct asked *a = batch_new(STORE_USAGE, node, epoch, seq);

	a->op.usage = rows;
	a->op.n_usage = n;
	assert_int_equal(asked_of(a, world.b), STORE_OK);
	asked_free(a);
}

static void a_batch_that_is_sent_again_counts_once(void **state)
{
	struct str r = world_realm(), s = world_realm(), node = world_realm();
	struct store_usage rows[] = {
		{ .realm = r, .user = STR_LIT("alice"), .period = "2026-11", .ttl_s = 86400, .rx_bytes = 10, .tx_bytes = 5, .sessions = 1 },
		{ .realm = s, .user = STR_LIT("alice"), .period = "2026-11", .ttl_s = 86400, .rx_bytes = 100 },
		{ .realm = r, .user = STR_LIT("bob"), .period = "2026-11", .ttl_s = 86400, .tx_bytes = 1000 },
	};

	(void)state;
	for (int i = 0; i < 3; i++) {
		usage(node, 7, 1, rows, 3);
		assert_int_equal(rows[0].total_bytes, 15);
		assert_int_equal(rows[1].total_bytes, 100);
		assert_int_equal(rows[2].total_bytes, 1000);
	}
	usage(node, 7, 2, rows, 3);
	assert_int_equal(rows[0].total_bytes, 30);
	/* an old one does not count behind a new one */
	usage(node, 7, 1, rows, 3);
	assert_int_equal(rows[0].total_bytes, 30);
	/* another life of the node counts from one */
	usage(node, 8, 1, rows, 3);
	assert_int_equal(rows[0].total_bytes, 45);
	assert_int_equal(rows[2].total_bytes, 3000);
}

/* So that a session that runs hears of it. */
static void limits_of_a_user_come_with_usage(void **state)
{
	struct str r = world_realm(), node = world_realm();
	struct store_usage rows[] = {
		{ .realm = r, .user = STR_LIT("alice"), .period = "2026-11", .rx_bytes = 1 },
		{ .realm = r, .user = STR_LIT("bob'; --"), .period = "2026-11", .rx_bytes = 1 },
	};

	(void)state;
	for (uint64_t seq = 1; seq <= 3; seq++) {
		if (seq == 2)
			assert_int_equal(world_admin(STORE_ADMIN_SET, STORE_ADMIN_LIMIT, r, rows[0].user,
						     STR_LIT("max_bps=5000 max_bytes=7 period=day")), STORE_OK);
		if (seq == 3)
			assert_int_equal(world_admin(STORE_ADMIN_DEL, STORE_ADMIN_LIMIT, r, rows[0].user, STR_LIT("")),
					 STORE_OK);
		usage(node, 1, seq, rows, 2);
		assert_true(rows[0].has_limits && rows[1].has_limits);
		assert_int_equal(rows[0].limits.max_bps, seq == 2 ? 5000 : CONF_LIVE_UNSET);
		assert_int_equal(rows[0].limits.max_bytes, seq == 2 ? 7 : CONF_LIVE_UNSET);
		assert_int_equal(rows[0].limits.max_allocations, CONF_LIVE_UNSET);
		assert_string_equal(rows[0].limits.period, seq == 2 ? "day" : "");
		assert_int_equal(rows[1].limits.max_bps, CONF_LIVE_UNSET);
		assert_int_equal(rows[0].total_bytes, seq);
	}
}

static void usage_is_listed_by_period(void **state)
{
	struct str r = world_realm(), node = world_realm();
	struct store_usage rows[] = {
		{ .realm = r, .user = STR_LIT("alice"), .period = "2026-11", .ttl_s = 86400, .rx_bytes = 10, .tx_packets = 3 },
		{ .realm = r, .user = STR_LIT("alice"), .period = "2026-12", .rx_bytes = 11 },
		{ .realm = r, .user = STR_LIT("alicia"), .period = "2026-12", .rx_bytes = 12 },
	};
	struct asked *list;

	(void)state;
	usage(node, 1, 1, rows, 3);
	list = world_list(STORE_ADMIN_USAGE, r, STR_LIT("alice"));
	assert_int_equal(list->n_rows, 2);
	assert_non_null(asked_row(list, r, STR_LIT("2026-11")));
	assert_non_null(strstr(asked_row(list, r, STR_LIT("2026-11"))->value, "rx_bytes=10"));
	assert_non_null(strstr(asked_row(list, r, STR_LIT("2026-12"))->value, "rx_bytes=11"));
	asked_free(list);
}

static void many_batches_in_flight_add_up(void **state)
{
	enum { N = 100 };
	struct str r = world_realm(), nodes[2] = { world_realm(), world_realm() };
	struct store_usage rows[N], last = { .realm = r, .user = STR_LIT("alice"), .period = "2026-11" };
	struct asked *all[N];

	(void)state;
	for (size_t i = 0; i < N; i++) {
		rows[i] = (struct store_usage){ .realm = r, .user = STR_LIT("alice"), .period = "2026-11", .ttl_s = 86400, .rx_bytes = 1 };
		all[i] = batch_new(STORE_USAGE, nodes[i % 2], 1, i / 2 + 1);
		all[i]->op.usage = &rows[i];
		all[i]->op.n_usage = 1;
		asked_start(all[i], i % 2 ? world.b : world.other);
	}
	for (size_t i = 0; i < N; i++) {
		asked_wait(all[i]);
		assert_int_equal(all[i]->status, STORE_OK);
		asked_free(all[i]);
	}
	usage(nodes[0], 1, N, &last, 1);
	assert_int_equal(last.total_bytes, N);
}

static int n_batches(struct str node)
{
	char what[100], answer[32];

	snprintf(what, sizeof what, "batches %.*s", STR_ARG(node));
	return world_control(what, answer, sizeof answer) ? atoi(answer) : -1;
}

static void what_is_known_of_batches_goes_when_none_of_them_can_come_again(void **state)
{
	struct str r = world_realm(), node = world_realm(), gone = world_realm(), quiet = world_realm();
	struct store_usage row = { .realm = r, .user = STR_LIT("alice"), .period = "2026-11", .rx_bytes = 1 };
	const int64_t day = INT64_C(86400000000), now = (int64_t)tick_wall_ms() * 1000;
	const struct {
		struct str node;
		int64_t began;
	} known[] = { { node, now - 100 * day }, { node, now - 50 * day },  { node, now - 40 * day },
		      { node, now - 10 * day },	 { gone, now - 400 * day }, { quiet, now - 300 * day } };

	(void)state;
	if (n_batches(node) < 0)
		skip();
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		usage(known[i].node, known[i].began, 2, &row, 1);
	if (world_control("keeping", NULL, 0)) {
		usage(node, now, 300, &row, 1);
		assert_int_equal(row.total_bytes, 7); /* though nothing could be deleted */
		assert_int_equal(n_batches(node), 5);
		assert_true(world_control("not-keeping", NULL, 0));
	}
	usage(node, now, 900, &row, 1);
	assert_int_equal(n_batches(node), 3); /* one of 40 days was followed 10 days ago */
	assert_int_equal(n_batches(gone), 0);
	assert_int_equal(n_batches(quiet), 1);
	usage(node, now, 900, &row, 1);
	usage(node, now - 40 * day, 2, &row, 1);
	usage(quiet, now - 300 * day, 2, &row, 1);
	assert_int_equal(row.total_bytes, 8); /* they are known */
	usage(gone, now - 500 * day, 601, &row, 1);
	usage(gone, now - 500 * day, 601, &row, 1);
	assert_int_equal(row.total_bytes, 9); /* never that of the batch just applied */
}

/* SQLite: many go in one transaction, and a disk that is full undoes all of it. */
static void what_was_undone_is_not_acknowledged(void **state)
{
	enum { N = 220, BAD_EACH = 40, BAD_EPOCH = 13 };
	struct str r = world_realm(), node = world_realm();
	struct store_usage rows[N], last = { .realm = r, .user = STR_LIT("alice"), .period = "2026-11" };
	struct asked *all[N];
	uint64_t n_good = 0;

	(void)state;
	if (!world_control("undoing", NULL, 0))
		skip();
	for (size_t i = 0; i < N; i++) {
		bool bad = i % BAD_EACH == BAD_EACH - 1;

		rows[i] = (struct store_usage){ .realm = r, .user = STR_LIT("alice"), .period = "2026-11", .rx_bytes = 1 };
		all[i] = batch_new(STORE_USAGE, node, bad ? BAD_EPOCH : 1, i + 1);
		all[i]->op.usage = &rows[i];
		all[i]->op.n_usage = 1;
		asked_start(all[i], world.b);
	}
	for (size_t i = 0; i < N; i++) {
		asked_wait(all[i]);
		assert_int_equal(all[i]->status, all[i]->op.epoch == BAD_EPOCH ? STORE_REFUSED : all[i]->status);
		assert_true(all[i]->status == STORE_OK || all[i]->status == STORE_REFUSED);
		n_good += all[i]->status == STORE_OK;
		asked_free(all[i]);
	}
	assert_true(world_control("not-undoing", NULL, 0));
	usage(node, 2, 1, &last, 1);
	assert_int_equal(last.total_bytes, n_good);
	print_message("# %llu of %d were kept\n", (unsigned long long)n_good, N);
}

static void a_record_is_kept_once(void **state)
{
	struct str r = world_realm(), node = world_realm();
	struct store_record rec[2];
	char what[100], answer[32];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		rec[i] = (struct store_record){
			.node = node, .realm = r, .user = STR_LIT("alice'\r\n%s"), .client = STR_LIT("192.0.2.1:5000"),
			.transport = STR_LIT("udp"), .relayed = STR_LIT("192.0.2.2:50000"), .reason = STR_LIT("expired"),
			.peers = STR_LIT("192.0.2.3"), .opened_ms = 1700000000000, .closed_ms = 1700000001000,
			.rx_bytes = 1, .drops = STR_LIT(""), .quality = STR_LIT(""),
		};
		snprintf(rec[i].id, sizeof rec[i].id, "%.*s.1.%zu", STR_ARG(node), i);
	}
	for (int i = 0; i < 3; i++) {
		struct asked *a = batch_new(STORE_RECORD, node, 1, 1);

		a->op.records = rec;
		a->op.n_records = 2;
		assert_int_equal(asked_of(a, world.b), STORE_OK);
		asked_free(a);
	}
	snprintf(what, sizeof what, "records %.*s", STR_ARG(r));
	if (!world_control(what, answer, sizeof answer))
		skip();
	assert_string_equal(answer, "2");
}

/* Counts and records number their batches each for themselves. */
static void a_record_does_not_hide_usage(void **state)
{
	struct str r = world_realm(), node = world_realm();
	struct store_record rec = { .id = "n.1.1", .node = node, .realm = r, .user = STR_LIT("a"), .client = STR_LIT(""),
				    .transport = STR_LIT(""), .relayed = STR_LIT(""), .reason = STR_LIT(""),
				    .peers = STR_LIT(""), .drops = STR_LIT(""), .quality = STR_LIT("") };
	struct store_usage row = { .realm = r, .user = STR_LIT("a"), .period = "2026-11", .ttl_s = 86400, .rx_bytes = 9 };
	struct asked *a = batch_new(STORE_RECORD, node, 1, 5);

	(void)state;
	snprintf(rec.id, sizeof rec.id, "%.*s.1.1", STR_ARG(node));
	a->op.records = &rec;
	a->op.n_records = 1;
	assert_int_equal(asked_of(a, world.b), STORE_OK);
	asked_free(a);
	usage(node, 1, 4, &row, 1);
	assert_int_equal(row.total_bytes, 9);
}

static void events_set_and_delete_a_status(void **state)
{
	struct str r = world_realm();
	char key[200], what[256], answer[64];
	struct store_event e = { .kind = STORE_EVENT_SET, .value = STR_LIT("new lifetime=600, type=UDP") };
	struct asked *a;

	(void)state;
	if (!world.has_events)
		skip();
	snprintf(key, sizeof key, "turn/realm/%.*s/user/a/allocation/000000000000000001/status", STR_ARG(r));
	e.key = str_of(key);
	a = asked_new(STORE_EVENT, r, STR_LIT("a"));
	a->op.events = &e;
	a->op.n_events = 1;
	assert_int_equal(asked_of(a, world.b), STORE_OK);
	snprintf(what, sizeof what, "get %s", key);
	if (!world_control(what, answer, sizeof answer))
		skip();
	assert_string_equal(answer, "new lifetime=600, type=UDP");
	e.kind = STORE_EVENT_DEL;
	e.value = STR_LIT("deleted");
	assert_int_equal(asked_of(a, world.b), STORE_OK);
	assert_true(world_control(what, answer, sizeof answer));
	assert_string_equal(answer, "");
	asked_free(a);
}

int suite_counts(void)
{
	const struct CMUnitTest counts[] = {
		cmocka_unit_test(a_batch_that_is_sent_again_counts_once),
		cmocka_unit_test(limits_of_a_user_come_with_usage),
		cmocka_unit_test(usage_is_listed_by_period),
		cmocka_unit_test(many_batches_in_flight_add_up),
		cmocka_unit_test(what_is_known_of_batches_goes_when_none_of_them_can_come_again),
		cmocka_unit_test(what_was_undone_is_not_acknowledged),
		cmocka_unit_test(a_record_is_kept_once),
		cmocka_unit_test(a_record_does_not_hide_usage),
		cmocka_unit_test(events_set_and_delete_a_status),
	};

	return cmocka_run_group_tests(counts, world_open, world_close);
}
