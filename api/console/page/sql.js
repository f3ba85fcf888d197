// The view with the SQL editor.

import { alertBox, fill, h, put, say } from "./dom.js";
import * as api from "./api.js";
import * as catalog from "./catalog.js";
import { editor } from "./editor.js";
import * as history from "./history.js";
import { ago } from "./format.js";
import { view as resultView } from "./result.js";

let draft = "SELECT * FROM information_schema.tables LIMIT 100;";
let draftOf = "";

/** Puts a text into the editor of the next view. */
export function write(sql) {
	draft = sql;
	draftOf = api.user.id;
}

/** Shows it. */
export function show(main) {
	if (draftOf && draftOf !== api.user.id) draft = "SELECT 1;"; // Of another user, before.
	draftOf = api.user.id;
	const out = h("div", { "aria-live": "polite", "aria-busy": "false" });
	const past = h("details", {}, h("summary", {}, "History"));
	let under = null;
	const edit = editor({ text: draft, names: () => catalog.names, run: () => run("") });
	const runIt = h(
		"button",
		{ class: "main", type: "button", onclick: () => run("") },
		"Run ",
		h("kbd", {}, "Ctrl Enter"),
	);
	const stop = h("button", { class: "risk", type: "button", disabled: true, onclick: () => under?.abort() }, "Stop");
	const namespace = h("select", { "aria-label": "Namespace" });

	function spaces() {
		const kept = namespace.value || "default",
			all = [...new Set(["default", ...catalog.names.map((t) => t.namespace)])].filter(
				(n) => n !== "information_schema",
			);
		fill(
			namespace,
			all.map((n) => h("option", { value: n, selected: n === kept }, n)),
		);
	}
	async function run(prefix) {
		if (under) return;
		const { sql, from } = edit.text();
		if (!sql.trim()) return;
		under = new AbortController();
		stop.disabled = false;
		runIt.disabled = true;
		out.setAttribute("aria-busy", "true");
		fill(out, h("p", { class: "dim" }, "Running…"));
		const began = performance.now();
		let failure = null,
			results = [];
		try {
			({ results } = await api.run(prefix + sql, { namespace: namespace.value }, under.signal));
		} catch (err) {
			failure = err.name === "AbortError" ? new Error("Stopped: the server cancels the statement") : err;
			results = err.results ?? [];
		}
		const took = performance.now() - began;
		under = null;
		stop.disabled = true;
		runIt.disabled = false;
		out.setAttribute("aria-busy", "false");
		if (!api.user) return;
		fill(
			out,
			h("p", { class: "dim" }, `${took < 10 ? took.toFixed(1) : Math.round(took)} ms`),
			results.map((r, i) => resultView(r, i + 1)),
			failure && alertBox(failure),
		);
		if (failure?.position && !prefix) point(edit, sql, from, failure.position);
		history.add(api.user.id, { sql: prefix + sql, at: Date.now(), took, failed: Boolean(failure) });
		pastList();
		if (/\b(create|alter|drop)\b/i.test(sql)) catalog.load().then(spaces, () => {});
	}
	function pastList() {
		const list = history.list(api.user.id);
		fill(
			past,
			h("summary", {}, `History (${list.length})`),
			h("p", { class: "dim" }, "Kept in this browser. Statements that may hold a password or key are not."),
			h(
				"ul",
				{ class: "list" },
				list.map((e) =>
					h(
						"li",
						{},
						h(
							"button",
							{ type: "button", onclick: () => edit.set(e.sql) },
							h("pre", {}, e.sql.length > 300 ? e.sql.slice(0, 300) + "…" : e.sql),
							h(
								"small",
								{ class: e.failed ? "bad" : "dim" },
								`${ago(e.at * 1000)} · ${e.failed ? "failed" : Math.round(e.took) + " ms"}`,
							),
						),
					),
				),
			),
			list.length > 0 &&
				h(
					"button",
					{
						type: "button",
						onclick: () => {
							history.clear(api.user.id);
							pastList();
							say("History cleared");
						},
					},
					"Clear the history",
				),
		);
	}
	spaces();
	pastList();
	put(
		main,
		h("h2", {}, "SQL"),
		edit.node,
		h(
			"div",
			{ class: "bar" },
			runIt,
			h("button", { type: "button", onclick: () => run("EXPLAIN ") }, "Explain"),
			h("button", { type: "button", onclick: () => run("EXPLAIN ANALYZE ") }, "Explain analyze"),
			stop,
			h("label", {}, "Namespace", namespace),
		),
		past,
		out,
	);
	catalog.load().then(spaces, (err) => say(err.message));
	edit.focus();
	return () => {
		draft = edit.all();
		under?.abort();
	};
}

/** Selects where an error is; the position counts bytes from 1. */
function point(edit, sql, from, position) {
	const at = new TextDecoder().decode(new TextEncoder().encode(sql).slice(0, position - 1)).length;
	const [word] = sql.slice(at).match(/^[\w$]+|^./) ?? [""];
	edit.select(from + at, from + at + word.length);
}
