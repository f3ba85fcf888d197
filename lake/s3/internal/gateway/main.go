// Command gateway is a real S3 server for the tests of package lake/s3: versitygw over
// a directory. It is a module of its own, so that kalam depends on nothing of it.
//
//	gateway ROOT SOCKET
//
// It keeps buckets below the directory ROOT, listens on the Unix socket SOCKET with the
// access key "access" and the secret key "secret", and ends with its standard input.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: gateway ROOT SOCKET")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}

func run(root, socket string) error {
	buckets := filepath.Join(root, "buckets")
	if err := os.MkdirAll(buckets, 0o700); err != nil {
		return err
	}
	var store meta.MetadataStorer = meta.XattrMeta{}
	opts := posix.PosixOpts{CopyObjectThreshold: 5 << 30}
	if err := (meta.XattrMeta{}).Test(buckets); err != nil {
		// This file system keeps no attributes: they go to files.
		opts.SideCarDir = filepath.Join(root, "attributes")
		if err := os.MkdirAll(opts.SideCarDir, 0o700); err != nil {
			return err
		}
		if store, err = meta.NewSideCar(opts.SideCarDir); err != nil {
			return err
		}
	}
	backend, err := posix.New(buckets, store, opts)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // However it ends, the tests have ended.
		cancel()
	}()
	return embedgw.RunVersityGW(ctx, backend, &embedgw.Config{
		RootUserAccess:    "access",
		RootUserSecret:    "secret",
		Ports:             []string{socket},
		MaxConnections:    1000,
		MaxRequests:       1000,
		MultipartMaxParts: 10000,
		Quiet:             true,
		KeepAlive:         true,
	})
}
