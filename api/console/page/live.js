// The view of live queries: the rows of one as they change, and who else has some.

import { alertBox, ask, fill, h, put, say } from "./dom.js";
import * as api from "./api.js";
import { cell } from "./format.js";
import { grid } from "./result.js";

const mostRows = 500,
	mostEvents = 200;
let text = "SELECT * FROM ";

/** Shows it. */
export function show(main) {
	const sql = h("input", {
		class: "mono grow",
		"aria-label": "Live query",
		value: text,
		oninput: (e) => {
			text = e.target.value;
		},
	});
	const last = h("input", { type: "number", min: 0, max: 500, value: "100" });
	const state = h("span", { class: "dim", role: "status" }, "not started"),
		table = h("div"),
		events = h("ol", { class: "list mono", "aria-label": "Events", tabindex: "0" }),
		others = h("div");
	let end = null,
		fields = [],
		rows = new Map(),
		count = 0,
		ended = false,
		painting = false;
	const start = h("button", { class: "main" }, "Start");
	const keyOf = (row) =>
		JSON.stringify(
			(fields.some((f) => f.flags?.includes("pk")) ? fields.filter((f) => f.flags?.includes("pk")) : fields).map(
				(f) => row[f.name],
			),
		);
	const shown = () => fields.filter((f) => f.name !== "_deleted");
	function paint() {
		if (painting) return;
		painting = true;
		requestAnimationFrame(() => {
			painting = false;
			if (ended) return;
			const top = table.querySelector(".scroll")?.scrollTop ?? 0;
			fill(
				table,
				fields.length > 0 &&
					grid(
						{
							schema: shown(),
							rows: [...rows.values()]
								.reverse()
								.slice(0, mostRows)
								.map((r) => shown().map((f) => r[f.name] ?? null)),
						},
						"Rows of the live query",
					),
			);
			const box = table.querySelector(".scroll");
			if (box) box.scrollTop = top;
			table.querySelectorAll("tbody tr").forEach((tr, i) => {
				if ([...rows.values()].reverse()[i]?.fresh > Date.now() - 1500) tr.className = "now";
			});
		});
	}
	function change(type, now, old) {
		now.forEach((r) => {
			rows.delete(keyOf(r));
			rows.set(keyOf(r), { ...r, fresh: Date.now() });
		});
		if (type === "delete") old.forEach((r) => rows.delete(keyOf(r)));
		const row = now[0] ?? old[0] ?? {};
		events.prepend(
			h(
				"li",
				{},
				h("strong", {}, type),
				" ",
				shown()
					.map((f) => `${f.name}=${cell(row[f.name], f)}`)
					.join(" "),
			),
		);
		while (events.children.length > mostEvents) events.lastChild.remove();
		state.textContent = `live: ${++count} event${count === 1 ? "" : "s"}`;
		paint();
	}
	function toggle(e) {
		e.preventDefault();
		if (end) {
			end();
			return;
		}
		rows = new Map();
		fields = [];
		count = 0;
		fill(events);
		fill(table);
		state.textContent = "connecting…";
		start.textContent = "Stop";
		end = api.subscribe(sql.value.replace(/;\s*$/, ""), Number(last.value), {
			ready(schema) {
				fields = schema;
				state.textContent = "live: waiting for events";
				paint();
			},
			rows(list) {
				list.forEach((r) => rows.set(keyOf(r), r));
				paint();
			},
			change,
			end(why) {
				end = null;
				start.textContent = "Start";
				state.textContent = why ? `ended: ${why}` : "stopped";
			},
		});
	}
	async function list() {
		try {
			const {
				results: [r],
			} = await api.run(
				"SELECT live_id, user_id, query, status, changes, queue_depth, created_at FROM system.live ORDER BY created_at DESC LIMIT 500",
			);
			if (!ended)
				fill(
					others,
					r.rows.length
						? grid(r, "Live queries under way", {
								name: "",
								cell: (row) =>
									h(
										"button",
										{
											class: "risk",
											type: "button",
											"aria-label": `Kill the live query ${row[0]}`,
											onclick: () => kill(row[0]),
										},
										"Kill",
									),
							})
						: h("p", { class: "dim" }, "There are none."),
				);
		} catch (err) {
			if (!ended) fill(others, alertBox(err));
		}
	}
	async function kill(id) {
		if (!(await ask(`Kill the live query ${id}?`, [], "Kill", true))) return;
		try {
			say((await api.run(`KILL LIVE QUERY ${api.literal(id)}`)).results[0].message);
		} catch (err) {
			say(err.message);
		}
		list();
	}
	put(
		main,
		h("h2", {}, "Live query"),
		h("form", { class: "bar", onsubmit: toggle }, sql, h("label", {}, "Rows before", last), start, state),
		table,
		h("h2", {}, "Events"),
		events,
		h(
			"div",
			{ class: "bar" },
			h("h2", {}, "Live queries under way"),
			h("button", { type: "button", onclick: list }, "Reload"),
		),
		others,
	);
	list();
	return () => {
		ended = true;
		end?.();
	};
}
