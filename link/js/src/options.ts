// What a client is made of.

import { AuthenticationError, UsageError } from "./errors.js";
import type { TimestampForm } from "./values.js";

/** What a login gives. */
export interface Tokens {
	access: string;
	/** For new tokens; good for one use. */
	refresh?: string | undefined;
}

/**
 * Who the client is:
 * - `{user, password}` logs in when first needed, refreshes, and logs in again;
 * - `{token}` is an access token, or a function that gets one: it is called again once the token has expired;
 * - `{tokens}` are those of an earlier login, refreshed as long as that is possible: see {@link ClientOptions.onTokens};
 * - `{apiKey}` is sent as X-API-Key, and in the first frame of live queries.
 */
export type Auth =
	| { user: string; password: string }
	| { token: string | (() => string | Promise<string>) }
	| { tokens: Tokens }
	| { apiKey: string };

/** The part of WebSocket that is used. */
export interface Socket {
	onopen: ((event: any) => void) | null;
	onmessage: ((event: any) => void) | null;
	onerror: ((event: any) => void) | null;
	onclose: ((event: any) => void) | null;
	send(data: string): void;
	close(code?: number, reason?: string): void;
}

/** A class of sockets: a browser's WebSocket, or that of the package ws. */
export type SocketClass = new (url: string) => Socket;

/** The options of createClient. Times are in milliseconds. */
export interface ClientOptions {
	/** http or https, a host, and possibly a base path. */
	url: string;
	auth?: Auth;
	/** Namespace of unqualified names in query, execute and batch. Live queries name theirs. */
	namespace?: string;
	/** For whom to act, by who may: X-User-ID. Not for live queries. */
	actAs?: string;
	/** Of one request with its retries, and of a live query's acknowledgement; 0 is without end. Default 30,000. */
	timeout?: number;
	/** How often a request that may be repeated is. Default 3. */
	maxRetries?: number;
	/** How often in a row a lost connection of live queries is dialled before they fail. Default Infinity. */
	maxReconnects?: number;
	/** The first and the longest wait before another try; it doubles each time. Default 100 and 30,000. */
	firstWait?: number;
	longestWait?: number;
	/** Between two signs of life on the WebSocket, and the wait for the answer. Default 9,000 and 5,000. */
	keepalive?: number;
	pongWait?: number;
	/** Most frames a second to the server. Default 40. */
	liveRate?: number;
	/** How TIMESTAMP and DATETIME come. Default "date". */
	timestamps?: TimestampForm;
	/** Called with the tokens of a login and of each refresh, to be kept for `auth: {tokens}`. */
	onTokens?: (tokens: Tokens) => void;
	/** Default: the runtime's own. Node has one from version 22, or with --experimental-websocket. */
	WebSocket?: SocketClass | undefined;
	/** Default: the runtime's own. */
	fetch?: typeof fetch;
}

/** The options with their defaults. */
export type Settings = ClientOptions & Required<Omit<ClientOptions,
	"auth" | "namespace" | "actAs" | "onTokens" | "WebSocket">>;

/** Checks options and fills in what is not given. */
export function settingsOf(options: ClientOptions): Settings {
	const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
	const settings: Settings = {
		timeout: 30_000, maxRetries: 3, maxReconnects: Infinity, firstWait: 100, longestWait: 30_000, keepalive: 9_000,
		pongWait: 5_000, liveRate: 40, timestamps: "date", fetch: globalThis.fetch,
		...(given as unknown as ClientOptions),
	};
	settings.url = checkedURL(settings.url);
	for (const name of ["timeout", "maxRetries", "maxReconnects", "firstWait", "longestWait"] as const) {
		if (!(settings[name] >= 0)) throw invalid(`${name} must not be negative, got ${settings[name]}`);
	}
	for (const name of ["keepalive", "pongWait", "liveRate"] as const) {
		if (!(settings[name] > 0)) throw invalid(`${name} must be positive, got ${settings[name]}`);
	}
	const { auth } = settings;
	if (auth && "token" in auth && typeof auth.token === "string") checkedToken(auth.token);
	if (auth && "tokens" in auth) checkedToken(auth.tokens.access);
	return settings;
}

function invalid(message: string): UsageError {
	return new UsageError(message, { code: "INVALID_OPTION" });
}

function checkedURL(text: string): string {
	let url: URL;
	try {
		url = new URL(text);
	} catch (cause) {
		throw new UsageError(`the URL ${JSON.stringify(text)} cannot be parsed`, { code: "INVALID_OPTION", cause });
	}
	if (url.protocol !== "http:" && url.protocol !== "https:") throw invalid(`the URL ${url.href} is not http or https`);
	if (url.username || url.password) throw invalid("the URL must not hold a user or password: give them as auth");
	if (url.search || url.hash) throw invalid(`the URL ${url.href} must not have a query or fragment`);
	return url.href.replace(/\/+$/, "");
}

/** Returns an access token that can be one. */
export function checkedToken(token: unknown): string {
	if (typeof token === "string" && /^[\w=-]+\.[\w=-]+\.[\w=-]+$/.test(token)) return token;
	throw new AuthenticationError("Invalid JWT token format", { code: "INVALID_CREDENTIALS" });
}
