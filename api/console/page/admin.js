// The views of jobs and queries, of users, and of storages.

import { alertBox, ask, fill, h, put, say, td } from "./dom.js";
import * as api from "./api.js";
import { ago, bytes } from "./format.js";
import { grid } from "./result.js";

const every = 2000;

/** Calls f now and every 2 seconds while the page is seen, until what it returns is called. */
export function poll(f) {
	let timer,
		over = false;
	const turn = async () => {
		if (!document.hidden) await f();
		if (!over) timer = setTimeout(turn, every);
	};
	turn();
	return () => {
		over = true;
		clearTimeout(timer);
	};
}

/** Runs a statement that was asked about first. */
async function doIt(question, verb, sql, then) {
	if (!(await ask(question, [], verb, true))) return;
	try {
		say((await api.run(sql)).results.at(-1).message);
	} catch (err) {
		say(err.message);
	}
	then();
}

/** Jobs and queries under way. */
export function jobs(main) {
	const list = h("div"),
		queries = h("div"),
		failure = h("div");
	let over = false;
	const state = h(
		"select",
		{ "aria-label": "State of jobs", onchange: () => paint() },
		["all", "running", "queued", "retrying", "completed", "failed", "cancelled"].map((s) =>
			h("option", { value: s }, s),
		),
	);
	async function paint() {
		if (document.activeElement?.closest?.("main .scroll") && document.activeElement.tagName === "BUTTON") return; // Somebody is about to press it.
		try {
			const where = state.value === "all" ? "" : `WHERE status = ${api.literal(state.value)}`;
			const [
				all,
				{
					results: [running],
				},
			] = await Promise.all([
				api.rows(`SELECT job_id, job_type, status, namespace_id, table_name, progress_done, progress_total, coalesce(error, message) AS note, created_at, finished_at
				FROM system.jobs ${where} ORDER BY created_at DESC LIMIT 200`),
				api.run(
					"SELECT session_id, user_id, state, age_ms, memory_bytes, query FROM system.sessions ORDER BY age_ms DESC LIMIT 100",
				),
			]);
			if (over) return;
			fill(failure);
			fill(list, all.length ? jobTable(all, paint) : h("p", { class: "dim" }, "There are no such jobs."));
			fill(
				queries,
				grid(running, "Queries under way", {
					name: "",
					cell: (row) =>
						h(
							"button",
							{
								class: "risk",
								type: "button",
								"aria-label": `Kill the query ${row[0]}`,
								onclick: () =>
									doIt(
										`Kill the query ${row[0]}?`,
										"Kill",
										`KILL QUERY ${api.literal(row[0])}`,
										paint,
									),
							},
							"Kill",
						),
				}),
			);
		} catch (err) {
			if (!over) fill(failure, alertBox(err));
		}
	}
	put(
		main,
		h("h2", {}, "Jobs"),
		h(
			"div",
			{ class: "bar" },
			h("label", {}, "State", state),
			h("button", { type: "button", onclick: paint }, "Reload"),
		),
		failure,
		list,
		h("h2", {}, "Queries under way"),
		queries,
	);
	const end = poll(paint);
	return () => {
		over = true;
		end();
	};
}

function jobTable(all, paint) {
	const live = (j) => !["completed", "failed", "cancelled"].includes(j.status);
	const bar = (j) =>
		j.progress_total > 0 && live(j)
			? h("progress", {
					max: j.progress_total,
					value: Number(j.progress_done),
					"aria-label": `Progress of ${j.job_id}`,
				})
			: "";
	return h(
		"div",
		{ class: "scroll", tabindex: "0", role: "region", "aria-label": "Jobs" },
		h(
			"table",
			{ "aria-label": "Jobs" },
			h(
				"thead",
				{},
				h(
					"tr",
					{},
					["Job", "Kind", "State", "Table", "Progress", "Note", "Started", ""].map((n) =>
						h("th", { scope: "col" }, n),
					),
				),
			),
			h(
				"tbody",
				{},
				all.map((j) =>
					h(
						"tr",
						{},
						td(j.job_id),
						td(j.job_type),
						td(j.status, j.status === "failed" ? "bad" : j.status === "completed" ? "good" : ""),
						td(j.table_name ? `${j.namespace_id}.${j.table_name}` : ""),
						h("td", {}, bar(j)),
						td(j.note ?? ""),
						td(ago(j.created_at)),
						h(
							"td",
							{ class: "act" },
							live(j) &&
								h(
									"button",
									{
										class: "risk",
										type: "button",
										"aria-label": `Kill the job ${j.job_id}`,
										onclick: () =>
											doIt(
												`Kill the job ${j.job_id}?`,
												"Kill",
												`KILL JOB ${api.literal(j.job_id)}`,
												paint,
											),
									},
									"Kill",
								),
						),
					),
				),
			),
		),
	);
}

