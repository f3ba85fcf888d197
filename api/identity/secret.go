package identity

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/kalamlake/kalam/internal/syncdir"

	"github.com/kalamlake/kalam/config"
)

const (
	// secretFile is where a generated token secret is kept in the data directory.
	secretFile = "jwt_secret"
	// minSecret is how long a configured secret must be when others than this
	// machine can reach the server: as long as the digest that it keys.
	minSecret = 32
)

// Secret returns the secret that signs tokens: the configured one, or one
// that is generated at the first start and kept, for the owner only, in the data
// directory.
func Secret(cfg config.Config) ([]byte, error) {
	if configured := cfg.Auth.JWTSecret; configured != "" {
		if err := CheckSecret(cfg); err != nil {
			return nil, err
		}
		return []byte(configured), nil
	}
	path := filepath.Join(cfg.Storage.DataPath, secretFile)
	secret, err := readSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeSecret(path)
	}
	return secret, err
}

// CheckSecret reports a configured secret that is too short.
func CheckSecret(cfg config.Config) error {
	if n := len(cfg.Auth.JWTSecret); n > 0 && n < minSecret && !isLoopbackHost(cfg.Server.Host) {
		return fmt.Errorf("configuration key auth.jwt_secret: it is %d bytes long: a server that listens on %s needs at least %d, "+
			"or none to have one generated", n, cfg.Server.Host, minSecret)
	}
	return nil
}

func readSecret(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read token secret: %w", err)
	}
	secret := []byte(strings.TrimSpace(string(b)))
	if len(secret) < minSecret {
		return nil, fmt.Errorf("token secret %s is damaged: delete it to have a new one made; users then log in again", path)
	}
	return secret, nil
}

// makeSecret generates a secret and stores it so that a crash leaves the whole
// file or none.
func makeSecret(path string) ([]byte, error) {
	raw := make([]byte, 48)
	rand.Read(raw) // Never fails: it ends the process instead.
	secret := []byte(base64.RawURLEncoding.EncodeToString(raw))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("keep token secret: %w", err)
	}
	if err := writeSynced(path+".tmp", append(secret, '\n')); err != nil {
		return nil, fmt.Errorf("keep token secret: %w", err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return nil, fmt.Errorf("keep token secret: %w", err)
	}
	if err := syncdir.Sync(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("keep token secret: %w", err)
	}
	return secret, nil
}

// writeSynced writes a file that only its owner can read, and syncs it.
func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

// isLoopbackHost reports whether a server that listens on host is reachable from
// this machine only.
func isLoopbackHost(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
