// Package origins says from which pages browsers may call the server: those of the server itself, and those that
// server.cors_origins names.
package origins
