package session

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/session/schema"
)

// checkRule refuses the alteration when rows of t that are newer than since do not meet the rule.
func (s *Session) checkRule(ctx context.Context, r *schema.Rule, t *kalam.Table, since kalam.Seq) error {
	if r.Column == nil {
		return nil
	}
	if !r.Stored {
		return s.checkEmpty(ctx, r, t)
	}
	n, err := s.CountNulls(ctx, t, t.ColumnIndex(r.Column.Name), since)
	if err != nil || n == 0 {
		return err
	}
	rows := "rows hold"
	if n == 1 {
		rows = "row holds"
	}
	return kalam.Errorf(kalam.CodeConstraint, "Column '%s' of table %s cannot be NOT NULL: %d %s NULL", r.Column.Name,
		t.ID, n, rows).At(r.Pos)
}

// checkEmpty refuses when there is a row.
func (s *Session) checkEmpty(ctx context.Context, r *schema.Rule, t *kalam.Table) error {
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
		case r.PerRow && r.Column.IsCounted():
			return kalam.Errorf(kalam.CodeConstraint,
				"Column '%s' cannot be added with AUTO_INCREMENT: table %s has rows, and each would need a value of its own",
				r.Column.Name, t.ID).At(r.Pos)
		case r.PerRow:
			return kalam.Errorf(kalam.CodeConstraint,
				"Column '%s' cannot be added with DEFAULT %s: table %s has rows, and each would need a value of its own."+
					" Add it without DEFAULT, UPDATE the rows, then ALTER COLUMN %s SET DEFAULT %s", r.Column.Name,
				r.Column.Default.SQL, t.ID, r.Column.Name, r.Column.Default.SQL).At(r.Pos)
		default:
			return kalam.Errorf(kalam.CodeConstraint,
				"Column '%s' cannot be added NOT NULL without DEFAULT: table %s has rows, which would hold NULL in it",
				r.Column.Name, t.ID).At(r.Pos)
		}
	}
	return nil
}
