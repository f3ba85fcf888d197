package link

import "net/http"

// New returns a Client. It makes no connection: the first request does. The
// error is KindInvalidURL or KindInvalidOption.
func New(o Options) (*Client, error) {
	o, base, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &core{
		options: o, base: base, prefix: base.String() + "/" + o.APIVersion, ownsHTTP: o.HTTPClient == nil,
		firstWait: o.FirstWait, keepalive: keepalive, pongWait: pongWait,
	}
	if o.HTTPClient != nil {
		own := *o.HTTPClient
		c.http = &own
	} else {
		c.http = &http.Client{Transport: newTransport()}
	}
	c.http.Timeout = 0 // Contexts bound the requests.
	c.http.CheckRedirect = sameHostOnly
	c.credentials = newCredentials(c, o.Auth)
	c.live = newStream(c)
	return &Client{core: c, namespace: o.Namespace}, nil
}

// Close ends all subscriptions, waits for their goroutines and closes idle
// connections. Requests under way go on until they are answered or their
// context ends; later ones fail. It never fails and may be called more than
// once.
func (c *Client) Close() error {
	c.closed.Store(true)
	c.live.close()
	if c.ownsHTTP {
		c.http.CloseIdleConnections()
	}
	return nil
}
