package s3

import (
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/minio/minio-go/v7/pkg/encrypt"
	"github.com/minio/minio-go/v7/pkg/s3utils"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/layout"
)

// The defaults of Options.
const (
	DefaultRegion         = "us-east-1"
	DefaultConnectTimeout = 10 * time.Second
	DefaultRequestTimeout = 60 * time.Second
	DefaultRetries        = 5
	DefaultRetryWait      = 100 * time.Millisecond
	DefaultPartBytes      = 16 << 20
	DefaultCacheBytes     = 4 << 30
)

const (
	minPartBytes = 5 << 20 // The protocol's limit.
	maxParts     = 10_000  // The protocol's limit.
	maxKeyBytes  = 1024    // The protocol's limit.

	// regionLetters are what a region may have: it becomes part of the server's name.
	regionLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
)

// Secret is a text that must not be shown.
type Secret string

const redacted = "[redacted]"

// String returns a placeholder.
func (s Secret) String() string { return redacted }

// GoString returns a placeholder.
func (s Secret) GoString() string { return redacted }

// LogValue returns a placeholder.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a placeholder.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Encryption is what the server is asked to encrypt objects with. The zero value leaves
// that to the settings of the bucket.
type Encryption string

// The kinds of Encryption.
const (
	EncryptS3  Encryption = "AES256"  // Keys of the storage (SSE-S3).
	EncryptKMS Encryption = "aws:kms" // Keys of a key service (SSE-KMS), see Options.KMSKey.
)

// Options say where a storage is and how to reach it.
type Options struct {
	Endpoint  string // "https://host:port" or "host:port"; "" is Amazon's of the region.
	AllowHTTP bool   // An endpoint "http://..." is taken.
	Region    string // DefaultRegion when empty.
	PathStyle bool   // https://host/bucket/key, not https://bucket.host/key.

	Bucket string
	Prefix string // Clean and without '/' at its ends; "" is the whole bucket.

	AccessKey    Secret // "" asks without a signature.
	SecretKey    Secret
	SessionToken Secret

	Encryption Encryption
	KMSKey     string // Of EncryptKMS; "" is the server's default.

	// Dir is a local directory that this Storage alone uses, created with mode 0700. It
	// holds staged objects and the cache. Required.
	Dir        string
	CacheBytes int64 // The most that cached files take, DefaultCacheBytes when 0.

	ConnectTimeout time.Duration // For a connection, DefaultConnectTimeout when 0.
	RequestTimeout time.Duration // For one request with its body, DefaultRequestTimeout when 0.
	Retries        int           // After the first try, DefaultRetries when 0, none when below.
	RetryWait      time.Duration // Before the first retry, DefaultRetryWait when 0; it doubles.
	PartBytes      int64         // Of a multipart upload; larger staged objects use one. DefaultPartBytes when 0.

	Now    func() time.Time // time.Now when nil.
	Logger *slog.Logger     // Discards when nil.
}

