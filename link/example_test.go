package link_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"strings"
	"testing"

	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/link/wire"
)

// exampleServer stands for a kalamd at localhost.
func exampleServer() (f *fake, stop func()) {
	tb := &exampleTB{}
	f = newFake(tb)
	f.onSQL(func(w http.ResponseWriter, _ *http.Request, q wire.SQLRequest) {
		result := `{"row_count":1,"message":"Inserted 1 row(s)","as_user":"alice"}`
		if strings.HasPrefix(q.SQL, "SELECT") {
			result = `{"schema":[{"name":"id","data_type":"BigInt","index":0},{"name":"body","data_type":"Text","index":1}],"rows":[["12","hello"]],"row_count":1,"as_user":"alice"}`
		}
		results := strings.TrimSuffix(strings.Repeat(result+",", strings.Count(q.SQL, ";")+1), ",")
		reply(w, 200, `{"status":"success","results":[`+results+`],"took":0.5}`)
	})
	return f, func() {
		for _, clean := range tb.cleanups {
			clean()
		}
	}
}

type exampleTB struct {
	testing.TB
	cleanups []func()
}

func (e *exampleTB) Cleanup(f func()) { e.cleanups = append(e.cleanups, f) }

// Connect and ask the server how it is.
func ExampleNew() {
	server, stop := exampleServer()
	defer stop()
	client, err := link.New(link.Options{URL: server.URL, Auth: link.Password("alice", "secret")})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	health, err := client.Health(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(health.Status)
	// Output: healthy
}

// Ask with a parameter and read the cells.
func ExampleClient_Query() {
	server, stop := exampleServer()
	defer stop()
	client, err := link.New(link.Options{URL: server.URL, Auth: link.Password("alice", "secret")})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	res, err := client.Query(context.Background(), "SELECT id, body FROM app.notes WHERE id > $1", 10)
	if err != nil {
		log.Fatal(err)
	}
	for i, row := range res.Results[0].Rows() {
		body, _ := res.Results[0].Text(i, 1)
		fmt.Println(string(row[0]), body)
	}
	// Output: "12" hello
}

// Run several statements in one request.
func ExampleClient_Batch() {
	server, stop := exampleServer()
	defer stop()
	client, err := link.New(link.Options{URL: server.URL, Auth: link.Password("alice", "secret")})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	results, err := client.Batch(context.Background(),
		"INSERT INTO app.notes VALUES (1, 'one')",
		"INSERT INTO app.notes VALUES (2, 'two')",
	)
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range results {
		fmt.Println(r.Message())
	}
	// Output:
	// Inserted 1 row(s)
	// Inserted 1 row(s)
}

// Follow a table: the rows that are there, then every change.
func ExampleClient_Subscribe() {
	server, stop := exampleServer()
	defer stop()
	server.table.put(1, 10, false)
	client, err := link.New(link.Options{URL: server.URL, Auth: link.Password("alice", "secret")})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	sub, err := client.Subscribe(context.Background(), "SELECT * FROM app.notes", link.SubscribeOptions{LastRows: 100})
	if err != nil {
		log.Fatal(err)
	}
	defer sub.Close()
	for ev := range sub.Events() {
		switch ev.Kind {
		case link.EventInitial:
			fmt.Println("initial rows:", len(ev.Rows))
			server.table.put(1, 11, false) // Somebody changes a row.
		case link.EventUpdate:
			fmt.Printf("v was %s and is %s\n", ev.Old["v"], ev.New["v"])
			return
		}
	}
	// Output:
	// initial rows: 1
	// v was 10 and is 11
}
