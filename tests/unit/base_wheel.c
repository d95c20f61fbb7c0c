#include "base/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"

enum { LAP = WHEEL_SLOT_MS * WHEEL_SLOTS, N_TIMERS = 400 };

struct probe {
	struct wheel_timer timer;
	int runs;
	tick ran_at;
};

static void note(struct wheel_timer *t, tick now, void *arg)
{
	struct probe *p = container_of(t, struct probe, timer);

	(void)arg;
	assert_false(wheel_armed(t));
	assert_false(tick_before(now, t->at));
	p->runs++;
	p->ran_at = now;
}

static struct wheel *wheel_at(tick now)
{
	struct wheel *w = test_malloc(sizeof *w);

	wheel_init(w, now, NULL);
	return w;
}

static void runs_at_its_moment_not_before(void **state)
{
	static const struct {
		tick start, at;
	} row[] = {
		{ 0, 1 },
		{ 0, 249 },
		{ 0, 250 },
		{ 0, 251 },
		{ 100, 101 },
		{ 249, 250 },
		{ 1000, 1000 },
		{ 7, 300000 },
		{ 7, LAP - 1 },
		{ 7, LAP },
		{ 7, LAP + 1 },
		{ 7, LAP + 7 },
		{ 7, 3 * LAP + 9 },
		{ 123456789, 123456790 },
		{ 123456789, 123456789 + LAP },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct wheel *w = wheel_at(row[i].start);
		struct probe p = { .runs = 0 };

		wheel_timer_init(&p.timer, note);
		assert_false(wheel_armed(&p.timer));
		wheel_arm(w, &p.timer, row[i].at);
		assert_true(wheel_armed(&p.timer));
		for (tick at = row[i].start; at < row[i].at; at += 1 + (row[i].at - at) / 3)
			wheel_advance(w, at);
		wheel_advance(w, row[i].at - 1);
		assert_int_equal(p.runs, 0);
		wheel_advance(w, row[i].at);
		assert_int_equal(p.runs, 1);
		wheel_advance(w, row[i].at + LAP);
		assert_int_equal(p.runs, 1);
		assert_int_equal(w->n, 0);
		test_free(w);
	}
}

static void moment_already_past_runs_at_the_next_call(void **state)
{
	struct wheel *w = wheel_at(10 * LAP);
	struct probe p = { .runs = 0 };

	(void)state;
	wheel_timer_init(&p.timer, note);
	wheel_arm(w, &p.timer, 5);
	wheel_advance(w, 10 * LAP);
	assert_int_equal(p.runs, 1);
	wheel_advance(w, 10 * LAP + 777);
	wheel_arm(w, &p.timer, 10 * LAP + 3);
	wheel_advance(w, 10 * LAP + 777);
	assert_int_equal(p.runs, 2);
	test_free(w);
}

static void far_off_moment_never_comes(void **state)
{
	struct wheel *w = wheel_at(5);
	struct probe p = { .runs = 0 };

	(void)state;
	wheel_timer_init(&p.timer, note);
	wheel_arm(w, &p.timer, UINT64_MAX);
	for (tick at = 5; at < UINT64_MAX / 4; at *= 2)
		wheel_advance(w, at);
	assert_int_equal(p.runs, 0);
	assert_int_equal(w->n, 1);
	wheel_cancel(w, &p.timer);
	test_free(w);
}

static void rearming_replaces_and_cancelling_is_harmless_twice(void **state)
{
	struct wheel *w = wheel_at(0);
	struct probe p = { .runs = 0 };

	(void)state;
	wheel_timer_init(&p.timer, note);
	wheel_cancel(w, &p.timer);
	assert_int_equal(w->n, 0);
	wheel_arm(w, &p.timer, 100);
	wheel_arm(w, &p.timer, 5000);
	assert_int_equal(w->n, 1);
	wheel_advance(w, 4999);
	assert_int_equal(p.runs, 0);
	wheel_arm(w, &p.timer, 5100);
	wheel_cancel(w, &p.timer);
	wheel_cancel(w, &p.timer);
	assert_int_equal(w->n, 0);
	wheel_advance(w, 10000);
	assert_int_equal(p.runs, 0);
	test_free(w);
}

static void earlier_timer_in_the_present_slot_is_not_overlooked(void **state)
{
	struct wheel *w = wheel_at(1000);
	struct probe a = { .runs = 0 }, b = { .runs = 0 };

	(void)state;
	wheel_timer_init(&a.timer, note);
	wheel_timer_init(&b.timer, note);
	wheel_arm(w, &a.timer, 1200);
	wheel_advance(w, 1100);
	wheel_arm(w, &b.timer, 1150);
	wheel_advance(w, 1149);
	assert_int_equal(a.runs + b.runs, 0);
	wheel_advance(w, 1150);
	assert_int_equal(b.runs, 1);
	assert_int_equal(a.runs, 0);
	wheel_advance(w, 1200);
	assert_int_equal(a.runs, 1);
	test_free(w);
}

