package shell_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/link/wire"
	"github.com/kalamlake/kalam/sqltext"
)

// fake is a server that knows a few statements by their text.
type fake struct {
	*httptest.Server
	t testing.TB

	mu       sync.Mutex // guards the fields below
	requests []wire.SQLRequest
	headers  []http.Header
	expired  bool          // The token of the login is not taken any more.
	hang     chan struct{} // Told when a "HANG" has arrived.
	gone     chan struct{} // Told when its client has gone.
	live     []string      // Frames that follow an acknowledgement.
	liveSQL  []wire.Subscribe
	socket   *websocket.Conn // The last one.
	liveID   string          // Of the last subscription.
	sockets  sync.WaitGroup
	stop     context.Context
}

func newFake(t testing.TB) *fake {
	f := &fake{t: t, hang: make(chan struct{}, 1), gone: make(chan struct{}, 1)}
	stop, cancel := context.WithCancel(context.Background())
	f.stop = stop
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/api/sql", f.serveSQL)
	mux.HandleFunc("POST /v1/api/auth/login", func(w http.ResponseWriter, r *http.Request) {
		var q wire.LoginRequest
		if json.NewDecoder(r.Body).Decode(&q) != nil || q.Password != "secret" {
			reply(w, 401, `{"error":"unauthorized","message":"Invalid credentials"}`)
			return
		}
		reply(w, 200, `{"user":{"id":"alice"},"access_token":"to.ke.n","refresh_token":"re.fre.sh",`+
			`"refresh_expires_at":"2099-01-02T03:04:05Z"}`)
	})
	mux.HandleFunc("POST /v1/api/auth/refresh", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer re.fre.sh" {
			reply(w, 401, `{"error":"unauthorized","message":"Invalid credentials"}`)
			return
		}
		reply(w, 200, `{"user":{"id":"alice"},"access_token":"ne.w.er","refresh_token":"re.fre.sh2"}`)
	})
	mux.HandleFunc("GET /v1/api/healthcheck", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, 200,
			`{"status":"healthy","version":"1.2.3","api_version":"v1","uptime_seconds":42,"active_connections":3,"active_subscriptions":2,"queries_per_second":1.5}`)
	})
	mux.HandleFunc("GET /v1/ws", f.serveSocket)
	f.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		cancel()
		f.Close()
		f.sockets.Wait()
	})
	return f
}

func reply(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

// expire refuses the token of the login from now on.
func (f *fake) expire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expired = true
}

// sent returns the SQL that came so far.
func (f *fake) sent() (sql []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, q := range f.requests {
		ns := ""
		if q.NamespaceID != nil {
			ns = *q.NamespaceID + ": "
		}
		sql = append(sql, ns+q.SQL)
	}
	return sql
}

// answers are the results by the statement's first word, or its whole text.
var answers = map[string]string{
	"SELECT * FROM types": `{"schema":[{"name":"id","data_type":"BigInt","index":0,"flags":["pk","nn","uq"]},{"name":"price","data_type":{"Decimal":{"precision":10,"scale":2}},"index":1},` +
		`{"name":"名前","data_type":"Text","index":2},{"name":"at","data_type":"Timestamp","index":3},{"name":"ok","data_type":"Boolean","index":4},{"name":"raw","data_type":"Bytes","index":5}],` +
		`"rows":[["1","-0.50","你好，世界",1767323045123456,true,[0,255]],["9223372036854775807","12.00","é👍\u0301",null,false,[]],["3",null,"a,\"b\"\r\n\u001b[31mred\u202e",0,null,null]],"row_count":3,"as_user":"alice"}`,
	"SELECT":      `{"schema":[{"name":"n","data_type":"Int","index":0}],"rows":[[1]],"row_count":1,"as_user":"alice"}`,
	"SELECT none": `{"schema":[{"name":"id","data_type":"BigInt","index":0},{"name":"body","data_type":"Text","index":1}],"rows":[],"row_count":0,"as_user":"alice"}`,
	"SELECT cut":  `{"schema":[{"name":"n","data_type":"Int","index":0}],"rows":[[1],[2]],"row_count":2,"as_user":"alice","truncated":true,"message":"Result truncated to 2 rows (limits.max_result_rows)"}`,
	"SELECT wide": `{"schema":[{"name":"id","data_type":"Int","index":0},{"name":"title","data_type":"Text","index":1},{"name":"body","data_type":"Text","index":2}],` +
		`"rows":[[1,"short","` + strings.Repeat("長い文章", 20) + `"],[2,"` + strings.Repeat("title ", 12) +
		`","x"]],"row_count":2,"as_user":"alice"}`,
	"SELECT many":       `{"schema":[{"name":"n","data_type":"Int","index":0}],"rows":[[1],[2],[3],[4],[5]],"row_count":5,"as_user":"alice"}`,
	"STORAGE FLUSH ALL": `{"row_count":0,"message":"Storage flush started for 1 table(s)","as_user":"alice","job_ids":["FL-1","FL-2"]}`,
	"SELECT job_id, status, coalesce(error, message, progress, '') FROM system.jobs WHERE job_id IN ('FL-1', 'FL-2')": jobStates,
	"SELECT job_id, status, coalesce(error, message, progress, '') FROM system.jobs WHERE job_id IN ('FL-2', 'FL-1')": jobStates,
	"EXECUTE": `{"row_count":1,"message":"Inserted 1 row(s)","as_user":"bob"}`,
	"DELETE":  `{"row_count":1,"message":"Deleted 1 row(s)","as_user":"alice"}`,
	"INSERT":  `{"row_count":2,"message":"Inserted 2 row(s)","as_user":"alice"}`,
	"CREATE":  `{"row_count":0,"message":"Table 'app.t' created","as_user":"alice"}`,
	"USE":     `{"row_count":0,"message":"Current namespace: chat","as_user":"alice"}`,
	"BEGIN":   `{"row_count":0,"message":"BEGIN","as_user":"alice"}`,
	"COMMIT":  `{"row_count":0,"message":"COMMIT","as_user":"alice"}`,
}

