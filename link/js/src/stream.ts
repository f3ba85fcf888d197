// The connection of a client's live queries.

import { AuthenticationError, ConnectionError, KalamError, ProtocolError, SubscriptionError, UsageError } from "./errors.js";
import { backoff, Credentials, HTTP, pause, within } from "./http.js";
import type { Settings } from "./options.js";
import { Connection, unneeded, type Frame } from "./socket.js";

/** What the stream does after a live query took a frame. */
export type Action =
	| undefined
	| "detach" // Unsubscribe; the query comes back by itself.
	| "again" // Subscribe again on this connection.
	| "end" // The server has ended the query.
	| KalamError; // Give up this connection.

/** A frame that subscribes under an id. */
export interface Subscribe {
	id: string;
	frame: string;
}

/** A live query, as the stream sees it. */
export interface Member {
	/** Whether it was ever acknowledged, and whether it waits for an acknowledgement now. */
	readonly started: boolean;
	readonly pending: boolean;
	/** Takes a new id and returns what to subscribe with; undefined while it waits for its reader. */
	begin(): Subscribe | undefined;
	take(f: Frame): Action;
	lost(err: KalamError): void;
	connecting(attempt: number): void;
	fail(err: unknown): void;
}

/** How long one try to connect may take, in milliseconds: the next may find another way. */
const maxDial = 10_000;

/** How long a server has to show that it is there after the network came back. */
const wakeWait = 2_000;

/** Dials while there are live queries, again when the connection breaks, and ends with the last. */
export class Stream {
	readonly http: HTTP;
	readonly #credentials: Credentials;
	readonly #members = new Set<Member>();
	readonly #byID = new Map<string, Member>();
	#connection: Connection | undefined;
	#running = false;
	/** Ends the pause before another try. */
	#wake = new AbortController();
	#made = 0;

	constructor(http: HTTP, credentials: Credentials) {
		this.http = http;
		this.#credentials = credentials;
	}

	get settings(): Settings {
		return this.http.settings;
	}

	/** A number for a live query. */
	number(): number {
		if (this.http.closed.signal.aborted) throw this.http.closed.signal.reason;
		return ++this.#made;
	}

