package link

import (
	"context"
	"time"
)

// Subscribe opens a live query and waits until the server has acknowledged it.
// It lives until ctx ends, Close, or an error that Err then tells: of kind
// KindSubscription when the server ended it, KindConnection when it could not
// be reached again. The first event is StateConnected.
func (c *Client) Subscribe(ctx context.Context, sql string, o SubscribeOptions) (*Subscription, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.BufferSize == 0 {
		o.BufferSize = DefaultBufferSize
	}
	params, err := encodeParams(o.Params)
	if err != nil {
		return nil, err
	}
	s := &Subscription{
		stream: c.live, sql: sql, options: o, params: params, events: make(chan Event), acked: make(chan struct{}),
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	s.received.last, s.delivered = o.From, o.From
	s.ctx, s.cancel = context.WithCancel(ctx)
	if err := c.live.add(s); err != nil {
		s.cancel()
		return nil, err
	}
	parent, start := ctx, time.Now()
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	select {
	case <-s.acked:
		return s, nil
	case <-s.done: // It failed, or ctx ended.
	case <-ctx.Done():
	}
	err = c.endedBy(parent, ctx, "subscription", start)
	if err == nil {
		err = s.Err()
	}
	_ = s.Close() // Never fails.
	return nil, err
}
