package settings

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kalamlake/kalam/dialect/ast"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/internal/nearest"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/sqltext"
)

// Settings are what SET changes for the statements that follow.
type Settings struct {
	Namespace   kalam.NamespaceID
	Zone        *time.Location // nil is UTC.
	Nulls       query.NullOrder
	Timeout     time.Duration // Of a statement, beside the server's; 0 is none.
	Application string
}

// Finder finds what settings name.
type Finder interface {
	// Namespace returns the namespace of a name, or the names that there are.
	Namespace(name string) (ns kalam.NamespaceID, ok bool, names []string)
	// Zone returns the time zone of a name, nil for an unknown one, with names that are like it.
	Zone(ctx context.Context, name string) (zone *time.Location, candidates []string, err error)
}

// Setting is one of the settings.
type Setting struct {
	Name  string
	About string
	// Show returns its value as text.
	Show func(s *Settings) string
	// Set gives it the value of a text; what is wrong with that has CodeInvalidSQL or CodeNotFound.
	Set func(ctx context.Context, f Finder, s *Settings, value string) error
	// Restore takes its value from other settings.
	Restore func(to *Settings, from Settings)
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

// All returns the settings by name.
func All() []Setting {
	namespace := Setting{
		Name: "namespace", About: "namespace of names that have none",
		Show: func(s *Settings) string { return string(s.Namespace) }, Set: setNamespace,
		Restore: func(to *Settings, from Settings) { to.Namespace = from.Namespace },
	}
	path := namespace
	path.Name, path.About = "search_path", "the same as namespace, by PostgreSQL's name"
	return []Setting{
		{
			Name: "application_name", About: "what the log calls the client",
			Show: func(s *Settings) string { return s.Application }, Set: setApplication,
			Restore: func(to *Settings, from Settings) { to.Application = from.Application },
		},
		{
			Name: "default_null_order", About: "where ORDER BY puts NULLs that does not say it",
			Show: showNulls, Set: setNulls,
			Restore: func(to *Settings, from Settings) { to.Nulls = from.Nulls },
		},
		namespace, path,
		{
			Name: "statement_timeout", About: "longest run of a statement; 0 leaves it to the server",
			Show: func(s *Settings) string { return s.Timeout.String() }, Set: setTimeout,
			Restore: func(to *Settings, from Settings) { to.Timeout = from.Timeout },
		},
		{
			Name: "timezone", About: "zone of DATETIME in texts, casts and functions, and of CURRENT_DATE and LOCALTIMESTAMP",
			Show: showZone, Set: setZone,
			Restore: func(to *Settings, from Settings) { to.Zone = from.Zone },
		},
	}
}

// Of returns the setting of a name.
func Of(id ast.Ident) (Setting, error) {
	var names []string
	for _, x := range All() {
		if x.Name == sqltext.Fold(id.Name) {
			return x, nil
		}
		names = append(names, x.Name)
	}
	return Setting{}, kalam.Errorf(kalam.CodeInvalidSQL, "Unknown setting '%s'; the settings are %s%s",
		sqltext.Short(id.Name), strings.Join(names, ", "), Meant(id.Name, names)).At(id.Pos)
}

// Meant asks about the name for which another was probably mistyped.
func Meant(name string, names []string) string {
	if found := nearest.Words(name, names); len(found) > 0 {
		return fmt.Sprintf(". Did you mean '%s'?", found[0])
	}
	return ""
}

// NotAllowed is the error of a value that a setting does not take.
func NotAllowed(name, value, allowed string) error {
	return kalam.Errorf(kalam.CodeInvalidSQL, "Setting '%s' cannot be '%s': %s", name, sqltext.Short(value), allowed)
}

func setApplication(_ context.Context, _ Finder, to *Settings, value string) error {
	if len(value) > kalam.MaxIdentifier || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' }) {
		return NotAllowed("application_name", value,
			fmt.Sprintf("a text of at most %d bytes without control characters is expected", kalam.MaxIdentifier))
	}
	to.Application = value
	return nil
}

func setNamespace(_ context.Context, f Finder, to *Settings, value string) error {
	ns, ok, names := f.Namespace(value)
	if !ok {
		return kalam.Errorf(kalam.CodeNotFound, "Namespace '%s' does not exist%s", sqltext.Short(value), Meant(value, names))
	}
	to.Namespace = ns
	return nil
}

func showNulls(s *Settings) string {
	for _, o := range nullOrders {
		if o.order == s.Nulls {
			return o.name
		}
	}
	return ""
}

func setNulls(_ context.Context, _ Finder, to *Settings, value string) error {
	var names []string
	for _, o := range nullOrders {
		if strings.EqualFold(o.name, value) {
			to.Nulls = o.order
			return nil
		}
		names = append(names, o.name)
	}
	return NotAllowed("default_null_order", value, "one of "+strings.Join(names, ", ")+" is expected"+Meant(value, names))
}

// timeUnits are those of statement_timeout, as in PostgreSQL.
var timeUnits = map[string]time.Duration{
	"": time.Millisecond, "us": time.Microsecond, "ms": time.Millisecond, "s": time.Second, "min": time.Minute,
	"h": time.Hour, "d": 24 * time.Hour,
}

// maxTimeout is the longest statement_timeout: PostgreSQL's, about 24 days.
const maxTimeout = (1<<31 - 1) * time.Millisecond

func setTimeout(_ context.Context, _ Finder, to *Settings, value string) error {
	value = strings.TrimSpace(value)
	digits := strings.TrimLeft(value, "0123456789")
	number := value[:len(value)-len(digits)]
	unit, known := timeUnits[strings.TrimSpace(digits)]
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || !known || n > int64(maxTimeout/unit) {
		return NotAllowed("statement_timeout", value,
			"milliseconds from 0 to 2147483647, or a number with us, ms, s, min, h or d such as '30s', is expected")
	}
	to.Timeout = time.Duration(n) * unit
	return nil
}

func showZone(s *Settings) string {
	if s.Zone == nil {
		return "UTC"
	}
	return s.Zone.String()
}

func setZone(ctx context.Context, f Finder, to *Settings, value string) error {
	if strings.EqualFold(value, "UTC") {
		to.Zone = nil
		return nil
	}
	zone, candidates, err := f.Zone(ctx, value)
	if err != nil {
		return err
	}
	if zone == nil {
		return NotAllowed("timezone", value, "the name of a time zone such as UTC or Europe/Berlin is expected"+
			Meant(value, candidates))
	}
	to.Zone = zone
	return nil
}