	/** Takes in a live query, which may be there already, and subscribes it. */
	add(m: Member): void {
		this.#members.add(m);
		if (!this.#running) void this.#run();
		else if (this.#connection) this.#subscribe(m);
	}

	/** Takes out a live query that has ended. */
	remove(m: Member): void {
		this.#members.delete(m);
		this.#detach(m);
		if (this.#members.size > 0) return;
		this.#connection?.abort(unneeded);
		this.#wake.abort(unneeded);
	}

	/** Asks for more initial rows, unless the id is not in use any more. */
	nextBatch(id: string): void {
		if (this.#byID.has(id)) this.#connection!.send(JSON.stringify({ type: "next_batch", subscription_id: id }));
	}

	/** Ends all. */
	close(): void {
		for (const m of [...this.#members]) m.fail(this.http.closed.signal.reason);
	}

	#subscribe(m: Member): void {
		this.#detach(m); // A live query has one id at a time.
		const subscribe = m.begin();
		if (!subscribe) return;
		this.#byID.set(subscribe.id, m);
		this.#connection!.send(subscribe.frame);
	}

	#detach(m: Member): void {
		for (const [id, other] of this.#byID) {
			if (other !== m) continue;
			this.#byID.delete(id);
			this.#connection!.send(JSON.stringify({ type: "unsubscribe", subscription_id: id }));
		}
	}

	async #run(): Promise<void> {
		this.#running = true;
		const quiet = this.#listenForNetwork();
		for (let failures = 0; this.#members.size > 0;) {
			this.#wake = new AbortController();
			let err: unknown;
			let stood = false;
			try {
				[stood, err] = await this.#connect();
			} catch (failure) {
				err = failure;
			}
			if (err === unneeded) continue;
			failures = stood ? 0 : failures + 1;
			if (isFinal(err) || failures >= this.#limit()) {
				for (const m of [...this.#members]) m.fail(err);
				continue;
			}
			await pause(backoff(this.settings, Math.max(failures - 1, 0)), this.#wake.signal);
			for (const m of this.#members) m.connecting(failures + 1);
		}
		quiet();
		this.#running = false;
	}

	/** How many failures in a row are too many: while no query has ever stood, somebody waits for the answer. */
	#limit(): number {
		const { maxReconnects, maxRetries } = this.settings;
		return [...this.#members].some((m) => m.started) ? maxReconnects : maxRetries + 1;
	}

	/** Dials, subscribes everything and waits for the end. Says whether every query was acknowledged by then. */
	async #connect(): Promise<[stood: boolean, why: unknown]> {
		const connection = await this.#dial();
		this.#connection = connection;
		for (const m of this.#members) this.#subscribe(m);
		if (this.#members.size === 0) connection.abort(unneeded);
		let why: KalamError = await connection.ended;
		this.#connection = undefined;
		this.#byID.clear();
		const stood = ![...this.#members].some((m) => m.pending);
		for (const m of this.#members) m.lost(why);
		if (connection.refused) why = await this.#refused(connection, why);
		return [stood, why];
	}

	/** Opens a connection, and renews a refused token once. */
	#dial(): Promise<Connection> {
		const { timeout } = this.settings;
		return within(Math.min(timeout || maxDial, maxDial), [this.http.closed.signal, this.#wake.signal], async (signal) => {
			const token = await this.#credentials.get(signal);
			const open = (t: string | undefined) => Connection.open(this.http, this.#credentials, t, (f) => this.#dispatch(f), signal);
			try {
				return await open(token);
			} catch (err) {
				if (!(err instanceof AuthenticationError && this.#credentials.renews)) throw err;
				return open(await this.#credentials.renew(token, signal));
			}
		});
	}

	/** The server has ended the connection because of its token: returns why there is no other one, or else why it ended. */
	async #refused(connection: Connection, why: KalamError): Promise<KalamError> {
		try {
			await this.#credentials.renew(connection.token, this.http.closed.signal);
		} catch (err) {
			if (err instanceof AuthenticationError) return err;
		}
		return why;
	}

	#dispatch(f: Frame): void {
		const id = f.subscription_id ?? "";
		const m = this.#byID.get(id);
		if (!m) {
			this.#stray(f);
			return;
		}
		const action = m.take(f);
		if (action instanceof KalamError) {
			this.#connection!.abort(action);
		} else if (action === "detach") {
			this.#detach(m);
		} else if (action !== undefined) {
			this.#byID.delete(id); // The server has none.
			if (action === "again") this.#subscribe(m);
		}
	}

	/** Takes a frame of no live query. Errors of the connection end those that wait for an answer: a frame was not understood. */
	#stray(f: Frame): void {
		if (f.type !== "error") return;
		const err = new SubscriptionError(f.message ?? "", { code: f.code ?? "PROTOCOL" });
		switch (f.subscription_id ?? "") {
			case "rate_limit":
				this.#connection!.abort(new ConnectionError(err.message, { code: err.code }));
				break;
			case "protocol":
			case "subscribe":
			case "invalid_subscription":
			case "":
				for (const m of [...this.#members]) if (m.pending) m.fail(err);
		}
	}

	/** Looks at the connection when the runtime says that there is a network again, and tries at once if there is none. */
	#listenForNetwork(): () => void {
		const target = globalThis as { addEventListener?: typeof addEventListener; removeEventListener?: typeof removeEventListener };
		const online = () => {
			this.#connection?.probe(wakeWait);
			if (!this.#connection) this.#wake.abort(unneeded);
		};
		target.addEventListener?.("online", online);
		return () => target.removeEventListener?.("online", online);
	}
}

/** Whether another try would meet the same error. */
function isFinal(err: unknown): boolean {
	return err instanceof AuthenticationError || err instanceof UsageError || err instanceof ProtocolError
		|| err instanceof KalamError && err.code === "CLOSED" && err !== unneeded;
}
