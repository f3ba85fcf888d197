// Requests over HTTP, and who makes them.

import { AuthenticationError, ConnectionError, KalamError, ProtocolError, TimeoutError } from "./errors.js";
import { checkedToken, type Settings, type Tokens } from "./options.js";

/** What came back. */
export interface Answer {
	status: number;
	body: any;
}

/** Runs f with a signal that ends with each of the callers', and after the time allowed. */
export async function within<T>(
	time: number, callers: readonly (AbortSignal | undefined)[], f: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
	const control = new AbortController();
	const forward = (event: Event) => control.abort((event.target as AbortSignal).reason);
	for (const caller of callers) {
		caller?.throwIfAborted();
		caller?.addEventListener("abort", forward);
	}
	const timer = time > 0 && time < 2 ** 31
		? setTimeout(() => control.abort(new TimeoutError(`Timeout after ${time} ms`, { code: "TIMEOUT" })), time)
		: undefined;
	try {
		return await f(control.signal);
	} catch (err) {
		// What ended it is the reason, and not that a fetch was cut off.
		throw control.signal.aborted ? control.signal.reason : err;
	} finally {
		clearTimeout(timer);
		for (const caller of callers) caller?.removeEventListener("abort", forward);
	}
}

/** Waits for p, but not longer than the signal; p goes on. */
export function unlessAborted<T>(p: Promise<T>, signal: AbortSignal): Promise<T> {
	return new Promise((resolve, reject) => {
		const stop = () => reject(signal.reason);
		if (signal.aborted) stop();
		signal.addEventListener("abort", stop, { once: true });
		p.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
	});
}

/** Waits for some milliseconds. */
export function pause(time: number, signal?: AbortSignal): Promise<void> {
	if (signal?.aborted) return Promise.resolve();
	return new Promise((resolve) => {
		const done = () => {
			clearTimeout(timer);
			signal?.removeEventListener("abort", done);
			resolve();
		};
		const timer = setTimeout(done, time);
		signal?.addEventListener("abort", done);
	});
}

/** The wait after so many failures, from 0: it doubles, less up to a fifth so that clients spread. */
export function backoff(s: Settings, failures: number): number {
	return Math.min(s.firstWait * 2 ** Math.min(failures, 30), s.longestWait) * (1 - Math.random() / 5);
}

/** Errors of systems that a request meets before it is sent. Browsers do not tell. */
const unsentCodes = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "ENETUNREACH", "EHOSTUNREACH", "UND_ERR_CONNECT_TIMEOUT"];

function codeOf(err: any): string {
	return err?.code ?? err?.cause?.code ?? err?.cause?.errors?.[0]?.code ?? "";
}

/** The server at an address. */
export class HTTP {
	readonly settings: Settings;
	readonly base: string;
	/** Ends with the client. */
	readonly closed = new AbortController();

	constructor(settings: Settings) {
		this.settings = settings;
		this.base = settings.url + "/v1";
	}

	/** Makes one POST request. A token goes into its header; body is JSON. */
	async post(path: string, body: string | undefined, token: string | undefined, signal: AbortSignal): Promise<Answer> {
		if (this.closed.signal.aborted) throw this.closed.signal.reason;
		const { actAs, auth, fetch } = this.settings;
		const headers: Record<string, string> = {};
		if (body !== undefined) headers["Content-Type"] = "application/json";
		if (token !== undefined) headers["Authorization"] = `Bearer ${token}`;
		if (auth && "apiKey" in auth) headers["X-API-Key"] = auth.apiKey;
		if (actAs !== undefined) headers["X-User-ID"] = actAs;
		let response: Response;
		let text: string;
		try {
			// No redirect, so that no statement or token goes to another host; no cookies, which this client has no use for.
			response = await fetch(this.base + path, {
				method: "POST", headers, signal, redirect: "error", credentials: "omit", ...(body === undefined ? {} : { body }),
			});
		} catch (cause) {
			throw this.#unreachable(cause);
		}
		try {
			text = await response.text();
		} catch (cause) {
			throw new ConnectionError("the answer broke off", { cause, status: response.status });
		}
		return { status: response.status, body: parse(text, response) };
	}

	#unreachable(cause: any): ConnectionError {
		const why = cause?.cause?.message || codeOf(cause) || cause?.message || cause;
		const hint = "document" in globalThis
			? "a browser does not say why: is the server up, and this page's origin in its server.cors_origins?" : undefined;
		return new ConnectionError(`cannot reach ${this.settings.url}: ${why}`,
			{ cause, hint, unsent: unsentCodes.includes(codeOf(cause)) });
	}
}

