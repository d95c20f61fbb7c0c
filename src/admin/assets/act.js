// What an administrator does: asked for once more, then done, then the result is shown.

import { ask } from "./client.js";
import { $, say } from "./dom.js";

export function show(text, bad) {
	$("result").hidden = false;
	$("result").classList.toggle("bad", Boolean(bad));
	say($("result"), text);
}

// Resolves to null, or to {checked} of the box, which is there when `box` says so.
function confirmed({ title, text, yes, box }) {
	const dialog = $("confirm");

	say($("confirm-title"), title);
	say($("confirm-text"), text);
	say($("confirm-yes"), yes);
	$("confirm-more").hidden = !box;
	$("confirm-check").checked = false;
	dialog.returnValue = "";
	dialog.showModal();
	$("confirm-no").focus();
	return new Promise((resolve) => {
		dialog.addEventListener("close", () => resolve(
			dialog.returnValue === "yes" ? { checked: $("confirm-check").checked } : null), { once: true });
	});
}

async function act(question, run) {
	const answer = await confirmed(question);
	if (!answer)
		return false;
	try {
		show(await run(answer));
		return true;
	} catch (e) {
		show(`${question.title}: ${e.message}`, true);
		return false;
	}
}

export const end = (s) => act(
	{ title: "End the session", yes: "End it", text: `${s.user || "(no user)"} from ${s.client}, ${s.id}. Its client has to allocate anew.` },
	async () => `Ended ${(await ask("DELETE", "/api/v1/sessions/" + encodeURIComponent(s.id))).ended}.`);

export const drain = () => act(
	{ title: "Drain", yes: "Drain", box: true, text: "New allocations are refused with 508; what runs goes on." },
	async ({ checked }) => {
		const r = await ask("POST", "/api/v1/drain", { drain: true, exit: checked });
		return `Draining: ${r.sessions} sessions are left${r.exit ? ", then the server ends" : ""}.`;
	});

export const undrain = () => act(
	{ title: "Stop draining", yes: "Serve again", text: "New allocations are accepted again." },
	async () => `The server is ${(await ask("POST", "/api/v1/drain", { drain: false })).state} again.`);

export const reload = () => act(
	{ title: "Reload", yes: "Reload", text: "Reads again what SIGHUP makes the server read." },
	async () => `Reloaded: ${(await ask("POST", "/api/v1/reload")).reloaded.join(", ")}.`);

$("confirm-yes").addEventListener("click", () => $("confirm").close("yes"));
$("confirm-no").addEventListener("click", () => $("confirm").close(""));
