package shell

import (
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/shell/edit"
	"github.com/kalamlake/kalam/shell/format"
)

// serverURL returns the address of the server.
func (c Config) serverURL() (string, error) {
	address := c.URL
	if address == "" {
		address = c.Host
	}
	if address == "" {
		address = c.Getenv("KALAM_HOST")
	}
	if address == "" {
		address = c.storedURL()
	}
	if address == "" {
		address = c.file.Host
	}
	switch {
	case strings.Contains(address, "://"):
		if c.Port != 0 && c.URL == "" {
			return withPort(address, c.Port)
		}
		return address, nil
	case c.URL != "":
		scheme := "https://"
		if u, err := url.Parse("//" + address); err == nil && isLoopback(u.Hostname()) {
			scheme = "http://"
		}
		return scheme + address, nil
	}
	return hostURL(address, c.Port)
}

// hostURL returns the address of a host with or without port. A port of the
// command line wins.
func hostURL(address string, port int) (string, error) {
	host, own, err := net.SplitHostPort(address)
	if err != nil {
		host, own = strings.Trim(address, "[]"), ""
	}
	if host == "" {
		host = "localhost"
	}
	if strings.ContainsAny(host, "/?#@ ") {
		return "", usagef("--host %q is neither a URL nor host[:port]", address)
	}
	switch {
	case port != 0:
		own = strconv.Itoa(port)
	case own == "":
		own = strconv.Itoa(defaultPort)
	}
	return "http://" + net.JoinHostPort(host, own), nil
}

// withPort replaces the port of a URL.
func withPort(address string, port int) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", usagef("--host %q is not a URL", address)
	}
	u.Host = net.JoinHostPort(u.Hostname(), strconv.Itoa(port))
	return u.String(), nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// auth returns the credentials: those of the command line, of the environment, of the
// settings, then the tokens that are kept. ask reads a password from the terminal; it is nil without one.
func (c Config) auth(ask edit.Asker) (link.Auth, error) {
	switch {
	case c.Token != "":
		return jwt("--token", c.Token)
	case c.APIKey != "":
		return link.APIKey(c.APIKey), nil
	case c.Password != nil:
		if c.loginUser() == "" {
			return link.Auth{}, usagef("--password needs --user")
		}
		if *c.Password == "" && ask != nil {
			password, err := ask("Password for "+format.Escape(c.loginUser())+": ", false)
			return link.Password(c.loginUser(), password), err
		}
		return link.Password(c.loginUser(), *c.Password), nil
	}
	if p := c.Getenv("KALAM_PASSWORD"); p != "" && c.loginUser() != "" {
		return link.Password(c.loginUser(), p), nil
	}
	if t := c.Getenv("KALAM_TOKEN"); t != "" {
		return jwt("KALAM_TOKEN", t)
	}
	if k := c.Getenv("KALAM_APIKEY"); k != "" {
		return link.APIKey(k), nil
	}
	switch {
	case c.file.Token != "":
		return jwt("connection.token", c.file.Token)
	case c.file.APIKey != "":
		return link.APIKey(c.file.APIKey), nil
	}
	address, err := c.serverURL()
	if err != nil {
		return link.Auth{}, err
	}
	return c.stored(address)
}

func jwt(from, t string) (link.Auth, error) {
	a, err := link.JWT(strings.TrimSpace(t))
	if err != nil {
		return a, usagef("%s: %v", from, err)
	}
	return a, nil
}

// client returns the client that Config describes, and its credentials.
func (c Config) client(ask edit.Asker) (*link.Client, link.Auth, error) {
	auth, err := c.auth(ask)
	if err != nil {
		return nil, auth, err
	}
	client, err := c.clientAs(auth)
	return client, auth, err
}

// clientAs returns the client that Config describes with the given credentials.
func (c Config) clientAs(auth link.Auth) (*link.Client, error) {
	address, err := c.serverURL()
	if err != nil {
		return nil, err
	}
	o := link.Options{URL: address, Auth: auth, User: c.User,
		Namespace: kalam.NamespaceID(c.Namespace), Timeout: c.Timeout, Renew: c.renew,
		NoReconnect: !c.file.AutoReconnect, MaxReconnects: c.file.MaxReconnects,
		FirstWait: c.file.ReconnectDelay, LongestWait: c.file.MaxReconnectDelay}
	if o.MaxReconnects == 0 {
		o.MaxReconnects = -1 // Without limit.
	}
	if auth.User() != "" || auth.IsSession() {
		o.User = "" // The login says who it is.
	}
	client, err := link.New(o)
	switch link.KindOf(err) {
	case link.KindInvalidURL, link.KindInvalidOption:
		return nil, usagef("%v", err)
	}
	return client, err
}
