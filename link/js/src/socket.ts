// One WebSocket.

import { AuthenticationError, ConnectionError, KalamError, ProtocolError, SubscriptionError, UsageError } from "./errors.js";
import type { Credentials, HTTP } from "./http.js";
import type { Socket, SocketClass } from "./options.js";
import type { Field } from "./values.js";

/** A frame of the server; the type says which members count. */
export interface Frame {
	type: string;
	subscription_id?: string;
	message?: string;
	code?: string;
	/** Of an error: a byte of the SQL, from 1. */
	position?: number;
	hint?: string;
	suggestions?: string[];
	schema?: Field[];
	snapshot_seq?: string;
	batch_control?: { has_more: boolean; last_seq?: string };
	change_type?: string;
	rows?: RawRow[];
	old_values?: RawRow[];
}

/** A row as it comes: cells by name. */
export type RawRow = Record<string, unknown>;

/** How a closed socket says that it had no close frame, and that its token is not taken any more. */
const closeAbnormal = 1006;
const closePolicy = 1008;

/** Why a connection was given up that nobody needs, or a try that need not be waited for. */
export const unneeded = new ConnectionError("no live query is left", { code: "CLOSED" });

/** An authenticated WebSocket. send never waits. */
export class Connection {
	/** Resolves when the connection has ended, with why. */
	readonly ended: Promise<KalamError>;
	/** Whether it ended because of its token. */
	refused = false;
	/** The token that it was opened with. */
	readonly token: string | undefined;
	readonly #http: HTTP;
	readonly #credentials: Credentials;
	readonly #socket: Socket;
	readonly #take: (f: Frame) => void;
	readonly #out: string[] = [];
	#end!: (why: KalamError) => void;
	#open = true;
	/** The server knows who this is. */
	#ready = false;
	/** Ends the wait for that. */
	#settle!: (problem?: KalamError) => void;
	/** When the next frame may be sent by the rate alone; one runs ahead of that by a burst. */
	#due = 0;
	#sending: ReturnType<typeof setTimeout> | undefined;
	#beat: ReturnType<typeof setTimeout> | undefined;
	#dead: ReturnType<typeof setTimeout> | undefined;

