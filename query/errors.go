package query

import (
	"context"
	"errors"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/duckerr"
	"github.com/kalamlake/kalam/query/guard"
)

// Canceled returns the error for a context that has ended: its cause if that is worded, else
// one that wraps the context's error.
func Canceled(ctx context.Context) error {
	var cause *kalam.Error
	if errors.As(context.Cause(ctx), &cause) {
		return cause
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return kalam.Wrap(kalam.CodeTimeout, ctx.Err(), "statement ran longer than allowed")
	}
	return kalam.Wrap(kalam.CodeCanceled, ctx.Err(), "statement was canceled")
}

// ErrClosed returns the error of a planner that is closed.
func ErrClosed() error { return kalam.Errorf(kalam.CodeShuttingDown, "the server is shutting down") }

// translate words an error of a statement for its user. q may be nil.
func translate(err error, q *guard.Query) error {
	var ke *kalam.Error
	if errors.As(err, &ke) {
		return err
	}
	var de *duckerr.Error
	if !errors.As(err, &de) {
		return kalam.Wrap(kalam.CodeInternal, err, "query failed")
	}
	code := codeOf(de)
	switch code {
	case kalam.CodeInternal:
		return kalam.Wrap(code, de, "query failed")
	case kalam.CodeResourceExhausted:
		if strings.Contains(de.Message, "No space left") || strings.Contains(de.Message, "Disk quota") {
			return kalam.Wrap(code, de, "no space left on the disk")
		}
		return kalam.Wrap(code, de, "query needs more memory than query.memory_limit allows")
	case kalam.CodeCorrupt:
		return kalam.Wrap(code, de, "cannot read segment %s", fileIn(de.Message))
	}
	e := kalam.Wrap(code, nil, "%s", wording(de, q)).Lacks(missing(de), de.Name)
	if pos := q.PlaceOf(de.Name); pos >= 0 {
		e = e.At(pos)
	}
	return e
}

// missing says what kind of name de is about that means nothing.
func missing(de *duckerr.Error) kalam.Missing {
	switch {
	case de.Subtype == duckerr.ColumnNotFound:
		return kalam.MissingColumn
	case de.Subtype == "MISSING_ENTRY" && strings.HasSuffix(de.Kind, "Function"):
		return kalam.MissingFunction
	case de.Subtype == "MISSING_ENTRY" && de.Kind == "Type":
		return kalam.MissingType
	}
	return kalam.MissingNothing
}

// codeOf classifies an error by DuckDB's type of it.
func codeOf(de *duckerr.Error) kalam.Code {
	switch de.Type {
	case "Parser",
		"Syntax",
		"Binder",
		"Catalog",
		"Parameter Not Resolved",
		"Parameter Not Allowed",
		"Expression",
		"Not implemented",
		"Invalid type",
		"Dependency":
		return kalam.CodeInvalidSQL
	case "Conversion", "Out of Range", "Invalid Input", "Mismatch Type", "Decimal", "Divide by Zero", "Constraint":
		if isCorrupt(de.Message) {
			return kalam.CodeCorrupt
		}
		return kalam.CodeConstraint
	case "Out of Memory", "Object Size":
		return kalam.CodeResourceExhausted
	case "IO":
		if strings.Contains(de.Message, "No space left") || strings.Contains(de.Message, "Disk quota") {
			return kalam.CodeResourceExhausted
		}
		return kalam.CodeCorrupt
	case "Serialization":
		return kalam.CodeCorrupt
	case "INTERRUPT", "Interrupt":
		return kalam.CodeCanceled
	}
	return kalam.CodeInternal
}

// corruptPattern is how DuckDB's messages about the bytes of a Parquet file begin.
// A value of a user's stands further on, behind other words.
var corruptPattern = regexp.MustCompile(`^(?:[A-Z][A-Za-z ]* )?[Ff]ile ["']/[^"']*\.parquet["']|^TProtocolException`)

// isCorrupt reports whether a message is about the bytes of a Parquet file.
func isCorrupt(msg string) bool { return corruptPattern.MatchString(msg) }

var (
	pathPattern = regexp.MustCompile(`[^\s'"]*/[^\s'"]*`)
	ownPattern  = regexp.MustCompile(`\bkalam_[0-9a-z_]*`)
)

// wording returns the text of an error without what users must not or need not
// see: names and paths of ours, and suggestions, which list relations of the
// whole instance.
func wording(de *duckerr.Error, q *guard.Query) string {
	switch de.Subtype {
	case duckerr.ColumnNotFound:
		return "Column '" + de.Name + "' does not exist"
	case "MISSING_ENTRY":
		if de.Kind == "Table" {
			return "relation '" + q.TableName(de.Name) + "' does not exist"
		}
		return de.Kind + " '" + de.Name + "' does not exist"
	}
	if strings.HasPrefix(de.Message, "Referenced table ") && de.Name != "" {
		return "'" + q.RestoreNames(de.Name) + "' is no table or alias of this statement"
	}
	msg := q.RestoreNames(duckerr.FirstLine(strings.TrimPrefix(de.Message, guard.OwnMessage)))
	msg = ownPattern.ReplaceAllString(msg, "the table")
	return pathPattern.ReplaceAllStringFunc(msg, func(s string) string {
		if strings.HasSuffix(s, ".parquet") || strings.Count(s, "/") > 1 {
			return filepath.Base(s)
		}
		return s
	})
}

// fileIn returns the base name of the first path in a message, without which the
// segment stays unnamed.
func fileIn(msg string) string {
	if m := pathPattern.FindString(msg); m != "" {
		return filepath.Base(m)
	}
	return "file"
}
