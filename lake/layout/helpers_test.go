package layout_test

import (
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/layout"
)

// folders renders folders by templates and strategies, as a lake does.
type folders struct {
	layout.Templates
	layout.Strategies
}

// newFolders returns folders by the default template of shared tables, "" being the default of users.
func newFolders(t testing.TB, template string, s layout.Strategies) folders {
	t.Helper()
	templates, err := layout.ParseTemplates(template, "")
	if err != nil {
		t.Fatal(err)
	}
	return folders{templates, s}
}

// newStrategies returns the built-in strategies with a number of hash shards.
func newStrategies(t testing.TB, shards int) layout.Strategies {
	t.Helper()
	s, err := layout.NewStrategies(nil, "", shards)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (f folders) folder(table *kalam.Table, user kalam.UserID) (string, error) {
	shard, err := f.ShardOf(table, user)
	if err != nil {
		return "", err
	}
	return f.Folder(table, user, shard)
}

// notes returns a USER table.
func notes() *kalam.Table {
	return &kalam.Table{ID: kalam.TableID{Namespace: "app", Name: "notes"}, Kind: kalam.KindUserTable}
}

// wantCode checks the code of an error and that its text holds words.
func wantCode(t testing.TB, what string, err error, code kalam.Code, words string) {
	t.Helper()
	if kalam.CodeOf(err) != code || !strings.Contains(err.Error(), words) {
		t.Errorf("%s = %v, want code %d and %q", what, err, code, words)
	}
}
