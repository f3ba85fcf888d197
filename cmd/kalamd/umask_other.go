//go:build !unix

package main

// keepPrivate does nothing: new files have the rights of the folder they are in.
func keepPrivate() {}
