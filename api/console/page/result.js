// Results of statements: as a table, a chart, JSON, or the tree of a plan.

import { fill, h, put, say, td } from "./dom.js";
import { cell, isNumber, isTime, number, typeName } from "./format.js";
import { chart } from "./chart.js";
import * as plan from "./plan.js";

const page = 200; // Rows that are shown at once.

/** The table of a result. extra, if given, makes one more cell of a row: {name, cell(row)}. */
export function grid(result, name, extra) {
	const fields = result.schema;
	let rows = result.rows,
		order = null,
		shown = page;
	const body = h("tbody"),
		more = h("div", { class: "bar" });
	const head = fields.map((f, i) =>
		h(
			"th",
			{ class: isNumber(f) ? "num" : undefined, scope: "col", "aria-sort": "none" },
			h("button", { type: "button", onclick: () => sort(i) }, f.name),
			f.data_type && h("small", {}, typeName(f), f.flags?.includes("pk") && " key"),
		),
	);
	function sort(i) {
		const down = order === i;
		order = down ? -1 - i : i;
		const f = fields[i],
			keys = isNumber(f) || isTime(f) ? (v) => number(v, f) : (v) => cell(v, f);
		rows = [...result.rows].sort((a, b) => {
			const [x, y] = [a[i], b[i]];
			if (x === null || y === null) return (x === null) - (y === null);
			const [k, l] = [keys(x), keys(y)];
			return (k < l ? -1 : k > l ? 1 : 0) * (down ? -1 : 1);
		});
		head.forEach((th, j) => th.setAttribute("aria-sort", j !== i ? "none" : down ? "descending" : "ascending"));
		paint();
	}
	function paint() {
		fill(
			body,
			rows.slice(0, shown).map((row) =>
				h(
					"tr",
					{},
					fields.map((f, i) => td(cell(row[i], f), row[i] === null ? "null" : isNumber(f) ? "num" : "")),
					extra && h("td", { class: "act" }, extra.cell(row)),
				),
			),
		);
		fill(
			more,
			rows.length > shown &&
				h(
					"button",
					{
						type: "button",
						onclick: () => {
							shown += 5 * page;
							paint();
						},
					},
					`Show more of ${rows.length} rows`,
				),
		);
	}
	paint();
	return h(
		"div",
		{},
		h(
			"div",
			{ class: "scroll", tabindex: "0", role: "region", "aria-label": name },
			h(
				"table",
				{ "aria-label": name },
				h("thead", {}, h("tr", {}, head, extra && h("th", { scope: "col" }, extra.name))),
				body,
			),
		),
		more,
	);
}

/** The result of one statement with its ways to look at it. */
export function view(result, index) {
	const name = `Result ${index}`;
	const note = [
		result.message,
		result.schema && `${result.row_count} row${result.row_count === 1 ? "" : "s"}`,
		result.truncated && "cut off",
		result.as_user && `as ${result.as_user}`,
	]
		.filter(Boolean)
		.join(" · ");
	const box = h("section", { class: "result", "aria-label": name });
	if (!result.schema) return put(box, h("p", { class: "good" }, "✓ ", note));
	const isPlan = result.schema.length === 1 && result.schema[0].name === "QUERY PLAN";
	const kinds = {
		...(isPlan && { Plan: planOf }),
		Table: () => grid(result, name),
		...(!isPlan && { Chart: () => charts(result) }),
		JSON: () => h("pre", { class: "json", tabindex: "0", "aria-label": `${name} as JSON` }, json(result)),
	};
	const body = h("div", { role: "tabpanel", "aria-label": name });
	const tabs = Object.entries(kinds).map(([kind, make]) =>
		h("button", { type: "button", role: "tab", onclick: () => show(kind, make), onkeydown: move }, kind),
	);
	function show(kind, make) {
		tabs.forEach((t) => {
			t.setAttribute("aria-selected", String(t.textContent === kind));
			t.tabIndex = t.textContent === kind ? 0 : -1;
		});
		fill(body, make());
	}
	function move(e) {
		const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
		if (!step) return;
		const next = tabs[(tabs.indexOf(e.target) + step + tabs.length) % tabs.length];
		next.click();
		next.focus();
	}
	function planOf() {
		const lines = result.rows.flatMap((r) => String(r[0]).split("\n")),
			{ notes, roots } = plan.parse(lines);
		const raw = h("pre", { class: "json", tabindex: "0", "aria-label": "Plan as text" }, lines.join("\n"));
		return roots.length
			? [
					h(
						"ul",
						{},
						notes.map((n) => h("li", {}, n)),
					),
					plan.view(roots),
					h("details", {}, h("summary", {}, "As text"), raw),
				]
			: raw;
	}
	show(...Object.entries(kinds)[0]);
	return put(
		box,
		h(
			"div",
			{ class: "bar" },
			h("div", { class: "bar", role: "tablist", "aria-label": `Views of ${name}` }, tabs),
			h("span", { class: "dim grow" }, note),
			h("button", { type: "button", onclick: () => copy(result) }, "Copy CSV"),
			h("button", { type: "button", onclick: () => save(result) }, "Download CSV"),
		),
		body,
	);
}

