package s3_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/s3"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, uri, config, credentials string
		want                           s3.Options
	}{
		{"a bucket", "s3://bucket", "", "", s3.Options{Bucket: "bucket"}},
		{"a bucket and a slash", "s3://bucket/", "{}", " ", s3.Options{Bucket: "bucket"}},
		{"a prefix", "s3://bucket/a/b/", "", "", s3.Options{Bucket: "bucket", Prefix: "a/b"}},
		{"an endpoint means path style", "s3://bucket/a", `{"endpoint":"https://minio.example:9000"}`, "",
			s3.Options{Bucket: "bucket", Prefix: "a", Endpoint: "https://minio.example:9000", PathStyle: true}},
		{"unless it is said otherwise", "s3://bucket", `{"endpoint":"s3.example","path_style":false}`, "",
			s3.Options{Bucket: "bucket", Endpoint: "s3.example"}},
		{"booleans as text", "s3://bucket", `{"endpoint":"http://localhost:9000","allow_http":"true"}`, "",
			s3.Options{Bucket: "bucket", Endpoint: "http://localhost:9000", AllowHTTP: true, PathStyle: true}},
		{"short names of keys", "s3://bucket", `{"region":"eu-west-1"}`,
			`{"access_key":"AK","secret_key":"SK","session_token":"ST"}`,
			s3.Options{Bucket: "bucket", Region: "eu-west-1", AccessKey: "AK", SecretKey: "SK", SessionToken: "ST"}},
		{"long names, in the configuration, twice", "s3://bucket",
			`{"access_key_id":"AK","secret_access_key":"SK"}`, `{"access_key":"AK"}`,
			s3.Options{Bucket: "bucket", AccessKey: "AK", SecretKey: "SK"}},
		{"encryption", "s3://bucket", `{"server_side_encryption":"aws:kms","kms_key_id":"k1"}`, "",
			s3.Options{Bucket: "bucket", Encryption: s3.EncryptKMS, KMSKey: "k1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := s3.Parse(c.uri, c.config, c.credentials)
			if err != nil {
				t.Fatal(err)
			}
			if got.AccessKey != c.want.AccessKey || got.SecretKey != c.want.SecretKey ||
				got.SessionToken != c.want.SessionToken {
				t.Error("the credentials are others")
			}
			if diff := cmp.Diff(fmt.Sprintf("%+v", c.want), fmt.Sprintf("%+v", got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, uri, config, credentials, want string }{
		{"another scheme", "file:///x", "", "", `URI: "file:///x" is not s3://bucket/prefix/`},
		{"a password in the URI", "s3://AK:hunter2@bucket/", "", "", "URI: only s3://bucket/prefix/"},
		{"a password in another URI", "http://AK:hunter2@bucket/", "", "", `URI: "http:..." is not`},
		{"no bucket", "s3:///x", "", "", "bucket:"},
		{"a bad bucket", "s3://Not_A_Bucket/", "", "", "bucket:"},
		{"a prefix that leaves", "s3://bucket/../x", "", "", "prefix:"},
		{"a prefix that is not clean", "s3://bucket/a//b", "", "", "prefix:"},
		{"a prefix that is long", "s3://bucket/" + strings.Repeat("a", 600), "", "", "prefix: it is 600 bytes"},
		{"no JSON", "s3://bucket", `{"secret_key":"hunter2"`, "", "CONFIG: it is no JSON object"},
		{"no object", "s3://bucket", "", `["hunter2"]`, "CREDENTIALS: it is no JSON object"},
		{"an unknown key", "s3://bucket", `{"regoin":"x"}`, "", `CONFIG: unknown key "regoin"; there are access_key`},
		{"a number", "s3://bucket", `{"region":1}`, "", "CONFIG: region: the value is neither"},
		{"no boolean", "s3://bucket", `{"allow_http":"perhaps"}`, "", "allow_http:"},
		{"two values", "s3://bucket", `{"secret_key":"hunter2"}`, `{"secret_access_key":"hunter3","access_key":"x"}`,
			"CREDENTIALS: secret_key is given twice"},
		{"a region that is another host", "s3://bucket", `{"region":"x.example/"}`, "", "region:"},
		{"a secret alone", "s3://bucket", "", `{"secret_key":"hunter2"}`, "access_key:"},
		{"a token alone", "s3://bucket", "", `{"session_token":"hunter2"}`, "session_token:"},
		{"plain http", "s3://bucket", `{"endpoint":"http://localhost:9000"}`, "", "endpoint:"},
		{"a password in the endpoint", "s3://bucket", `{"endpoint":"https://AK:hunter2@host"}`, "",
			"endpoint: it holds a user"},
		{"a broken endpoint", "s3://bucket", `{"endpoint":"https://AK:hunter2@host:port"}`, "",
			"endpoint: it is no URL"},
		{"a path in the endpoint", "s3://bucket", `{"endpoint":"https://host/bucket"}`, "", "endpoint:"},
		{"another scheme of the endpoint", "s3://bucket", `{"endpoint":"ftp://host"}`, "", "endpoint:"},
		{"unknown encryption", "s3://bucket", `{"server_side_encryption":"rot13"}`, "", "server_side_encryption:"},
		{"a key without its encryption", "s3://bucket", `{"kms_key_id":"k"}`, "", "kms_key_id:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := s3.Parse(c.uri, c.config, c.credentials)
			if kalam.CodeOf(err) != kalam.CodeInvalidInput || !strings.Contains(err.Error(), "S3 storage: "+c.want) {
				t.Fatalf("error %v, want %q", err, c.want)
			}
			if strings.Contains(err.Error(), "hunter") {
				t.Errorf("%q shows a secret", err)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]s3.Options{
		"directory":  {Bucket: "bucket"},
		"part_bytes": {Bucket: "bucket", Dir: t.TempDir(), PartBytes: 1},
		"limits":     {Bucket: "bucket", Dir: t.TempDir(), RequestTimeout: -1},
	} {
		if s, err := s3.Open(o); kalam.CodeOf(err) != kalam.CodeInvalidInput || !strings.Contains(err.Error(), name) {
			t.Errorf("Open without a good %s = %v, %v", name, s, err)
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	o, err := s3.Parse("s3://bucket", "", `{"access_key":"hunter1","secret_key":"hunter2","session_token":"hunter3"}`)
	if err != nil {
		t.Fatal(err)
	}
	o.Dir = t.TempDir()
	s := open(t, o)
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.Info("m", "secret", o.SecretKey, "text", fmt.Sprint(o), "storage", s)
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "secret", o.SecretKey)
	encoded, err := json.Marshal(struct{ Key, Secret s3.Secret }{o.AccessKey, o.SecretKey})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"%v": fmt.Sprintf("%v", o), "%+v": fmt.Sprintf("%+v", o), "%#v": fmt.Sprintf("%#v", o),
		"%s": fmt.Sprintf("key %s", o.SecretKey), "%q": fmt.Sprintf("%q", o.SecretKey), "JSON": string(encoded),
		"log": log.String(), "String": s.String(),
		"Properties": fmt.Sprintf("%+v", s.Properties()),
	} {
		if strings.Contains(text, "hunter") {
			t.Errorf("%s shows a secret: %s", name, text)
		}
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	const given = `{"secret_access_key":"hunter2","Access_Key":"hunter1","region":"x","allow_http":true}`
	for text, want := range map[string]string{
		given: `{"Access_Key":"***","allow_http":true,"region":"x","secret_access_key":"***"}`,
		"":    "", "{}": "{}",
		`{"other":"hunter2"}`: `{"other":"***"}`,
		`hunter2`:             `"***"`,
	} {
		if got := s3.Mask(text); got != want {
			t.Errorf("Mask(%s) = %s, want %s", text, got, want)
		}
	}
}
