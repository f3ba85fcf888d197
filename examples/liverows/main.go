// Command liverows keeps the current result of a live query. It needs a server; KALAM_URL and KALAM_ROOT_PASSWORD say
// which.
package main

import (
	"cmp"
	"context"
	"fmt"
	"log"
	"os"

	"github.com/kalamlake/kalam/link"
)

// Note is a row.
type Note struct {
	ID   int64
	Body string
}

// String shows a note as its text.
func (n Note) String() string { return n.Body }

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	db, err := link.New(link.Options{
		URL:  cmp.Or(os.Getenv("KALAM_URL"), "http://127.0.0.1:8080"),
		Auth: link.Password("root", os.Getenv("KALAM_ROOT_PASSWORD")),
	})
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Batch(ctx, "CREATE NAMESPACE IF NOT EXISTS live",
		"CREATE USER TABLE IF NOT EXISTS live.notes (id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(), body TEXT NOT NULL)",
		"DELETE FROM live.notes WHERE true", "INSERT INTO live.notes (body) VALUES ('hello')"); err != nil {
		return err
	}
	live, err := link.NewLiveRows(ctx, db, "SELECT id, body FROM live.notes", link.LiveRowsOptions[Note]{})
	if err != nil {
		return err
	}
	defer live.Close() //nolint:errcheck // It only reads.
	fmt.Println("first:", live.Rows())
	if _, err := db.Query(ctx, "INSERT INTO live.notes (body) VALUES ($1)", "world"); err != nil {
		return err
	}
	for rows, err := range live.All(ctx) {
		if err != nil {
			return err
		}
		if len(rows) == 2 {
			fmt.Println("then:", rows)
			break
		}
	}
	return nil
}