static void clock_that_steps_back_runs_nothing_early(void **state)
{
	struct wheel *w = wheel_at(SEC(100));
	struct probe p = { .runs = 0 };

	(void)state;
	wheel_timer_init(&p.timer, note);
	wheel_arm(w, &p.timer, SEC(90));
	wheel_advance(w, SEC(90) - 1);
	assert_int_equal(p.runs, 0);
	wheel_advance(w, SEC(90));
	assert_int_equal(p.runs, 1);
	wheel_arm(w, &p.timer, SEC(101));
	wheel_advance(w, SEC(101) - 1);
	assert_int_equal(p.runs, 1);
	wheel_advance(w, SEC(101));
	assert_int_equal(p.runs, 2);
	test_free(w);
}

/* A callback's own plan: what it does to whom. */
struct actor {
	struct probe p; /* first, so that note() finds it */
	struct wheel *w;
	struct actor *other;
	tick arm_self, arm_other; /* 0: not */
	bool cancel_other;
};

static void act(struct wheel_timer *t, tick now, void *arg)
{
	struct actor *a = container_of(t, struct actor, p.timer);

	note(t, now, arg);
	if (a->cancel_other)
		wheel_cancel(a->w, &a->other->p.timer);
	if (a->arm_other)
		wheel_arm(a->w, &a->other->p.timer, a->arm_other);
	if (a->arm_self)
		wheel_arm(a->w, t, a->arm_self);
}

static void what_a_callback_arms_for_the_past_waits_for_the_next_call(void **state)
{
	static const tick past[] = { 1, 999, 1000, 1001, 3000, 4999, 5000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(past); i++) {
		struct wheel *w = wheel_at(0);
		struct actor a = { .w = w, .arm_self = past[i] };

		wheel_timer_init(&a.p.timer, act);
		wheel_arm(w, &a.p.timer, 1000);
		for (int runs = 1; runs < 5; runs++) {
			wheel_advance(w, 5000);
			assert_int_equal(a.p.runs, runs);
			assert_int_equal(w->n, 1);
		}
		wheel_cancel(w, &a.p.timer);
		test_free(w);
	}
}

static void callback_cancels_one_that_is_due_too(void **state)
{
	struct wheel *w = wheel_at(0);
	struct actor b = { .w = w };
	struct actor a = { .w = w, .other = &b, .cancel_other = true };

	(void)state;
	wheel_timer_init(&a.p.timer, act);
	wheel_timer_init(&b.p.timer, act);
	wheel_arm(w, &a.p.timer, 1000);
	wheel_arm(w, &b.p.timer, 2000);
	wheel_advance(w, 5000);
	assert_int_equal(a.p.runs, 1);
	assert_int_equal(b.p.runs, 0);
	assert_int_equal(w->n, 0);
	wheel_advance(w, 3 * LAP);
	assert_int_equal(b.p.runs, 0);
	test_free(w);
}

static void callback_postpones_one_that_is_due_too(void **state)
{
	struct wheel *w = wheel_at(0);
	struct actor b = { .w = w };
	struct actor a = { .w = w, .other = &b, .arm_other = 5001 };

	(void)state;
	wheel_timer_init(&a.p.timer, act);
	wheel_timer_init(&b.p.timer, act);
	wheel_arm(w, &a.p.timer, 1000);
	wheel_arm(w, &b.p.timer, 2000);
	wheel_advance(w, 5000);
	assert_int_equal(b.p.runs, 0);
	assert_int_equal(w->n, 1);
	wheel_advance(w, 5001);
	assert_int_equal(b.p.runs, 1);
	test_free(w);
}

static void free_self(struct wheel_timer *t, tick now, void *arg)
{
	(void)now;
	++*(int *)arg;
	test_free(container_of(t, struct probe, timer));
}

static void callback_may_free_its_object(void **state)
{
	struct wheel *w = test_malloc(sizeof *w);
	int freed = 0;

	(void)state;
	wheel_init(w, 0, &freed);
	for (tick i = 0; i < 20; i++) {
		struct probe *p = test_malloc(sizeof *p);

		wheel_timer_init(&p->timer, free_self);
		wheel_arm(w, &p->timer, 100 * i);
	}
	wheel_advance(w, 5000);
	assert_int_equal(freed, 20);
	assert_int_equal(w->n, 0);
	test_free(w);
}

/* The model: what is armed, and for when. Callbacks arm and cancel at random too. */
struct world {
	struct wheel *w;
	struct rng *rng;
	tick now;
	int in_call; /* number of the wheel_advance() call */
	struct entry {
		struct wheel_timer timer;
		tick at;
		bool armed;
		int armed_in; /* the call in which a callback armed it */
	} e[N_TIMERS];
};

