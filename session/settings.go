package session

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/session/settings"
	"github.com/kalamlake/kalam/sqltext"
	"github.com/kalamlake/kalam/systables"
)

// set runs SET.
func (s *Session) set(ctx context.Context, st *ast.SetSetting) error {
	x, err := settings.Of(st.Name)
	if err != nil {
		return err
	}
	next := s.settings
	switch len(st.Values) {
	case 0:
		x.Restore(&next, s.initial)
	case 1:
		if err := x.Set(ctx, finder{s}, &next, st.Values[0]); err != nil {
			return kalam.Positioned(err, st.ValuePos)
		}
	default:
		return kalam.Positioned(settings.NotAllowed(x.Name, strings.Join(st.Values, ", "), "one value is expected"),
			st.ValuePos)
	}
	s.adopt(next)
	return s.message(0, fmt.Sprintf("Setting '%s' is '%s'", x.Name, x.Show(&s.settings)))
}

// reset runs RESET.
func (s *Session) reset(st *ast.ResetSetting) error {
	if st.All {
		s.adopt(s.initial)
		return s.message(0, "All settings are reset")
	}
	x, err := settings.Of(st.Name)
	if err != nil {
		return err
	}
	next := s.settings
	x.Restore(&next, s.initial)
	s.adopt(next)
	return s.message(0, fmt.Sprintf("Setting '%s' is '%s'", x.Name, x.Show(&s.settings)))
}

// showSetting runs SHOW name and SHOW ALL.
func (s *Session) showSetting(st *ast.ShowSetting) error {
	if !st.All {
		x, err := settings.Of(st.Name)
		if err != nil {
			return err
		}
		column := kalam.Column{Name: x.Name, Type: kalam.TypeOf(kalam.KindText)}
		return s.listing([]kalam.Column{column}, [][]kalam.Value{{kalam.Text(x.Show(&s.settings))}}, "")
	}
	var rows [][]kalam.Value
	for _, x := range settings.All() {
		rows = append(rows, []kalam.Value{kalam.Text(x.Name), kalam.Text(x.Show(&s.settings)), kalam.Text(x.About)})
	}
	return s.listing(systables.Columns(`name TEXT, setting TEXT, description TEXT`), rows, "")
}

// finder finds what the settings of a session name.
type finder struct{ s *Session }

func (f finder) Namespace(name string) (kalam.NamespaceID, bool, []string) {
	s, ns := f.s, kalam.NamespaceID(sqltext.Fold(name))
	if s.Access.SeesNamespace(s.Principal, ns) || access.IsComputed(ns) {
		return ns, true, nil
	}
	names := []string{string(access.System), string(access.Information)}
	for _, n := range s.Access.Namespaces(s.Principal) {
		names = append(names, string(n.ID))
	}
	return "", false, names
}

func (f finder) Zone(ctx context.Context, name string) (*time.Location, []string, error) {
	return f.s.server.zones.Find(ctx, f.s.Principal.User, name)
}
