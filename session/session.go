package session

import (
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/session/cache"
	"github.com/kalamlake/kalam/session/settings"
	"github.com/kalamlake/kalam/session/trail"
)

// Session is what a connection has: its principal, settings, prepared statements and open transaction. It lives in one
// goroutine, as long as its connection; over HTTP as long as a request.
type Session struct {
	read.Caller
	server   *Server
	initial  settings.Settings // To which RESET goes back.
	settings settings.Settings
	prepared map[string]*Stmt
	txn      *transaction
	kept     *cache.User // What is kept of the user between sessions, nil for nothing.

	// Of the request under way.
	params    []kalam.Value
	out       Results
	statement int // 1-based number of the statement under way.
	requestID string
	trail     trail.Trail
	deadline  time.Time           // Of the whole request; zero for none.
	written   *kalam.Table        // That the statement writes to.
	with      string              // The WITH list in front of the statement under way, "" for none.
	known     *cache.Registration // Of the statement under way, nil when it is none that is kept.
	fixed     []read.Field        // What the statement under way was prepared to give, nil for anything.
	settled   bool                // The statement under way has answered, or changed something: it does not begin again.
}

// Open begins a session of p with a default namespace, "" for the usual one. The caller closes it.
func (srv *Server) Open(p kalam.Principal, ns kalam.NamespaceID) *Session {
	s := &Session{Caller: srv.caller(p, ns), server: srv, kept: srv.cache.Of(p), trail: trail.Trail{Log: srv.Audit}}
	s.initial = settings.Settings{Namespace: s.Namespace, Nulls: srv.Nulls}
	s.adopt(s.initial)
	return s
}

// Close ends the session. An open transaction is rolled back.
func (s *Session) Close() {
	s.abandon()
	s.Release()
}

// writable resolves the target of a statement that writes rows.
func (s *Session) writable(n ast.Name, want access.Intent) (*kalam.Table, error) {
	t, err := s.Table(n, want)
	if err != nil {
		return nil, err
	}
	if t.IsComputed() {
		return t, s.outsideTransaction(t)
	}
	s.written = t
	return t, s.Hold(t)
}

// transaction is BEGIN ... COMMIT: one read point, and the
// writes that wait for the commit. It ends with the request.
type transaction struct {
	read.Transaction
	id     string
	muts   []buffer.Mutation
	own    map[ownKey]struct{}        // Keys that it has written.
	before settings.Settings          // Those before it.
	counts map[buffer.CounterID]int64 // The highest values of counters that it has written.
	bytes  int
	failed bool
	done   bool
}

type ownKey struct {
	scope kalam.Scope
	key   string
}

// Stmt is a prepared statement of a session, whose goroutine it shares.
type Stmt struct {
	session  *Session
	text     string
	st       ast.Statement
	count    int              // Of placeholders.
	declared []kalam.DataType // Of the first placeholders, KindNull for none.
	params   []kalam.DataType
	fields   []read.Field
	epoch    uint64 // Of the schemas when it was described.
	set      settings.Settings
}

// adopt makes next the settings of the statements that follow.
func (s *Session) adopt(next settings.Settings) {
	s.settings = next
	s.Namespace = next.Namespace
	s.Settings = query.Settings{Zone: next.Zone, Nulls: next.Nulls}
	if next.Nulls == s.server.Nulls {
		s.Settings.Nulls = query.NullsDefault // What the executor does anyway: one plan for all.
	}
}

// startRows begins a result of rows.
func (s *Session) startRows(h RowsHeader) error {
	s.settled = true
	return s.out.StartRows(h)
}

// done gives a result without rows.
func (s *Session) done(d Done) error {
	s.settled = true
	return s.out.Done(d)
}

// message reports a statement without rows.
func (s *Session) message(n int64, text string) error {
	return s.done(Done{RowCount: n, Message: text, AsUser: s.Principal.User, Statement: s.statement})
}

// audited is the caller of the statement under way, for the audit log.
func (s *Session) audited() trail.Caller {
	return trail.Caller{Principal: s.Principal, Namespace: s.Namespace}
}

// caller returns who runs statements with a default namespace, "" for the usual one.
func (srv *Server) caller(p kalam.Principal, ns kalam.NamespaceID) read.Caller {
	if ns == "" {
		ns = kalam.DefaultNamespace
	}
	return read.Caller{Reader: srv.Reader, Principal: p, Namespace: ns}
}

// abandon ends the open transaction without committing it.
func (s *Session) abandon() {
	if s.txn != nil {
		s.txn.done = true
		s.txn.Point.Release()
		s.txn, s.Txn = nil, nil
	}
}
