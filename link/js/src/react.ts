// The hook for React. This entry needs the package react, the main one does not.

import { createContext, createElement, useContext, useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import type { ReactNode } from "react";
import { encodeParams, Sql, UsageError, type Client, type LiveRowsOptions, type LiveSnapshot, type Param, type Row } from "./index.js";

const Context = createContext<Client | undefined>(undefined);

/** Gives the client to the components below. Another client, of another user for instance, begins everything anew. */
export function KalamProvider(props: { client: Client; children?: ReactNode }): ReactNode {
	return createElement(Context.Provider, { value: props.client }, props.children);
}

/** The client of the provider above. */
export function useClient(): Client {
	const client = useContext(Context);
	if (!client) throw new UsageError("no client", { code: "INVALID_OPTION", hint: "stand below a KalamProvider, or give the client" });
	return client;
}

/** Options of useLive. */
export interface UseLiveOptions<T> extends Omit<LiveRowsOptions<T>, "signal" | "onState"> {
	/** In place of the provider's. */
	client?: Client;
	/** Default true; with false nothing is asked, and there are no rows. */
	enabled?: boolean;
}

/**
 * The current rows of a live query. It is followed while the component is mounted, and begins anew when the text, the parameters or the
 * client change; `sort` may be a new function in every render.
 */
export function useLive<T = Row>(statement: Sql, options?: UseLiveOptions<T>): LiveSnapshot<T>;
export function useLive<T = Row>(text: string, params?: readonly Param[], options?: UseLiveOptions<T>): LiveSnapshot<T>;
export function useLive<T = Row>(
	statement: Sql | string, second?: readonly Param[] | UseLiveOptions<T>, third?: UseLiveOptions<T>,
): LiveSnapshot<T> {
	const [text, params, options] = statement instanceof Sql
		? [statement.text, statement.params, second as UseLiveOptions<T> | undefined]
		: [statement, (second ?? []) as readonly Param[], third];
	const above = useContext(Context);
	const client = options?.client ?? above;
	if (!client) throw new UsageError("no client", { code: "INVALID_OPTION", hint: "stand below a KalamProvider, or give the client" });
	const { lastRows, batchSize, bufferSize, enabled = true } = options ?? {};
	const sort = useRef(options?.sort);
	useEffect(() => { sort.current = options?.sort; });
	const sorted = options?.sort !== undefined;
	const key = encodeParams(params);
	const store = useMemo(() => follow<T>(client, text, params, {
		lastRows, ...(batchSize && { batchSize }), ...(bufferSize && { bufferSize }),
		sort: sorted ? (a, b) => sort.current?.(a, b) ?? 0 : undefined,
	}, enabled), [client, text, key, lastRows, batchSize, bufferSize, sorted, enabled]);
	return useSyncExternalStore(store.subscribe, store.snapshot, store.snapshot);
}

interface Store<T> {
	subscribe: (listener: () => void) => () => void;
	snapshot: () => LiveSnapshot<T>;
}

const nothing: LiveSnapshot<never> = Object.freeze({ rows: Object.freeze([]), ready: false, state: "connecting", error: undefined });

/** What is followed while somebody listens. */
function follow<T>(client: Client, text: string, params: readonly Param[], options: LiveRowsOptions<T>, enabled: boolean): Store<T> {
	let last: LiveSnapshot<T> = nothing;
	let current: () => LiveSnapshot<T> = () => last;
	return {
		snapshot: () => current(),
		subscribe: (listener) => {
			if (!enabled) return () => undefined;
			const live = client.liveRows<T>(text, params, options);
			// Mounted again, as StrictMode does, a component keeps its rows until those of the new query are there.
			current = () => (live.snapshot.ready || live.snapshot.error !== undefined || !last.ready ? live.snapshot : last);
			const stop = live.subscribe(listener);
			return () => {
				last = current();
				current = () => last;
				stop();
				live.close();
			};
		},
	};
}
