package main

import (
	"fmt"
	"net"

	"github.com/kalamlake/kalam/config"
)

// setupHint returns what to do when nobody can log in yet: the command that sets
// the passwords of root and of a first dba, on the server's own machine.
func setupHint(addr net.Addr, config *config.ServerConfig) string {
	host := config.Host
	port := config.Port
	if tcp, ok := addr.(*net.TCPAddr); ok {
		port = tcp.Port
	}
	return fmt.Sprintf(`
No password is set, so nobody can log in. Choose two passwords of at least 8 characters and run this on the same machine:

  curl http://%s/%s/api/auth/setup -H 'Content-Type: application/json' \
    -d '{"root_password":"PASSWORD-OF-ROOT","user":"admin","password":"PASSWORD-OF-ADMIN"}'

or stop kalamd and start it with %s=... in its environment.

`, reachable(host, port), config.APIVersion, envRootPassword)
}
