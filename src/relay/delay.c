#include "relay/delay.h"

#include "net/sock.h"
#include "relay/relay.h"

enum {
	CYCLE = 40, /* ticks: 10 s */
	FIRST = 36, /* the first window is a second after the start */
	WARM = 1,   /* ticks with stamps that nobody looks at: the kernel begins with them a little late */
	OPEN = 2,   /* ticks of a window */
};

static void close_window(struct relay_delay *d)
{
	for (size_t i = 0; i < d->n_sockets; i++) {
		net_sock_stamp(d->sockets[i].fd, false);
		*d->sockets[i].stamped = false;
	}
	d->n_sockets = 0;
	d->open = d->counting = false;
}

void relay_delay_tick(struct relay *r)
{
	struct relay_delay *d = &r->delay;
	unsigned at = (d->n_ticks++ + FIRST) % CYCLE;

	if (at == 0) {
		d->open = true;
		d->n_measured = 0;
	}
	d->counting = d->open && at >= WARM;
	if (at == OPEN)
		close_window(d);
}

void relay_delay_stamp(struct relay *r, int fd, bool *stamped)
{
	struct relay_delay *d = &r->delay;

	if (d->n_sockets == RELAY_DELAY_SOCKETS || d->counting)
		return;
	net_sock_stamp(fd, true);
	*stamped = true;
	d->sockets[d->n_sockets].fd = fd;
	d->sockets[d->n_sockets++].stamped = stamped;
}

void relay_delay_forget(struct relay *r, int fd)
{
	struct relay_delay *d = &r->delay;

	for (size_t i = 0; i < d->n_sockets; i++)
		if (d->sockets[i].fd == fd)
			d->sockets[i] = d->sockets[--d->n_sockets];
}

void relay_delay_came(struct relay *r, uint64_t came_ns, bool up)
{
	struct relay_delay *d = &r->delay;

	if (!d->counting || d->n_waiting == RELAY_DELAY_WAITING || d->n_measured == RELAY_DELAY_MAX)
		return;
	d->n_measured++;
	d->waiting[d->n_waiting].came_ns = came_ns;
	d->waiting[d->n_waiting++].up = up;
}

void relay_delay_sent(struct relay *r)
{
	struct relay_delay *d = &r->delay;
	uint64_t now = tick_wall_ns();

	for (size_t i = 0; i < d->n_waiting; i++)
		if (now >= d->waiting[i].came_ns) /* else the wall clock was set */
			histogram_add(r->cnt.histograms,
				      d->waiting[i].up ? HISTOGRAM_delay_up : HISTOGRAM_delay_down,
				      (now - d->waiting[i].came_ns) / 1000);
	d->n_waiting = 0;
}
