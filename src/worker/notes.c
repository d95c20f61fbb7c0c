#include "worker/notes.h"

#include <stdlib.h>

#include "worker/msg.h"

void worker_note_dispose(struct worker_note *n)
{
	free(n->listing);
	free(n->row);
	n->listing = NULL;
	n->row = NULL;
}

/* Nobody waits for these: what has no room is counted, and the next that has says how many they were. */
static void on_session(void *arg, const struct relay_session *s, bool opened, enum turn_end why)
{
	struct worker *w = arg;
	struct worker_note note = { .kind = opened ? WORKER_NOTE_OPENED : WORKER_NOTE_ENDED,
				    .why = why,
				    .lost = w->n_notes_lost,
				    .row = malloc(sizeof *note.row) };

	if (note.row)
		relay_row_fill(note.row, s);
	if (!note.row || mbox_send(w->control, &note)) {
		free(note.row);
		w->n_notes_lost++;
		return;
	}
	w->n_notes_lost = 0;
}

void worker_notes_watch(struct worker *w, bool on)
{
	w->relay->tell = on && w->control ? on_session : NULL;
	w->relay->tell_arg = w;
}

void worker_notes_ask(struct worker *w, struct relay_listing *l)
{
	if (w->control)
		relay_listing_add(w->relay, l);
	else
		free(l);
}

bool worker_notes_turn(struct worker *w)
{
	if (!w->listed)
		w->listed = relay_listing_step(w->relay);
	if (w->listed) {
		const struct worker_note note = { .kind = WORKER_NOTE_LISTED,
						  .listing = w->listed };

		if (!mbox_send(w->control, &note)) /* full: once more in the next turn */
			w->listed = NULL;
	}
	return w->listed || relay_listing_busy(w->relay);
}
