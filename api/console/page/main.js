// The console of kalam: logs in and shows one view at a time.

import { alertBox, fill, h, say } from "./dom.js";
import * as api from "./api.js";
import * as admin from "./admin.js";
import { spark } from "./chart.js";
import * as live from "./live.js";
import * as sql from "./sql.js";
import * as tables from "./tables.js";

const admins = ["dba", "system"];
const views = [
	{ id: "sql", name: "SQL", show: sql.show },
	{ id: "tables", name: "Tables", show: (main) => tables.show(main, { go, write: sql.write }) },
	{ id: "live", name: "Live", show: live.show },
	{ id: "jobs", name: "Jobs", show: admin.jobs },
	{ id: "users", name: "Users", show: admin.users, admin: true },
	{ id: "storages", name: "Storages", show: admin.storages, admin: true },
	{ id: "metrics", name: "Metrics", show: (main) => admin.metrics(main, { chart: spark }), admin: true },
];
const app = document.getElementById("app");
const mine = () => views.filter((v) => !v.admin || admins.includes(api.user.role));
let leave = null;

/** Changes to a view. */
function go(id) {
	if (location.hash === `#${id}`) route();
	else location.hash = id;
}

function theme(chosen) {
	const root = document.documentElement;
	root.dataset.theme = chosen ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
}
let themeChosen = null;
try {
	themeChosen = localStorage.getItem("kalam.theme");
} catch {
	/* Then it is that of the system. */
}
theme(themeChosen);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => theme(themeChosen));
function otherTheme() {
	themeChosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
	try {
		localStorage.setItem("kalam.theme", themeChosen);
	} catch {
		/* As above. */
	}
	theme(themeChosen);
}

function route() {
	if (!api.user) return;
	const view = mine().find((v) => `#${v.id}` === location.hash) ?? views[0];
	leave?.();
	leave = null;
	const main = document.getElementById("main");
	document.title = `${view.name} – kalam console`;
	for (const a of document.querySelectorAll("nav a")) {
		if (a.hash === `#${view.id}`) a.setAttribute("aria-current", "page");
		else a.removeAttribute("aria-current");
	}
	fill(main);
	try {
		leave = view.show(main) ?? null;
	} catch (err) {
		fill(main, alertBox(err));
	}
}

function help() {
	const dialog = h(
		"dialog",
		{ "aria-label": "Keys", onclose: () => dialog.remove() },
		h("h2", {}, "Keys"),
		h(
			"dl",
			{},
			[
				["Ctrl Enter", "run the text, or what is selected of it"],
				["Ctrl Space", "complete"],
				["Tab, Enter", "take a completion"],
				["Alt 1 … 7", "change the view"],
				["← →", "change how a result is shown"],
				["?", "this list, outside of texts"],
			].map(([key, what]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)]),
		),
		h("button", { type: "button", onclick: () => dialog.close() }, "Close"),
	);
	document.body.append(dialog);
	dialog.showModal();
}

function inside() {
	app.className = "in";
	fill(
		app,
		h(
			"header",
			{},
			h("img", { src: "icon.svg", alt: "" }),
			h("h1", {}, "kalam"),
			h("span", { class: "who grow" }, `${api.user.id} (${api.user.role})`),
			h("button", { type: "button", "aria-label": "Keys", onclick: help }, "?"),
			h("button", { type: "button", "aria-label": "Light or dark", onclick: otherTheme }, "◐"),
			h(
				"button",
				{
					type: "button",
					title: "Ends all sessions of this user, also those of other programs",
					onclick: () => api.logout().catch((err) => say(err.message)),
				},
				"Log out",
			),
		),
		h(
			"nav",
			{ "aria-label": "Views" },
			mine().map((v) => h("a", { href: `#${v.id}` }, v.name)),
		),
		h("main", { id: "main", tabindex: "-1" }),
	);
	route();
}

function outside(note) {
	leave?.();
	leave = null;
	app.className = "";
	document.title = "Log in – kalam console";
	const failure = h("div", {}, note && h("p", { role: "status" }, note));
	const name = h("input", {
		name: "user",
		autocomplete: "username",
		required: true,
		autocapitalize: "off",
		spellcheck: "false",
	});
	const password = h("input", {
		name: "password",
		type: "password",
		autocomplete: "current-password",
		required: true,
	});
	const button = h("button", { class: "main" }, "Log in");
	fill(
		app,
		h(
			"main",
			{ id: "main" },
			h(
				"form",
				{
					class: "login",
					onsubmit: async (e) => {
						e.preventDefault();
						button.disabled = true;
						try {
							await api.login(name.value, password.value);
							inside();
						} catch (err) {
							const hint =
								err.status === 428
									? "The server has no password yet. On its machine, run: kalam setup"
									: undefined;
							fill(failure, alertBox({ message: err.message, hint }));
							password.value = "";
							password.focus();
						} finally {
							button.disabled = false;
						}
					},
				},
				h("img", { src: "icon.svg", alt: "" }),
				h("h1", {}, "kalam console"),
				h("label", { class: "field" }, "User", name),
				h("label", { class: "field" }, "Password", password),
				failure,
				h(
					"div",
					{ class: "bar" },
					button,
					h("span", { class: "grow" }),
					h("button", { type: "button", "aria-label": "Light or dark", onclick: otherTheme }, "◐"),
				),
			),
		),
	);
	name.focus();
}

addEventListener("hashchange", () => {
	if (location.hash !== "#main") route();
});
addEventListener("keydown", (e) => {
	if (!api.user) return;
	const view =
		e.altKey && !e.ctrlKey && !e.metaKey && /^Digit[1-9]$/.test(e.code) && mine()[Number(e.code.slice(5)) - 1];
	if (view) {
		e.preventDefault();
		go(view.id);
	} else if (e.key === "?" && !/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName)) {
		e.preventDefault();
		help();
	}
});
api.whenEnded(() => outside("You are logged out."));
if (await api.resume()) inside();
else outside("");
