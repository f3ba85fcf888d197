// Live queries: their events, each exactly once, over any number of connections.

import { ConnectionError, KalamError, ProtocolError, SubscriptionError, TimeoutError, UsageError, positionOf } from "./errors.js";
import type { Action, Stream, Subscribe } from "./stream.js";
import type { Frame, RawRow } from "./socket.js";
import { columnsOf, RowDecoder, type Column } from "./values.js";

/** One event of a live query. `seq` is the highest `_seq` in it; rows must not be changed. */
export type LiveEvent<T> =
	/** Rows that are there: at the start, or changed while the connection was lost. `last`: no more of them follow. */
	| { type: "initial"; rows: T[]; last: boolean; seq: bigint }
	| { type: "insert"; row: T; seq: bigint }
	| { type: "update"; row: T; old: T; seq: bigint }
	| { type: "delete"; old: T; seq: bigint }
	/** Too much time went by to resume: forget all rows, they come anew. */
	| { type: "reset"; seq: bigint };

/** Where the connection of a live query stands. */
export type LiveState = "connecting" | "connected" | "disconnected" | "closed";

/** Options of a live query. */
export interface LiveOptions {
	/** Ends the live query; its loop ends without an error. */
	signal?: AbortSignal | undefined;
	/** Which rows come first: the newest n, up to 10,000, or "all". Default 0. */
	lastRows?: number | "all" | undefined;
	/** Resume after this `_seq`, the `lastSeq` of an earlier live query. It wins over lastRows. */
	from?: bigint | undefined;
	/** Rows of one initial event. Default: the server's. */
	batchSize?: number;
	/** Events that may wait for the reader. More wait on the server, and come as rows of initial events. Default 1,000. */
	bufferSize?: number;
	/** Called when the connection comes and goes; err says why it went. */
	onState?: (state: LiveState, err?: unknown) => void;
}

const defaultBufferSize = 1000;
const maxLastRows = 10_000;

/** An event that waits for the reader. */
interface Item<T> {
	event: LiveEvent<T>;
	/** From where to resume once it is handed over. */
	resume: bigint;
	/** The id that has more initial rows, to be asked for then. */
	more: string | undefined;
}

/** Makes the caller's row of one that came. */
export type Wrap = (raw: RawRow, decoder: RowDecoder) => unknown;

/** A live query: `for await (const event of query)`. Its reader is one loop; leaving the loop closes it. */
export class LiveQuery<T> implements AsyncIterableIterator<LiveEvent<T>> {
	/** Resolves when the server has acknowledged the query: from then on no event is missed. Rejects when it is refused. */
	readonly ready: Promise<void>;
	readonly #stream: Stream;
	readonly #text: string;
	readonly #params: string;
	readonly #options: LiveOptions;
	readonly #bufferSize: number;
	readonly #wrap: Wrap;
	readonly #number: number;
	#settle!: { resolve: () => void; reject: (err: unknown) => void };
	#timer: ReturnType<typeof setTimeout> | undefined;
	#decoder: RowDecoder | undefined;
	#queue: Item<T>[] = [];
	#head = 0;
	#waiting: (() => void)[] = [];
	#ended = false;
	#error: unknown;
	#state: LiveState = "connecting";
	#delivered: bigint;

	// What is known of the stream of frames.
	#id = ""; // On the present connection.
	#round = 0;
	#started = false; // Acknowledged once.
	#acked = false; // Acknowledged under the present id.
	#lagging = false; // The queue was full: to be resumed when it is empty.
	#rows = false; // Rows were queued since the beginning or the last reset.
	#initial = false; // The present id was subscribed with initial rows.
	#resuming = false; // The present id was subscribed with a seq to resume from.
	#reset = false; // The next acknowledgement begins anew.
	#last: bigint; // Everything up to here was queued; 0 when unknown.
	#snapshot = 0n; // Initial rows of the present id are up to here; 0 when unknown.

