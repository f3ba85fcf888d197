// The tree of an EXPLAIN. DuckDB draws its plan with boxes in a grid: a step's first child stands right under it, further
// ones in the columns to the right, joined by a line. The boxes become a tree again, which screen readers can walk.

import { h } from "./dom.js";

/** Reads the lines of a plan: {notes, roots}; a step is {name, details, children}. roots is empty where nothing is drawn. */
export function parse(lines) {
	const grid = lines.map((line) => [...line]);
	const first = grid.findIndex((row) => row[0] === "┌");
	const notes = lines.filter((line) => !/^[┌│└├ ]/.test(line));
	if (first < 0) return { notes, roots: [] };
	const boxes = [];
	grid.forEach((row, top) => {
		if (top < first) return;
		for (let left = 0; left < row.length; left++) {
			if (row[left] !== "┌") continue;
			const right = row.indexOf("┐", left);
			let bottom = top + 1;
			while (bottom < grid.length && grid[bottom][left] !== "└") bottom++;
			if (right < 0 || bottom >= grid.length) continue;
			if (grid[top + 1]?.[left + 1] !== "┌" && grid[top - 1]?.[left - 1] !== "┌" && row[left - 1] !== "│") {
				boxes.push(box(grid, left, right, top, bottom));
			}
			left = right;
		}
	});
	return { notes, roots: tree(boxes) };
}

function box(grid, left, right, top, bottom) {
	const inside = [];
	for (let y = top + 1; y < bottom; y++)
		inside.push(
			grid[y]
				.slice(left + 1, right)
				.join("")
				.trim(),
		);
	const text = inside.filter((line) => line && !/^─+$/.test(line));
	return {
		left,
		top,
		name: text[0] ?? "",
		details: text.slice(1),
		children: [],
		joins: grid[bottom].slice(left, right).includes("┬"),
	};
}

function tree(boxes) {
	const tops = [...new Set(boxes.map((b) => b.top))].sort((a, b) => a - b);
	const rows = tops.map((top) => boxes.filter((b) => b.top === top).sort((a, b) => a.left - b.left));
	const roots = rows[0] ?? [];
	rows.forEach((row, i) => {
		for (const b of i ? row : []) {
			const above = rows[i - 1].filter((p) => p.left <= b.left);
			const parent =
				above.find((p) => p.left === b.left && p.joins) ?? above.filter((p) => p.left < b.left).at(-1);
			(parent?.children ?? roots).push(b);
		}
	});
	return roots;
}

/** Shows the steps as nested lists. */
export function view(roots) {
	const item = (step, level) =>
		h(
			"li",
			{ role: "treeitem", "aria-level": level, "aria-expanded": step.children.length ? "true" : undefined },
			h(
				"div",
				{ class: "step" },
				h("strong", {}, step.name),
				step.details.map((d) => h("div", {}, d)),
			),
			step.children.length > 0 &&
				h(
					"ul",
					{ role: "group" },
					step.children.map((c) => item(c, level + 1)),
				),
		);
	return h(
		"ul",
		{ class: "plan", role: "tree", "aria-label": "Plan of the query" },
		roots.map((r) => item(r, 1)),
	);
}
