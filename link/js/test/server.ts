// What the tests share: the server that the environment names, users on it, and a proxy that cuts connections.

import { createHmac, randomUUID } from "node:crypto";
import net from "node:net";
import { createClient, sql, type Client, type ClientOptions, type LiveEvent, type LiveQuery } from "kalam";

function needed(name: string): string {
	const value = process.env[name];
	if (!value) throw new Error(`${name} is not set: these tests are run by go test ./link/js, see the README there`);
	return value;
}

export const url = needed("KALAM_TEST_URL");
export const rootPassword = needed("KALAM_TEST_ROOT_PASSWORD");
const secret = needed("KALAM_TEST_JWT_SECRET");

/** A client that repeats quickly. */
export function connect(options: Partial<ClientOptions>): Client {
	return createClient({ url, firstWait: 5, longestWait: 50, ...options });
}

export const root = connect({ auth: { user: "root", password: rootPassword } });

const password = "a-password-of-tests";

/** A user of this test alone. */
export async function newUser(): Promise<{ name: string; password: string; client: Client }> {
	const name = `u${randomUUID().slice(0, 8)}`;
	await root.execute(`CREATE USER '${name}' WITH PASSWORD '${password}' ROLE user`);
	return { name, password, client: connect({ auth: { user: name, password } }) };
}

/** A namespace of this test alone. */
export async function newNamespace(): Promise<string> {
	const name = `n${randomUUID().slice(0, 8)}`;
	await root.execute(sql`CREATE NAMESPACE ${sql.id(name)}`);
	return name;
}

/** Moves a table's rows into files. */
export async function flush(table: string): Promise<void> {
	const { jobIds } = await root.execute(`STORAGE FLUSH TABLE ${table}`);
	if (jobIds.length === 0) throw new Error("the flush has no job");
	await until(async () => {
		const rows = await root.query(sql`SELECT status FROM system.jobs WHERE job_id IN ${sql.list(jobIds)}`);
		return rows.length === jobIds.length && rows.every((row) => row["status"] === "completed");
	});
}

/** An access token like the one given, but for its expiry in seconds from now. */
export function tokenExpiring(token: string, seconds: number): string {
	const [, body] = token.split(".");
	const claims = JSON.parse(Buffer.from(body!, "base64url").toString());
	claims.exp = Math.floor(Date.now() / 1000) + seconds;
	const text = [{ alg: "HS256", typ: "JWT" }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
	return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

/** How far apart clocks may be, in seconds, for the server. */
export const leeway = 60;

/** Logs in without a client. */
export async function login(user: string, secret: string): Promise<{ access_token: string; refresh_token: string }> {
	const answer = await fetch(`${url}/v1/api/auth/login`, {
		method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ user, password: secret }),
	});
	return answer.json() as Promise<{ access_token: string; refresh_token: string }>;
}

/** Passes TCP on to the server, and cuts it on demand. */
export class Proxy {
	readonly #listener = net.createServer((from) => this.#pass(from));
	readonly #open = new Set<net.Socket>();
	/** Connections made so far. */
	connections = 0;
	/** While true nothing passes, and nothing is closed. */
	#frozen = false;

	async start(): Promise<string> {
		await new Promise<void>((resolve) => this.#listener.listen(0, "127.0.0.1", resolve));
		return `http://127.0.0.1:${(this.#listener.address() as net.AddressInfo).port}`;
	}

	#pass(from: net.Socket): void {
		this.connections++;
		const target = new URL(url);
		const to = net.connect(Number(target.port), target.hostname);
		for (const [a, b] of [[from, to], [to, from]] as const) {
			this.#open.add(a);
			if (!this.#frozen) a.pipe(b);
			a.on("error", () => b.destroy());
			a.on("close", () => {
				this.#open.delete(a);
				b.destroy();
			});
		}
	}

	/** Cuts every connection. */
	cut(): void {
		for (const socket of this.#open) socket.resetAndDestroy();
	}

	/** Lets nothing pass any more on the connections there are, nor on new ones. */
	freeze(): void {
		this.#frozen = true;
		for (const socket of this.#open) socket.unpipe();
	}

	/** New connections pass again. */
	thaw(): void {
		this.#frozen = false;
	}

	close(): void {
		this.cut();
		this.#listener.close();
	}
}

/** The next n events. */
export async function take<T>(live: LiveQuery<T>, n: number): Promise<LiveEvent<T>[]> {
	const events = [];
	while (events.length < n) {
		const { done, value } = await live.next();
		if (done) throw new Error(`the live query ended after ${events.length} of ${n} events`);
		events.push(value);
	}
	return events;
}

/** Waits until the condition holds; what changes calls check. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
	while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 2));
}
