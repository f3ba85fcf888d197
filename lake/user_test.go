package lake_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/file"
)

// TestRemoveUser: with templates of every kind, what lies in a user's folders goes, whatever it is and
// whether or not its table is known, and so does what of them is in the trash; what is another user's,
// or of a SHARED table whose folder lies below, stays.
func TestRemoveUser(t *testing.T) {
	table := &kalam.Table{
		ID: kalam.TableID{Namespace: "app", Name: "notes"}, Number: 7, Kind: kalam.KindUserTable,
		Columns: []kalam.Column{{ID: 1, Name: "id", Type: kalam.TypeOf(kalam.KindBigInt), NotNull: true}}, PrimaryKey: []int{0},
	}
	const segment = "2026-01-02T03-04-05-12345.parquet"
	for _, c := range []struct {
		name, user, shared string
		gone, stay         []string
	}{
		{"default", "", "",
			[]string{
				"users/ann/app/notes/a/" + segment, "users/ann/app/old/a/" + segment, "users/ann/app/notes/a/manifest.json",
				"users/ann/app/notes/a/" + segment + ".0a1b2c3d.tmp", "users/ann/strange.bin",
				".trash/2026-01-02T03-04-05Z/users/ann/app/notes/a/" + segment,
			},
			[]string{
				"users/anna/app/notes/a/" + segment, "users/bob/app/notes/b/" + segment, "shared/app/ann/" + segment,
				".trash/2026-01-02T03-04-05Z/users/bob/app/notes/b/" + segment,
			}},
		{"user last", "rows/{namespace}/{tableName}/u-{userId}", "shared/{namespace}/{tableName}",
			[]string{
				"rows/app/notes/u-ann/" + segment, "rows/app/notes/u-ann/x.keys",
				".trash/2026-01-02T03-04-05Z/rows/app/notes/u-ann/" + segment,
			},
			[]string{"rows/app/notes/u-anna/" + segment, "shared/app/notes/" + segment}},
		{"shared below", "u/{userId}/{namespace}/{tableName}/rows", "u/{namespace}/{tableName}",
			[]string{"u/ann/app/notes/rows/" + segment},
			[]string{"u/ann/app/" + segment, "u/bob/app/notes/rows/" + segment}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := file.New(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			l, err := lake.New(lake.Options{}, lake.Location{
				ID: kalam.LocalStorage, Storage: s, UserTemplate: c.user, SharedTemplate: c.shared,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			for _, p := range slices.Concat(c.gone, c.stay) {
				name := filepath.Join(dir, filepath.FromSlash(p))
				if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, want := range []int{len(c.gone), 0} { // It may be repeated.
				done, err := l.RemoveUser(t.Context(), kalam.LocalStorage, "ann", []*kalam.Table{table})
				if err != nil || done.Files != want || done.Bytes != int64(want) {
					t.Errorf("RemoveUser: %+v, %v, want %d files", done, err, want)
				}
			}
			for _, p := range c.gone {
				if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(p))); !os.IsNotExist(err) {
					t.Errorf("%s is there: %v", p, err)
				}
			}
			for _, p := range c.stay {
				if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(p))); err != nil {
					t.Errorf("%s is gone: %v", p, err)
				}
			}
		})
	}
}