static tick random_moment(struct world *wo)
{
	static const uint32_t reach[] = { 1, 250, 2000, 600000, LAP, 3 * LAP };
	uint32_t far = rng_below(wo->rng, reach[rng_below(wo->rng, ARRAY_LEN(reach))] + 1);

	if (rng_below(wo->rng, 8) == 0)
		return far < wo->now ? wo->now - far : 0;
	return wo->now + far;
}

static void random_change(struct world *wo)
{
	struct entry *e = &wo->e[rng_below(wo->rng, N_TIMERS)];

	if (rng_below(wo->rng, 4) == 0) {
		wheel_cancel(wo->w, &e->timer);
		e->armed = false;
		return;
	}
	e->at = random_moment(wo);
	e->armed = true;
	e->armed_in = wo->in_call;
	wheel_arm(wo->w, &e->timer, e->at);
}

static void on_model(struct wheel_timer *t, tick now, void *arg)
{
	struct entry *e = container_of(t, struct entry, timer);
	struct world *wo = arg;

	assert_true(e->armed);
	assert_int_equal(now, wo->now);
	assert_false(tick_before(now, e->at));		/* not before its moment */
	assert_int_not_equal(e->armed_in, wo->in_call); /* not in the call that armed it */
	e->armed = false;
	while (rng_below(wo->rng, 2))
		random_change(wo);
}

static void check_world(const struct world *wo)
{
	size_t n = 0;

	for (size_t i = 0; i < N_TIMERS; i++) {
		const struct entry *e = &wo->e[i];

		assert_int_equal(wheel_armed(&e->timer), e->armed);
		n += e->armed;
		/* nothing that was due is left, but what this very call armed */
		if (e->armed && e->armed_in != wo->in_call)
			assert_true(tick_before(wo->now, e->at));
	}
	assert_int_equal(wo->w->n, n);
}

static tick random_step(struct rng *rng)
{
	switch (rng_below(rng, 8)) {
	case 0:
		return 0;
	case 1:
		return rng_below(rng, 2 * LAP);
	case 2:
		return rng_below(rng, 60000);
	case 3:
		return rng_below(rng, 2) ? WHEEL_SLOT_MS : LAP;
	default:
		return rng_below(rng, 300);
	}
}

static void agrees_with_a_model(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 8; seed++) {
		struct world *wo = test_calloc(1, sizeof *wo);
		struct rng rng;

		rng_init_seeded(&rng, seed);
		wo->rng = &rng;
		wo->now = seed * 1234567;
		wo->w = test_malloc(sizeof *wo->w);
		wheel_init(wo->w, wo->now, wo);
		for (size_t i = 0; i < N_TIMERS; i++)
			wheel_timer_init(&wo->e[i].timer, on_model);
		for (int step = 0; step < 2500; step++) {
			wo->in_call = 0; /* armed outside of any call: due in the next */
			for (uint32_t n = rng_below(&rng, 8); n > 0; n--)
				random_change(wo);
			wo->now += random_step(&rng);
			wo->in_call = step + 1;
			wheel_advance(wo->w, wo->now);
			check_world(wo);
		}
		test_free(wo->w);
		test_free(wo);
	}
}

/* A gap of years must be walked in one lap: slot by slot it would be 2^40 of them. */
static void idle_gap_costs_one_lap_at_most(void **state)
{
	struct wheel *w = wheel_at(0);
	struct probe p = { .runs = 0 };
	tick now = (tick)1 << 48;

	(void)state;
	wheel_timer_init(&p.timer, note);
	wheel_arm(w, &p.timer, now);
	wheel_advance(w, now - 1);
	assert_int_equal(p.runs, 0);
	wheel_advance(w, now + ((tick)1 << 48));
	assert_int_equal(p.runs, 1);
	test_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_at_its_moment_not_before),
		cmocka_unit_test(moment_already_past_runs_at_the_next_call),
		cmocka_unit_test(far_off_moment_never_comes),
		cmocka_unit_test(rearming_replaces_and_cancelling_is_harmless_twice),
		cmocka_unit_test(earlier_timer_in_the_present_slot_is_not_overlooked),
		cmocka_unit_test(clock_that_steps_back_runs_nothing_early),
		cmocka_unit_test(what_a_callback_arms_for_the_past_waits_for_the_next_call),
		cmocka_unit_test(callback_cancels_one_that_is_due_too),
		cmocka_unit_test(callback_postpones_one_that_is_due_too),
		cmocka_unit_test(callback_may_free_its_object),
		cmocka_unit_test(agrees_with_a_model),
		cmocka_unit_test(idle_gap_costs_one_lap_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