/** Users. */
export function users(main) {
	const out = h("div", { "aria-live": "polite" });
	async function paint() {
		try {
			const {
				results: [r],
			} = await api.run(
				"SELECT user_id, role, email, auth_type, failed_login_attempts, locked_until, last_login_at, created_at FROM system.users WHERE deleted_at IS NULL ORDER BY user_id LIMIT 5000",
			);
			fill(
				out,
				grid(r, "Users", {
					name: "",
					cell: ([id]) =>
						id === "system"
							? ""
							: [
									h(
										"button",
										{
											type: "button",
											"aria-label": `Set the password of ${id}`,
											onclick: () => password(id),
										},
										"Password",
									),
									" ",
									h(
										"button",
										{
											class: "risk",
											type: "button",
											"aria-label": `Drop the user ${id}`,
											onclick: () =>
												doIt(
													`Drop the user ${id}? The data is removed after the grace of users.deletion_grace_days.`,
													"Drop",
													`DROP USER ${api.literal(id)}`,
													paint,
												),
										},
										"Drop",
									),
								],
				}),
			);
		} catch (err) {
			fill(out, alertBox(err));
		}
	}
	async function password(id) {
		const given = await ask(
			`Password of ${id}`,
			[{ name: "password", label: "New password", type: "password", autocomplete: "new-password" }],
			"Set",
		);
		if (given) await tell(`ALTER USER ${api.literal(id)} SET PASSWORD ${api.literal(given.password)}`);
	}
	async function create() {
		const given = await ask(
			"New user",
			[
				{ name: "id", label: "User" },
				{ name: "password", label: "Password", type: "password", autocomplete: "new-password" },
				{ name: "role", label: "Role", options: ["user", "service", "dba"] },
			],
			"Create",
		);
		if (given)
			await tell(
				`CREATE USER ${api.literal(given.id)} WITH PASSWORD ${api.literal(given.password)} ROLE ${given.role}`,
			);
	}
	async function tell(sql) {
		try {
			say((await api.run(sql)).results[0].message);
		} catch (err) {
			say(err.message);
		}
		paint();
	}
	put(
		main,
		h("h2", {}, "Users"),
		h(
			"div",
			{ class: "bar" },
			h("button", { type: "button", class: "main", onclick: create }, "New user"),
			h("button", { type: "button", onclick: paint }, "Reload"),
		),
		out,
	);
	paint();
}

/** Storages and what is in them. */
export function storages(main) {
	const out = h("div", { "aria-live": "polite" });
	put(main, h("h2", {}, "Storages"), out);
	(async () => {
		try {
			const [
				{
					results: [r],
				},
				used,
			] = await Promise.all([
				api.run(
					"SELECT storage_id, storage_name, storage_type, coalesce(nullif(uri, ''), base_directory) AS location, user_tables_template, shared_tables_template, created_at FROM system.storages ORDER BY storage_id",
				),
				api.rows("SELECT storage_id, count(*) AS n FROM system.tables GROUP BY storage_id"),
			]);
			fill(
				out,
				grid(r, "Storages", { name: "tables", cell: ([id]) => used.find((u) => u.storage_id === id)?.n ?? 0 }),
			);
		} catch (err) {
			fill(out, alertBox(err));
		}
	})();
}

const figures = [
	// [title, how, text of it, what is drawn of the values by name]
	["Requests per second", (d) => d("requests"), (v) => v.toFixed(1)],
	["Rows written per second", (d) => d("buffer_rows_written"), (v) => v.toFixed(1)],
	["Commits per second", (d) => d("buffer_commits"), (v) => v.toFixed(1)],
	["Queries under way", (d, s) => s.queries_running, String],
	["Queries waiting", (d, s) => s.queries_waiting, String],
	["WebSockets", (d, s) => s.active_connections, String],
	["Live queries", (d, s) => s.active_subscriptions, String],
	["Buffered rows", (d, s) => s.buffer_rows, String],
	["Buffered bytes", (d, s) => s.buffer_bytes, bytes],
	["Memory of the server", (d, s) => s.memory_rss_mb * 2 ** 20, bytes],
	["Memory of query workers", (d, s) => s.query_workers_memory_bytes, bytes],
	["Processor, %", (d, s) => s.cpu_usage_percent, (v) => v.toFixed(1)],
	["Jobs under way", (d, s) => s.jobs_running, String],
	[
		"Greatest flush lag, s",
		(d, s) =>
			Math.max(
				0,
				...Object.keys(s)
					.filter((k) => k.startsWith("flush_lag_seconds"))
					.map((k) => s[k])
					.filter(Number.isFinite),
			),
		String,
	],
];
const points = 150;

/** Figures of the server as plots, and all of them as a table. */
export function metrics(main, { chart }) {
	const past = figures.map(() => []),
		plots = h("div", { class: "plots" }),
		failure = h("div"),
		all = h("div");
	let before = null,
		over = false,
		latest = null;
	async function turn() {
		try {
			const {
				results: [r],
			} = await api.run("SELECT metric_name, metric_value FROM system.stats");
			if (over) return;
			const now = Object.fromEntries(r.rows.map(([k, v]) => [k, Number(v)])),
				at = performance.now();
			const perSecond = (name) =>
				before ? Math.max(0, ((now[name] - before.now[name]) * 1000) / (at - before.at)) : NaN;
			figures.forEach(([, how], i) => {
				past[i] = [...past[i], how(perSecond, now)].slice(-points);
			});
			before = { now, at };
			latest = r;
			fill(failure);
			fill(
				plots,
				figures.map(([title, , text], i) => {
					const v = past[i].at(-1),
						shown = Number.isFinite(v) ? text(v) : "…";
					return h(
						"div",
						{ class: "plot" },
						h("h3", {}, title),
						h("b", {}, shown),
						chart(past[i], `${title}: ${shown}`),
					);
				}),
			);
			if (!all.firstChild) fill(all, grid(latest, "All figures"));
		} catch (err) {
			if (!over) fill(failure, alertBox(err));
		}
	}
	put(
		main,
		h("h2", {}, "Figures of the server, every 2 s"),
		failure,
		plots,
		h(
			"div",
			{ class: "bar" },
			h("h2", {}, "All figures"),
			h("button", { type: "button", onclick: () => latest && fill(all, grid(latest, "All figures")) }, "Reload"),
		),
		all,
	);
	const end = poll(turn);
	return () => {
		over = true;
		end();
	};
}
