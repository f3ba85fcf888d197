package link_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/coder/websocket"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/link/wire"
)

// version is one version of a row of the fake's table.
type version struct {
	key, value int
	seq        kalam.Seq
	deleted    bool
}

func (v version) row() wire.Row {
	return wire.Row{
		"id": quoted(v.key), "v": json.RawMessage(strconv.Itoa(v.value)),
		kalam.ColumnSeq: quoted(int(v.seq)), kalam.ColumnDeleted: json.RawMessage(strconv.FormatBool(v.deleted)),
	}
}

func quoted(n int) json.RawMessage { return json.RawMessage(`"` + strconv.Itoa(n) + `"`) }

// table is what the fake's live queries show: the log of all versions.
type table struct {
	mu     sync.Mutex // guards the fields below
	log    []version
	newest map[int]version
	seq    kalam.Seq
	window kalam.Seq // The smallest seq that can be resumed from.
	subs   map[*fakeSub]struct{}
	asked  []wire.Subscribe // Every subscription, in order.
}

func newTable() *table {
	// Beyond 2^53, where a reader that takes numbers for floats goes wrong.
	return &table{newest: map[int]version{}, seq: 1 << 60, subs: map[*fakeSub]struct{}{}}
}

// put inserts or updates a row, or deletes it, and publishes the change.
func (t *table) put(key, value int, deleted bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old, had := t.newest[key]
	had = had && !old.deleted
	if deleted && !had {
		return
	}
	t.seq += 1 + kalam.Seq(rand.IntN(3))
	v := version{key, value, t.seq, deleted}
	t.log = append(t.log, v)
	t.newest[key] = v
	c := wire.Change{Type: wire.TypeChange}
	switch {
	case deleted:
		v.value = old.value
		c.ChangeType, c.OldValues = "delete", []wire.Row{v.row()}
	case had:
		c.ChangeType, c.Rows, c.OldValues = "update", []wire.Row{v.row()}, []wire.Row{old.row()}
	default:
		c.ChangeType, c.Rows = "insert", []wire.Row{v.row()}
	}
	for s := range t.subs {
		s.publish(c)
	}
}

// forget makes every seq so far too old to resume from.
func (t *table) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.window = t.seq + 1
}

// visible returns the values by key.
func (t *table) visible() map[int]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := map[int]int{}
	for k, v := range t.newest {
		if !v.deleted {
			m[k] = v.value
		}
	}
	return m
}

// listeners returns the number of subscriptions.
func (t *table) listeners() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.subs)
}

// fakeSub is one subscription of the fake.
type fakeSub struct {
	id      string
	sock    *fakeSocket
	size    int           // Of a batch.
	initial []version     // Initial rows, and deletions of a resume, still to send.
	number  int           // Of the next batch.
	held    []wire.Change // Changes that wait for the last batch.
	ready   bool
}

// publish sends a change, or holds it until the initial rows are out.
func (s *fakeSub) publish(c wire.Change) {
	c.SubscriptionID = s.id
	if s.ready {
		s.sock.send(c)
	} else {
		s.held = append(s.held, c)
	}
}

// subscribe takes the snapshot and sends acknowledgement and first batch.
func (t *table) subscribe(f *fake, sock *fakeSocket, q wire.Subscribe) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked = append(t.asked, q)
	s := &fakeSub{id: q.ID, sock: sock, size: 1000}
	ack := wire.SubscriptionAck{
		Type: wire.TypeSubscriptionAck, SubscriptionID: q.ID,
		Schema: []wire.Field{
			{Name: "id", DataType: kalam.TypeOf(kalam.KindBigInt), Flags: []string{"pk", "nn", "uq"}},
			{Name: "v", DataType: kalam.TypeOf(kalam.KindInt), Index: 1},
		},
	}
	if !f.noSnapshot.Load() {
		ack.SnapshotSeq = strconv.FormatUint(uint64(t.seq), 10)
	}
	t.subs[s] = struct{}{}
	sock.subs[q.ID] = s
	if q.Options != nil {
		if q.Options.BatchSize != nil {
			s.size = *q.Options.BatchSize
		}
		t.initial(s, q.Options)
	}
	sock.send(ack)
	if q.Options == nil || q.Options.LastRows != nil && *q.Options.LastRows == 0 {
		s.ready = true
		return
	}
	s.batch()
}