const jobStates = `{"schema":[{"name":"job_id","data_type":"Text","index":0},{"name":"status","data_type":"Text","index":1},` +
	`{"name":"m","data_type":"Text","index":2}],"rows":[["FL-1","completed","Flushed app.t"],["FL-2","failed","no space"]],` +
	`"row_count":2,"as_user":"alice"}`

func (f *fake) serveSQL(w http.ResponseWriter, r *http.Request) {
	var q wire.SQLRequest
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		f.t.Error(err)
	}
	f.mu.Lock()
	f.requests = append(f.requests, q)
	f.headers = append(f.headers, r.Header)
	expired := f.expired
	f.mu.Unlock()
	if expired && r.Header.Get("Authorization") == "Bearer to.ke.n" {
		reply(w, 401, `{"status":"error","results":[],"took":0,"error":{"code":"TOKEN_EXPIRED","message":"Token expired"}}`)
		return
	}
	if q.SQL == "HANG" {
		f.hang <- struct{}{}
		<-r.Context().Done()
		f.gone <- struct{}{}
		return
	}
	fragments, err := sqltext.Split(q.SQL)
	if err != nil {
		f.t.Error(err)
	}
	var results []string
	for i, part := range fragments {
		word := strings.Fields(part.Text)[0]
		if word == "ADVISE" {
			reply(w, 400,
				`{"status":"error","results":[],"took":1,"error":{"code":"INVALID_SQL","message":"column bdoy does not exist",`+
					`"position":8,"hint":"\\d notes lists the columns","suggestions":["body","baby"]}}`)
			return
		}
		body, ok := answers[part.Text]
		if !ok {
			body, ok = answers[word]
		}
		if !ok {
			message := fmt.Sprintf("Statement %d failed: Invalid SQL: syntax error at or near \"%s\"", i+1, word)
			reply(w, 400,
				fmt.Sprintf(`{"status":"error","results":[%s],"took":1.5,"error":{"code":"INVALID_SQL","message":%q,"statement_index":%d,"position":%d}}`,
					strings.Join(results, ","), message, i+1, part.Offset+1))
			return
		}
		results = append(results, strings.TrimSuffix(body, "}")+fmt.Sprintf(`,"statement_index":%d}`, i+1))
	}
	reply(w, 200, `{"status":"success","results":[`+strings.Join(results, ",")+`],"took":1.234,"took_ms":1}`)
}

// sendLive sends another frame to the last live query.
func (f *fake) sendLive(frame string) {
	f.mu.Lock()
	conn, id := f.socket, f.liveID
	f.mu.Unlock()
	conn.Write(f.stop, websocket.MessageText, []byte(strings.ReplaceAll(frame, "$ID", id)))
}

// serveSocket acknowledges every subscription and sends the frames of live.
func (f *fake) serveSocket(w http.ResponseWriter, r *http.Request) {
	f.sockets.Add(1)
	defer f.sockets.Done()
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	f.mu.Lock()
	f.socket = conn
	f.mu.Unlock()
	send := func(text string) {
		conn.Write(f.stop, websocket.MessageText, []byte(text)) // The next read sees a broken connection.
	}
	for {
		_, b, err := conn.Read(f.stop)
		if err != nil {
			return
		}
		var q wire.ClientFrame
		if err := json.Unmarshal(b, &q); err != nil {
			f.t.Error(err)
			return
		}
		switch q.Type {
		case wire.TypeAuthenticate:
			send(`{"type":"auth_success","user":"alice","role":"user","protocol":{"serialization":"json","compression":"none","events":"exact"},"connection_id":"c0"}`)
		case wire.TypeSubscribe:
			f.mu.Lock()
			f.liveSQL = append(f.liveSQL, *q.Subscription)
			frames := f.live
			f.mu.Unlock()
			id := q.Subscription.ID
			f.mu.Lock()
			f.liveID = id
			f.mu.Unlock()
			if strings.Contains(q.Subscription.SQL, "refused") {
				send(fmt.Sprintf(`{"type":"error","subscription_id":%q,"code":"UNSUPPORTED","message":"Live query subscriptions not supported on shared tables"}`, id))
				continue
			}
			ack, err := json.Marshal(wire.SubscriptionAck{
				Type: wire.TypeSubscriptionAck, SubscriptionID: id,
				Schema: []wire.Field{{Name: "id", DataType: kalam.TypeOf(kalam.KindBigInt)},
					{Name: "body", DataType: kalam.TypeOf(kalam.KindText), Index: 1}},
			})
			if err != nil {
				f.t.Error(err)
			}
			send(string(ack))
			for _, frame := range frames {
				send(strings.ReplaceAll(frame, "$ID", id))
			}
		}
	}
}
