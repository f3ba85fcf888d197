package session

import (
	"context"
	"fmt"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/session/schema"
)

// tableOfQuery runs the query of CREATE TABLE ... AS: its results give spec the columns
// and the key, and the rows are those of the new table. What would keep them from being
// rows of it is refused now, before there is a table.
func (s *Session) tableOfQuery(
	ctx context.Context, st *ast.CreateTable, spec *kalam.Table,
) ([][]kalam.Value, error) {
	if err := s.checkParams(st.Params); err != nil {
		return nil, err
	}
	res, err := s.Open(ctx, st.As.SQL, s.params, read.Options{Inner: true})
	if err != nil {
		return nil, st.Edits.Place(err, st.As.Pos)
	}
	defer res.Close()
	fields := res.Fields()
	for i, f := range fields {
		c := kalam.Column{Name: strings.ToLower(f.Name), Type: f.Type}
		if err := dialect.CheckColumnName(ast.Ident{Name: c.Name, Quoted: true}); err != nil {
			return nil, kalam.Errorf(kalam.CodeInvalidSQL, "%s: give column %d of the query a name with AS",
				kalam.MessageOf(err), i+1).At(st.As.Pos)
		}
		if spec.ColumnIndex(c.Name) >= 0 {
			return nil, kalam.Errorf(kalam.CodeInvalidSQL,
				"Column '%s' comes twice: give one of them another name with AS", c.Name).At(st.As.Pos)
		}
		if c.Type.Kind == kalam.KindNull {
			c.Type = kalam.TypeOf(kalam.KindText)
		}
		spec.Columns = append(spec.Columns, c)
	}
	if err := schema.KeyOfResults(st, spec, schema.KeyAmong(fields, res.Table())); err != nil {
		return nil, err
	}
	if st.NoData {
		return nil, nil
	}
	var rows [][]kalam.Value
	err = res.Each(ctx, func(vals []kalam.Value) error {
		for i := range vals {
			var err error
			if vals[i], err = datatype.CastColumn(&spec.Columns[i], vals[i]); err != nil {
				return err
			}
		}
		rows = append(rows, vals)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return rows, checkNewKeys(st, spec, rows)
}

// checkNewKeys refuses rows whose key is NULL or comes twice.
func checkNewKeys(st *ast.CreateTable, spec *kalam.Table, rows [][]kalam.Value) error {
	if spec.HasHiddenKey() {
		return nil
	}
	seen := make(map[string]struct{}, len(rows))
	for _, row := range rows {
		for _, i := range spec.PrimaryKey {
			if row[i].IsNull() {
				return kalam.Errorf(kalam.CodeConstraint, "Primary key column '%s' is NULL in a row of the query; %s",
					spec.Columns[i].Name, schema.NameTheKey(st, spec))
			}
		}
		key := string(datatype.EncodeKey(nil, spec, row))
		if _, twice := seen[key]; twice {
			return kalam.Errorf(kalam.CodeAlreadyExists,
				"Primary key violation: value '%s' comes twice in column '%s'; %s",
				datatype.KeyText(spec, row), schema.KeyColumns(spec), schema.NameTheKey(st, spec))
		}
		seen[key] = struct{}{}
	}
	return nil
}

// fill writes the rows into the table that was created for them, which is dropped again
// if that fails.
func (s *Session) fill(ctx context.Context, t *kalam.Table, rows [][]kalam.Value, noEffect string) error {
	w := &writer{session: s, table: t, rows: rows}
	changes, err := w.insertions()
	if err == nil {
		err = s.Access.May(s.Principal, t, access.Insert)
	}
	if err == nil {
		err = s.Hold(t)
	}
	if err == nil {
		_, err = s.apply(ctx, changes)
	}
	if err != nil {
		ctx = context.WithoutCancel(ctx)
		if dropped, dropErr := s.Catalog.DropTable(ctx, t.ID); dropErr == nil {
			_, _ = s.server.Maintenance.Remove(ctx, dropped) // The job is tried again at the next start.
		}
		return err
	}
	key := ""
	if !t.HasHiddenKey() {
		key = fmt.Sprintf(", PRIMARY KEY (%s)", schema.KeyColumns(t))
	}
	return s.message(int64(len(rows)), fmt.Sprintf("%s table %s created successfully%s. Inserted %d row(s)%s", t.Kind,
		t.ID, noEffect, len(rows), key))
}
