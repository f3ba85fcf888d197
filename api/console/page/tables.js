// The view of tables: columns, sizes, files.

import { alertBox, ask, fill, h, put, say } from "./dom.js";
import * as api from "./api.js";
import * as catalog from "./catalog.js";
import { ago, bytes } from "./format.js";
import { grid } from "./result.js";

/** Shows it. go(view) changes to another view; write(sql) puts a text into the editor. */
export function show(main, { go, write }) {
	const list = h("ul", { class: "list" }),
		detail = h("div", { "aria-live": "polite" }, h("p", { class: "dim" }, "Choose a table."));
	const find = h("input", {
		type: "search",
		placeholder: "Find a table",
		"aria-label": "Find a table",
		oninput: paint,
	});
	let chosen = null;
	function paint() {
		const want = find.value.toLowerCase();
		fill(
			list,
			catalog.names
				.filter((t) => `${t.namespace}.${t.table}`.toLowerCase().includes(want))
				.map((t) =>
					h(
						"li",
						{},
						h(
							"button",
							{
								type: "button",
								"aria-pressed": String(t === chosen),
								onclick: () => {
									chosen = t;
									paint();
									open(t);
								},
							},
							`${t.namespace}.${t.table} `,
							h("small", { class: "dim" }, t.type),
						),
					),
				),
		);
	}
	async function open(t) {
		const name = `${api.ident(t.namespace)}.${api.ident(t.table)}`,
			own = t.type !== "system" && t.type !== "SYSTEM";
		const columns = {
			schema: ["name", "type", "key", "nullable", "default"].map((n) => ({ name: n, data_type: "" })),
			rows: t.columns.map((c) => [
				c.name,
				c.type,
				c.key ? "primary key" : "",
				c.nullable ? "yes" : "no",
				c.fallback,
			]),
		};
		const facts = h("div"),
			files = h("div");
		fill(
			detail,
			h("h2", {}, `${t.namespace}.${t.table}`),
			h(
				"div",
				{ class: "bar" },
				h(
					"button",
					{
						type: "button",
						onclick: () => {
							write(`SELECT * FROM ${name} LIMIT 100;`);
							go("sql");
						},
					},
					"Rows",
				),
				own &&
					h(
						"button",
						{
							type: "button",
							onclick: () => {
								write(`SHOW CREATE TABLE ${name};`);
								go("sql");
							},
						},
						"Statement",
					),
				own && h("button", { type: "button", onclick: () => flush(name) }, "Flush"),
			),
			facts,
			h("h2", {}, "Columns"),
			grid(columns, `Columns of ${t.table}`),
			files,
		);
		if (!own) return;
		try {
			const [[s], segments] = await Promise.all([
				api.rows(`SHOW TABLE STATS ${name}`),
				api.rows(
					`SELECT scope, sync_state, buffered_rows, manifest_json FROM system.manifest WHERE namespace_id = ${api.literal(t.namespace)} AND table_name = ${api.literal(t.table)} LIMIT 500`,
				),
			]);
			if (t !== chosen) return;
			fill(
				facts,
				h(
					"dl",
					{},
					Object.entries({
						Rows: s.logical_rows,
						Buffered: `${s.buffered_rows} rows, ${bytes(s.memory_bytes)}`,
						"In files": `${s.flushed_rows} rows, ${bytes(s.storage_size)} in ${s.parquet_files} segment${s.parquet_files === "1" ? "" : "s"}`,
						"Flush policy": s.flush_config,
						"Last flush": s.last_flush
							? `${ago(s.last_flush)}${s.last_flush_trigger ? ` (${s.last_flush_trigger})` : ""}`
							: "never",
						"Live queries": s.active_streams,
						"Schema version": s.schema_version,
					}).map(([k, v]) => [h("dt", {}, k), h("dd", {}, v)]),
				),
			);
			fill(files, h("h2", {}, "Segments"), filesOf(segments, t));
		} catch (err) {
			if (t === chosen) fill(facts, alertBox(err));
		}
	}
	catalog.load().then(paint, (err) => fill(detail, alertBox(err)));
	paint();
	put(main, h("div", { class: "split" }, h("div", {}, h("h2", {}, "Tables"), find, list), detail));
}

function filesOf(scopes, t) {
	const fields = [
		["scope", ""],
		["file", ""],
		["rows", "BigInt"],
		["bytes", "BigInt"],
		["state", ""],
	].map(([name, data_type]) => ({ name, data_type }));
	const rows = scopes.flatMap((m) => {
		const list = JSON.parse(m.manifest_json ?? "{}").segments ?? [];
		return list.length
			? list.map((s) => [m.scope, s.path, s.row_count ?? s.rows, s.size_bytes ?? s.bytes, m.sync_state])
			: [[m.scope, null, m.buffered_rows, null, "buffered"]];
	});
	return rows.length
		? grid({ schema: fields, rows }, `Segments of ${t.table}`)
		: h("p", { class: "dim" }, "Nothing is stored yet.");
}

async function flush(name) {
	if (!(await ask(`Flush ${name}?`, [], "Flush"))) return;
	try {
		const { results } = await api.run(`STORAGE FLUSH TABLE ${name}`);
		say(results[0].message);
	} catch (err) {
		say(err.message);
	}
}
