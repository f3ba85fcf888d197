package catalog

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/kalamlake/kalam"
)

// Limits of API keys.
const (
	MaxKeyName = 128                   // Bytes of a name.
	MaxKeyLife = 3650 * 24 * time.Hour // Of a key that expires.
	keyMark    = "kalam_"              // Begins every key, so that scanners of source code find it.
	maxKeyText = len(keyMark) + 4*26   // Beyond which a text is not looked at.
)

// APIKey is a key by which a program acts as a user. The key itself is shown once, by CreateKey, and not stored.
type APIKey struct {
	ID          string // Names the key in statements; no secret.
	Name        string // Unique among the keys of its user.
	User        kalam.UserID
	Restriction kalam.Restriction
	CreatedBy   kalam.UserID
	CreatedAt   time.Time
	ExpiresAt   time.Time // Zero: never.
	LastUsed    time.Time // In memory; durable by WriteKeyUses, at Close and whenever the record is written.

	digest keyDigest // Of the key.
}

// Expired reports whether the time of a key is over.
func (k *APIKey) Expired(now time.Time) bool {
	return !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt)
}

// keyDigest is the SHA-256 of a key. A key has more than 250 random bits, so that no slow hash is needed.
type keyDigest [sha256.Size]byte

// keyEntry is a key; used is shared by all versions of the entry: the last use in Unix microseconds, 0 for none.
type keyEntry struct {
	key  APIKey
	used *atomic.Int64
}

// load returns the key with the newest LastUsed.
func (e *keyEntry) load() APIKey {
	k := e.key
	k.LastUsed = later(k.LastUsed, e.used.Load())
	return k
}

// keyRecord is the stored form of an APIKey.
type keyRecord struct {
	ID        string       `json:"id"`
	Name      string       `json:"name"`
	User      kalam.UserID `json:"user"`
	Hash      string       `json:"hash"` // SHA-256 of the key, in hexadecimal.
	Scopes    string       `json:"scopes,omitempty"`
	CreatedBy kalam.UserID `json:"created_by"`
	CreatedAt time.Time    `json:"created_at"`
	ExpiresAt time.Time    `json:"expires_at,omitzero"`
	LastUsed  time.Time    `json:"last_used,omitzero"`
}

func recordOfKey(k *APIKey) keyRecord {
	return keyRecord{
		ID: k.ID, Name: k.Name, User: k.User, Hash: hex.EncodeToString(k.digest[:]), Scopes: k.Restriction.String(),
		CreatedBy: k.CreatedBy, CreatedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt, LastUsed: k.LastUsed,
	}
}

func (r *keyRecord) key() (APIKey, error) {
	scopes, err := kalam.ParseRestriction(r.Scopes)
	if err != nil {
		return APIKey{}, err
	}
	k := APIKey{
		ID: r.ID, Name: r.Name, User: r.User, Restriction: scopes, CreatedBy: r.CreatedBy, CreatedAt: r.CreatedAt,
		ExpiresAt: r.ExpiresAt, LastUsed: r.LastUsed,
	}
	digest, err := hex.DecodeString(r.Hash)
	if err != nil || len(digest) != len(k.digest) {
		return APIKey{}, fmt.Errorf("its hash is not one of %d bytes", len(k.digest))
	}
	k.digest = keyDigest(digest)
	return k, nil
}

func (v *version) loadKey(key string, raw []byte) error {
	var r keyRecord
	if err := decodeRecord(key, raw, &r); err != nil {
		return err
	}
	k, err := r.key()
	if err != nil {
		return unusable(key, err)
	}
	if _, twice := v.keyIDs.Get(k.ID); twice {
		return unusable(key, fmt.Errorf("another key has its id"))
	}
	v.keys.Load(k.digest, &keyEntry{key: k, used: new(atomic.Int64)})
	v.keyIDs.Load(k.ID, k.digest)
	return nil
}

// NewKey is what CreateKey makes a key of.
type NewKey struct {
	Name        string
	User        kalam.UserID
	Restriction kalam.Restriction
	Life        time.Duration // 0: it does not expire.
}

