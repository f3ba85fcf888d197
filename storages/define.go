package storages

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/lake/layout"
	"github.com/kalamlake/kalam/lake/s3"
)

// Settings are what CREATE and ALTER STORAGE say of a storage; nil was not given.
type Settings struct {
	Name, Description            *string
	URI, Region                  *string
	SharedTemplate, UserTemplate *string
	Config                       *string // A JSON object, as is Credentials.
	Credentials                  *catalog.Secret
}

// define returns st with the settings, its secrets sealed. What is wrong has
// CodeInvalidInput and shows no secret.
func (r *Registry) define(st catalog.Storage, s *Settings) (catalog.Storage, error) {
	set := func(to *string, from *string) {
		if from != nil {
			*to = *from
		}
	}
	set(&st.Name, s.Name)
	set(&st.Description, s.Description)
	set(&st.SharedTemplate, s.SharedTemplate)
	set(&st.UserTemplate, s.UserTemplate)
	set(&st.URI, s.URI)
	if err := layout.CheckTemplates(st.UserTemplate, st.SharedTemplate); err != nil {
		return st, err
	}
	if st.Type == catalog.StorageFilesystem {
		return st, r.defineFiles(&st, s)
	}
	return st, r.defineS3(&st, s)
}

// defineFiles sets the directory of a storage.
func (r *Registry) defineFiles(st *catalog.Storage, s *Settings) error {
	if s.Credentials != nil || s.Region != nil {
		return kalam.Errorf(kalam.CodeInvalidInput, "A filesystem storage has no CREDENTIALS and no REGION")
	}
	if s.Config != nil {
		var object map[string]json.RawMessage
		if err := json.Unmarshal([]byte(*s.Config), &object); err != nil {
			return kalam.Errorf(kalam.CodeInvalidInput, "CONFIG: it is no JSON object")
		}
		for key, value := range object {
			if strings.ToLower(key) != "type" || string(value) != `"filesystem"` {
				return kalam.Errorf(kalam.CodeInvalidInput, "CONFIG: a filesystem storage has no key %q", key)
			}
		}
	}
	if st.BaseDirectory != "" {
		return nil // It stays where it is, from wherever the server is started.
	}
	if st.URI == "" {
		return kalam.Errorf(kalam.CodeInvalidInput, "A filesystem storage needs a directory: PATH '/directory'")
	}
	dir, err := filepath.Abs(strings.TrimPrefix(st.URI, "file://"))
	if err != nil {
		return kalam.Errorf(kalam.CodeInvalidInput, "'%s' is no directory", st.URI)
	}
	st.BaseDirectory = dir
	return nil
}

// defineS3 parts secrets from the rest of what was given, and checks both.
func (r *Registry) defineS3(st *catalog.Storage, s *Settings) error {
	config, credentials := st.Config, ""
	if s.Config != nil {
		config = *s.Config
	}
	secretInConfig := false
	if s.Config != nil {
		_, secret, err := s3.Split(config, "")
		if err != nil {
			return err
		}
		secretInConfig = secret != ""
	}
	switch {
	case s.Credentials != nil:
		credentials = s.Credentials.Reveal()
	case st.Credentials != "" && !secretInConfig: // They stay.
		var err error
		if credentials, err = r.keys.open(st.ID, st.Credentials); err != nil {
			return kalam.Wrap(kalam.CodeUnavailable, err, "Storage '%s' cannot be altered: %v", st.ID, err)
		}
	}
	config, err := withRegion(config, s.Region)
	if err != nil {
		return err
	}
	if _, err := s3.Parse(st.URI, config, credentials); err != nil {
		return err
	}
	plain, secret, err := s3.Split(config, credentials)
	if err != nil {
		return err
	}
	st.BaseDirectory = st.URI
	st.Config = plain
	if s.Credentials == nil && !secretInConfig {
		return nil
	}
	st.Credentials = ""
	if secret == "" {
		return nil
	}
	st.Credentials, err = r.keys.seal(st.ID, secret)
	return err
}

// withRegion returns CONFIG with what REGION says.
func withRegion(config string, region *string) (string, error) {
	if region == nil {
		return config, nil
	}
	object := map[string]any{}
	if strings.TrimSpace(config) != "" {
		if err := json.Unmarshal([]byte(config), &object); err != nil {
			return "", kalam.Errorf(kalam.CodeInvalidInput, "CONFIG: it is no JSON object")
		}
	}
	if other, ok := object["region"]; ok && other != *region {
		return "", kalam.Errorf(kalam.CodeInvalidInput, "REGION and CONFIG name different regions")
	}
	object["region"] = *region
	text, err := json.Marshal(object)
	return string(text), err
}

// checkPlace refuses a storage that lies in another one or in what is the server's own.
func (r *Registry) checkPlace(st *catalog.Storage) error {
	if st.Type == catalog.StorageS3 {
		return r.checkBucket(st)
	}
	dir := realPath(st.BaseDirectory)
	for _, own := range r.o.Config.Reserved {
		if own := realPath(own); within(dir, own) || within(own, dir) {
			return kalam.Errorf(kalam.CodeInvalidInput,
				"The directory '%s' is in what the server keeps for itself; use another", st.BaseDirectory)
		}
	}
	if within(realPath(r.o.Config.Data), dir) {
		return kalam.Errorf(kalam.CodeInvalidInput, "The data directory of the server is in '%s'; use another",
			st.BaseDirectory)
	}
	for _, g := range r.all() {
		if !g.props.Local || g.id == st.ID {
			continue
		}
		if other := realPath(g.props.Location); within(dir, other) || within(other, dir) {
			return overlaps(st, g.id)
		}
	}
	return nil
}

func overlaps(st *catalog.Storage, other kalam.StorageID) error {
	return kalam.Errorf(kalam.CodeInvalidInput, "'%s' is in the same place as storage '%s', or one in the other",
		st.URI, other)
}

// checkBucket is checkPlace of a storage in a bucket.
func (r *Registry) checkBucket(st *catalog.Storage) error {
	place, err := bucketOf(st)
	if err != nil {
		return err
	}
	for _, other := range r.o.Catalog.Storages() {
		if other.Type != catalog.StorageS3 || other.ID == st.ID {
			continue
		}
		if at, err := bucketOf(&other); err == nil && (within(place, at) || within(at, place)) {
			return overlaps(st, other.ID)
		}
	}
	return nil
}

// bucketOf names the place of a storage in a bucket.
func bucketOf(st *catalog.Storage) (string, error) {
	o, err := s3.Parse(st.URI, st.Config, "")
	if err != nil {
		return "", err
	}
	host := o.Endpoint
	if at := strings.Index(host, "://"); at >= 0 {
		host = host[at+3:]
	}
	return filepath.Join("/", strings.ToLower(host), o.Bucket, o.Prefix), nil
}

// within reports whether the path inner is outer or lies in it.
func within(inner, outer string) bool {
	rel, err := filepath.Rel(outer, inner)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(os.PathSeparator))
}

// realPath returns the absolute name of dir without symbolic links, as far as it exists.
func realPath(dir string) string {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return dir
	}
	rest := ""
	for at := abs; ; {
		if real, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(real, rest)
		}
		parent := filepath.Dir(at)
		if parent == at {
			return abs
		}
		rest, at = filepath.Join(filepath.Base(at), rest), parent
	}
}
