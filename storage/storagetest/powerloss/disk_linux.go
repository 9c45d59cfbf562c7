package powerloss

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// Disk is a file system on a disk that loses power.
type Disk struct {
	t     testing.TB
	cache *cache
	dir   string
}

// Config says what kind of disk it is.
type Config struct {
	// Size is in octets, at least 16 MiB. The disk takes twice as much memory.
	Size int64
	// Lies makes the disk ignore flushes, and say that it has done them.
	Lies bool
}

// Mount makes a disk with an empty file system for the duration of a test, or
// skips the test where that is not possible.
func Mount(t testing.TB, cfg Config) *Disk {
	t.Helper()
	if testing.Short() {
		t.Skip("power loss is not tested in short")
	}
	if os.Getuid() != 0 {
		t.Skip("power loss is not tested: mounting a disk needs root")
	}
	for _, need := range []string{"/dev/fuse", "/dev/loop-control"} {
		if _, err := os.Stat(need); err != nil {
			t.Skipf("power loss is not tested: %v", err)
		}
	}
	for _, need := range []string{"mkfs.ext4", "mount", "umount"} {
		if _, err := exec.LookPath(need); err != nil {
			t.Skipf("power loss is not tested: %v", err)
		}
	}
	d := &Disk{t: t, cache: newCache(cfg.Size, cfg.Lies), dir: filepath.Join(t.TempDir(), "mounted")}
	d.format(cfg.Size)
	device := filepath.Join(t.TempDir(), "device")
	if err := os.Mkdir(device, 0o700); err != nil {
		t.Fatal(err)
	}
	server, err := fs.Mount(device, &root{cache: d.cache}, &fs.Options{
		MountOptions: fuse.MountOptions{DirectMountStrict: true, FsName: "powerloss", MaxWrite: 1 << 20},
	})
	if err != nil {
		t.Skipf("power loss is not tested: FUSE: %v", err)
	}
	keepDevice()
	t.Cleanup(func() {
		if err := server.Unmount(); err != nil {
			t.Errorf("unmounting the device: %v", err)
		}
	})
	d.mount(filepath.Join(device, diskName), d.dir)
	return d
}

// keepDevice keeps the device from the processes that this one starts. Requests to
// a disk fail once the process that serves it has ended, unless another has the
// device open: then whoever looks at the disk waits for ever.
func keepDevice() {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return
	}
	for _, entry := range fds {
		name, err := os.Readlink("/proc/self/fd/" + entry.Name())
		if fd, notOne := strconv.Atoi(entry.Name()); err == nil && notOne == nil && name == "/dev/fuse" {
			syscall.CloseOnExec(fd)
		}
	}
}

// format makes the file system in a plain file and takes it over as durable.
func (d *Disk) format(size int64) {
	d.t.Helper()
	image := filepath.Join(d.t.TempDir(), "image")
	f, err := os.Create(image)
	if err == nil {
		err = f.Truncate(size)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	f.Close()
	d.run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image)
	b, err := os.ReadFile(image)
	if err != nil {
		d.t.Fatal(err)
	}
	copy(d.cache.seen, b)
	copy(d.cache.durable, b)
}

func (d *Disk) run(name string, args ...string) {
	d.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		d.t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

// mount mounts an image for the duration of the test.
func (d *Disk) mount(image, dir string) {
	d.t.Helper()
	if err := tryMount(image, dir); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		if err := unmount(dir); err != nil {
			d.t.Error(err)
		}
	})
}

func tryMount(image, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if out, err := exec.Command("mount", "-t", "ext4", "-o", "loop,noatime", image, dir).CombinedOutput(); err != nil {
		return fmt.Errorf("powerloss: mounting: %w: %s", err, out)
	}
	return nil
}

func unmount(dir string) error {
	if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("powerloss: unmounting: %w: %s", err, out)
	}
	return nil
}

// Dir is where the file system is mounted.
func (d *Disk) Dir() string { return d.dir }

// Traffic tells how often the disk was written and flushed.
func (d *Disk) Traffic() (writes, flushes int) {
	d.cache.mu.Lock()
	defer d.cache.mu.Unlock()
	return d.cache.writes, d.cache.flushes
}

// Cut takes the power from a copy of the disk, now. Sectors that were written and
// not flushed survive with this probability. It mounts the copy while look runs,
// and returns look's error, or that of a file system that cannot be mounted.
func (d *Disk) Cut(survive float64, look func(dir string) error) error {
	d.t.Helper()
	left := d.cache.cut(survive)
	work := d.t.TempDir()
	image, dir := filepath.Join(work, "left"), filepath.Join(work, "mounted")
	if err := writeSparse(image, left); err != nil {
		d.t.Fatal(err)
	}
	defer os.Remove(image)
	if err := tryMount(image, dir); err != nil {
		return err
	}
	err := look(dir)
	if unmountErr := unmount(dir); unmountErr != nil {
		d.t.Error(unmountErr)
	}
	return err
}

func writeSparse(path string, b []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(int64(len(b))); err != nil {
		return err
	}
	const block = 64 << 10
	zeros := string(make([]byte, block))
	for at := 0; at < len(b); at += block {
		if part := b[at:min(at+block, len(b))]; string(part) != zeros[:len(part)] {
			if _, err := f.WriteAt(part, int64(at)); err != nil {
				return err
			}
		}
	}
	return nil
}

const diskName = "disk"

// root is a directory with the disk as its one file.
type root struct {
	fs.Inode
	cache *cache
}

var _ fs.NodeOnAdder = (*root)(nil)

func (r *root) OnAdd(ctx context.Context) {
	r.AddChild(diskName, r.NewPersistentInode(ctx, &file{cache: r.cache}, fs.StableAttr{Mode: syscall.S_IFREG}), false)
}

// file is the disk as the loop device sees it: its flushes arrive as syncs.
type file struct {
	fs.Inode
	cache *cache
}

var (
	_ fs.NodeOpener    = (*file)(nil)
	_ fs.NodeGetattrer = (*file)(nil)
	_ fs.NodeReader    = (*file)(nil)
	_ fs.NodeWriter    = (*file)(nil)
	_ fs.NodeFsyncer   = (*file)(nil)
)

func (f *file) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_KEEP_CACHE, 0
}

func (f *file) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Size = syscall.S_IFREG|0o600, uint64(len(f.cache.seen))
	return 0
}

func (f *file) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	return fuse.ReadResultData(dest[:f.cache.read(dest, off)]), 0
}

func (f *file) Write(_ context.Context, _ fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	n := f.cache.write(data, off)
	if n < len(data) {
		return uint32(n), syscall.ENOSPC
	}
	return uint32(n), 0
}

func (f *file) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	f.cache.flush()
	return 0
}
