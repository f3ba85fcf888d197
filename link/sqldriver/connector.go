package sqldriver

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/link"
)

// Name is that under which the driver is registered.
const Name = "kalam"

// init registers the driver, as every program that names it in sql.Open expects.
func init() { sql.Register(Name, Driver{}) }

// Driver makes connectors of data source names. It is what sql.Open("kalam", ..) uses.
type Driver struct{}

var (
	_ driver.DriverContext = Driver{}
	_ driver.Connector     = (*Connector)(nil)
)

// Open returns a connection of its own; database/sql uses OpenConnector.
func (Driver) Open(dsn string) (driver.Conn, error) {
	c, err := Driver{}.OpenConnector(dsn)
	if err != nil {
		return nil, err
	}
	return c.Connect(context.Background())
}

// OpenConnector returns the connector of a data source name, see ParseDSN. It makes no connection.
func (Driver) OpenConnector(dsn string) (driver.Connector, error) {
	o, location, err := ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	client, err := link.New(o)
	if err != nil {
		return nil, err
	}
	c := NewConnector(client, location)
	c.owned = true
	return c, nil
}

// ParseDSN reads a data source name: the server's URL, with user and password in it,
//
//	http://alice:secret@localhost:8080?namespace=app&timeout=10s&location=Europe/Berlin
//
// or with `token` or `apikey` in place of them. `namespace` is that of names without one, `as` the user for whom to
// act, `timeout` bounds a statement (0 is link.DefaultTimeout, below 0 none) and `location` is where times come in,
// UTC by default. Anything else is an error.
func ParseDSN(dsn string) (link.Options, *time.Location, error) {
	var o link.Options
	u, err := url.Parse(dsn)
	if err != nil {
		return o, nil, errors.New( // url.Parse would show the password.
			"the data source name is no URL, as in http://user:password@localhost:8080?namespace=app")
	}
	location := time.UTC
	given := u.Query()
	for name, values := range given {
		value := values[len(values)-1]
		switch name {
		case "namespace":
			o.Namespace = kalam.NamespaceID(value)
		case "as":
			o.User = value
		case "timeout":
			o.Timeout, err = time.ParseDuration(value)
		case "location":
			location, err = time.LoadLocation(value)
		case "token", "apikey":
		default:
			return o, nil, fmt.Errorf(
				"the data source name has an unknown option %q; known are namespace, as, timeout, location, token, apikey", name)
		}
		if err != nil {
			return o, nil, fmt.Errorf("option %s of the data source name: %w", name, err)
		}
	}
	if o.Auth, err = authOf(u.User, given.Get("token"), given.Get("apikey")); err != nil {
		return o, nil, err
	}
	u.User, u.RawQuery = nil, ""
	o.URL = u.String()
	return o, location, nil
}

// authOf returns the credentials of a data source name, of which there may be one kind.
func authOf(user *url.Userinfo, token, key string) (auth link.Auth, err error) {
	kinds := 0
	if user != nil {
		password, _ := user.Password()
		auth = link.Password(user.Username(), password)
		kinds++
	}
	if token != "" {
		auth, err = link.JWT(token)
		kinds++
	}
	if key != "" {
		auth = link.APIKey(key)
		kinds++
	}
	if kinds > 1 {
		return auth, errors.New("the data source name has more than one of user, token and apikey")
	}
	return auth, err
}

// Connector makes the connections of a sql.DB: all of them are one link.Client, which pools its own. It is safe for
// concurrent use.
type Connector struct {
	client   *link.Client
	location *time.Location
	owned    bool // Close closes the client.
}

// NewConnector returns a connector over a client, which stays the caller's to close. Times come in the location; nil is
// UTC.
func NewConnector(client *link.Client, location *time.Location) *Connector {
	if location == nil {
		location = time.UTC
	}
	return &Connector{client: client, location: location}
}

// Connect returns a connection. It sends nothing: Ping does.
func (c *Connector) Connect(context.Context) (driver.Conn, error) { return &conn{connector: c}, nil }

// Driver returns Driver{}.
func (c *Connector) Driver() driver.Driver { return Driver{} }

// Close is called by sql.DB.Close. It closes the client that a data source name has made.
func (c *Connector) Close() error {
	if !c.owned {
		return nil
	}
	return c.client.Close()
}
