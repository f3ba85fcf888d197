// The SQL editor: a text area over its coloured text, with completion as a listbox.

import { fill, h } from "./dom.js";
import { complete, tokens } from "./words.js";

const line = 20,
	pad = 10;

/** An editor. names() gives what the catalog holds; run() is called for Ctrl+Enter. Returns {node, text(), select(from, to), set(text), focus()}. */
export function editor({ text, names, run }) {
	const colours = h("pre", { "aria-hidden": "true" });
	const probe = h("span", { class: "probe", "aria-hidden": "true" }, "x".repeat(50));
	const list = h("ul", {
		class: "complete",
		id: "completions",
		role: "listbox",
		"aria-label": "Completions",
		hidden: true,
	});
	const area = h("textarea", {
		spellcheck: "false",
		autocomplete: "off",
		autocapitalize: "off",
		wrap: "off",
		"aria-label": "SQL. Control Enter runs it, Control Space completes.",
		role: "combobox",
		"aria-expanded": "false",
		"aria-autocomplete": "list",
		"aria-controls": "completions",
		value: text,
		oninput: () => {
			paint();
			offer(false);
		},
		onscroll: follow,
		onblur: close,
		onclick: close,
		onkeydown: key,
	});
	const node = h("div", { class: "editor" }, colours, area, probe, list);
	let offered = { from: 0, list: [] },
		chosen = 0;

	function follow() {
		colours.scrollTop = area.scrollTop;
		colours.scrollLeft = area.scrollLeft;
	}
	function paint() {
		// A text of megabytes is shown without colours.
		const parts = area.value.length > 50000 ? [["", area.value]] : tokens(area.value);
		fill(
			colours,
			parts.map(([kind, part]) => (kind && "csnk".includes(kind) ? h("span", { class: kind }, part) : part)),
			"\n",
		);
		follow();
	}
	function offer(asked) {
		const at = area.selectionStart;
		offered = complete(area.value, at, names());
		if (!offered.list.length || (!asked && at - offered.from < 1 && area.value[at - 1] !== ".")) return close();
		chosen = 0;
		fill(
			list,
			offered.list.map((o, i) =>
				h(
					"li",
					{
						id: `completion-${i}`,
						role: "option",
						onmousedown: (e) => {
							e.preventDefault();
							chosen = i;
							accept();
						},
					},
					o.text,
					h("span", { class: "dim" }, o.kind),
				),
			),
		);
		const before = area.value.slice(0, offered.from).split("\n");
		const wide = probe.getBoundingClientRect().width / 50;
		list.style.left = `${Math.max(0, Math.min(pad + before.at(-1).length * wide - area.scrollLeft, area.clientWidth - 200))}px`;
		list.style.top = `${pad + before.length * line - area.scrollTop + 2}px`;
		list.hidden = false;
		area.setAttribute("aria-expanded", "true");
		mark();
	}
	function mark() {
		[...list.children].forEach((li, i) => li.setAttribute("aria-selected", String(i === chosen)));
		list.children[chosen]?.scrollIntoView({ block: "nearest" });
		area.setAttribute("aria-activedescendant", `completion-${chosen}`);
	}
	function close() {
		list.hidden = true;
		area.setAttribute("aria-expanded", "false");
		area.removeAttribute("aria-activedescendant");
	}
	function accept() {
		area.setRangeText(offered.list[chosen].text, offered.from, area.selectionStart, "end");
		close();
		paint();
	}
	function key(e) {
		if ((e.ctrlKey || e.metaKey) && e.key === "Enter") {
			e.preventDefault();
			close();
			return run();
		}
		if (e.ctrlKey && e.key === " ") {
			e.preventDefault();
			return offer(true);
		}
		if (list.hidden) return;
		const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
		if (step) {
			e.preventDefault();
			chosen = (chosen + step + offered.list.length) % offered.list.length;
			mark();
		} else if (e.key === "Tab" || e.key === "Enter") {
			e.preventDefault();
			accept();
		} else if (e.key === "Escape") {
			e.preventDefault();
			close();
		}
	}
	paint();
	return {
		node,
		focus: () => area.focus(),
		/** What is to be run: what is selected, or all. */
		text: () =>
			area.value.slice(area.selectionStart, area.selectionEnd).trim()
				? { sql: area.value.slice(area.selectionStart, area.selectionEnd), from: area.selectionStart }
				: { sql: area.value, from: 0 },
		all: () => area.value,
		set(sql) {
			area.value = sql;
			paint();
			area.focus();
		},
		select(from, to) {
			area.focus();
			area.setSelectionRange(from, to);
		},
	};
}
