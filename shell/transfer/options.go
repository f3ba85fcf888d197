package transfer

import (
	"flag"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/kalamlake/kalam/link"
)

// What becomes of a record whose key is in the table.
const (
	ConflictReject = "reject"
	ConflictSkip   = "skip"
	ConflictUpdate = "update"
)

// What becomes of records of which is not known whether they were stored.
const (
	uncertainSend = "send"
	uncertainSkip = "skip"
)

// Env is what surrounds a transfer.
type Env struct {
	Client *link.Client
	User   string // As whom the server knows the user.
	In     io.Reader
	Out    io.Writer
	Say    func(words string, args ...any)             // Prints a line for people.
	Ask    func(question string) (yes bool, err error) // nil asks nobody.
	Screen io.Writer                                   // For the progress; nil for no terminal.
	Width  func() int                                  // Of the screen.
	Now    func() time.Time
}

// LoadOptions say what is loaded, and how. File and Table (but for As) are required.
type LoadOptions struct {
	File  string // "-" is standard input.
	Table Name

	Format, As, Null string
	Columns          []string // Names of the file's columns in their order; "" or - leaves one out.
	NoHeader         bool
	Types            []string // column=type
	Key              []string
	Kind             string // Of a table that is created: user or shared.
	Conflict         string
	Sample           int
	BatchRows        int
	Parallel         int
	MaxRejects       int // Below 0 without end.
	State, Rejects   string
	Restart          bool
	Uncertain        string
	DryRun, Yes      bool
}

// list is a flag of words with commas between.
type list struct{ to *[]string }

func (l list) String() string { return "" }

func (l list) Set(text string) error {
	*l.to = strings.Split(text, ",")
	return nil
}

// Flags declares the options in f.
func (o *LoadOptions) Flags(f *flag.FlagSet) {
	f.StringVar(&o.Format, "format", "", "`format` of the file: "+strings.Join(Formats(), ", ")+"; by default its name tells")
	f.StringVar(&o.As, "as", "", "read the export of a `service`, chatgpt, slack or discord, into tables of a chat")
	f.StringVar(&o.Null, "null", "", "`text` that is NULL, as an empty field is")
	f.Var(list{&o.Columns}, "columns", "`names` of the file's columns in their order; - leaves one out")
	f.BoolVar(&o.NoHeader, "no-header", false, "the first line has values, no names")
	f.Var(list{&o.Types}, "types", "`column=type,...` in place of the types that are guessed")
	f.Var(list{&o.Key}, "key", "`columns` of the primary key of a table that is created")
	f.StringVar(&o.Kind, "kind", "user", "`kind` of a table that is created: user or shared")
	f.StringVar(&o.Conflict, "on-conflict", ConflictReject, "what to `do` with rows whose key exists: reject, skip or update")
	f.IntVar(&o.Sample, "sample", 10000, "`records` by which types are guessed")
	f.IntVar(&o.BatchRows, "batch-rows", 10000, "most `rows` of a request")
	f.IntVar(&o.Parallel, "parallel", min(max(runtime.NumCPU(), 2), 4), "`requests` at a time")
	f.IntVar(&o.MaxRejects, "max-rejects", 1000, "`records` that may be rejected before the load ends; -1 is without end")
	f.StringVar(&o.State, "state", "", "`file` by which a load that was ended goes on; default: beside the file")
	f.StringVar(&o.Rejects, "rejects", "", "`file` for rejected records; default: beside the file")
	f.BoolVar(&o.Restart, "restart", false, "begin anew, whatever the state says")
	f.StringVar(&o.Uncertain, "uncertain", "", "what to `do` with records that may be stored and have no key: send or skip")
	f.BoolVar(&o.DryRun, "dry-run", false, "show what would be done")
	f.BoolVar(&o.Yes, "yes", false, "do not ask")
}

// check refuses what the options cannot be.
func (o *LoadOptions) check() error {
	for _, c := range []struct {
		name, value string
		allowed     []string
	}{
		{"kind", o.Kind, []string{"user", "shared"}},
		{"on-conflict", o.Conflict, []string{ConflictReject, ConflictSkip, ConflictUpdate}},
		{"uncertain", o.Uncertain, []string{"", uncertainSend, uncertainSkip}},
		{"as", o.As, append([]string{""}, Chats()...)},
	} {
		if !slices.Contains(c.allowed, c.value) {
			return fmt.Errorf("--%s %q is not allowed (expected %s)", c.name, c.value,
				strings.Join(slices.DeleteFunc(c.allowed, func(s string) bool { return s == "" }), ", "))
		}
	}
	switch {
	case o.Sample < 1 || o.BatchRows < 1 || o.Parallel < 1:
		return fmt.Errorf("--sample, --batch-rows and --parallel must be 1 or more")
	case o.NoHeader && len(o.Columns) == 0:
		return fmt.Errorf("--no-header needs --columns: the file does not name its columns")
	}
	return nil
}

// shape is what of the options decides which rows a file gives.
func (o *LoadOptions) shape(format string, columns []column) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s null=%q header=%t conflict=%s", format, o.Null, !o.NoHeader, o.Conflict)
	for _, c := range columns {
		fmt.Fprintf(&b, " %s", c.name)
	}
	return b.String()
}
