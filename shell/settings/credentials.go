package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/pelletier/go-toml/v2"
)

// Secret is a token. It prints as [redacted].
type Secret string

const redacted = "[redacted]"

// String returns [redacted].
func (Secret) String() string { return redacted }

// GoString returns [redacted].
func (Secret) GoString() string { return redacted }

// LogValue returns [redacted].
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// Instance is what is stored of one server. Times are RFC 3339.
type Instance struct {
	Token            Secret `toml:"jwt_token"`
	User             string `toml:"user,omitempty"`
	ExpiresAt        string `toml:"expires_at,omitempty"`
	ServerURL        string `toml:"server_url"`
	RefreshToken     Secret `toml:"refresh_token,omitempty"`
	RefreshExpiresAt string `toml:"refresh_expires_at,omitempty"`
}

// Credentials is credentials.toml: the tokens of a user's servers. Its methods may be
// called by several shells at once.
type Credentials struct{ path string }

// credentialsFile is the form of the file, which is KalamDB's.
type credentialsFile struct {
	Instances map[string]Instance `toml:"instances"`
}

// OpenCredentials returns the credentials at a path, which need not exist.
func OpenCredentials(path string) *Credentials { return &Credentials{path} }

// Path returns where the file is.
func (c *Credentials) Path() string { return c.path }

// Get returns what is stored under a name; ok is false for nothing.
func (c *Credentials) Get(name string) (i Instance, ok bool, err error) {
	f, err := c.read()
	i, ok = f.Instances[name]
	return i, ok, err
}

// Names returns the names under which something is stored.
func (c *Credentials) Names() (names []string, err error) {
	f, err := c.read()
	for name := range f.Instances {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, err
}

// Update replaces what is stored under a name by what change makes of it, while no
// other shell does. Its error, after which nothing is stored, is returned as it is.
func (c *Credentials) Update(name string, change func(Instance) (Instance, error)) error {
	return c.change(func(instances map[string]Instance) error {
		i, err := change(instances[name])
		if err == nil {
			instances[name] = i
		}
		return err
	})
}

// Delete forgets what is stored under a name.
func (c *Credentials) Delete(name string) error {
	return c.change(func(instances map[string]Instance) error {
		delete(instances, name)
		return nil
	})
}

func (c *Credentials) change(f func(map[string]Instance) error) error {
	if err := os.MkdirAll(filepath.Dir(c.path), 0o700); err != nil {
		return err
	}
	return Locked(c.path, func() error {
		file, err := c.read()
		if err != nil {
			return err
		}
		if err := f(file.Instances); err != nil {
			return err
		}
		text, err := toml.Marshal(file)
		if err != nil {
			return fmt.Errorf("encode credentials: %w", err)
		}
		return Replace(c.path, text)
	})
}

// read returns the file, empty if there is none. Others may not read it from then on.
func (c *Credentials) read() (f credentialsFile, err error) {
	text, err := os.ReadFile(c.path)
	if err == nil && othersRead(c.path) {
		err = os.Chmod(c.path, 0o600)
	}
	if err == nil && toml.Unmarshal(text, &f) != nil {
		// The cause would quote the line, with its token.
		err = fmt.Errorf("%s cannot be read as TOML; delete it and log in again", c.path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if f.Instances == nil {
		f.Instances = map[string]Instance{}
	}
	return f, err
}
