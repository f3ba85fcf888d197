import { StrictMode, useState, type FormEvent } from "react";
import { createRoot } from "react-dom/client";
import { createClient, type Client } from "kalam";
import { KalamProvider, useClient, useLive } from "kalam/react";

interface Note {
	id: bigint;
	body: string;
}

function Login({ onLogin }: { onLogin: (client: Client) => void }) {
	const [problem, setProblem] = useState("");
	async function submit(event: FormEvent<HTMLFormElement>) {
		event.preventDefault();
		const form = new FormData(event.currentTarget);
		const text = (name: string) => String(form.get(name));
		try {
			const client = createClient({ url: text("url"), auth: { user: text("user"), password: text("password") } });
			await client.login();
			onLogin(client);
		} catch (err) {
			setProblem(String(err));
		}
	}
	return (
		<form onSubmit={submit}>
			<input name="url" defaultValue="http://127.0.0.1:8080" />
			<input name="user" placeholder="user" />
			<input name="password" type="password" placeholder="password" />
			<button>Log in</button>
			<p role="alert">{problem}</p>
		</form>
	);
}

function Notes() {
	const client = useClient();
	const { rows, state, error } = useLive<Note>("SELECT id, body FROM app.notes", [], {
		sort: (a, b) => (a.id < b.id ? -1 : 1),
	});
	async function add(event: FormEvent<HTMLFormElement>) {
		event.preventDefault();
		const form = event.currentTarget;
		const body = String(new FormData(form).get("body"));
		form.reset();
		await client.sql`INSERT INTO app.notes (body) VALUES (${body})`;
	}
	return (
		<>
			<form onSubmit={add}>
				<input name="body" placeholder="a note" />
				<button>Add</button>
			</form>
			<ul>{rows.map((note) => <li key={String(note.id)} data-id={String(note.id)}>{note.body}</li>)}</ul>
			<p role="status">{state}</p>
			<p role="alert">{error === undefined ? "" : String(error)}</p>
		</>
	);
}

function App() {
	const [client, setClient] = useState<Client>();
	if (!client) return <Login onLogin={setClient} />;
	return <KalamProvider client={client}><Notes /></KalamProvider>;
}

createRoot(document.getElementById("root")!).render(<StrictMode><App /></StrictMode>);