	/** @internal */
	constructor(stream: Stream, text: string, params: string, options: LiveOptions, wrap: Wrap = plain) {
		checkOptions(options);
		this.#stream = stream;
		this.#text = text;
		this.#params = params;
		this.#options = options;
		this.#wrap = wrap;
		this.#bufferSize = options.bufferSize ?? defaultBufferSize;
		this.#last = this.#delivered = options.from ?? 0n;
		this.#number = stream.number();
		this.ready = new Promise((resolve, reject) => { this.#settle = { resolve, reject }; });
		this.ready.catch(() => undefined); // The loop throws it, too.
		const { signal } = options;
		if (signal?.aborted) {
			this.close();
			return;
		}
		signal?.addEventListener("abort", this.#stop);
		const { timeout } = stream.settings;
		if (timeout > 0 && timeout < 2 ** 31) {
			this.#timer = setTimeout(() => this.fail(new TimeoutError(`Timeout after ${timeout} ms`, { code: "TIMEOUT" })), timeout);
		}
		stream.add(this);
	}

	readonly #stop = (): void => this.close();

	/** Where the connection stands. */
	get state(): LiveState {
		return this.#state;
	}

	/** The columns of the rows, once the query is ready; ALTER TABLE changes them. */
	get columns(): readonly Column[] {
		return this.#decoder?.columns ?? [];
	}

	/** The seq up to which every change was handed over, for `from` of a later live query; 0n while it is not known. */
	get lastSeq(): bigint {
		return this.#delivered;
	}

	[Symbol.asyncIterator](): this {
		return this;
	}

	/** Waits for the next event. Rejects when the live query has failed. */
	async next(): Promise<IteratorResult<LiveEvent<T>, undefined>> {
		for (;;) {
			const item = this.#shift();
			if (item) {
				if (item.resume > this.#delivered || item.event.type === "reset") this.#delivered = item.resume;
				if (item.more !== undefined) this.#stream.nextBatch(item.more);
				return { done: false, value: item.event };
			}
			if (this.#ended) {
				const err = this.#error;
				this.#error = undefined; // Said once: after it the iterator is done.
				if (err !== undefined) throw err;
				return { done: true, value: undefined };
			}
			if (this.#lagging) {
				this.#lagging = false;
				this.#stream.add(this);
			}
			await new Promise<void>((resolve) => this.#waiting.push(resolve));
		}
	}

	async return(): Promise<IteratorResult<LiveEvent<T>, undefined>> {
		this.close();
		return { done: true, value: undefined };
	}

	/** Ends the live query. What waits is dropped. */
	close(): void {
		this.#queue = [];
		this.#head = 0;
		this.#end(undefined);
	}

	/** @internal ends the live query with an error, after what waits. */
	fail(err: unknown): void {
		this.#end(err);
	}

	#end(err: unknown): void {
		if (!this.#ended) {
			this.#ended = true;
			this.#error = err;
			clearTimeout(this.#timer);
			this.#options.signal?.removeEventListener("abort", this.#stop);
			this.#stream.remove(this);
			this.#settle.reject(err ?? new ConnectionError("the live query is closed", { code: "CLOSED" }));
			this.#setState("closed", err);
		}
		this.#signal();
	}

	#setState(state: LiveState, err?: unknown): void {
		if (state === this.#state) return;
		this.#state = state;
		const { onState } = this.#options;
		try {
			onState?.(state, err);
		} catch (problem) {
			queueMicrotask(() => { throw problem; }); // It is the caller's, and not to be met in the midst of this.
		}
	}

	#signal(): void {
		const waiting = this.#waiting;
		this.#waiting = [];
		for (const resolve of waiting) resolve();
	}

	#shift(): Item<T> | undefined {
		const item = this.#queue[this.#head];
		if (item && ++this.#head * 2 > this.#queue.length) {
			this.#queue = this.#queue.slice(this.#head);
			this.#head = 0;
		}
		return item;
	}

	#push(event: LiveEvent<T>, more?: string): void {
		this.#queue.push({ event, resume: this.#last, more });
		this.#signal();
	}

	get #full(): boolean {
		return this.#queue.length - this.#head >= this.#bufferSize;
	}

	/** @internal */
	get started(): boolean {
		return this.#started;
	}

	/** @internal */
	get pending(): boolean {
		return this.#id !== "" && !this.#acked && !this.#ended && !this.#lagging;
	}

	/** @internal */
	begin(): Subscribe | undefined {
		if (this.#lagging || this.#ended) return undefined;
		// Rows without seqs, of an aggregate for instance, cannot be resumed.
		this.#reset ||= this.#last === 0n && this.#rows;
		this.#round++;
		this.#id = `sub-${this.#number}${this.#round > 1 ? `.${this.#round}` : ""}`;
		const options = this.#wireOptions();
		this.#initial = options !== undefined && options.last_rows !== 0;
		this.#resuming = this.#last > 0n;
		this.#acked = false;
		this.#snapshot = 0n;
		const head = JSON.stringify({ id: this.#id, sql: this.#text, options }).slice(0, -1);
		return { id: this.#id, frame: `{"type":"subscribe","subscription":${head},"params":${this.#params}}}` };
	}

	#wireOptions(): { last_rows?: number; from?: string; batch_size?: number; buffer_size?: number } | undefined {
		const { batchSize, lastRows, from } = this.#options;
		const buffer = this.#bufferSize === defaultBufferSize ? {} : { buffer_size: this.#bufferSize };
		const batch = batchSize === undefined ? {} : { batch_size: batchSize };
		if (this.#last > 0n) return { ...buffer, ...batch, from: this.#last.toString() };
		if (from !== undefined || lastRows === "all") return { ...buffer, ...batch }; // A from that is too old by now.
		if (lastRows) return { ...buffer, ...batch, last_rows: lastRows };
		return this.#bufferSize === defaultBufferSize ? undefined : { ...buffer, last_rows: 0 };
	}

	/** @internal */
	take(f: Frame): Action {
		if (f.subscription_id !== this.#id || this.#ended) return undefined;
		try {
			return this.#takers[f.type]?.(f);
		} catch (cause) {
			// Once more it would be the same.
			this.fail(cause instanceof KalamError ? cause : new ProtocolError("a row cannot be read", { code: "PROTOCOL", cause }));
			return undefined;
		}
	}

	readonly #takers: Record<string, (f: Frame) => Action> = {
		subscription_ack: (f) => this.#acknowledged(f),
		initial_data_batch: (f) => this.#batch(f),
		change: (f) => this.#change(f),
		error: (f) => this.#refused(f),
	};

	/** An acknowledgement: of the subscription, or of a change of the table's columns. */
	#acknowledged(f: Frame): Action {
		this.#decoder = new RowDecoder(columnsOf(f.schema ?? []), this.#stream.settings.timestamps);
		if (this.#acked) return undefined;
		this.#acked = true;
		this.#snapshot = BigInt(f.snapshot_seq || 0);
		if (!this.#initial) this.#last = max(this.#last, this.#snapshot);
		if (this.#reset) {
			this.#push({ type: "reset", seq: 0n });
			this.#reset = this.#rows = false;
		}
		this.#started = true;
		clearTimeout(this.#timer);
		this.#settle.resolve();
		this.#setState("connected");
		return undefined;
	}

	#row(raw: RawRow): T {
		return this.#wrap(raw, this.#decoder!) as T;
	}

	#batch(f: Frame): Action {
		if (this.#full) return this.#lag();
		const rows: T[] = [];
		let seq = 0n;
		for (const raw of f.rows ?? []) {
			rows.push(this.#row(raw));
			seq = max(seq, seqOf(raw));
		}
		const last = !f.batch_control?.has_more;
		// Rows, and the deletes of a resume behind each batch, come by rising seq: what came last says what is known. Without a resume
		// nothing follows the last batch, so that all is known up to the snapshot.
		this.#last = max(this.#last, last && !this.#resuming ? max(seq, this.#snapshot) : seq);
		this.#rows ||= rows.length > 0;
		this.#push({ type: "initial", rows, last, seq }, last ? undefined : this.#id);
		return undefined;
	}

	#change(f: Frame): Action {
		const news = f.rows ?? [];
		const olds = f.old_values ?? [];
		for (let i = 0; i < Math.max(news.length, olds.length); i++) {
			const seq = seqOf(news[i]) || seqOf(olds[i]);
			if (this.#full) return this.#lag();
			const event = this.#eventOf(f.change_type, news[i], olds[i], seq);
			if (!event) continue; // Of a later version.
			this.#last = max(this.#last, seq);
			this.#rows = true;
			this.#push(event);
		}
		return undefined;
	}

	#eventOf(type: string | undefined, row: RawRow | undefined, old: RawRow | undefined, seq: bigint): LiveEvent<T> | undefined {
		switch (type) {
			case "insert":
				return { type, row: this.#row(row!), seq };
			case "update":
				return { type, row: this.#row(row!), old: this.#row(old!), seq };
			case "delete":
				return { type, old: this.#row((old ?? row)!), seq };
		}
		return undefined;
	}

	/** Gives up the present id because the reader is too slow. */
	#lag(): Action {
		this.#lagging = true;
		this.#acked = false;
		this.#id = "";
		return "detach";
	}

	#refused(f: Frame): Action {
		const err = new SubscriptionError(f.message ?? "the live query was refused", {
			code: f.code ?? "PROTOCOL", hint: f.hint, suggestions: f.suggestions, position: positionOf(this.#text, f.position),
		});
		if (f.code === "RESUME_WINDOW_EXCEEDED" && this.#last > 0n) {
			this.#last = 0n;
			this.#reset = this.#started;
			return "again";
		}
		// The lost connection may still count for the limit.
		if (f.code === "SHUTTING_DOWN" || f.code === "SUBSCRIPTION_LIMIT_EXCEEDED" && this.#started && !this.#acked) return err;
		this.fail(err);
		return "end";
	}

	/** @internal */
	lost(err: KalamError): void {
		this.#id = "";
		this.#acked = false;
		if (this.#started && !this.#ended) this.#setState("disconnected", err);
	}

	/** @internal */
	connecting(_attempt: number): void {
		if (!this.#ended) this.#setState("connecting");
	}
}

const plain: Wrap = (raw, decoder) => decoder.object(raw);

function checkOptions({ lastRows, from, batchSize, bufferSize }: LiveOptions): void {
	const bad = (name: string, rule: string, got: unknown) =>
		new UsageError(`${name} must be ${rule}, got ${got}`, { code: "INVALID_OPTION" });
	const rows = lastRows ?? 0;
	if (rows !== "all" && !(Number.isInteger(rows) && rows >= 0 && rows <= maxLastRows)) {
		throw bad("lastRows", `from 0 to ${maxLastRows}, or "all"`, rows);
	}
	if (from !== undefined && (typeof from !== "bigint" || from < 0n)) throw bad("from", "a bigint, at least 0", from);
	for (const [name, n] of Object.entries({ batchSize, bufferSize })) {
		if (n !== undefined && !(Number.isInteger(n) && n >= 1)) throw bad(name, "an integer from 1", n);
	}
}

/** The `_seq` of a row, 0 if it has none. */
function seqOf(row: RawRow | undefined): bigint {
	return BigInt((row?.["_seq"] as string | undefined) ?? 0);
}

function max(a: bigint, b: bigint): bigint {
	return a > b ? a : b;
}
