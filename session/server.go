package session

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/audit"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/export"
	"github.com/kalamlake/kalam/export/iceberg"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/session/cache"
	"github.com/kalamlake/kalam/session/gate"
	"github.com/kalamlake/kalam/session/settings"
	"github.com/kalamlake/kalam/storages"
	"github.com/kalamlake/kalam/subscribe"
)

// Options are what New needs. All fields are to be set, but for Limits.
type Options struct {
	Reader      *read.Reader
	Hub         *subscribe.Hub
	Lake        *lake.Lake
	Storages    *storages.Registry
	Maintenance Maintenance
	Logger      *slog.Logger
	Now         func() time.Time
	Limits      Limits
	Plans       int             // SELECTs of which it is remembered whether they read one row by its key.
	Nulls       query.NullOrder // Where the executor puts NULLs.
	Cache       cache.Options
	Exports     *export.Exporter
	Catalogs    *iceberg.Exporter
	ExportURL   string // Before the path that export.DownloadPath returns, for SHOW EXPORT.
	LiveURL     string // Of the WebSocket endpoint, for the answer to SUBSCRIBE TO.
	// Observe is told of each statement that has ended: how long it took, with the encoding of its rows, and its error. It
	// is called on the path of every statement, from many goroutines: it is fast, and never blocks.
	Observe func(st ast.Statement, role kalam.Role, took time.Duration, err error)
	Audit   *audit.Log
}

// Limits bound statements; 0 is no limit.
type Limits struct {
	Statement     time.Duration // Longest run of one statement.
	Request       time.Duration // Longest run of all statements of one request.
	SlowStatement time.Duration // From which on a statement is logged.
	ResultRows    int64         // After which a result is cut.
	RowBytes      int64         // Of a stored row.
}

// Server is what the sessions of one server share. It is safe for concurrent use.
type Server struct {
	Options
	points *cache.Points
	cache  *cache.Cache
	zones  *settings.Zones
	gates  gate.Gates
	limits atomic.Pointer[Limits] // In force.
}

// New returns a server.
func New(o Options) (*Server, error) {
	points, err := cache.NewPoints(o.Plans)
	if err != nil {
		return nil, fmt.Errorf("make point cache: %w", err)
	}
	kept, err := cache.New(o.Cache, o.Now)
	if err != nil {
		return nil, fmt.Errorf("make session cache: %w", err)
	}
	srv := &Server{
		Options: o, points: points, cache: kept, zones: &settings.Zones{Check: o.Reader.Query.CheckZone},
	}
	srv.Bound(o.Limits)
	return srv, nil
}

// Bound puts other limits in force, for the statements that begin from now on.
func (srv *Server) Bound(l Limits) { srv.limits.Store(&l) }
