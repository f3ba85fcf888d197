package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/knadh/koanf/parsers/toml/v2"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"

	"github.com/kalamlake/kalam/api"
	"github.com/kalamlake/kalam/config"
)

const (
	// defaultFile is the configuration file that need not exist.
	defaultFile = "config.toml"
	// envFile names the configuration file.
	envFile = "KALAM_CONFIG"
	// envRootPassword is the password of the user root at the first start.
	envRootPassword = "KALAM_ROOT_PASSWORD" //nolint:gosec // A name, not a password.
	// envCredentialsKey is a short name of storage.credentials_key.
	envCredentialsKey = "KALAM_CREDENTIALS_KEY" //nolint:gosec // A name, not a key.
	envStorageKey     = "KALAM_STORAGE_CREDENTIALS_KEY"
	envPrefix         = "KALAM_"
)

// flags are the flags of `kalamd serve`; "" was not given.
type flags struct{ config, data, listen string }

// Settings are the configuration of a server and what else it was told.
type Settings struct {
	Config       config.Config
	File         string   // Where the configuration was read, "" for none.
	Changed      []string // "key=value" of the keys that differ from their defaults; secrets are hidden.
	RootPassword string   // Of the user root at the first start, "" for none.
}

// layers collects values by key; a later layer wins.
type layers struct {
	values *koanf.Koanf
	origin map[string]string // By key: where its value comes from, for messages.
	lines  map[string]int    // Of the file, by key.
	faults []fault           // What is wrong with single keys.
}

// fault is what is wrong with a key.
type fault struct {
	line int // Of the file, 0 for elsewhere.
	err  error
}

// load reads the configuration: defaults, file, environment, flags. environ is
// in the form of os.Environ. The error has a line for every key that is at fault, with where it was set.
func load(f flags, environ []string) (Settings, error) {
	env := map[string]string{}
	for _, e := range environ {
		if name, value, ok := strings.Cut(e, "="); ok && strings.HasPrefix(name, envPrefix) {
			env[name] = value
		}
	}
	if key, ok := env[envCredentialsKey]; ok && env[envStorageKey] == "" {
		env[envStorageKey] = key
	}
	s := Settings{Config: config.Default(), RootPassword: env[envRootPassword]}
	fields := fieldsOf(&s.Config)
	l := layers{values: koanf.New("."), origin: map[string]string{}}
	var err error
	if s.File, err = l.loadFile(fields, f.config, env[envFile]); err != nil {
		return Settings{}, err
	}
	if err := l.loadEnv(fields, env); err != nil {
		return Settings{}, err
	}
	if err := l.loadFlags(f); err != nil {
		return Settings{}, err
	}
	values := l.values.All()
	for _, key := range slices.SortedFunc(maps.Keys(values), l.inOrder) {
		if err := fields[key].set(values[key]); err != nil {
			l.fault(key, fmt.Errorf("configuration key %s (%s): %w", key, l.origin[key], err))
		}
	}
	for _, err := range append(s.Config.Problems(), api.CheckConfig(s.Config)...) {
		l.fault(l.located(err))
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.Config.Log.Level)); err != nil {
		l.fault(l.located(errors.New("configuration key log.level: expected debug, info, warn or error")))
	}
	s.Changed = changed(&s.Config)
	return s, l.failure()
}

// fault notes what is wrong with a key, which may be "".
func (l *layers) fault(key string, err error) { l.faults = append(l.faults, fault{l.lines[key], err}) }

// failure returns all faults as one error, those of the file in its order.
func (l *layers) failure() error {
	slices.SortStableFunc(l.faults, func(a, b fault) int { return cmp.Compare(a.line, b.line) })
	var list []error
	for _, f := range l.faults {
		list = append(list, f.err)
	}
	return errors.Join(list...)
}

// inOrder compares two keys by where they are in the file, those of elsewhere by name.
func (l *layers) inOrder(a, b string) int {
	return cmp.Or(cmp.Compare(l.lines[a], l.lines[b]), strings.Compare(a, b))
}

// located returns the key that an error is about, and the error with where the key was set; "" if that is not known.
func (l *layers) located(err error) (string, error) {
	for key, origin := range l.origin {
		if strings.Contains(err.Error(), "key "+key+":") {
			return key, fmt.Errorf("%w (%s)", err, origin)
		}
	}
	return "", err
}

// add puts one layer over the others.
func (l *layers) add(values map[string]any) error {
	return l.values.Load(confmap.Provider(values, "."), nil)
}

