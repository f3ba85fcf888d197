package session

import (
	"context"
	"fmt"

	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/export"
	"github.com/kalamlake/kalam/systables"
)

// exportData starts the export of all that the principal has.
func (s *Session) exportData(ctx context.Context, st *ast.ExportData) error {
	if err := access.Check(s.Principal, access.ExportData); err != nil {
		return err
	}
	j, err := s.server.Exports.Start(ctx, s.Principal, export.Format(st.Format))
	if err != nil {
		return err
	}
	return s.ordered(fmt.Sprintf("User data export started. Job ID: %s. Use SHOW EXPORT to check status and get the "+
		"download link.", j.ID), j.ID)
}

// showExport lists the exports of the principal.
func (s *Session) showExport(ctx context.Context) error {
	if err := access.Check(s.Principal, access.ExportData); err != nil {
		return err
	}
	rows, err := s.server.Exports.Rows(ctx, s.Principal.User, s.server.ExportURL)
	if err != nil {
		return err
	}
	return s.listing(systables.Columns(export.Columns), rows, "")
}