function json(result) {
	const rows = result.rows
		.slice(0, 1000)
		.map((row) => Object.fromEntries(result.schema.map((f, i) => [f.name, row[i]])));
	return (
		JSON.stringify(rows, null, 2) +
		(result.rows.length > 1000 ? `\n(the first 1000 of ${result.rows.length} rows)` : "")
	);
}

/** A result as CSV. Spreadsheets take some texts for formulas: these get a quote before them. */
export function csv(result) {
	const quote = (text) => {
		if (/^[=+\-@\t\r]/.test(text) && !/^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text)) text = `'${text}`;
		return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
	};
	return (
		[
			result.schema.map((f) => quote(f.name)),
			...result.rows.map((row) => row.map((v, i) => (v === null ? "" : quote(cell(v, result.schema[i]))))),
		]
			.map((line) => line.join(","))
			.join("\r\n") + "\r\n"
	);
}

async function copy(result) {
	try {
		await navigator.clipboard.writeText(csv(result));
		say("Copied");
	} catch {
		say("The browser does not let pages copy over http: use Download CSV");
	}
}

function save(result) {
	const url = URL.createObjectURL(new Blob([csv(result)], { type: "text/csv" }));
	h("a", { href: url, download: "result.csv" }).click();
	setTimeout(() => URL.revokeObjectURL(url), 1000);
}

function charts(result) {
	const fields = result.schema,
		numeric = fields.map((f, i) => (isNumber(f) ? i : -1)).filter((i) => i >= 0);
	if (!result.rows.length || !numeric.length)
		return h("p", { class: "dim" }, "A chart needs rows, and a column of numbers.");
	let x = fields.findIndex((f) => isTime(f));
	if (x < 0) x = fields.findIndex((f) => !isNumber(f));
	if (x < 0) x = numeric.length > 1 ? numeric[0] : -1;
	const chosen = new Set(numeric.filter((i) => i !== x).slice(0, 3)),
		body = h("div");
	let kind = x >= 0 && (isTime(fields[x]) || isNumber(fields[x])) ? "line" : "bar";
	const draw = () => {
		const rows = result.rows.slice(0, kind === "bar" ? 200 : 5000);
		const series = [...chosen]
			.sort((a, b) => a - b)
			.map((i) => ({ name: fields[i].name, values: rows.map((r) => number(r[i], fields[i])) }));
		const labels = rows.map((r, i) => (x < 0 ? String(i + 1) : cell(r[x], fields[x])));
		const xs =
			x >= 0 && (isTime(fields[x]) || isNumber(fields[x])) ? rows.map((r) => number(r[x], fields[x])) : null;
		fill(
			body,
			chart({
				labels,
				xs,
				series,
				kind,
				title: `Chart of ${series.map((s) => s.name).join(", ")} by ${x < 0 ? "row" : fields[x].name}`,
			}),
			rows.length < result.rows.length && h("p", { class: "dim" }, `The first ${rows.length} rows`),
		);
	};
	draw();
	return [
		h(
			"div",
			{ class: "bar" },
			h(
				"label",
				{},
				"Kind",
				h(
					"select",
					{
						onchange: (e) => {
							kind = e.target.value;
							draw();
						},
					},
					["line", "bar"].map((k) => h("option", { value: k, selected: k === kind }, k)),
				),
			),
			h(
				"label",
				{},
				"x",
				h(
					"select",
					{
						onchange: (e) => {
							x = Number(e.target.value);
							draw();
						},
					},
					h("option", { value: "-1" }, "row number"),
					fields.map((f, i) => h("option", { value: i, selected: i === x }, f.name)),
				),
			),
			numeric.map((i) =>
				h(
					"label",
					{},
					h("input", {
						type: "checkbox",
						checked: chosen.has(i),
						onchange: (e) => {
							chosen[e.target.checked ? "add" : "delete"](i);
							draw();
						},
					}),
					fields[i].name,
				),
			),
		),
		body,
	];
}
