package shell

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/shell/tstypes"
	"github.com/kalamlake/kalam/sqltext"
)

// sqlTypes asks for the columns of tables, but those that every table has.
const sqlTypes = "SELECT table_schema, table_name, column_name, data_type, is_nullable = 'YES'" +
	" FROM information_schema.columns WHERE %s AND column_name NOT IN ('_seq', '_deleted')" +
	" ORDER BY table_schema, table_name, ordinal_position"

// types writes the TypeScript types of tables, or without one of all that the user sees, or of the namespace that the
// command line names. Nothing is written unless each table is there.
func (s *session) types(ctx context.Context, tables []string) int {
	columns, err := s.typedColumns(ctx, tables)
	if err == nil {
		err = errors.Join(tstypes.Write(s.out, columns), s.out.Flush())
	}
	if err != nil {
		s.fail(err, "")
		return ExitError
	}
	return ExitOK
}

// typedColumns returns the columns to write the types of.
func (s *session) typedColumns(ctx context.Context, tables []string) (columns []tstypes.Column, err error) {
	if len(tables) == 0 {
		where := "table_schema NOT IN ('system', 'information_schema')"
		if s.config.Namespace != "" {
			where = "table_schema = " + sqltext.QuoteString(s.config.Namespace)
		}
		return s.columnsWhere(ctx, where)
	}
	for _, name := range tables {
		namespace, table, err := s.tableName(name)
		if err != nil {
			return nil, err
		}
		of, err := s.columnsWhere(ctx, "table_schema = "+sqltext.QuoteString(namespace)+" AND table_name = "+sqltext.QuoteString(table))
		if err != nil {
			return nil, err
		}
		if len(of) == 0 {
			return nil, fmt.Errorf("no table %s.%s that you may see; \\dt lists the tables", namespace, table)
		}
		columns = append(columns, of...)
	}
	return columns, nil
}

func (s *session) columnsWhere(ctx context.Context, where string) (columns []tstypes.Column, err error) {
	res, err := s.query(ctx, fmt.Sprintf(sqlTypes, where))
	if err != nil {
		return nil, err
	}
	for _, row := range res.Results[0].Rows() {
		var c tstypes.Column
		for i, into := range []any{&c.Namespace, &c.Table, &c.Name, &c.Type, &c.Nullable} {
			if err := json.Unmarshal(row[i], into); err != nil {
				return nil, &link.Error{Kind: link.KindSerialization, Message: "a column cannot be read: " + err.Error(), Err: err}
			}
		}
		columns = append(columns, c)
	}
	return columns, nil
}