// loadFile reads the configuration file: the one that a flag or the environment
// names, or the default one if it exists.
func (l *layers) loadFile(fields map[string]field, flag, fromEnv string) (path string, err error) {
	path = flag
	if path == "" {
		path = fromEnv
	}
	if path == "" {
		if _, err := os.Stat(defaultFile); errors.Is(err, fs.ErrNotExist) {
			return "", nil
		}
		path = defaultFile
	}
	k := koanf.New(".")
	if err := k.Load(file.Provider(path), toml.Parser()); err != nil {
		var placed interface{ Position() (row, column int) }
		if errors.As(err, &placed) {
			row, column := placed.Position()
			return "", fmt.Errorf("configuration file %s, line %d, column %d: %w", path, row, column, err)
		}
		return "", fmt.Errorf("read configuration file %s: %w", path, err)
	}
	if l.lines, err = keyLines(path); err != nil {
		return "", fmt.Errorf("read configuration file: %w", err)
	}
	values, all := map[string]any{}, k.All()
	for _, key := range slices.SortedFunc(maps.Keys(all), l.inOrder) {
		value, origin := all[key], path
		if n := l.lines[key]; n > 0 {
			origin = fmt.Sprintf("%s, line %d", path, n)
		}
		if empty, ok := value.(map[string]any); ok && len(empty) == 0 && isSection(fields, key) {
			continue
		}
		if _, known := fields[key]; !known {
			l.fault(key, fmt.Errorf("unknown configuration key %s (%s)%s", key, origin, suggestion(fields, key)))
			continue
		}
		values[key], l.origin[key] = value, origin
	}
	return path, l.add(values)
}

// isSection reports whether fields has keys under a section.
func isSection(fields map[string]field, section string) bool {
	for key := range fields {
		if strings.HasPrefix(key, section+".") {
			return true
		}
	}
	return false
}

// keyLines returns for each key of a TOML file the line it is on, as far as it
// is written plainly: `key = value` under `[section]`, or `section.key = value`.
func keyLines(path string) (map[string]int, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // It was only read.
	lines := map[string]int{}
	section := ""
	scan := bufio.NewScanner(f)
	for n := 1; scan.Scan(); n++ {
		text := strings.TrimSpace(scan.Text())
		if name, ok := strings.CutPrefix(text, "["); ok {
			name, _, _ = strings.Cut(name, "]")
			section = strings.TrimSpace(name)
			lines[section] = n
			section += "."
			continue
		}
		if key, _, ok := strings.Cut(text, "="); ok && !strings.HasPrefix(text, "#") {
			lines[section+strings.Trim(strings.TrimSpace(key), `"'`)] = n
		}
	}
	return lines, scan.Err()
}

// loadEnv reads KALAM_SECTION_KEY. Other names that begin with KALAM_ are other
// programs' business unless they begin with a section.
func (l *layers) loadEnv(fields map[string]field, env map[string]string) error {
	values := map[string]any{}
	known := map[string]string{}
	for key := range fields {
		known[envName(key)] = key
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		key, ok := known[name]
		if !ok {
			if section := envSection(fields, name); section != "" {
				l.fault("", fmt.Errorf("unknown configuration key in environment variable %s: section %s has no such key%s",
					name, section, suggestion(known, name)))
			}
			continue
		}
		values[key] = text(env[name])
		l.origin[key] = "environment variable " + name
	}
	return l.add(values)
}

// envName returns the environment variable of a key.
func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// envSection returns the section that a variable's name begins with.
func envSection(fields map[string]field, name string) string {
	for key := range fields {
		section, _, _ := strings.Cut(key, ".")
		if strings.HasPrefix(name, envName(section)+"_") {
			return section
		}
	}
	return ""
}

// loadFlags reads the flags.
func (l *layers) loadFlags(f flags) error {
	values := map[string]any{}
	if f.data != "" {
		values["storage.data_path"] = f.data
		l.origin["storage.data_path"] = "--data"
	}
	if f.listen != "" {
		host, port, err := net.SplitHostPort(f.listen)
		if err != nil {
			return fmt.Errorf("--listen %s: expected HOST:PORT", f.listen)
		}
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return fmt.Errorf("--listen %s: the port must be a number from 0 to 65535", f.listen)
		}
		values["server.host"], values["server.port"] = host, text(port)
		l.origin["server.host"], l.origin["server.port"] = "--listen", "--listen"
	}
	return l.add(values)
}
