package link

import (
	"container/list"
	"context"
	"encoding/json"
	"iter"
	"reflect"
	"slices"
	"sync"
)

// LiveRowsOptions are the options of NewLiveRows.
type LiveRowsOptions[T any] struct {
	Params    []any            // Values of $1..$n in the query, of the types that Query takes.
	Newest    int              // It begins with the newest n rows, at most MaxLastRows; 0 is all rows.
	BatchSize int              // Rows of one batch of the initial rows; 0 is the server's default.
	Compare   func(a, b T) int // The order of the rows; nil is that in which they came.
}

// LiveRows is the current result of a live query, kept: Rows is what it is now. Across lost connections it stays as
// it was and is then brought up to date, with no row lost or doubled. It is safe for concurrent use. Its owner calls
// Close.
type LiveRows[T any] struct {
	sub     *Subscription
	compare func(a, b T) int
	done    chan struct{} // Closed when follow has ended.

	// Of follow alone.
	plan    *plan
	columns []Column
	keys    []string // The columns of the primary key.
	fresh   *kept[T] // Rows that come anew after a reset, until all are there.
	ready   bool

	mu      sync.Mutex // guards the fields below
	rows    *kept[T]
	list    []T // Of rows, made when asked for; nil when they have changed since.
	state   State
	err     error
	changed chan struct{} // Closed at the next change.
}

// NewLiveRows opens a live query and returns when all of its initial rows are there. It lives until ctx ends, Close, or
// an error that Err then tells. T is a struct or map[string]any, see Each. The query must select all columns of the
// table's primary key: an error of KindInvalidOption says so else.
func NewLiveRows[T any](ctx context.Context, c *Client, sql string, o LiveRowsOptions[T]) (*LiveRows[T], error) {
	if o.Newest < 0 {
		return nil, errorf(KindInvalidOption, "Newest must not be negative, got %d", o.Newest)
	}
	if o.Newest == 0 {
		o.Newest = AllRows
	}
	sub, err := c.Subscribe(ctx, sql, SubscribeOptions{LastRows: o.Newest, BatchSize: o.BatchSize, Params: o.Params})
	if err != nil {
		return nil, err
	}
	l := &LiveRows[T]{
		sub: sub, compare: o.Compare, done: make(chan struct{}), rows: newKept[T](), changed: make(chan struct{}),
	}
	there := make(chan struct{})
	go l.follow(there)
	select {
	case <-there:
		return l, nil
	case <-l.done:
		return nil, l.ended()
	}
}

// Rows returns the rows as they are now. They must not be changed.
func (l *LiveRows[T]) Rows() []T {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rowsLocked()
}

func (l *LiveRows[T]) rowsLocked() []T {
	if l.list == nil {
		l.list = l.rows.all()
		if l.compare != nil {
			slices.SortStableFunc(l.list, l.compare)
		}
	}
	return l.list
}

// State returns where the connection stands. The rows are as of the last connection while it is lost.
func (l *LiveRows[T]) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// Changed returns a channel that is closed when the rows or the state change next, and at the end. Whoever waits in a
// loop takes it before it reads Rows.
func (l *LiveRows[T]) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// Err returns why the live query ended: nil while it goes on and after Close.
func (l *LiveRows[T]) Err() error {
	select {
	case <-l.done:
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.err
	default:
		return nil
	}
}

// All yields the rows, and again after changes; a reader that is slow misses what is out of date. It ends with Close,
// with ctx, and after the error with which the live query ended.
func (l *LiveRows[T]) All(ctx context.Context) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		var seen *kept[T]
		version := -1
		for {
			l.mu.Lock()
			rows, now, changed := l.rowsLocked(), l.rows, l.changed
			fresh := now != seen || now.version != version
			seen, version = now, now.version
			l.mu.Unlock()
			if fresh {
				if !yield(rows, nil) {
					return
				}
				continue
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			case <-l.done:
				if err := l.Err(); err != nil {
					yield(nil, err)
				}
				return
			}
		}
	}
}

// Close ends the live query and waits for its goroutine. The rows stay as they are. It never fails and may be called
// more than once.
func (l *LiveRows[T]) Close() error {
	err := l.sub.Close()
	<-l.done
	return err
}

// follow keeps the rows until the live query ends. It closes there when all initial rows have come.
func (l *LiveRows[T]) follow(there chan<- struct{}) {
	defer close(l.done)
	for ev := range l.sub.Events() {
		wasReady := l.ready
		if err := l.take(ev); err != nil {
			l.fail(err)
			return
		}
		if l.ready && !wasReady {
			close(there)
		}
	}
	l.fail(nil)
}