function parse(text: string, response: Response): unknown {
	try {
		return JSON.parse(text);
	} catch (cause) {
		// The server ends a document that it has begun; one that is cut off is of a server that died.
		if (response.ok && response.headers.get("content-type")?.includes("json")) {
			throw new ConnectionError("the answer broke off", { cause, status: response.status });
		}
		const line = text.slice(0, 200).replace(/\s+/g, " ").trim() || response.statusText;
		throw new ProtocolError(`HTTP error ${response.status}: ${line}`, { code: "PROTOCOL", cause, status: response.status });
	}
}

/** The error of an answer that is not of the SQL endpoint. */
export function plainError(a: Answer): KalamError {
	const code = typeof a.body?.error === "string" ? a.body.error : "PROTOCOL";
	const message = a.body?.message || code;
	const info = { code, status: a.status };
	if ([401, 403, 428].includes(a.status)) return new AuthenticationError(message, info);
	return new ProtocolError(`HTTP error ${a.status}: ${message}`, info);
}

/** Keeps a client's tokens. One renewal runs at a time; who comes meanwhile waits for it. */
export class Credentials {
	readonly #http: HTTP;
	#tokens: Tokens | undefined;
	#renewal: Promise<string> | undefined;

	constructor(http: HTTP) {
		this.#http = http;
		const { auth } = http.settings;
		if (auth && "tokens" in auth) this.#tokens = auth.tokens;
		if (auth && "token" in auth && typeof auth.token === "string") this.#tokens = { access: auth.token };
	}

	/** The access token in use. */
	get current(): string | undefined {
		return this.#tokens?.access;
	}

	/** Whether there is a way to new tokens. */
	get renews(): boolean {
		const { auth } = this.#http.settings;
		return auth !== undefined && ("password" in auth || "tokens" in auth && this.#tokens?.refresh !== undefined
			|| "token" in auth && typeof auth.token === "function");
	}

	/** Returns the token, and gets one first if need be; undefined for a client that has no use for one. */
	async get(signal: AbortSignal): Promise<string | undefined> {
		if (this.#tokens || !this.renews) return this.current;
		return this.renew(undefined, signal);
	}

	/** Replaces the token that the server has refused. If another caller did so meanwhile, theirs is returned. */
	async renew(old: string | undefined, signal: AbortSignal): Promise<string> {
		if (!this.renews) throw expired();
		if (this.current !== old && this.current !== undefined) return this.current;
		const closed = this.#http.closed.signal;
		this.#renewal ??= within(this.#http.settings.timeout, [closed], (s) => this.#renewed(old, s))
			.finally(() => { this.#renewal = undefined; });
		return unlessAborted(this.#renewal, signal);
	}

	async #renewed(old: string | undefined, signal: AbortSignal): Promise<string> {
		const { auth, onTokens } = this.#http.settings;
		if (auth && "token" in auth && typeof auth.token === "function") {
			const access = checkedToken(await auth.token());
			if (access === old) throw expired();
			this.#tokens = { access };
			return access;
		}
		this.#tokens = await this.#login(signal);
		onTokens?.(this.#tokens);
		return this.#tokens.access;
	}

	/** New tokens by the refresh token, or else by the password. */
	async #login(signal: AbortSignal): Promise<Tokens> {
		const { auth } = this.#http.settings;
		const refresh = this.#tokens?.refresh;
		const password = auth && "password" in auth;
		if (refresh !== undefined) {
			try {
				return tokensOf(await this.#http.post("/api/auth/refresh", undefined, refresh, signal));
			} catch (err) {
				if (!(err instanceof AuthenticationError)) throw err;
				if (!password) throw expired(err);
			}
		}
		if (!password) throw expired();
		const body = JSON.stringify({ user: auth.user, password: auth.password });
		return tokensOf(await this.#http.post("/api/auth/login", body, undefined, signal));
	}
}

function tokensOf(a: Answer): Tokens {
	if (a.status !== 200) throw plainError(a);
	return { access: checkedToken(a.body?.access_token), refresh: a.body.refresh_token || undefined };
}

function expired(cause?: unknown): AuthenticationError {
	return new AuthenticationError("the token has expired; log in again", { code: "TOKEN_EXPIRED", cause });
}
