package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPackage makes the Debian package, with other programs in it, and looks at what it would install.
func TestPackage(t *testing.T) {
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Log("NOT CHECKED: the Debian package, without dpkg-deb")
		return
	}
	dir := t.TempDir()
	file, root := filepath.Join(dir, "kalam.deb"), filepath.Join(dir, "root")
	run := func(name string, args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return string(out)
	}
	run("../../packaging/deb", file, "0.2.0-dev", "amd64", "/bin/true", "/bin/true", "../../LICENSE")
	fields := run("dpkg-deb", "--field", file)
	for _, want := range []string{"Package: kalam\n", "Version: 0.2.0~dev\n", "Architecture: amd64\n", "Depends: passwd\n"} {
		if !strings.Contains(fields, want) {
			t.Errorf("no %q in\n%s", want, fields)
		}
	}
	list := run("dpkg-deb", "--contents", file)
	for _, want := range []string{"-rwxr-xr-x root/root", "./usr/bin/kalamd\n", "./usr/bin/kalam\n", "./etc/kalam/config.toml\n",
		"./lib/systemd/system/kalamd.service\n", "./usr/share/doc/kalam/copyright\n"} {
		if !strings.Contains(list, want) {
			t.Errorf("no %q in\n%s", want, list)
		}
	}
	run("dpkg-deb", "--raw-extract", file, root)
	for _, name := range []string{"postinst", "prerm", "postrm"} {
		run("sh", "-n", filepath.Join(root, "DEBIAN", name))
	}
	s, err := load(flags{config: filepath.Join(root, "etc/kalam/config.toml")}, nil)
	if err != nil || s.Config.Storage.DataPath != "/var/lib/kalam" {
		t.Errorf("the configuration of the package: data in %q, %v", s.Config.Storage.DataPath, err)
	}
}

// TestComponents lists the components of this program: all that the linker put in, as CycloneDX.
func TestComponents(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "../../packaging/sbom", "0.2.0", os.Args[0]).Output()
	if err != nil {
		t.Fatal(err)
	}
	var bom struct {
		Format     string `json:"bomFormat"`
		Components []struct{ Name, Version, Purl string }
	}
	if err := json.Unmarshal(out, &bom); err != nil {
		t.Fatalf("%v\n%.2000s", err, out)
	}
	found := map[string]bool{}
	for _, c := range bom.Components {
		if c.Version == "" || !strings.HasPrefix(c.Purl, "pkg:golang/"+c.Name+"@") {
			t.Errorf("%+v", c)
		}
		found[c.Name] = true
	}
	for _, want := range []string{"stdlib", "github.com/dgraph-io/badger/v4", "github.com/duckdb/duckdb-go/v2"} {
		if !found[want] {
			t.Errorf("no %s among %d components", want, len(found))
		}
	}
	if bom.Format != "CycloneDX" || len(found) < 30 {
		t.Errorf("%q with %d components", bom.Format, len(found))
	}
}
