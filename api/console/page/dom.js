// The one way in which the page is built: elements by name, values as text. Nothing of a server is ever markup.

const svgNames = new Set(["svg", "path", "line", "text", "rect", "title", "g"]);

/** Makes an element. props: attributes, `class`, `on…` listeners, and properties that have no attribute. Children are nodes or text. */
export function h(name, props, ...children) {
	const at = svgNames.has(name)
		? document.createElementNS("http://www.w3.org/2000/svg", name)
		: document.createElement(name);
	for (const [key, value] of Object.entries(props ?? {})) {
		if (value === undefined || value === null || value === false) continue;
		if (key.startsWith("on")) at.addEventListener(key.slice(2), value);
		else if (key === "value" || key === "checked" || key === "disabled" || key === "selected") at[key] = value;
		else at.setAttribute(key, value === true ? "" : String(value));
	}
	put(at, ...children);
	return at;
}

/** Appends children: nodes as they are, all else as text. */
export function put(at, ...children) {
	for (const child of children.flat(Infinity)) {
		if (child === null || child === undefined || child === false) continue;
		at.append(child instanceof Node ? child : document.createTextNode(String(child)));
	}
	return at;
}

/** Replaces what an element holds. */
export function fill(at, ...children) {
	at.replaceChildren();
	return put(at, ...children);
}

/** A cell of a table: a short text stays on one line, a long one gets room and is wrapped. */
export function td(text, look = "") {
	return h("td", { class: `${look} ${text.length > 28 || text.includes("\n") ? "wide" : "tight"}` }, text);
}

let clearing;
/** Tells something in passing, also to screen readers. */
export function say(text) {
	const at = document.getElementById("status");
	at.textContent = text;
	clearTimeout(clearing);
	clearing = setTimeout(() => {
		at.textContent = "";
	}, 6000);
}

/** A box with what went wrong. */
export function alertBox(err) {
	return h(
		"div",
		{ class: "alert", role: "alert" },
		h("strong", { class: "bad" }, err.code ? `${err.code}: ` : ""),
		err.message,
		err.hint && h("div", {}, err.hint),
		err.suggestions?.length > 0 && h("div", {}, `Did you mean ${err.suggestions.join(", ")}?`),
	);
}

/** Asks in a dialog. fields: [{name, label, type, value, options}]. Resolves to an object of the values, or null. */
export function ask(title, fields, verb, risk) {
	return new Promise((done) => {
		const inputs = {};
		const dialog = h("dialog", {
			"aria-label": title,
			onclose: () => {
				dialog.remove();
				done(dialog.returnValue === "yes" ? values() : null);
			},
		});
		const values = () => Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, input.value]));
		const form = h(
			"form",
			{
				method: "dialog",
				onsubmit: (e) => {
					e.preventDefault();
					dialog.close("yes");
				},
			},
			h("h2", {}, title),
			fields.map((f) =>
				h(
					"label",
					{ class: "field" },
					f.label,
					(inputs[f.name] = f.options
						? h(
								"select",
								{},
								f.options.map((o) => h("option", { value: o }, o)),
							)
						: h("input", {
								type: f.type ?? "text",
								value: f.value ?? "",
								required: true,
								autocomplete: f.autocomplete ?? "off",
							})),
				),
			),
			h(
				"div",
				{ class: "bar" },
				h("button", { class: risk ? "risk" : "main" }, verb),
				h("button", { type: "button", onclick: () => dialog.close("") }, "Cancel"),
			),
		);
		put(dialog, form);
		document.body.append(dialog);
		dialog.showModal();
	});
}
