import kalam

db = kalam.connect("http://localhost:8080", user="root", password="choose-a-password")
db.query("CREATE NAMESPACE IF NOT EXISTS app")
db.query("CREATE USER TABLE IF NOT EXISTS app.notes (id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(), body TEXT)")
with db.live("SELECT id, body FROM app.notes") as events:
    db.query("INSERT INTO app.notes (body) VALUES ($1)", "hello")
    for event in events:
        print(event.kind, event.row["body"])
        break
