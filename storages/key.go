package storages

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/kalamlake/kalam/internal/syncdir"

	"github.com/kalamlake/kalam"
)

const (
	keyBytes = 32
	// sealedHead begins what Seal returns: sealedHead, the id of the key, '.', base64 of
	// nonce and ciphertext.
	sealedHead = "kalam1."
	keyIDBytes = 4
)

// ParseKey reads a key of 32 bytes, in hexadecimal or base64.
func ParseKey(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	if key, err := hex.DecodeString(text); err == nil && len(key) == keyBytes {
		return key, nil
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != keyBytes {
		return nil, errors.New("expected 32 bytes, in base64 or hexadecimal") // It is not shown.
	}
	return key, nil
}

// ValidKey reports whether text can be the configured key; "" can.
func ValidKey(text string) bool {
	_, err := ParseKey(text)
	return text == "" || err == nil
}

// keyring seals and opens credentials with one key: the configured one, else that of a
// file, which is made when there is first something to seal.
type keyring struct {
	configured string
	file       string

	mu  sync.Mutex  // guards aead and id
	box cipher.AEAD // nil until it is needed.
	id  string      // Of the key.
}

// seal returns the stored form of the credentials of a storage.
func (k *keyring) seal(storage kalam.StorageID, text string) (string, error) {
	box, id, err := k.load(true)
	if err != nil {
		return "", err
	}
	nonce := make([]byte, box.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return "", fmt.Errorf("seal credentials: %w", err)
	}
	sealed := box.Seal(nonce, nonce, []byte(text), purposeOf(storage))
	return sealedHead + id + "." + base64.RawStdEncoding.EncodeToString(sealed), nil
}

// open returns what seal was given.
func (k *keyring) open(storage kalam.StorageID, stored string) (string, error) {
	rest, ok := strings.CutPrefix(stored, sealedHead)
	sealedBy, body, ok2 := strings.Cut(rest, ".")
	sealed, err := base64.RawStdEncoding.DecodeString(body)
	if !ok || !ok2 || err != nil {
		return "", errors.New("its credentials are not in a form that this version reads")
	}
	box, id, err := k.load(false)
	if err != nil {
		return "", err
	}
	if id != sealedBy {
		return "", fmt.Errorf("its credentials were sealed with another key (%s, this server has %s): "+
			"restore that key, or give the credentials again with ALTER STORAGE", sealedBy, id)
	}
	if len(sealed) < box.NonceSize() {
		return "", errors.New("its credentials are damaged: give them again with ALTER STORAGE")
	}
	text, err := box.Open(nil, sealed[:box.NonceSize()], sealed[box.NonceSize():], purposeOf(storage))
	if err != nil {
		return "", errors.New("its credentials are damaged: give them again with ALTER STORAGE")
	}
	return string(text), nil
}

// purposeOf binds sealed credentials to their storage.
func purposeOf(storage kalam.StorageID) []byte {
	return []byte("kalam storage credentials\x00" + string(storage))
}

// load returns the cipher and the id of its key. With create, a key that is nowhere is made.
func (k *keyring) load(create bool) (cipher.AEAD, string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.box != nil {
		return k.box, k.id, nil
	}
	key, err := k.key(create)
	if err != nil {
		return nil, "", err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, "", err
	}
	if k.box, err = cipher.NewGCM(block); err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(append([]byte("kalam key id\x00"), key...))
	k.id = hex.EncodeToString(sum[:keyIDBytes])
	return k.box, k.id, nil
}

func (k *keyring) key(create bool) ([]byte, error) {
	if k.configured != "" {
		key, err := ParseKey(k.configured)
		if err != nil {
			return nil, fmt.Errorf("storage.credentials_key: %w", err)
		}
		return key, nil
	}
	text, err := os.ReadFile(k.file)
	if errors.Is(err, fs.ErrNotExist) {
		if create {
			return k.make()
		}
		return nil, fmt.Errorf("the key %s of its credentials is missing: restore it, set storage.credentials_key, "+
			"or give the credentials again with ALTER STORAGE", filepath.Base(k.file))
	}
	if err != nil {
		return nil, fmt.Errorf("read the key of credentials: %w", err)
	}
	key, err := ParseKey(string(text))
	if err != nil {
		return nil, fmt.Errorf("the key %s of credentials is damaged: %w", filepath.Base(k.file), err)
	}
	return key, nil
}

// make makes the key file, durable before anything is sealed with it.
func (k *keyring) make() (_ []byte, err error) {
	key := make([]byte, keyBytes)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("make a key for credentials: %w", err)
	}
	dir := filepath.Dir(k.file)
	f, err := os.CreateTemp(dir, filepath.Base(k.file)+".*") // Mode 0600.
	if err != nil {
		return nil, fmt.Errorf("make a key for credentials: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // The first error tells more.
		}
	}()
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, fmt.Errorf("write the key for credentials: %w", err)
	}
	if err = os.Rename(f.Name(), k.file); err != nil {
		return nil, fmt.Errorf("write the key for credentials: %w", err)
	}
	return key, syncdir.Sync(dir)
}
