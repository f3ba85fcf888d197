package storages

import (
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
)

func TestKeyring(t *testing.T) {
	file := filepath.Join(t.TempDir(), "credentials.key")
	k := &keyring{file: file}
	if _, err := k.open("a", sealedHead+"00000000.AAAA"); err == nil || !strings.Contains(err.Error(), "credentials.key") {
		t.Errorf("open without a key = %v", err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Fatal("a key was made to open something")
	}
	const secret = `{"secret_key":"xyz"}`
	sealed, err := k.seal("a", secret)
	if err != nil {
		t.Fatal(err)
	}
	again, err := k.seal("a", secret)
	if err != nil || again == sealed || strings.Contains(sealed, "xyz") {
		t.Errorf("sealed twice: %q and %q, %v", sealed, again, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key file: %v, %v", info, err)
	}
	k = &keyring{file: file} // Another start.
	if got, err := k.open("a", sealed); got != secret || err != nil {
		t.Errorf("open = %q, %v", got, err)
	}
	for why, stored := range map[string]string{
		"of another storage": "", "cut": sealed[:len(sealed)-2], "short": sealed[:len(sealedHead)+9] + "AAAA",
		"no words": "x", "another version": "kalam2" + sealed[6:],
		"changed": sealed[:len(sealed)-4] + "AAAA",
	} {
		id := "a"
		if stored == "" {
			id, stored = "b", sealed
		}
		if got, err := k.open(kalam.StorageID(id), stored); err == nil || strings.Contains(err.Error(), "xyz") {
			t.Errorf("open of what is %s = %q, %v", why, got, err)
		}
	}
}

func TestConfiguredKey(t *testing.T) {
	raw := []byte(strings.Repeat("k", keyBytes))
	k := &keyring{configured: base64.StdEncoding.EncodeToString(raw)}
	sealed, err := k.seal("a", "text")
	if err != nil {
		t.Fatal(err)
	}
	same := &keyring{configured: hex.EncodeToString(raw)}
	if got, err := same.open("a", sealed); got != "text" || err != nil {
		t.Errorf("open = %q, %v", got, err)
	}
	other := &keyring{configured: strings.Repeat("ab", keyBytes)}
	if _, err := other.open("a", sealed); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("open with another key = %v", err)
	}
	for _, bad := range []string{"short", strings.Repeat("a", 63), base64.StdEncoding.EncodeToString(raw[1:])} {
		if ValidKey(bad) {
			t.Errorf("%q is a key", bad)
		}
		if _, err := (&keyring{configured: bad}).seal("a", "text"); err == nil || strings.Contains(err.Error(), bad) {
			t.Errorf("seal with %q = %v", bad, err)
		}
	}
	if !ValidKey("") {
		t.Error("no key is not taken")
	}
}

// TestDamagedKeyFile refuses it; another key would make credentials unreadable for good.
func TestDamagedKeyFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "credentials.key")
	if err := os.WriteFile(file, []byte("damaged\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (&keyring{file: file}).seal("a", "text"); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("seal = %v", err)
	}
	if raw, err := os.ReadFile(file); err != nil || string(raw) != "damaged\n" {
		t.Errorf("the file is %q now, %v", raw, err)
	}
}