// withDefaults returns o with its defaults, or what is wrong with it, as CodeInvalidInput.
func (o Options) withDefaults() (Options, error) {
	o.Prefix = strings.Trim(o.Prefix, "/")
	if err := o.check(); err != nil {
		return o, err
	}
	if o.Region == "" {
		o.Region = DefaultRegion
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = DefaultCacheBytes
	}
	if o.ConnectTimeout == 0 {
		o.ConnectTimeout = DefaultConnectTimeout
	}
	if o.RequestTimeout == 0 {
		o.RequestTimeout = DefaultRequestTimeout
	}
	if o.Retries == 0 {
		o.Retries = DefaultRetries
	}
	if o.RetryWait == 0 {
		o.RetryWait = DefaultRetryWait
	}
	if o.PartBytes == 0 {
		o.PartBytes = DefaultPartBytes
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(o.Dir)
	o.Dir = dir
	return o, err
}

func (o Options) check() error {
	if err := s3utils.CheckValidBucketNameStrict(o.Bucket); err != nil {
		return invalid("bucket", "%q is no name of a bucket: %s", o.Bucket, lower(err))
	}
	if o.Prefix != "" {
		if err := layout.CheckPath(o.Prefix); err != nil || !utf8.ValidString(o.Prefix) {
			return invalid("prefix", "%q cannot be a prefix: it must be clean, relative and UTF-8", o.Prefix)
		}
	}
	if len(o.Prefix) > maxKeyBytes/2 {
		return invalid("prefix", "it is %d bytes long (maximum %d)", len(o.Prefix), maxKeyBytes/2)
	}
	if _, _, err := o.host(); err != nil {
		return err
	}
	if strings.Trim(o.Region, regionLetters) != "" {
		return invalid("region", "%q is no name of a region", o.Region)
	}
	switch {
	case (o.AccessKey == "") != (o.SecretKey == ""):
		return invalid("access_key", "access_key and secret_key are given together or not at all")
	case o.SessionToken != "" && o.AccessKey == "":
		return invalid("session_token", "it needs access_key and secret_key")
	case o.Encryption != "" && o.Encryption != EncryptS3 && o.Encryption != EncryptKMS:
		return invalid("server_side_encryption", "unknown kind %q; there are %s and %s",
			o.Encryption, EncryptS3, EncryptKMS)
	case o.KMSKey != "" && o.Encryption != EncryptKMS:
		return invalid("kms_key_id", "it needs server_side_encryption %s", EncryptKMS)
	case o.Dir == "":
		return invalid("directory", "no local directory is given")
	case o.PartBytes != 0 && o.PartBytes < minPartBytes:
		return invalid("part_bytes", "%d is below the protocol's minimum of %d", o.PartBytes, minPartBytes)
	case o.CacheBytes < 0 || o.ConnectTimeout < 0 || o.RequestTimeout < 0 || o.RetryWait < 0:
		return invalid("limits", "a limit is negative")
	}
	return nil
}

// host returns the server's "host[:port]" and whether it is spoken to through TLS.
func (o Options) host() (string, bool, error) {
	if o.Endpoint == "" {
		region := o.Region
		if region == "" {
			region = DefaultRegion
		}
		return "s3." + region + ".amazonaws.com", true, nil
	}
	text := o.Endpoint
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		// The text is not shown: it may hold a password.
		return "", false, invalid("endpoint", "it is no URL; write https://host:port")
	case u.User != nil:
		return "", false, invalid("endpoint", "it holds a user or password; use access_key and secret_key")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return "", false, invalid("endpoint", "%q has more than a host and a port; the bucket is part of the URI",
			o.Endpoint)
	case u.Scheme == "http" && !o.AllowHTTP:
		return "", false, invalid("endpoint", "%q is not encrypted; set allow_http to use it", o.Endpoint)
	case u.Scheme != "http" && u.Scheme != "https":
		return "", false, invalid("endpoint", "%q has the scheme %q; there are https and http", o.Endpoint, u.Scheme)
	}
	if port := u.Port(); port != "" {
		if _, err := net.LookupPort("tcp", port); err != nil {
			return "", false, invalid("endpoint", "%q has no valid port", o.Endpoint)
		}
	}
	return u.Host, u.Scheme == "https", nil
}

// location names the storage for people.
func (o Options) location() string {
	if o.Prefix == "" {
		return "s3://" + o.Bucket + "/"
	}
	return "s3://" + o.Bucket + "/" + o.Prefix + "/"
}

// encryption returns what the client sends, nil for nothing.
func (o Options) encryption() (encrypt.ServerSide, error) {
	switch o.Encryption {
	case EncryptS3:
		return encrypt.NewSSE(), nil
	case EncryptKMS:
		return encrypt.NewSSEKMS(o.KMSKey, nil)
	}
	return nil, nil
}

// lower returns the text of a library's error as the end of a sentence.
func lower(err error) string {
	text := strings.TrimSuffix(err.Error(), ".")
	return strings.ToLower(text[:min(1, len(text))]) + text[min(1, len(text)):]
}

// invalid is the error about one option, by the name that users write.
func invalid(key, format string, args ...any) error {
	return kalam.Errorf(kalam.CodeInvalidInput, "S3 storage: %s: %s", key, fmt.Sprintf(format, args...))
}
