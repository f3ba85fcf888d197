package s3

import (
	"context"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
)

// ErrNoConditions means that the server ignores the condition If-None-Match: *, so that
// nothing would keep an object from being overwritten. Nothing is written to it.
var ErrNoConditions = errors.New("the server ignores If-None-Match on writes, so objects could be overwritten; " +
	"use a server or a version that keeps to it")

// errCutOff means that the server ended the connection instead of answering.
var errCutOff = errors.New("the server closed the connection")

// failure is what a server answered. It has the words of the server, but no request.
type failure struct {
	code   string
	status int
	text   string
}

// Error returns the server's words.
func (f *failure) Error() string {
	if f.text == "" {
		return fmt.Sprintf("%s (HTTP %d)", f.code, f.status)
	}
	return fmt.Sprintf("%s (%s, HTTP %d)", f.text, f.code, f.status)
}

// plain returns err without what leads out of the storage: names of objects in the
// bucket, and whatever of the credentials a server may have repeated.
func (s *Storage) plain(err error) error {
	var answer minio.ErrorResponse
	if errors.As(err, &answer) {
		text := strings.TrimSuffix(answer.Message, ".")
		text = strings.ReplaceAll(text, "/"+s.opts.Bucket+"/"+s.root, "")
		if s.root != "" {
			text = strings.ReplaceAll(text, s.root, "")
		}
		for _, secret := range []Secret{s.opts.SecretKey, s.opts.SessionToken, s.opts.AccessKey} {
			if secret != "" {
				text = strings.ReplaceAll(text, string(secret), redacted)
			}
		}
		return &failure{code: answer.Code, status: answer.StatusCode, text: text}
	}
	var request *url.Error
	if !errors.As(err, &request) {
		return err
	}
	if text := request.Err.Error(); strings.Contains(text, request.URL) {
		return errCutOff // The client's words for it hold the URL.
	}
	return request.Err
}

// codeOf returns the protocol's code of what a server answered, "" without an answer.
func codeOf(err error) string {
	var f *failure
	if errors.As(err, &f) {
		return f.code
	}
	return ""
}

// statusOf returns the HTTP status of what a server answered, 0 without an answer.
func statusOf(err error) int {
	var f *failure
	if errors.As(err, &f) {
		return f.status
	}
	return 0
}

// notFound reports whether the server says that there is no such object.
func notFound(err error) bool {
	return statusOf(err) == http.StatusNotFound && codeOf(err) != minio.NoSuchBucket
}

// noUpload reports whether the server says that there is no such multipart upload.
func noUpload(err error) bool { return codeOf(err) == "NoSuchUpload" }

// taken reports whether the server says that the condition of a write does not hold.
func taken(err error) bool {
	return statusOf(err) == http.StatusPreconditionFailed || codeOf(err) == minio.PreconditionFailed
}

// full reports whether the server or this machine has no space left.
func full(err error) bool {
	switch codeOf(err) {
	case "QuotaExceeded", "XMinioStorageFull", "NoSpaceLeftOnDevice", "InsufficientCapacity", "InsufficientStorage",
		"XMinioAdminBucketQuotaExceeded", "EntityQuotaExceeded", "ServiceQuotaExceededException":
		return true
	}
	return statusOf(err) == http.StatusInsufficientStorage || lake.IsNoSpace(err)
}

// transient reports whether the same request may succeed later: the network, the state
// or the load of the server is the reason, not the request.
func transient(err error) bool {
	if full(err) {
		return false
	}
	var f *failure
	if errors.As(err, &f) {
		switch f.code {
		case "SlowDown", "SlowDownRead", "SlowDownWrite", "RequestTimeout", "InternalError", "ServiceUnavailable",
			"Throttling", "ThrottlingException", "RequestLimitExceeded", "RequestThrottled", "TooManyRequests",
			// Another writer is in the middle of it; then the condition decides.
			"ConditionalRequestConflict", "OperationAborted":
			return true
		}
		return f.status >= 500 && f.status != http.StatusNotImplemented ||
			f.status == http.StatusRequestTimeout || f.status == http.StatusTooManyRequests
	}
	return fromNetwork(err)
}

// fromNetwork reports whether err, which is no answer of a server, came from the
// connection, and not from this program or from a server that is not the right one.
func fromNetwork(err error) bool {
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		expired   x509.CertificateInvalidError
		known     *kalam.Error
		local     *localError
	)
	switch {
	case errors.As(err, &authority), errors.As(err, &host), errors.As(err, &expired):
		return false
	case errors.As(err, &known), errors.As(err, &local):
		return false
	case errors.Is(err, lake.ErrExist), errors.Is(err, lake.ErrNotExist), errors.Is(err, ErrNoConditions):
		return false
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return false
	}
	var broken *xml.SyntaxError // An answer that was cut off.
	return errors.As(err, &broken) || !errors.Is(err, context.Canceled)
}

// localError is a failure of this machine's disk.
type localError struct{ err error }

// Error returns the system's words.
func (e *localError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *localError) Unwrap() error { return e.err }

// local marks err as one of this machine, without the names of files.
func local(err error) error {
	if err == nil {
		return nil
	}
	return &localError{lake.WithoutName(err)}
}

// explain turns an error into one of the contract, which names the object by its path.
func (s *Storage) explain(ctx context.Context, verb, p string, err error) error {
	if err == nil {
		return nil
	}
	var known *kalam.Error
	if errors.As(err, &known) {
		return err
	}
	switch ended := ctx.Err(); {
	case ended != nil:
		return fmt.Errorf("%s %s: %w", verb, p, ended)
	case full(err):
		return kalam.Wrap(kalam.CodeResourceExhausted, err, "%s %s: no space left on the storage", verb, p)
	case notFound(err):
		return fmt.Errorf("%s %s: %w", verb, p, lake.ErrNotExist)
	case codeOf(err) == minio.NoSuchBucket:
		return fmt.Errorf("%s %s: the bucket %s does not exist", verb, p, s.opts.Bucket)
	case statusOf(err) == http.StatusForbidden || statusOf(err) == http.StatusUnauthorized:
		return fmt.Errorf("%s %s: the storage refuses the credentials, or what they may do: %w", verb, p, err)
	case transient(err):
		return fmt.Errorf("%s %s: %w: %s: %w", verb, p, lake.ErrUnavailable, s.opts.location(), err)
	}
	return fmt.Errorf("%s %s: %w", verb, p, err)
}
