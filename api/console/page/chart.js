// Charts in SVG: lines and bars, without a library.

import { h } from "./dom.js";
import { short } from "./format.js";

const W = 800,
	H = 280,
	L = 56,
	R = 44,
	T = 10,
	B = 34;

/** Ticks that people read well, from at most low to at least high. */
export function ticks(low, high, n = 5) {
	if (!(high > low)) {
		high = low + (Math.abs(low) || 1);
	}
	const raw = (high - low) / n,
		power = 10 ** Math.floor(Math.log10(raw));
	const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= raw);
	const list = [];
	for (let i = Math.floor(low / step); i <= Math.ceil(high / step); i++) list.push(i * step);
	return list;
}

/** A chart. labels: texts of the x axis; xs: numbers of it, or null for equal steps; series: [{name, values}]; kind: line or bar. */
export function chart({ labels, xs, series, kind, title }) {
	const all = series.flatMap((s) => s.values).filter(Number.isFinite);
	if (all.length === 0) return h("p", { class: "dim" }, "There are no numbers to draw.");
	const low = Math.min(...reduce(all), kind === "bar" ? 0 : Infinity),
		high = Math.max(...reduce(all), kind === "bar" ? 0 : -Infinity);
	const ys = ticks(low, high),
		y = (v) => T + (H - T - B) * (1 - (v - ys[0]) / (ys.at(-1) - ys[0]));
	const n = labels.length,
		points = kind === "line" && xs?.every(Number.isFinite) && new Set(xs).size > 1 ? xs : null;
	const first = points ? Math.min(...reduce(points)) : 0,
		last = points ? Math.max(...reduce(points)) : 1;
	const slot = (W - L - R) / n;
	const x = (i) => (points ? L + ((W - L - R) * (points[i] - first)) / (last - first) : L + slot * (i + 0.5));
	const svg = h("svg", { class: "chart", viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": title });
	for (const v of ys) {
		svg.append(
			h("line", { class: "axis", x1: L, x2: W - R, y1: y(v), y2: y(v) }),
			h("text", { x: L - 6, y: y(v) + 4, "text-anchor": "end" }, short(v)),
		);
	}
	const every = Math.max(1, Math.ceil(n / 8));
	for (let i = 0; i < n; i += every) {
		const text = labels[i].length > 14 ? labels[i].slice(0, 13) + "…" : labels[i];
		svg.append(h("text", { x: x(i), y: H - B + 18, "text-anchor": "middle" }, text));
	}
	series.forEach((s, k) =>
		svg.append(
			kind === "bar"
				? bars(s, k, series.length, { x, y, slot, labels, zero: y(Math.max(0, ys[0])) })
				: line(s, k, { x, y, labels }),
		),
	);
	return h("div", {}, series.length > 1 && legend(series), svg);
}

/** At most a few thousand numbers with the extremes of all, for functions that take them as arguments. */
function reduce(list) {
	if (list.length < 10000) return list;
	return [list.reduce((a, b) => Math.min(a, b)), list.reduce((a, b) => Math.max(a, b))];
}

function line(s, k, { x, y, labels }) {
	let d = "",
		pen = "M";
	s.values.forEach((v, i) => {
		if (!Number.isFinite(v)) {
			pen = "M";
			return;
		}
		d += `${pen}${x(i).toFixed(1)} ${y(v).toFixed(1)}`;
		pen = "L";
	});
	const dots =
		s.values.length > 60
			? []
			: s.values.map(
					(v, i) =>
						Number.isFinite(v) &&
						h(
							"rect",
							{ class: `c${k % 6}`, x: x(i) - 2.5, y: y(v) - 2.5, width: 5, height: 5 },
							h("title", {}, `${labels[i]}: ${v}`),
						),
				);
	return h("g", {}, h("path", { class: `line c${k % 6}`, d }), dots);
}

function bars(s, k, of, { x, y, slot, labels, zero }) {
	const width = Math.max(1, (slot * 0.8) / of);
	return h(
		"g",
		{},
		s.values.map(
			(v, i) =>
				Number.isFinite(v) &&
				h(
					"rect",
					{
						class: `c${k % 6}`,
						x: x(i) - slot * 0.4 + k * width,
						y: Math.min(y(v), zero),
						width,
						height: Math.max(1, Math.abs(y(v) - zero)),
					},
					h("title", {}, `${labels[i]}: ${v}`),
				),
		),
	);
}

function legend(series) {
	return h(
		"div",
		{ class: "legend" },
		series.map((s, k) =>
			h(
				"span",
				{},
				h(
					"svg",
					{ viewBox: "0 0 12 12", "aria-hidden": "true" },
					h("rect", { class: `c${k % 6}`, x: 1, y: 1, width: 10, height: 10 }),
				),
				" ",
				s.name,
			),
		),
	);
}

/** A small line of what a figure was lately. */
export function spark(values, title) {
	const shown = values.filter(Number.isFinite);
	const low = Math.min(...shown, 0),
		high = Math.max(...shown, low + 1e-9);
	const at = (v, i) =>
		`${((i * 240) / Math.max(1, values.length - 1)).toFixed(1)} ${(46 - (42 * (v - low)) / (high - low)).toFixed(1)}`;
	return h(
		"svg",
		{ class: "chart", viewBox: "0 0 240 50", role: "img", "aria-label": title },
		h("line", { class: "axis", x1: 0, x2: 240, y1: 48, y2: 48 }),
		h("path", {
			class: "line c0",
			d: values
				.map((v, i) => (Number.isFinite(v) ? at(v, i) : null))
				.filter(Boolean)
				.map((p, i) => (i ? "L" : "M") + p)
				.join(""),
		}),
	);
}
