package session

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/export"
	"github.com/kalamlake/kalam/session/exports"
	"github.com/kalamlake/kalam/systables"
)

// exports returns what carries out statements that export.
func (s *Session) exports() *exports.Exports {
	return &exports.Exports{
		Caller: &s.Caller, Data: s.server.Exports, Catalogs: s.server.Catalogs, URL: s.server.ExportURL,
	}
}

// startedJob answers a statement that started a job, unless err says that it did not.
func (s *Session) startedJob(text string, id kalam.JobID, err error) error {
	if err != nil {
		return err
	}
	return s.ordered(text, id)
}

func (s *Session) showExport(ctx context.Context) error {
	rows, err := s.exports().Show(ctx)
	if err != nil {
		return err
	}
	return s.listing(systables.Columns(export.Columns), rows, "")
}
