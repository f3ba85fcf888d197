package session

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // The server may run where the system has none.

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/internal/nearest"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/sqltext"
	"github.com/kalamlake/kalam/systables"
)

// setting is one of the settings.
type setting struct {
	name    string
	about   string
	show    func(s *Session) string
	set     func(ctx context.Context, s *Session, to *settings, value string) error
	restore func(to *settings, from settings)
}

// nullOrders are the values of default_null_order, the first name of each shown.
var nullOrders = []struct {
	name  string
	order query.NullOrder
}{
	{"nulls_first", query.NullsFirst}, {"nulls_last", query.NullsLast},
	{"nulls_first_on_asc_last_on_desc", query.NullsLow}, {"nulls_last_on_asc_first_on_desc", query.NullsHigh},
	{"first", query.NullsFirst}, {"last", query.NullsLast},
	{"sqlite", query.NullsLow}, {"mysql", query.NullsLow}, {"postgres", query.NullsHigh}, {"postgresql", query.NullsHigh},
}

// allSettings returns the settings by name.
func allSettings() []setting {
	namespace := setting{
		name: "namespace", about: "namespace of names that have none",
		show: func(s *Session) string { return string(s.Namespace) }, set: setNamespace,
		restore: func(to *settings, from settings) { to.namespace = from.namespace },
	}
	path := namespace
	path.name, path.about = "search_path", "the same as namespace, by PostgreSQL's name"
	return []setting{
		{
			name: "application_name", about: "what the log calls the client",
			show: func(s *Session) string { return s.settings.application }, set: setApplication,
			restore: func(to *settings, from settings) { to.application = from.application },
		},
		{
			name: "default_null_order", about: "where ORDER BY puts NULLs that does not say it",
			show: (*Session).showNulls, set: setNulls,
			restore: func(to *settings, from settings) { to.nulls = from.nulls },
		},
		namespace, path,
		{
			name: "statement_timeout", about: "longest run of a statement; 0 leaves it to the server",
			show: func(s *Session) string { return s.settings.timeout.String() }, set: setTimeout,
			restore: func(to *settings, from settings) { to.timeout = from.timeout },
		},
		{
			name: "timezone", about: "zone of DATETIME in texts, casts and functions, and of CURRENT_DATE and LOCALTIMESTAMP",
			show: (*Session).showZone, set: setZone,
			restore: func(to *settings, from settings) { to.zone = from.zone },
		},
	}
}

// settingOf returns the setting of a name.
func settingOf(id ast.Ident) (setting, error) {
	var names []string
	for _, x := range allSettings() {
		if x.name == sqltext.Fold(id.Name) {
			return x, nil
		}
		names = append(names, x.name)
	}
	return setting{}, kalam.Errorf(kalam.CodeInvalidSQL, "Unknown setting '%s'; the settings are %s%s",
		sqltext.Short(id.Name), strings.Join(names, ", "), meant(id.Name, names)).At(id.Pos)
}

// meant asks about the name for which another was probably mistyped.
func meant(name string, names []string) string {
	if found := nearest.Word(name, names); found != "" {
		return fmt.Sprintf(". Did you mean '%s'?", found)
	}
	return ""
}

// notAllowed is the error of a value that a setting does not take.
func notAllowed(name, value, allowed string) error {
	return kalam.Errorf(kalam.CodeInvalidSQL, "Setting '%s' cannot be '%s': %s", name, sqltext.Short(value), allowed)
}

// set runs SET.
func (s *Session) set(ctx context.Context, st *ast.SetSetting) error {
	x, err := settingOf(st.Name)
	if err != nil {
		return err
	}
	next := s.settings
	switch len(st.Values) {
	case 0:
		x.restore(&next, s.initial)
	case 1:
		if err := x.set(ctx, s, &next, st.Values[0]); err != nil {
			return kalam.Positioned(err, st.ValuePos)
		}
	default:
		return kalam.Positioned(notAllowed(x.name, strings.Join(st.Values, ", "), "one value is expected"), st.ValuePos)
	}
	s.adopt(next)
	return s.message(0, fmt.Sprintf("Setting '%s' is '%s'", x.name, x.show(s)))
}

// reset runs RESET.
func (s *Session) reset(st *ast.ResetSetting) error {
	if st.All {
		s.adopt(s.initial)
		return s.message(0, "All settings are reset")
	}
	x, err := settingOf(st.Name)
	if err != nil {
		return err
	}
	next := s.settings
	x.restore(&next, s.initial)
	s.adopt(next)
	return s.message(0, fmt.Sprintf("Setting '%s' is '%s'", x.name, x.show(s)))
}