// CreateKey creates a key on behalf of by and returns it with its text, which nobody can learn again. Errors:
// CodePermissionDenied; CodeNotFound for the user; CodeAlreadyExists for the name; CodeInvalidInput for a malformed
// name or life; CodeInvalidOperation for the user system, and when the user has as many keys as
// Options.MaxKeysPerUser.
func (c *Catalog) CreateKey(ctx context.Context, by kalam.Principal, n NewKey) (APIKey, Secret, error) {
	text := keyMark + rand.Text() + rand.Text()
	k := APIKey{
		ID: "ak-" + strings.ToLower(rand.Text()[:16]), Name: n.Name, User: n.User, Restriction: n.Restriction,
		CreatedBy: by.User, digest: sha256.Sum256([]byte(text)),
	}
	if err := checkKeyName(n.Name); err != nil {
		return APIKey{}, Secret{}, err
	}
	if n.Life < 0 || n.Life > MaxKeyLife {
		return APIKey{}, Secret{}, kalam.Errorf(kalam.CodeInvalidInput, "an API key lives at most %d days",
			MaxKeyLife/(24*time.Hour))
	}
	err := c.write(ctx, func(tx *tx) error {
		if err := c.mayManageKeys(&tx.next, by, n.User); err != nil {
			return err
		}
		if n.User == SystemUser {
			return kalam.Errorf(kalam.CodeInvalidOperation, "User '%s' cannot have API keys", n.User)
		}
		have := 0
		for _, e := range tx.next.keysOf(n.User) {
			if have++; e.key.Name == n.Name {
				return kalam.Errorf(kalam.CodeAlreadyExists, "API key '%s' of user '%s' already exists", n.Name, n.User)
			}
		}
		if c.maxKeys > 0 && have >= c.maxKeys {
			return kalam.Errorf(kalam.CodeInvalidOperation,
				"User '%s' has %d API keys, as many as there may be (auth.max_api_keys_per_user): drop one first", n.User, have)
		}
		k.CreatedAt = tx.now
		if n.Life > 0 {
			k.ExpiresAt = tx.now.Add(n.Life)
		}
		return tx.putKey(&keyEntry{key: k, used: new(atomic.Int64)})
	})
	if err != nil {
		return APIKey{}, Secret{}, err
	}
	return k, NewSecret(text), nil
}

