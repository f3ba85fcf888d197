// Command wasmsmoke is run in node by TestWasm: it makes a query and reads an
// event of a live query, and prints what it got.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/kalamlake/kalam/link"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

func run(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	client, err := link.New(link.Options{URL: url, Auth: link.Password("alice", "secret")})
	if err != nil {
		return err
	}
	defer client.Close()
	res, err := client.Query(ctx, "SELECT $1", int64(1)<<60)
	if err != nil {
		return err
	}
	fmt.Printf("rows %s\n", res.Results[0].JSON())
	sub, err := client.Subscribe(ctx, "SELECT * FROM app.notes WHERE id > $1",
		link.SubscribeOptions{LastRows: link.AllRows, Params: []any{0}})
	if err != nil {
		return err
	}
	defer sub.Close()
	for ev := range sub.Events() {
		switch ev.Kind {
		case link.EventState:
			fmt.Println(ev.State)
		case link.EventInitial:
			fmt.Println("initial", len(ev.Rows), string(ev.Rows[0]["_seq"]))
		case link.EventInsert:
			fmt.Println("insert", string(ev.New["v"]))
			return nil
		}
	}
	return sub.Err()
}
