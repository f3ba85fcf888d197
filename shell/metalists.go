package shell

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kalamlake/kalam/shell/format"
	"github.com/kalamlake/kalam/shell/scan"
	"github.com/kalamlake/kalam/sqltext"
)

// What \d, \dt and \du ask.
const (
	sqlDescribe = "SELECT column_name, data_type, is_nullable, is_primary_key, column_default" +
		" FROM information_schema.columns WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position"
	sqlTableList = `SELECT table_schema AS namespace, table_name AS "table", kalamdb_table_type AS "type"` +
		" FROM information_schema.tables WHERE %s ORDER BY 1, 2"
	sqlUsers = "SELECT username, role, email, auth_type, last_login_at, created_at" +
		" FROM system.users WHERE deleted_at IS NULL ORDER BY username"
)

// metaDescribe shows the columns of a table, or without one all tables.
func (s *session) metaDescribe(ctx context.Context, args string) error {
	if args == "" {
		return s.metaTables(ctx, "")
	}
	namespace, table, err := s.tableName(args)
	if err != nil {
		return err
	}
	return s.list(ctx, fmt.Sprintf(sqlDescribe, sqltext.QuoteString(namespace), sqltext.QuoteString(table)),
		fmt.Sprintf("no table %s.%s that you may see; \\dt lists the tables", namespace, table))
}

// metaTables shows the tables of a namespace, or without one all but the server's.
func (s *session) metaTables(ctx context.Context, args string) error {
	where := "table_schema NOT IN ('system', 'information_schema')"
	if args != "" {
		namespace, err := oneName(args)
		if err != nil {
			return err
		}
		where = "table_schema = " + sqltext.QuoteString(namespace)
	}
	return s.list(ctx, fmt.Sprintf(sqlTableList, where), "")
}

func (s *session) metaNamespaces(ctx context.Context, _ string) error {
	return s.list(ctx, "SHOW NAMESPACES", "")
}

func (s *session) metaUsers(ctx context.Context, _ string) error { return s.list(ctx, sqlUsers, "") }

// metaUse chooses the namespace of unqualified names.
func (s *session) metaUse(ctx context.Context, args string) error {
	if args == "" {
		s.remark("Current namespace: %s", s.namespace())
		return nil
	}
	namespace, err := oneName(args)
	if err != nil {
		return err
	}
	return s.list(ctx, "USE "+sqltext.QuoteIdent(namespace), "")
}

// list runs a query of a command and shows its result. A result without rows is
// the error none, unless that is empty.
func (s *session) list(ctx context.Context, sql, none string) error {
	if s.timing {
		defer s.timed(s.config.Now())
	}
	res, err := s.query(ctx, sql)
	if err == nil && none != "" && len(res.Results) > 0 && len(res.Results[0].Rows()) == 0 {
		return errors.New(none)
	}
	return s.show(res, err, sql, unnamed)
}

// metaHistory shows the history, or with "clear" forgets it.
func (s *session) metaHistory(_ context.Context, args string) error {
	if s.past == nil {
		return errors.New("there is a history only at the prompt")
	}
	switch args {
	case "clear":
		if err := s.past.Clear(); err != nil {
			return err
		}
		s.remark("History cleared")
	case "":
		for i, e := range s.past.Entries() {
			fmt.Fprintf(s.out, "%5d  %s\n", i+1, strings.ReplaceAll(format.EscapeLines(e), "\n", "\n       "))
		}
		return s.out.Flush()
	default:
		return fmt.Errorf(`\history takes nothing or clear, not %q`, args)
	}
	return nil
}

// metaTiming switches the time of each request, as seen from here, on or off.
func (s *session) metaTiming(_ context.Context, args string) error {
	on, err := switched(s.timing, args)
	if err != nil {
		return err
	}
	s.timing = on
	s.remark("Timing is %s.", onOff(on))
	return nil
}

// metaRefresh reads the names for completion anew.
func (s *session) metaRefresh(context.Context, string) error {
	if s.names != nil {
		s.names.Refresh()
	}
	s.remark("Names for completion are being read.")
	return nil
}

// switched is the state that an argument asks for: the other one without any.
func switched(now bool, args string) (bool, error) {
	switch strings.ToLower(args) {
	case "":
		return !now, nil
	case "on", "true":
		return true, nil
	case "off", "false":
		return false, nil
	}
	return now, fmt.Errorf("expected on or off, got %q", args)
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// tableName reads a table's name, with or without namespace.
func (s *session) tableName(args string) (namespace, table string, err error) {
	parts := scan.NameParts(args)
	switch len(parts) {
	case 1:
		return s.namespace(), parts[0], nil
	case 2:
		return parts[0], parts[1], nil
	}
	return "", "", fmt.Errorf("%q is not the name of a table, like t or ns.t", args)
}

// oneName reads a name.
func oneName(args string) (string, error) {
	if parts := scan.NameParts(args); len(parts) == 1 {
		return parts[0], nil
	}
	return "", fmt.Errorf("%q is not a name", args)
}
