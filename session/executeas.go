package session

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/sqltext"
)

// checkActing rejects the whole request, before anything runs, when one of its
// statements would act for a user that the principal may not act for.
func (s *Session) checkActing(fragments []sqltext.Fragment) error {
	for i, f := range fragments {
		if !sqltext.HasWord(f.Text, "execute") {
			continue
		}
		st, err := dialect.Parse(f.Text)
		if err != nil {
			return &StatementError{Statement: i + 1, SQL: f.Text, Err: located(err, f.Offset)}
		}
		if as, ok := st.(*ast.ExecuteAs); ok {
			if _, err := s.actAs(as); err != nil {
				s.trail.Refused(s.audited(), as, err)
				return &StatementError{Statement: i + 1, SQL: f.Text, Err: err}
			}
		}
	}
	return nil
}

// actAs returns the principal of an EXECUTE AS: the target with role user.
func (s *Session) actAs(as *ast.ExecuteAs) (kalam.Principal, error) {
	target, err := kalam.ParseUserID(as.User)
	if err != nil {
		return kalam.Principal{}, err
	}
	rank, there := s.Catalog.RankOf(target)
	p, ok := access.ActFor(s.Principal, target, rank)
	if !ok || !there {
		return kalam.Principal{}, kalam.Errorf(kalam.CodePermissionDenied,
			"Unauthorized: EXECUTE AS USER is not authorized: actor '%s' with role %s cannot target '%s'",
			s.Principal.User, s.Principal.Role, target)
	}
	return p, nil
}

// executeAs runs the inner statement as another user with role user.
func (s *Session) executeAs(ctx context.Context, st *ast.ExecuteAs) error {
	p, err := s.actAs(st)
	if err != nil {
		return err
	}
	inner, err := dialect.Parse(st.Inner)
	if err != nil {
		return located(err, st.Offset)
	}
	if err := s.mayActWith(inner); err != nil {
		return err
	}
	s.trail.ActsFor(s.audited(), p.User, inner)
	saved := s.Principal
	s.Principal = p
	defer func() { s.Principal = saved }()
	ctx, audited := s.trail.Begin(ctx, s.audited(), inner, st.Inner)
	err = s.execute(ctx, inner)
	if audited != nil { // What else is denied is noted as the EXECUTE AS.
		audited.End(err)
	}
	return located(err, st.Offset)
}

// mayActWith checks that the principal may run a statement as another user.
func (s *Session) mayActWith(st ast.Statement) error {
	var names []ast.Name
	switch st := st.(type) {
	case *ast.Insert:
		names = []ast.Name{st.Table}
	case *ast.Update:
		names = []ast.Name{st.Table}
	case *ast.Delete:
		names = []ast.Name{st.Table}
	case *ast.Truncate:
		names = st.Tables
	case *ast.ExecuteAs, *ast.Begin, *ast.Commit, *ast.Rollback, *ast.Execute, *ast.Prepare,
		*ast.SetSetting, *ast.ResetSetting, *ast.Deallocate:
		return kalam.Errorf(kalam.CodeInvalidSQL,
			"EXECUTE AS USER takes exactly one statement that reads or writes rows")
	default:
		return nil
	}
	for _, name := range names {
		if _, err := s.Resolve(name, access.WriteAs); err != nil {
			return err
		}
	}
	return nil
}