// initial chooses the initial rows and deletions, by rising seq. Like the server, it has no deletion
// of a key that had no row up to from.
func (t *table) initial(s *fakeSub, o *wire.SubscribeOptions) {
	var from kalam.Seq
	if o.From != nil {
		from = kalam.Seq(*o.From)
	}
	existed := map[int]bool{}
	for _, v := range t.log {
		existed[v.key] = existed[v.key] || v.seq <= from && !v.deleted
	}
	for _, v := range t.newest {
		if v.seq > from && (!v.deleted || existed[v.key]) {
			s.initial = append(s.initial, v)
		}
	}
	slices.SortFunc(s.initial, func(a, b version) int { return cmp.Compare(a.seq, b.seq) })
	if o.From == nil && o.LastRows != nil && len(s.initial) > *o.LastRows {
		s.initial = s.initial[len(s.initial)-*o.LastRows:]
	}
}

// batch sends the next batch, the deletions up to the next row, and what follows the last one.
func (s *fakeSub) batch() {
	b := wire.InitialDataBatch{Type: wire.TypeInitialBatch, SubscriptionID: s.id, Rows: []wire.Row{}}
	b.BatchControl = wire.BatchControl{BatchNum: s.number, Status: wire.BatchLoading}
	for len(s.initial) > 0 && !s.initial[0].deleted && len(b.Rows) < s.size {
		id := wire.SeqID(s.initial[0].seq)
		b.BatchControl.LastSeqID = &id
		b.Rows = append(b.Rows, s.initial[0].row())
		s.initial = s.initial[1:]
	}
	var gone []version
	for len(s.initial) > 0 && s.initial[0].deleted {
		gone = append(gone, s.initial[0])
		s.initial = s.initial[1:]
	}
	b.BatchControl.HasMore = len(s.initial) > 0
	s.number++
	s.sock.send(b)
	for _, v := range gone {
		s.sock.send(wire.Change{Type: wire.TypeChange, SubscriptionID: s.id,
			ChangeType: "delete", OldValues: []wire.Row{v.row()}})
	}
	if b.BatchControl.HasMore {
		return
	}
	s.ready = true
	for _, c := range s.held {
		s.publish(c)
	}
	s.held = nil
}

// liveSockets are the open WebSockets of a fake.
type liveSockets struct {
	mu   sync.Mutex // guards open
	open map[*fakeSocket]struct{}
	all  sync.WaitGroup
}

// dropAll cuts every connection and returns how many there were.
func (l *liveSockets) dropAll() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.open {
		s.cancel()
	}
	return len(l.open)
}

// each calls f for every open socket.
func (l *liveSockets) each(f func(*fakeSocket)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.open {
		f(s)
	}
}

func (l *liveSockets) wait() { l.all.Wait() }

// fakeSocket is one WebSocket. Its queue is unbounded: the fake never calls a
// client slow.
type fakeSocket struct {
	conn   *websocket.Conn
	cancel context.CancelFunc
	subs   map[string]*fakeSub // Guarded by table.mu.
	header http.Header
	query  string
	auth   *wire.ProtocolOptions

	mu    sync.Mutex // guards queue
	queue [][]byte
	wake  chan struct{}
}

func (s *fakeSocket) send(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	s.sendText(b)
}

