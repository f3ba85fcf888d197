// Talks to the server. The access token is a variable of this module and nowhere else: neither localStorage nor
// sessionStorage holds a token, so there is nothing for a script of another page, an extension or a shared disk to find.
// After a reload the HttpOnly cookie of the login gets a new token; scripts cannot read it.

const version = document.querySelector("meta[name=kalam-api-version]").content;
const base = new URL(`../${version}/`, document.baseURI);
const most = 64 << 20; // Bytes of one answer: more is no use in a page.

let token = "";
let refreshing = null;
/** Who is logged in: {id, role}, or null. */
export let user = null;
let onEnd = () => {};
/** Sets what is called when the session has ended. */
export function whenEnded(f) {
	onEnd = f;
}

/** An error of the server. */
export class Failure extends Error {
	constructor(e, status) {
		super(e.message ?? `the server answered ${status}`);
		Object.assign(this, {
			code: e.code ?? e.error ?? "",
			status,
			position: e.position,
			statement: e.statement_index,
			hint: e.hint,
			suggestions: e.suggestions,
		});
	}
}

async function post(path, body) {
	const answer = await fetch(new URL(path, base), {
		method: "POST",
		credentials: "same-origin",
		headers: { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) },
		body: JSON.stringify(body ?? {}),
	});
	const text = await answer.text();
	let value = {};
	try {
		value = JSON.parse(text);
	} catch {
		value = { message: text };
	}
	if (!answer.ok) throw new Failure(value, answer.status);
	return value;
}

function enter(answer) {
	token = answer.access_token;
	user = { id: answer.user.id, role: answer.user.role };
	return user;
}

export async function login(name, password) {
	token = "";
	return enter(await post("api/auth/login", { user: name, password }));
}

/** Takes the session of the cookie up again, if there is one. */
export async function resume() {
	token = "";
	try {
		return enter(await post("api/auth/refresh"));
	} catch {
		return null;
	}
}

/** Ends all sessions of the user: the server knows no smaller logout. */
export async function logout() {
	try {
		await post("api/auth/logout");
	} finally {
		forget();
	}
}

function forget() {
	token = "";
	user = null;
	onEnd();
}

/** Gets a new token. Another user's, who has logged in in another tab meanwhile, is not taken. */
function renew() {
	refreshing ??= (async () => {
		const before = user?.id;
		token = "";
		try {
			const now = await post("api/auth/refresh");
			if (now.user.id !== before) throw new Error("another user");
			enter(now);
		} catch (err) {
			forget();
			throw err;
		} finally {
			refreshing = null;
		}
	})();
	return refreshing;
}

async function send(sql, options, signal) {
	return fetch(new URL("api/sql", base), {
		method: "POST",
		credentials: "omit",
		signal,
		headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
		body: JSON.stringify({
			sql,
			params: options.params ?? null,
			...(options.namespace && { namespace_id: options.namespace }),
		}),
	});
}

/** Runs statements: {results, took}. A failure has the results before it in `results`. */
export async function run(sql, options = {}, signal) {
	let answer = await send(sql, options, signal);
	if (answer.status === 401) {
		const code = (
			await answer
				.clone()
				.json()
				.catch(() => ({}))
		).error?.code;
		if (code === "TOKEN_EXPIRED" || code === "INVALID_CREDENTIALS") {
			await renew();
			answer = await send(sql, options, signal);
		}
	}
	const text = await read(answer);
	let value;
	try {
		value = JSON.parse(text);
	} catch {
		throw new Failure({ message: "the answer was cut off" }, answer.status);
	}
	const e = value.error;
	if (e) {
		const failure = new Failure(typeof e === "object" ? e : value, answer.status);
		failure.results = value.results ?? [];
		throw failure;
	}
	return value;
}

async function read(answer) {
	const reader = answer.body.getReader();
	const decoder = new TextDecoder();
	const parts = [];
	for (let n = 0; ;) {
		const { done, value } = await reader.read();
		if (done) return parts.join("") + decoder.decode();
		n += value.length;
		if (n > most) {
			await reader.cancel();
			throw new Failure({ code: "TOO_LARGE", message: "The answer is over 64 MB: add a LIMIT" }, answer.status);
		}
		parts.push(decoder.decode(value, { stream: true }));
	}
}

/** The rows of one query as objects. */
export async function rows(sql, options) {
	const { results } = await run(sql, options);
	const r = results.at(-1);
	const names = r.schema.map((f) => f.name);
	return r.rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i]])));
}

/** Opens a live query. on: {ready(schema), rows(list), change(type, rows, old), end(text)}. Returns a function that ends it. */
export function subscribe(sql, last, on) {
	const url = new URL("ws", base);
	url.protocol = url.protocol.replace("http", "ws");
	const socket = new WebSocket(url);
	const tell = (frame) => socket.send(JSON.stringify(frame));
	let why = "";
	socket.onopen = () =>
		tell({
			type: "authenticate",
			method: "jwt",
			token,
			protocol: { serialization: "json", compression: "none", events: "exact" },
		});
	socket.onmessage = ({ data }) => {
		const m = JSON.parse(data);
		switch (m.type) {
			case "auth_success":
				tell({ type: "subscribe", subscription: { id: "console", sql, options: { last_rows: last } } });
				break;
			case "auth_error":
				why = m.message;
				break;
			case "subscription_ack":
				on.ready(m.schema ?? []);
				break;
			case "initial_data_batch":
				on.rows(m.rows);
				if (m.batch_control.has_more) tell({ type: "next_batch", subscription_id: "console" });
				break;
			case "change":
				on.change(m.change_type, m.rows ?? [], m.old_values ?? []);
				break;
			case "error":
				why = `${m.code}: ${m.message}`;
				socket.close();
				break;
		}
	};
	socket.onclose = (e) => on.end(why || e.reason || (e.wasClean ? "" : "The connection was lost"));
	return () => socket.close();
}

/** SQL text of a name and of a value. */
export const ident = (name) => `"${String(name).replaceAll('"', '""')}"`;
export const literal = (value) => `'${String(value).replaceAll("'", "''")}'`;