// showSetting runs SHOW name and SHOW ALL.
func (s *Session) showSetting(st *ast.ShowSetting) error {
	if !st.All {
		x, err := settingOf(st.Name)
		if err != nil {
			return err
		}
		column := kalam.Column{Name: x.name, Type: kalam.TypeOf(kalam.KindText)}
		return s.listing([]kalam.Column{column}, [][]kalam.Value{{kalam.Text(x.show(s))}}, "")
	}
	var rows [][]kalam.Value
	for _, x := range allSettings() {
		rows = append(rows, []kalam.Value{kalam.Text(x.name), kalam.Text(x.show(s)), kalam.Text(x.about)})
	}
	return s.listing(systables.Columns(`name TEXT, setting TEXT, description TEXT`), rows, "")
}

func setApplication(_ context.Context, _ *Session, to *settings, value string) error {
	if len(value) > kalam.MaxIdentifier || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' }) {
		return notAllowed("application_name", value,
			fmt.Sprintf("a text of at most %d bytes without control characters is expected", kalam.MaxIdentifier))
	}
	to.application = value
	return nil
}

func setNamespace(_ context.Context, s *Session, to *settings, value string) error {
	ns := kalam.NamespaceID(sqltext.Fold(value))
	if !s.Access.SeesNamespace(s.Principal, ns) && !access.IsComputed(ns) {
		names := []string{string(access.System), string(access.Information)}
		for _, n := range s.Access.Namespaces(s.Principal) {
			names = append(names, string(n.ID))
		}
		return kalam.Errorf(kalam.CodeNotFound, "Namespace '%s' does not exist%s", sqltext.Short(value), meant(value, names))
	}
	to.namespace = ns
	return nil
}

func (s *Session) showNulls() string {
	order := s.settings.nulls
	for _, o := range nullOrders {
		if o.order == order {
			return o.name
		}
	}
	return ""
}

func setNulls(_ context.Context, _ *Session, to *settings, value string) error {
	var names []string
	for _, o := range nullOrders {
		if strings.EqualFold(o.name, value) {
			to.nulls = o.order
			return nil
		}
		names = append(names, o.name)
	}
	return notAllowed("default_null_order", value, "one of "+strings.Join(names, ", ")+" is expected"+meant(value, names))
}

// timeUnits are those of statement_timeout, as in PostgreSQL.
var timeUnits = map[string]time.Duration{
	"": time.Millisecond, "us": time.Microsecond, "ms": time.Millisecond, "s": time.Second, "min": time.Minute,
	"h": time.Hour, "d": 24 * time.Hour,
}

// maxTimeout is the longest statement_timeout: PostgreSQL's, about 24 days.
const maxTimeout = (1<<31 - 1) * time.Millisecond

func setTimeout(_ context.Context, _ *Session, to *settings, value string) error {
	value = strings.TrimSpace(value)
	digits := strings.TrimLeft(value, "0123456789")
	number := value[:len(value)-len(digits)]
	unit, known := timeUnits[strings.TrimSpace(digits)]
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || !known || n > int64(maxTimeout/unit) {
		return notAllowed("statement_timeout", value,
			"milliseconds from 0 to 2147483647, or a number with us, ms, s, min, h or d such as '30s', is expected")
	}
	to.timeout = time.Duration(n) * unit
	return nil
}

func (s *Session) showZone() string {
	if s.settings.zone == nil {
		return "UTC"
	}
	return s.settings.zone.String()
}

func setZone(ctx context.Context, s *Session, to *settings, value string) error {
	if strings.EqualFold(value, "UTC") {
		to.zone = nil
		return nil
	}
	zone, candidates, err := s.server.zoneOf(ctx, s.Principal.User, value)
	if err != nil {
		return err
	}
	if zone == nil {
		return notAllowed("timezone", value, "the name of a time zone such as UTC or Europe/Berlin is expected"+
			meant(value, candidates))
	}
	to.zone = zone
	return nil
}

// zoneOf returns the zone of a name, whatever its case: one that the query engine knows as well. nil for an unknown
// name, with names that are like it.
func (srv *Server) zoneOf(ctx context.Context, user kalam.UserID, name string) (*time.Location, []string, error) {
	if len(name) > kalam.MaxIdentifier || name == "" || strings.EqualFold(name, "local") {
		return nil, nil, nil
	}
	if known, ok := srv.zones.Load(name); ok {
		return known.(*time.Location), nil, nil
	}
	candidates, err := srv.Reader.Query.CheckZone(ctx, user, name)
	if err != nil {
		return nil, nil, err
	}
	if len(candidates) > 0 {
		return nil, candidates, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil { // The query engine does not mind the case.
		capital := capitals(name)
		if zone, err = time.LoadLocation(capital); err != nil {
			return nil, []string{capital}, nil //nolint:nilerr // Who asked is told that there is no such zone.
		}
		return zone, nil, nil
	}
	srv.zones.Store(name, zone)
	return zone, nil, nil
}

// capitals returns the name of a zone as most are written: Europe/Berlin, America/New_York.
func capitals(name string) string {
	out := []byte(strings.ToLower(name))
	for i, c := range out {
		if (i == 0 || strings.IndexByte("/_-", out[i-1]) >= 0) && c >= 'a' && c <= 'z' {
			out[i] = c - 'a' + 'A'
		}
	}
	return string(out)
}
