import { createClient } from "kalam";

const url = process.env.KALAM_URL ?? "http://127.0.0.1:8080";
const db = createClient({ url, auth: { user: "root", password: process.env.KALAM_ROOT_PASSWORD } });
await db.batch(["CREATE NAMESPACE IF NOT EXISTS first",
	"CREATE USER TABLE IF NOT EXISTS first.notes (id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(), body TEXT)"]);

const notes = db.live("SELECT id, body FROM first.notes");
await notes.ready;
await db.sql`INSERT INTO first.notes (body) VALUES (${"hello"})`;
for await (const event of notes) {
	console.log(event.type, event.row.body);
	break;
}
db.close();