// checkKeyName refuses names that no listing could show.
func checkKeyName(name string) error {
	switch {
	case name == "":
		return kalam.Errorf(kalam.CodeInvalidInput, "the name of an API key is empty")
	case len(name) > MaxKeyName:
		return kalam.Errorf(kalam.CodeInvalidInput, "the name of an API key is %d bytes long (maximum %d)", len(name),
			MaxKeyName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return kalam.Errorf(kalam.CodeInvalidInput, "the name of an API key holds a control character or is not UTF-8")
	}
	return nil
}

// mayManageKeys says whether by may make and end credentials of a user who is there. To who may not for anybody else,
// one who is not there is like one who is.
func (c *Catalog) mayManageKeys(v *version, by kalam.Principal, user kalam.UserID) error {
	e, ok := v.activeUser(user)
	role := kalam.RoleUser
	if ok {
		role = e.user.Role
	}
	if err := c.rules.ManageKeys(by, user, role); err != nil {
		return err
	}
	if !ok {
		return userNotFound(user)
	}
	return nil
}

// DropKey removes a key on behalf of by and returns it. What was authenticated by it ends. CodeNotFound when there is
// none, or none that by may manage.
func (c *Catalog) DropKey(ctx context.Context, by kalam.Principal, id string) (APIKey, error) {
	var dropped APIKey
	err := c.write(ctx, func(tx *tx) error {
		digest, _ := tx.next.keyIDs.Get(id)
		e, ok := tx.next.keys.Get(digest)
		if !ok || c.mayManageKeys(&tx.next, by, e.key.User) != nil {
			return kalam.Errorf(kalam.CodeNotFound, "API key '%s' not found", id)
		}
		dropped = e.load()
		tx.dropKey(e)
		return nil
	})
	return dropped, err
}

// Now returns the time of the catalog's clock.
func (c *Catalog) Now() time.Time { return c.now() }

// Keys returns the API keys by user and name.
func (c *Catalog) Keys() []APIKey {
	v := c.current.Load()
	list := make([]APIKey, 0, v.keys.Len())
	for _, e := range v.keys.All() {
		list = append(list, e.load())
	}
	slices.SortFunc(list, func(a, b APIKey) int {
		if by := strings.Compare(string(a.User), string(b.User)); by != 0 {
			return by
		}
		return strings.Compare(a.Name, b.Name)
	})
	return list
}

// KeyOf returns the key whose text an unknown sender gave, and its user, and notes the use. ok is false when there is
// none, when it has expired, and when its user is not there. The time that it takes tells nothing: what is looked up is
// the digest of the text.
func (c *Catalog) KeyOf(text string) (k APIKey, u User, ok bool) {
	if len(text) > maxKeyText {
		return APIKey{}, User{}, false
	}
	e, user, ok := c.keyHeld(sha256.Sum256([]byte(text)))
	if !ok {
		return APIKey{}, User{}, false
	}
	now := c.now().UnixMicro()
	e.used.Store(now)
	user.times.seen.Store(now)
	return e.load(), user.load(), true
}

// HasKey reports whether a key that KeyOf returned is still there, has not expired, and has its user in the role.
func (c *Catalog) HasKey(k *APIKey, role kalam.Role) bool {
	_, user, ok := c.keyHeld(k.digest)
	return ok && user.user.Role == role
}

// HasKeyID reports whether a user has a key with an id that has not expired.
func (c *Catalog) HasKeyID(user kalam.UserID, id string) bool {
	digest, ok := c.current.Load().keyIDs.Get(id)
	if !ok {
		return false
	}
	e, _, ok := c.keyHeld(digest)
	return ok && e.key.User == user
}

func (c *Catalog) keyHeld(digest keyDigest) (*keyEntry, *userEntry, bool) {
	v := c.current.Load()
	e, ok := v.keys.Get(digest)
	if !ok || e.key.Expired(c.now()) {
		return nil, nil, false
	}
	user, ok := v.activeUser(e.key.User)
	return e, user, ok
}

// WriteKeyUses makes the times at which keys were used last durable. Whoever calls it once a minute writes the record
// of a key at most once a minute.
func (c *Catalog) WriteKeyUses(ctx context.Context) error {
	var used []keyDigest
	for digest, e := range c.current.Load().keys.All() {
		if !e.load().LastUsed.Equal(e.key.LastUsed) {
			used = append(used, digest)
		}
	}
	for batch := range slices.Chunk(used, closeBatch) {
		err := c.write(ctx, func(tx *tx) error {
			for _, digest := range batch {
				e, ok := tx.next.keys.Get(digest)
				if !ok {
					continue
				}
				if err := tx.putKey(&keyEntry{key: e.load(), used: e.used}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (tx *tx) putKey(e *keyEntry) error {
	tx.next.keys = tx.next.keys.With(e.key.digest, e)
	tx.next.keyIDs = tx.next.keyIDs.With(e.key.ID, e.key.digest)
	return tx.put(apiKeyKey(e.key.ID), recordOfKey(&e.key))
}

func (tx *tx) dropKey(e *keyEntry) {
	tx.endsTokens = true
	tx.next.keys = tx.next.keys.Without(e.key.digest)
	tx.next.keyIDs = tx.next.keyIDs.Without(e.key.ID)
	tx.delete(apiKeyKey(e.key.ID))
}

// keysOf returns the keys of a user.
func (v *version) keysOf(user kalam.UserID) []*keyEntry {
	var list []*keyEntry
	for _, e := range v.keys.All() {
		if e.key.User == user {
			list = append(list, e)
		}
	}
	return list
}
