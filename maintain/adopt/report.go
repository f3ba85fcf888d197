package adopt

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kalamlake/kalam"
)

// Report is what Run found and did.
type Report struct {
	LakeID   string
	NewID    bool // The storage did not tell which lake it is.
	DryRun   bool
	Tables   []Table
	Users    []kalam.UserID // Owners of rows, whether or not all of theirs was adopted.
	Lacking  []LackingScope // Users of whom something that is needed cannot be read.
	Refused  []RefusedTable
	Damaged  []DamagedFile  // Every file that cannot be used, needed or not.
	Unneeded []string       // Left by crashes, or replaced by compactions.
	Dropped  []DroppedFiles // Of tables whose name another one has since.
	Empty    []string       // manifest.json of tables of which nothing was flushed.
	Stray    []string       // Files of tables none of whose files can be read.
	Loose    []string       // Files in folders that are no table's, and key index files of what was never finished.
	Notes    []string
}

// Table is a table that was adopted.
type Table struct {
	Table         kalam.TableID
	Kind          kalam.TableKind
	SchemaVersion int
	Derived       bool // No file defines it: see lake.FoundTable.
	Scopes        int  // Users, or 1 of a SHARED table, that are available.
	Segments      int
	Rows          int64 // That a query finds.
}

// LackingScope is a user of whose rows in a table something cannot be read.
type LackingScope struct {
	Table kalam.TableID
	User  kalam.UserID
	Why   []string
}

// RefusedTable is a table that cannot be adopted.
type RefusedTable struct {
	Table kalam.TableID
	Files int
	Why   error
}

// DamagedFile is a file that cannot be used.
type DamagedFile struct {
	Path string
	Why  error
}

// DroppedFiles are files of a table that was dropped.
type DroppedFiles struct {
	Table  kalam.TableID
	Number kalam.TableNumber
	Files  int
}

func (r *Report) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// Complete reports whether everything that was found and is needed was adopted.
func (r *Report) Complete() bool {
	return len(r.Lacking) == 0 && len(r.Refused) == 0 && len(r.Stray) == 0
}

// maxNotes is how many notes of one kind are printed.
const maxNotes = 100

// WriteTo prints the report for people.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	verb := "adopted"
	if r.DryRun {
		verb = "would be adopted (dry run: nothing was changed)"
	}
	fmt.Fprintf(&b, "lake %s", r.LakeID)
	if r.NewID {
		b.WriteString(" (a new id: the storage did not tell its own)")
	}
	segments, rows := 0, int64(0)
	for i := range r.Tables {
		segments, rows = segments+r.Tables[i].Segments, rows+r.Tables[i].Rows
	}
	fmt.Fprintf(&b, "\n%s: %d table(s), %d user(s), %d segment(s), %d row(s)\n", verb, len(r.Tables), len(r.Users),
		segments, rows)
	for i := range r.Tables {
		r.Tables[i].write(&b)
	}
	r.writeProblems(&b)
	r.writeLeft(&b)
	r.writeUnknown(&b)
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

func (t *Table) write(b *strings.Builder) {
	fmt.Fprintf(b, "  %s: %s table, schema version %d, %d user(s) or scope(s), %d segment(s), %d row(s)\n",
		t.Table, strings.ToUpper(t.Kind.String()), t.SchemaVersion, t.Scopes, t.Segments, t.Rows)
	if t.Derived {
		b.WriteString("    an older version wrote its files: NOT NULL, defaults, options and access level are " +
			"not known, " +
			"and JSON columns came back as TEXT\n")
	}
}

// writeProblems prints what could not be read.
func (r *Report) writeProblems(b *strings.Builder) {
	slices.SortFunc(r.Damaged, func(x, y DamagedFile) int { return cmp.Compare(x.Path, y.Path) })
	for _, d := range r.Damaged {
		fmt.Fprintf(b, "cannot be read, left in place: %s: %v\n", d.Path, d.Why)
	}
	for _, l := range r.Lacking {
		owner := "all users"
		if l.User != "" {
			owner = fmt.Sprintf("user '%s'", l.User)
		}
		fmt.Fprintf(b, "not whole: rows of %s in %s; needed and not to be had: %s\n", owner, l.Table,
			strings.Join(l.Why, "; "))
	}
	for _, t := range r.Refused {
		fmt.Fprintf(b, "not adopted: table %s with %d file(s), left in place: %v\n", t.Table, t.Files, t.Why)
	}
	list(b, "not adopted, left in place (nothing else of its table can be read)", r.Stray)
}

// writeLeft prints what was left aside.
func (r *Report) writeLeft(b *strings.Builder) {
	list(b, "note", r.Notes)
	list(b, "not needed (its rows are in other files, or replaced or deleted)", r.Unneeded)
	for _, d := range r.Dropped {
		fmt.Fprintf(b,
			"not adopted: %d file(s) of table number %d, which was dropped: another table is named %s since\n",
			d.Files, d.Number, d.Table)
	}
	list(b, "its table has no rows in the lake: create it again", r.Empty)
	list(b, "belongs to no segment", r.Loose)
}

// list prints a line per item.
func list(b *strings.Builder, what string, items []string) {
	for i, item := range items {
		if i == maxNotes {
			fmt.Fprintf(b, "%s: and %d more\n", what, len(items)-i)
			return
		}
		fmt.Fprintf(b, "%s: %s\n", what, item)
	}
}

// writeUnknown prints what no file of a lake tells.
func (r *Report) writeUnknown(b *strings.Builder) {
	b.WriteString(`what the files cannot tell, and is lost with the write buffer:
  rows, updates and deletes that were not flushed yet: every row is as of its last flush
  accounts, roles and passwords, tokens: root gets its password as at a first start; create the others again.
    Until then EXECUTE AS takes all of them for plain users: create those of higher roles first
  STREAM tables, and tables of which nothing was flushed; namespaces without files, and options of namespaces
  the history of jobs
`)
	if len(r.Users) == 0 {
		return
	}
	fmt.Fprintf(b,
		"rows belong to user ids, which are the names of CREATE USER: "+
			"who is created again under its old name has its rows again.\n")
	names := make([]string, 0, len(r.Users))
	for _, u := range r.Users {
		names = append(names, fmt.Sprintf("'%s'", strings.ReplaceAll(string(u), "'", "''")))
	}
	fmt.Fprintf(b, "%d user(s) have rows: %s\n", len(names), strings.Join(names, ", "))
}