func (s *fakeSocket) sendText(b []byte) {
	s.mu.Lock()
	s.queue = append(s.queue, b)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// write sends what is queued until the connection ends.
func (s *fakeSocket) write(ctx context.Context, f *fake) {
	zip, left := f.gzip.Load(), -1
	if n := int(f.cutWithin.Load()); n > 0 {
		left = 1 + rand.IntN(n)
	}
	for {
		s.mu.Lock()
		queue := s.queue
		s.queue = nil
		s.mu.Unlock()
		for _, b := range queue {
			kind := websocket.MessageText
			if zip && len(b) > 100 {
				var z bytes.Buffer
				w := gzip.NewWriter(&z)
				w.Write(b)
				w.Close()
				kind, b = websocket.MessageBinary, z.Bytes()
			}
			if left == 0 {
				f.cuts.Add(1)
				s.cancel()
			}
			left--
			if s.conn.Write(ctx, kind, b) != nil {
				return
			}
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return
		}
	}
}

// serveSocket is GET /v1/ws.
func (f *fake) serveSocket(w http.ResponseWriter, r *http.Request) {
	f.sockets.all.Add(1)
	defer f.sockets.all.Done()
	if f.refuseWS.Add(-1) >= 0 {
		reply(w, 503, `{"error":"TOO_MANY_CONNECTIONS","message":"Too many connections from your IP address"}`)
		return
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := &fakeSocket{conn: conn, cancel: cancel, subs: map[string]*fakeSub{}, header: r.Header, query: r.URL.RawQuery,
		wake: make(chan struct{}, 1)}
	f.sockets.mu.Lock()
	if f.sockets.open == nil {
		f.sockets.open = map[*fakeSocket]struct{}{}
	}
	f.sockets.open[s] = struct{}{}
	f.sockets.mu.Unlock()
	var writer sync.WaitGroup
	writer.Go(func() { s.write(ctx, f) })
	for f.serveFrame(ctx, s) {
	}
	cancel()
	writer.Wait()
	conn.CloseNow()
	f.sockets.mu.Lock()
	delete(f.sockets.open, s)
	f.sockets.mu.Unlock()
	f.table.mu.Lock()
	for _, sub := range s.subs {
		delete(f.table.subs, sub)
	}
	f.table.mu.Unlock()
}

// serveFrame takes one frame; false ends the connection.
func (f *fake) serveFrame(ctx context.Context, s *fakeSocket) bool {
	_, b, err := s.conn.Read(ctx)
	if err != nil {
		return false
	}
	f.frames.Add(1)
	var q wire.ClientFrame
	if err := json.Unmarshal(b, &q); err != nil {
		s.conn.Close(1011, "Invalid message")
		return false
	}
	switch q.Type {
	case wire.TypeAuthenticate:
		f.mu.Lock()
		valid := q.Token == f.token
		f.mu.Unlock()
		if !valid {
			s.send(wire.AuthError{Type: wire.TypeAuthError, Message: "Invalid credentials"})
			return true // The client closes.
		}
		s.auth = q.Protocol
		s.send(wire.AuthSuccess{Type: wire.TypeAuthSuccess, User: "alice", Role: "user",
			Protocol: *q.Protocol, ConnectionID: "c"})
	case wire.TypeSubscribe:
		if h := f.table.refusal(q.Subscription); h != nil {
			h.SubscriptionID, h.Type = q.Subscription.ID, wire.TypeError
			s.send(h)
			return true
		}
		f.table.subscribe(f, s, *q.Subscription)
	case wire.TypeNextBatch:
		f.table.mu.Lock()
		if sub := s.subs[q.SubscriptionID]; sub != nil {
			sub.batch()
		}
		f.table.mu.Unlock()
	case wire.TypeUnsubscribe:
		f.table.mu.Lock()
		delete(f.table.subs, s.subs[q.SubscriptionID])
		delete(s.subs, q.SubscriptionID)
		f.table.mu.Unlock()
	}
	return true
}

// refusal is the error that a query's text asks for.
func (t *table) refusal(q *wire.Subscribe) *wire.ErrorFrame {
	t.mu.Lock()
	defer t.mu.Unlock()
	if q.Options != nil && q.Options.From != nil && kalam.Seq(*q.Options.From) < t.window {
		return &wire.ErrorFrame{Code: wire.CodeResumeWindowExceeded, Message: "resume window exceeded: reload required"}
	}
	_, code, ok := strings.Cut(q.SQL, "REFUSE ")
	if !ok {
		return nil
	}
	return &wire.ErrorFrame{Code: wire.Code(code), Message: fmt.Sprintf("refused with %s", code)}
}
