package buffertest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Disk is a small file system of its own.
type Disk struct {
	Name string // Of its kind.
	Dir  string
}

// inNamespace is set in a test that runs again in a user namespace.
const inNamespace = "KALAM_TEST_NAMESPACE"

// SmallDisks mounts an empty file system of the given size of each kind that may be
// mounted here, until the end of the test: tmpfs, and ext4 in a file. A user who may
// mount nothing has the whole test run once more, as root of a user namespace, where
// tmpfs may be mounted. Where that is refused too there are none, and the log says so.
func SmallDisks(t *testing.T, bytes int64) []Disk {
	t.Helper()
	var disks []Disk
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes))
	switch {
	case err == nil:
		t.Cleanup(func() { unmount(t, dir) })
		disks = append(disks, Disk{"tmpfs", dir})
	case os.Getenv(inNamespace) == "":
		runInNamespace(t)
		return nil
	default:
		t.Logf("NO SMALL DISK: tmpfs cannot be mounted: %v", err)
	}
	if ext4, err := mountExt4(t, bytes); err != nil {
		t.Logf("NO EXT4: %v", err)
	} else {
		disks = append(disks, Disk{"ext4", ext4})
	}
	return disks
}

// mountExt4 mounts an ext4 file system in a file.
func mountExt4(t *testing.T, bytes int64) (string, error) {
	image, dir := filepath.Join(t.TempDir(), "image"), t.TempDir()
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		return "", err
	}
	if err := os.Truncate(image, bytes); err != nil {
		return "", err
	}
	for _, args := range [][]string{
		{"mkfs.ext4", "-q", "-F", "-m", "0", image}, {"mount", "-o", "loop", image, dir},
	} {
		//nolint:gosec // The commands are those above.
		if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w: %s", args[0], err, out)
		}
	}
	t.Cleanup(func() { unmount(t, dir) })
	return dir, nil
}

// unmount takes a file system away, in which a store that could not be closed may
// still have files open.
func unmount(t *testing.T, dir string) {
	if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
		t.Errorf("unmount %s: %v", dir, err)
	}
}

// runInNamespace runs the test again as root of a user namespace.
func runInNamespace(t *testing.T) {
	t.Helper()
	args := append([]string{"-test.run", "^" + t.Name() + "$", "-test.count", "1"}, os.Args[1:]...)
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...) //nolint:gosec // The test itself.
	cmd.Env = append(os.Environ(), inNamespace+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	switch {
	case err == nil:
		t.Logf("run in a user namespace:\n%s", out)
	case errors.As(err, &failed):
		t.Errorf("in a user namespace: %v\n%s", err, out)
	default:
		t.Logf("NO SMALL DISK: no user namespace: %v", err)
	}
}
