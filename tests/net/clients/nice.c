/*
 * libnice as a client of the relay: two agents that may use relayed candidates only. Messages there
 * and back, and one line of JSON about it. Usage: nice udp|tcp HOST USER PASSWORD MESSAGES
 */
#include <agent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORT = 3478, COMPONENT = 1, TEXT_MAX = 1100 };

struct end {
	NiceAgent *agent;
	struct end *other;
	guint stream;
	bool gathered, ready;
};

static struct end ends[2];
static GMainLoop *loop;
static int n_wanted, n_received;
static bool in_order = true;

static void fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static size_t text(char *out, int n)
{
	size_t len = (size_t)sprintf(out, "message %d ", n), more = (size_t)(n * 7 % 1000);

	memset(out + len, 'x', more);
	return len + more;
}

static void send_next(void)
{
	char out[TEXT_MAX];
	size_t len = text(out, n_received);

	if (nice_agent_send(ends[0].agent, ends[0].stream, COMPONENT, (guint)len, out) != (gint)len)
		fail("nice_agent_send fails");
}

/* One message at a time: a datagram may overtake another. */
static void on_data(NiceAgent *agent, guint stream, guint component, guint len, gchar *data, gpointer arg)
{
	struct end *e = arg;
	char want[TEXT_MAX];

	if (e == &ends[1]) {
		if (nice_agent_send(agent, stream, component, len, data) != (gint)len)
			fail("nice_agent_send fails");
		return;
	}
	if (text(want, n_received) != len || memcmp(want, data, len) != 0)
		in_order = false;
	if (++n_received == n_wanted)
		g_main_loop_quit(loop);
	else
		send_next();
}

static void tell_other(struct end *e)
{
	GSList *local = nice_agent_get_local_candidates(e->agent, e->stream, COMPONENT);
	gchar *ufrag, *password;

	if (!nice_agent_get_local_credentials(e->agent, e->stream, &ufrag, &password) ||
	    !nice_agent_set_remote_credentials(e->other->agent, e->other->stream, ufrag, password) ||
	    nice_agent_set_remote_candidates(e->other->agent, e->other->stream, COMPONENT, local) < 1)
		fail("the other side takes no candidate");
	g_free(ufrag);
	g_free(password);
	g_slist_free_full(local, (GDestroyNotify)nice_candidate_free);
}

static void on_gathered(NiceAgent *agent, guint stream, gpointer arg)
{
	struct end *e = arg;

	(void)agent;
	(void)stream;
	e->gathered = true;
	if (!ends[0].gathered || !ends[1].gathered)
		return;
	tell_other(&ends[0]);
	tell_other(&ends[1]);
}

static void on_state(NiceAgent *agent, guint stream, guint component, guint state, gpointer arg)
{
	struct end *e = arg;
	bool first = !ends[0].ready || !ends[1].ready;

	(void)agent;
	(void)stream;
	(void)component;
	if (state == NICE_COMPONENT_STATE_FAILED)
		fail("ICE has failed");
	if (state == NICE_COMPONENT_STATE_READY)
		e->ready = true;
	if (first && ends[0].ready && ends[1].ready)
		send_next();
}

static void open_end(struct end *e, struct end *other, char **argv)
{
	NiceRelayType type = strcmp(argv[1], "tcp") == 0 ? NICE_RELAY_TYPE_TURN_TCP : NICE_RELAY_TYPE_TURN_UDP;

	e->other = other;
	e->agent = nice_agent_new(NULL, NICE_COMPATIBILITY_RFC5245);
	g_object_set(e->agent, "controlling-mode", e == &ends[0], "force-relay", TRUE, "upnp", FALSE,
		     "ice-tcp", FALSE, NULL);
	g_signal_connect(e->agent, "candidate-gathering-done", G_CALLBACK(on_gathered), e);
	g_signal_connect(e->agent, "component-state-changed", G_CALLBACK(on_state), e);
	e->stream = nice_agent_add_stream(e->agent, 1);
	if (!nice_agent_set_relay_info(e->agent, e->stream, COMPONENT, argv[2], PORT, argv[3], argv[4], type))
		fail("nice_agent_set_relay_info fails");
	nice_agent_attach_recv(e->agent, e->stream, COMPONENT, NULL, on_data, e);
}

static void print_candidate(NiceCandidate *c, const char *after)
{
	static const char *const names[] = { "host", "srflx", "prflx", "relay" };
	char ip[NICE_ADDRESS_STRING_LEN];

	nice_address_to_string(&c->addr, ip);
	printf("{\"type\": \"%s\", \"ip\": \"%s\"}%s", names[c->type], ip, after);
}

static void report(void)
{
	static const char *const names[] = { "host", "srflx", "prflx", "relay" };
	NiceCandidate *local, *remote;

	printf("RESULT {\"received\": %d, \"in_order\": %s, \"pairs\": [", n_received, in_order ? "true" : "false");
	for (int i = 0; i < 2; i++) {
		if (!nice_agent_get_selected_pair(ends[i].agent, ends[i].stream, COMPONENT, &local, &remote))
			fail("no selected pair");
		printf("[");
		print_candidate(local, ", ");
		print_candidate(remote, i == 0 ? "], " : "]], \"candidates\": [");
	}
	for (int i = 0; i < 2; i++) {
		GSList *all = nice_agent_get_local_candidates(ends[i].agent, ends[i].stream, COMPONENT);

		for (GSList *at = all; at; at = at->next)
			printf("%s\"%s\"", i + (at != all) ? ", " : "", names[((NiceCandidate *)at->data)->type]);
		g_slist_free_full(all, (GDestroyNotify)nice_candidate_free);
	}
	printf("]}\n");
}

static void on_closed(GObject *agent, GAsyncResult *result, gpointer arg)
{
	int *n_open = arg;

	(void)agent;
	(void)result;
	if (--*n_open == 0)
		g_main_loop_quit(loop);
}

int main(int argc, char **argv)
{
	int n_open = 2;

	if (argc != 6)
		fail("usage: nice udp|tcp HOST USER PASSWORD MESSAGES");
	n_wanted = atoi(argv[5]);
	loop = g_main_loop_new(NULL, FALSE);
	for (int i = 0; i < 2; i++)
		open_end(&ends[i], &ends[1 - i], argv);
	for (int i = 0; i < 2; i++)
		if (!nice_agent_gather_candidates(ends[i].agent, ends[i].stream))
			fail("nice_agent_gather_candidates fails");
	g_main_loop_run(loop);
	report();
	/* gives its allocations back */
	for (int i = 0; i < 2; i++)
		nice_agent_close_async(ends[i].agent, on_closed, &n_open);
	g_main_loop_run(loop);
	return 0;
}