	private constructor(http: HTTP, credentials: Credentials, token: string | undefined, take: (f: Frame) => void) {
		this.#http = http;
		this.#credentials = credentials;
		this.token = token;
		this.#take = take;
		this.ended = new Promise((resolve) => { this.#end = resolve; });
		this.#socket = new (socketClass(http))(socketURL(http));
	}

	/** Opens a connection. take gets its frames, after this has returned. */
	static async open(
		http: HTTP, credentials: Credentials, token: string | undefined, take: (f: Frame) => void, signal: AbortSignal,
	): Promise<Connection> {
		signal.throwIfAborted();
		const c = new Connection(http, credentials, token, take);
		const stop = () => c.abort(signal.reason);
		signal.addEventListener("abort", stop);
		try {
			await new Promise<void>((resolve, reject) => {
				c.#settle = (problem) => (problem ? reject(problem) : resolve());
				c.#listen();
			});
		} finally {
			signal.removeEventListener("abort", stop);
		}
		c.#keepAlive();
		return c;
	}

	/** Sends a frame when the rate allows it. */
	send(frame: string): void {
		if (!this.#open) return;
		this.#out.push(frame);
		if (this.#sending === undefined) this.#flush();
	}

	/** Sends a sign of life, and cuts the connection if no answer comes. */
	probe(wait: number): void {
		if (!this.#open) return;
		// A ping has no answer in this protocol, and a browser shows no pongs. authenticate has one, and may bring a newer token.
		const frame = authenticate(this.#http, this.#credentials.current);
		if (frame === undefined) {
			this.send('{"type":"ping"}');
			return;
		}
		this.#socket.send(frame);
		this.#dead ??= setTimeout(() => this.abort(new ConnectionError("the server does not answer any more")), wait);
	}

	/** Gives the connection up. It does not wait for the other side, which may be unreachable. */
	abort(why: KalamError): void {
		if (!this.#open) return;
		this.#open = false;
		for (const timer of [this.#sending, this.#beat, this.#dead]) clearTimeout(timer);
		const socket = this.#socket;
		socket.onopen = socket.onmessage = socket.onclose = null;
		socket.onerror = () => undefined; // The package ws throws errors that nobody listens to.
		socket.close();
		this.#settle(why);
		this.#end(why);
	}

	#listen(): void {
		const socket = this.#socket;
		socket.onopen = () => {
			const frame = authenticate(this.#http, this.token);
			if (frame === undefined) this.#begin();
			else socket.send(frame);
		};
		socket.onmessage = (event) => this.#receive(event.data);
		socket.onclose = ({ code, reason }) => this.#closed(code, reason);
		// The close event says more, but node 20 leaves it out when the handshake fails.
		socket.onerror = () => void setTimeout(() => this.#closed(closeAbnormal, ""), 0);
	}

	#closed(code: number, reason: string): void {
		this.refused = this.#ready && code === closePolicy;
		this.abort(this.#ready || code !== closeAbnormal
			? new ConnectionError(`the connection was closed with code ${code}${reason ? `: ${reason}` : ""}`)
			: new ConnectionError(`cannot open a WebSocket to ${this.#http.settings.url}`, {
				hint: "is the server up, and this page's origin, if there is one, in its server.cors_origins?",
			}));
	}

	#begin(): void {
		this.#ready = true;
		this.#settle();
	}

	#receive(data: unknown): void {
		clearTimeout(this.#dead);
		this.#dead = undefined;
		try {
			this.#understand(JSON.parse(data as string));
		} catch (cause) {
			this.abort(new ProtocolError("a frame of the server cannot be read", { code: "PROTOCOL", cause }));
		}
	}

	#understand(f: Frame): void {
		if (f.type === "auth_error") {
			this.refused = this.#ready;
			this.abort(new AuthenticationError(f.message ?? "Invalid credentials", { code: "INVALID_CREDENTIALS" }));
		} else if (f.type === "auth_success") {
			this.#begin();
		} else if (!this.#ready) {
			this.abort(new SubscriptionError(f.message ?? `got ${f.type} in answer to authenticate`, { code: f.code ?? "PROTOCOL" }));
		} else {
			this.#take(f);
		}
	}

	#flush(): void {
		this.#sending = undefined;
		const rate = this.#http.settings.liveRate;
		const interval = 1250 / rate;
		while (this.#out.length > 0) {
			const now = Date.now();
			this.#due = Math.max(this.#due, now);
			const wait = this.#due - now - interval * Math.floor(rate / 5);
			if (wait > 0) {
				this.#sending = setTimeout(() => this.#flush(), wait);
				return;
			}
			this.#due += interval;
			this.#socket.send(this.#out.shift()!);
		}
	}

	#keepAlive(): void {
		const { keepalive, pongWait } = this.#http.settings;
		this.#beat = setTimeout(() => {
			this.probe(pongWait);
			this.#keepAlive();
		}, keepalive * (1 - Math.random() / 10));
	}
}

/** The frame that says who this is; undefined for nobody. A key goes into it, too: a browser's WebSocket has no headers. */
function authenticate(http: HTTP, token: string | undefined): string | undefined {
	const { auth } = http.settings;
	const who = auth && "apiKey" in auth ? { method: "api_key", token: auth.apiKey } : token && { method: "jwt", token };
	return who && JSON.stringify({
		type: "authenticate", ...who, protocol: { serialization: "json", compression: "none", events: "exact" },
	});
}

function socketURL(http: HTTP): string {
	return `ws${http.base.slice("http".length)}/ws?compress=false&events=exact`;
}

/** The class of the runtime's sockets. */
function socketClass(http: HTTP): SocketClass {
	const { actAs, WebSocket } = http.settings;
	if (actAs !== undefined) {
		throw new UsageError("a WebSocket carries nobody to act for", {
			code: "INVALID_OPTION", hint: "open live queries with a token, a key or a password of the user",
		});
	}
	const found = WebSocket ?? (globalThis as { WebSocket?: SocketClass }).WebSocket;
	if (!found) {
		throw new UsageError("this runtime has no WebSocket", {
			code: "INVALID_OPTION",
			hint: "use node 22 or later, or start node with --experimental-websocket, or give createClient the WebSocket of the package ws",
		});
	}
	return found;
}
