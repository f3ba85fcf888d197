package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"github.com/kalamlake/kalam"
)

// maxLoginQueue is how many logins may wait for a processor; more are refused,
// so that a flood of them cannot pile up.
const maxLoginQueue = 256

// hasher runs bcrypt on a bounded number of processors.
type hasher struct {
	cost  int
	dummy []byte        // A hash of cost that no password has.
	slots chan struct{} // One token for each running bcrypt.
	queue chan struct{} // One token for each running or waiting one.
}

func newHasher(cost, slots int) *hasher {
	return &hasher{
		cost: cost,
		// 22 characters of salt and 31 of hash: what the comparison costs depends
		// on the cost alone.
		dummy: []byte(fmt.Sprintf("$2a$%02d$%s", cost, strings.Repeat(".", 53))),
		slots: make(chan struct{}, slots),
		queue: make(chan struct{}, slots+maxLoginQueue),
	}
}

// acquire waits for a processor; release must follow when it returns nil.
func (h *hasher) acquire(ctx context.Context) error {
	select {
	case h.queue <- struct{}{}:
	default:
		return kalam.Errorf(kalam.CodeRateLimited, "too many logins at once; try again later")
	}
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		<-h.queue
		return context.Cause(ctx)
	}
}

func (h *hasher) release() { <-h.slots; <-h.queue }

// hash returns the bcrypt hash of a password of 1 to 72 bytes.
func (h *hasher) hash(ctx context.Context, password string) (Secret, error) {
	if err := h.acquire(ctx); err != nil {
		return Secret{}, err
	}
	defer h.release()
	b, err := bcrypt.GenerateFromPassword([]byte(password), h.cost)
	if err != nil {
		return Secret{}, fmt.Errorf("hash password: %w", err)
	}
	return NewSecret(string(b)), nil
}

// matches compares a password with a hash, or with the dummy when stored is
// empty, which takes as long and is false. A slot must be held. bcrypt would
// ignore what follows the 72nd byte, so a longer password never matches.
func (h *hasher) matches(stored Secret, password string) (bool, error) {
	hash := []byte(stored.Reveal())
	if stored.IsEmpty() {
		hash = h.dummy
	}
	err := bcrypt.CompareHashAndPassword(hash, []byte(password))
	if err != nil && !errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) && len(password) <= MaxPassword {
		return false, fmt.Errorf("compare password: %w", err)
	}
	return err == nil && !stored.IsEmpty() && len(password) <= MaxPassword, nil
}

// outdated reports whether a hash has another cost than new ones get.
func (h *hasher) outdated(stored Secret) bool {
	cost, err := bcrypt.Cost([]byte(stored.Reveal()))
	return err == nil && cost != h.cost
}
