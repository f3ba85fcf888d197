package complete_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kalamlake/kalam/shell/complete"
)

func TestCompleteFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"schema.sql", "seed data.sql", ".hidden", "sub/x.sql"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HOME", dir)
	t.Chdir(dir)
	c := &complete.Completer{
		Names:    func() *complete.Names { return complete.NewNames(nil, nil, nil) },
		Commands: []complete.Command{{Names: []string{"i"}, Argument: complete.File}},
		Pending:  func(string) bool { return false },
	}
	for typed, want := range map[string]string{
		`\i `:                   "schema.sql|seed data.sql|sub/",
		`\i sc`:                 "schema.sql",
		`\i seed d`:             "seed data.sql",
		`\i .h`:                 ".hidden",
		`\i sub/`:               "x.sql",
		`\i ~/sc`:               "schema.sql",
		`\i ` + dir + "/sub/x":  "x.sql",
		`\i ` + dir + "/none/x": "",
	} {
		found := c.Complete(typed, len(typed))
		var got []string
		for _, s := range found.Items {
			got = append(got, s.Text)
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%s: %q, want %s", typed, got, want)
		}
		if len(got) > 0 && !strings.HasPrefix(got[0], typed[found.Start:]) {
			t.Errorf("%s: the word begins at %d", typed, found.Start)
		}
	}
}
