package s3

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
)

// setting is a key of CONFIG and CREDENTIALS.
type setting struct {
	name   string // The one name that messages use.
	secret bool
	set    func(o *Options, text string) error
}

func texts(to func(o *Options) *string) func(*Options, string) error {
	return func(o *Options, text string) error { *to(o) = text; return nil }
}

func secrets(to func(o *Options) *Secret) func(*Options, string) error {
	return func(o *Options, text string) error { *to(o) = Secret(text); return nil }
}

func bools(to func(o *Options) *bool) func(*Options, string) error {
	return func(o *Options, text string) error {
		v, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		*to(o) = v
		return nil
	}
}

var (
	accessKey = &setting{"access_key", true, secrets(func(o *Options) *Secret { return &o.AccessKey })}
	secretKey = &setting{"secret_key", true, secrets(func(o *Options) *Secret { return &o.SecretKey })}
	pathStyle = &setting{"path_style", false, bools(func(o *Options) *bool { return &o.PathStyle })}
	encrypted = &setting{"server_side_encryption", false, func(o *Options, text string) error {
		o.Encryption = Encryption(text)
		return nil
	}}

	// settings are the keys by the spellings that are taken.
	settings = map[string]*setting{
		"region":                 {"region", false, texts(func(o *Options) *string { return &o.Region })},
		"endpoint":               {"endpoint", false, texts(func(o *Options) *string { return &o.Endpoint })},
		"allow_http":             {"allow_http", false, bools(func(o *Options) *bool { return &o.AllowHTTP })},
		"path_style":             pathStyle,
		"access_key":             accessKey,
		"access_key_id":          accessKey,
		"secret_key":             secretKey,
		"secret_access_key":      secretKey,
		"session_token":          {"session_token", true, secrets(func(o *Options) *Secret { return &o.SessionToken })},
		"server_side_encryption": encrypted,
		"kms_key_id":             {"kms_key_id", false, texts(func(o *Options) *string { return &o.KMSKey })},
		// KalamDB's CONFIG says what it is of.
		"type": {"type", false, func(_ *Options, text string) error {
			if text != "s3" {
				return fmt.Errorf("%q is not s3", text)
			}
			return nil
		}},
	}
)

// Parse returns the Options of a storage from its URI, s3://bucket[/prefix][/], and the JSON
// objects config and credentials, either of which may be empty; all keys are taken in
// both. An endpoint means path style, unless path_style says otherwise. What is wrong
// gives CodeInvalidInput and names the key, never a secret. Dir and what else is no
// part of the storage's definition stay zero.
func Parse(uri, config, credentials string) (Options, error) {
	o, err := parseURI(uri)
	if err != nil {
		return Options{}, err
	}
	given := make(map[*setting]string)
	for _, part := range []struct{ name, text string }{{"CONFIG", config}, {"CREDENTIALS", credentials}} {
		if err := parseSettings(part.name, part.text, given); err != nil {
			return Options{}, err
		}
	}
	for s, text := range given {
		if err := s.set(&o, text); err != nil {
			return Options{}, invalid(s.name, "%s", err)
		}
	}
	if _, ok := given[pathStyle]; !ok {
		o.PathStyle = o.Endpoint != ""
	}
	complete := o
	complete.Dir = "." // It is not the definition's.
	return o, complete.check()
}

func parseURI(uri string) (Options, error) {
	rest, ok := strings.CutPrefix(uri, "s3://")
	if !ok {
		return Options{}, invalid("URI", "%q is not s3://bucket/prefix/", shown(uri))
	}
	if strings.ContainsAny(rest, "@?#") {
		return Options{}, invalid("URI", "only s3://bucket/prefix/ is taken; keys go to CREDENTIALS, options to CONFIG")
	}
	bucket, prefix, _ := strings.Cut(rest, "/")
	o := Options{Bucket: bucket, Prefix: strings.TrimSuffix(prefix, "/")}
	o.PathStyle = true // Until CONFIG is read.
	complete := o
	complete.Dir = "."
	return o, complete.check()
}

// shown returns as much of a wrong URI as surely holds no password.
func shown(uri string) string {
	if i := strings.IndexAny(uri, "@?"); i >= 0 {
		return uri[:max(0, strings.Index(uri, ":")+1)] + "..."
	}
	return uri
}

// parseSettings adds the keys of one JSON object to given.
func parseSettings(part, text string, given map[*setting]string) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		return invalid(part, "it is no JSON object") // The cause may quote a secret.
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		s, ok := settings[strings.ToLower(key)]
		if !ok {
			return invalid(part, "unknown key %q; there are %s", key,
				strings.Join(slices.Sorted(maps.Keys(settings)), ", "))
		}
		value, err := settingText(object[key])
		if err != nil {
			return invalid(part, "%s: %s", key, err)
		}
		if before, ok := given[s]; ok && before != value {
			return invalid(part, "%s is given twice with different values", s.name)
		}
		given[s] = value
	}
	return nil
}

// settingText returns a JSON text or boolean as text.
func settingText(raw json.RawMessage) (string, error) {
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return "", err
	}
	switch v := value.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	}
	return "", kalam.Errorf(kalam.CodeInvalidInput, "the value is neither a text nor true or false")
}

// Split returns the keys of config and credentials, two JSON objects that Parse takes, as one
// without secrets and one of secrets alone; "" is one without keys.
func Split(config, credentials string) (plain, secret string, err error) {
	open, hidden := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	for _, part := range []struct{ name, text string }{{"CONFIG", config}, {"CREDENTIALS", credentials}} {
		if strings.TrimSpace(part.text) == "" {
			continue
		}
		var object map[string]json.RawMessage
		if err := json.Unmarshal([]byte(part.text), &object); err != nil {
			return "", "", invalid(part.name, "it is no JSON object") // The cause may quote a secret.
		}
		for key, value := range object {
			if s, ok := settings[strings.ToLower(key)]; ok && !s.secret {
				open[key] = value
			} else {
				hidden[key] = value
			}
		}
	}
	if plain, err = textOf(open); err == nil {
		secret, err = textOf(hidden)
	}
	return plain, secret, err
}

// textOf returns a JSON object as text, "" for one without keys.
func textOf(object map[string]json.RawMessage) (string, error) {
	if len(object) == 0 {
		return "", nil
	}
	text, err := json.Marshal(object)
	return string(text), err
}

// Mask returns the JSON object text, as of CONFIG or CREDENTIALS, with every secret as
// "***" and its keys in order. A text that is no JSON object is masked as a whole.
func Mask(text string) string {
	var object map[string]json.RawMessage
	if strings.TrimSpace(text) == "" {
		return text
	}
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		return `"***"`
	}
	for key := range object {
		if s, ok := settings[strings.ToLower(key)]; !ok || s.secret {
			object[key] = json.RawMessage(`"***"`)
		}
	}
	masked, err := json.Marshal(object)
	if err != nil {
		return `"***"`
	}
	return string(masked)
}
