package main

import "errors"

// errUsage says that the command line was wrong; it ends with status 2.
var errUsage = errors.New(`usage: kalam-bench load --url URL --data FILE [--table NS.T] [--users-password P] [--batch N] [--workers N]
       kalam-bench measure --dir DIR [--kalamd BINARY] [--quick] [--only STEPS]`)