// fail notes the end of the live query: err, or that of the subscription.
func (l *LiveRows[T]) fail(err error) {
	if closed := l.sub.Close(); err == nil && closed == nil {
		err = l.sub.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
	l.changedLocked()
}

// ended is why NewLiveRows has no rows to return.
func (l *LiveRows[T]) ended() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		return errorf(KindConnection, "the client is closed")
	}
	return l.err
}

func (l *LiveRows[T]) changedLocked() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// take applies one event.
func (l *LiveRows[T]) take(ev Event) error {
	if ev.Kind != EventState {
		if err := l.describe(); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	rows := l.rows
	if l.fresh != nil {
		rows = l.fresh
	}
	if err := l.apply(rows, ev); err != nil {
		return err
	}
	if ev.Kind != EventState {
		l.list = nil
	}
	if l.fresh == nil || ev.Kind == EventState {
		l.changedLocked()
	}
	return nil
}

// describe learns the columns, which ALTER TABLE changes.
func (l *LiveRows[T]) describe() error {
	columns := l.sub.Columns()
	if l.plan != nil && len(columns) > 0 && len(l.columns) == len(columns) && &l.columns[0] == &columns[0] {
		return nil
	}
	p, err := newPlan(reflect.TypeFor[T](), columns)
	if err != nil {
		return err
	}
	l.plan, l.columns, l.keys = p, columns, nil
	for _, c := range columns {
		if c.PrimaryKey {
			l.keys = append(l.keys, c.Name)
		}
	}
	if len(l.keys) == 0 {
		return errorf(KindInvalidOption,
			"LiveRows needs rows with a primary key: select its columns too; Subscribe follows queries without one")
	}
	return nil
}

// apply changes rows by one event. The caller holds mu.
func (l *LiveRows[T]) apply(rows *kept[T], ev Event) error {
	switch ev.Kind {
	case EventState:
		l.state = ev.State
		if ev.State == StateReset {
			l.fresh = newKept[T]()
		}
	case EventInitial:
		return l.initial(rows, ev)
	case EventInsert:
		return l.put(rows, ev.New)
	case EventUpdate:
		if old := keyOf(l.keys, ev.Old); old != keyOf(l.keys, ev.New) {
			rows.remove(old)
		}
		return l.put(rows, ev.New)
	case EventDelete:
		rows.remove(keyOf(l.keys, ev.Old))
	}
	return nil
}

// initial takes in a batch of rows that exist.
func (l *LiveRows[T]) initial(rows *kept[T], ev Event) error {
	seen := make(map[string]bool, len(ev.Rows))
	for _, row := range ev.Rows {
		key := keyOf(l.keys, row)
		if seen[key] {
			return errorf(KindInvalidOption,
				"two rows of the live query have the same key: select all columns of the table's primary key")
		}
		seen[key] = true
		if err := l.put(rows, row); err != nil {
			return err
		}
	}
	if ev.Last {
		l.ready = true
		if l.fresh != nil {
			l.rows, l.fresh = l.fresh, nil
		}
	}
	return nil
}

func (l *LiveRows[T]) put(rows *kept[T], row Row) error {
	var v T
	if err := l.plan.fillRow(reflect.ValueOf(&v).Elem(), row); err != nil {
		return err
	}
	rows.put(keyOf(l.keys, row), v)
	return nil
}

// keyOf returns the cells of the primary key as they came, which tell times apart that one Go value would not.
func keyOf(columns []string, row Row) string {
	var key json.RawMessage
	for _, c := range columns {
		key = append(append(key, row[c]...), ',')
	}
	return string(key)
}

// kept are rows by their keys, in the order in which they came. A row that changes keeps its place.
type kept[T any] struct {
	order   *list.List // Of keptRow.
	byKey   map[string]*list.Element
	version int // Counts changes.
}

type keptRow[T any] struct {
	key string
	row T
}

func newKept[T any]() *kept[T] { return &kept[T]{order: list.New(), byKey: map[string]*list.Element{}} }

func (k *kept[T]) put(key string, row T) {
	k.version++
	if e, ok := k.byKey[key]; ok {
		e.Value = keptRow[T]{key, row}
		return
	}
	k.byKey[key] = k.order.PushBack(keptRow[T]{key, row})
}

func (k *kept[T]) remove(key string) {
	k.version++
	if e, ok := k.byKey[key]; ok {
		k.order.Remove(e)
		delete(k.byKey, key)
	}
}

// all returns the rows in a new slice.
func (k *kept[T]) all() []T {
	rows := make([]T, 0, len(k.byKey))
	for e := k.order.Front(); e != nil; e = e.Next() {
		if r, ok := e.Value.(keptRow[T]); ok {
			rows = append(rows, r.row)
		}
	}
	return rows
}
