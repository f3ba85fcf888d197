package session

import (
	"context"

	"github.com/kalamlake/kalam"
)

// rule is what the rows of a table have to meet before it is altered; the zero rule is none.
type rule struct {
	column *kalam.Column // Of the next version.
	pos    int           // Of its name in the statement.
	stored bool          // The column is there already and must not hold NULL. Otherwise there must be no row.
	perRow bool          // Because its default gives each row another value.
}

// check refuses the alteration when rows of t that are newer than since do not meet the rule.
func (r *rule) check(ctx context.Context, s *Session, t *kalam.Table, since kalam.Seq) error {
	if r.column == nil {
		return nil
	}
	if !r.stored {
		return r.checkEmpty(ctx, s, t)
	}
	n, err := s.CountNulls(ctx, t, t.ColumnIndex(r.column.Name), since)
	if err != nil || n == 0 {
		return err
	}
	rows := "rows hold"
	if n == 1 {
		rows = "row holds"
	}
	return kalam.Errorf(kalam.CodeConstraint, "Column '%s' of table %s cannot be NOT NULL: %d %s NULL", r.column.Name,
		t.ID, n, rows).At(r.pos)
}

// checkEmpty refuses when there is a row.
func (r *rule) checkEmpty(ctx context.Context, s *Session, t *kalam.Table) error {
	since := kalam.Seq(0)
	if t.Expires() {
		since = kalam.SeqAt(s.Now.Add(-t.Options.TTL))
	}
	for sc, err := range s.Store.Scopes(ctx, t.Number) {
		if err != nil {
			return err
		}
		n, err := s.Store.Counts(ctx, t, sc, since)
		switch {
		case err != nil:
			return err
		case n.Live == 0:
		case r.perRow && r.column.IsCounted():
			return kalam.Errorf(kalam.CodeConstraint,
				"Column '%s' cannot be added with AUTO_INCREMENT: table %s has rows, and each would need a value of its own",
				r.column.Name, t.ID).At(r.pos)
		case r.perRow:
			return kalam.Errorf(kalam.CodeConstraint,
				"Column '%s' cannot be added with DEFAULT %s: table %s has rows, and each would need a value of its own."+
					" Add it without DEFAULT, UPDATE the rows, then ALTER COLUMN %s SET DEFAULT %s", r.column.Name,
				r.column.Default.SQL, t.ID, r.column.Name, r.column.Default.SQL).At(r.pos)
		default:
			return kalam.Errorf(kalam.CodeConstraint,
				"Column '%s' cannot be added NOT NULL without DEFAULT: table %s has rows, which would hold NULL in it",
				r.column.Name, t.ID).At(r.pos)
		}
	}
	return nil
}
