package layout_test

import (
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/layout"
)

// TestCatalogOf: files of a catalog are known by their paths, staged ones too, and nothing else is taken for one.
func TestCatalogOf(t *testing.T) {
	at := layout.CatalogFolder("users/ann/app/t", 7)
	for _, name := range []string{layout.CatalogHint, "v1.metadata.json", "v12-data.avro", "v3-deletes-00001.parquet"} {
		p := layout.CatalogPath(at, name)
		for _, p := range []string{p, layout.StagedName(p)} {
			folder, n, ok := layout.CatalogOf(p)
			if !ok || folder != "users/ann/app/t" || n != 7 {
				t.Errorf("%s: %q, %d, %v", p, folder, n, ok)
			}
		}
		if kind, owner := layout.Classify(p); kind != layout.CatalogFile || owner != "" {
			t.Errorf("%s is %s of %q", p, kind, owner)
		}
		if kind, _ := layout.Classify(layout.StagedName(p)); kind != layout.StagedFile {
			t.Errorf("%s.*.tmp is %s", p, kind)
		}
	}
	for _, p := range []string{
		"users/ann/app/t/iceberg-7/v1.metadata.json", "users/ann/app/t/iceberg-07/metadata/v1.metadata.json",
		"users/ann/app/t/iceberg-x/metadata/v1.metadata.json", "users/ann/app/t/metadata/v1.metadata.json",
		"iceberg-7/metadata/v1.metadata.json", "users/ann/app/t/iceberg-7/metadata/v1", "v1.metadata.json",
		"users/ann/app/t/iceberg-7/metadata/v01.metadata.json", "users/ann/app/t/iceberg-7/metadata/v0-data.avro",
		"users/ann/app/t/iceberg-7/metadata/x.avro", ".trash/2026-01-31T12-00-00Z/a/iceberg-7/metadata/x",
	} {
		if folder, n, ok := layout.CatalogOf(p); ok {
			t.Errorf("%s is of the catalog of table %d in %s", p, n, folder)
		}
	}
	// A user and a table may be called like the folders: a segment stays one.
	p := "app/iceberg-7/metadata/2026-01-31T12-00-00-1.parquet"
	if kind, owner := layout.Classify(p); kind != layout.SegmentFile || owner != p {
		t.Errorf("%s is %s of %q", p, kind, owner)
	}
}

// TestCatalogIsTheUsers: a catalog belongs to whom its folder does, also where users' folders lie below those of
// tables.
func TestCatalogIsTheUsers(t *testing.T) {
	table := &kalam.Table{ID: kalam.TableID{Namespace: "app", Name: "t"}, Kind: kalam.KindUserTable, Number: 7}
	for _, template := range []string{
		"", "by/{namespace}/{tableName}/{userId}", "by/{namespace}/{userId}/{tableName}/{shard}",
	} {
		templates, err := layout.ParseTemplates(template, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, known := range []bool{true, false} {
			var folders []string
			own, err := templates.Folder(table, "ann", "s1")
			if err != nil {
				t.Fatal(err)
			}
			if known {
				folders = append(folders, own)
			}
			places := templates.PlacesOf("ann", folders...)
			for user, want := range map[kalam.UserID]bool{"ann": true, "anna": false, "bob": false} {
				folder, err := templates.Folder(table, user, "s1")
				if err != nil {
					t.Fatal(err)
				}
				p := layout.CatalogPath(layout.CatalogFolder(folder, 7), "v1.metadata.json")
				for _, p := range []string{p, layout.StagedName(p)} {
					if places.Has(p) != want {
						t.Errorf("template %q, table known %v: %s is ann's: %v", template, known, p, !want)
					}
				}
			}
		}
	}
}
