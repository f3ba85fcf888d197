// Package s3test starts a real S3 server for tests, versitygw, and puts a server in front of it
// that makes faults on demand.
//
// The server is a module of its own, lake/s3/internal/gateway, so that kalam depends on nothing
// of it; Go builds it at the first use and keeps it in its cache.
package s3test
