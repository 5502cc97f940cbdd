package lab

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// errAbandoned means that a function left its goroutine without returning,
// as t.FailNow does.
var errAbandoned = errors.New("the function did not return")

// onThread runs f on an operating system thread of its own and waits for it.
//
// Namespaces belong to threads. The goroutine never unlocks its thread, so the
// thread ends with it, and no other goroutine ever runs in what f entered.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			// The main thread does not end with its goroutine. Keep it busy
			// here while f gets another one.
			defer runtime.UnlockOSThread()
			done <- onThread(f)
			return
		}
		done <- f()
	}()
	err, returned := <-done
	if !returned {
		return errAbandoned
	}
	return err
}

// shell is the thread that starts a node's programs. It has a file system view
// of its own, where the files that lead to name servers are the lab's.
//
// It lives as long as its node, for the kernel ends a program that asks for it
// (Pdeathsig) when the thread that started it ends.
type shell struct {
	jobs  chan func()
	ended chan struct{}
}

func newShell(n *Node) (*shell, error) {
	s := &shell{jobs: make(chan func()), ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		n.Do(func() error {
			for job := range s.jobs {
				job()
			}
			return nil
		})
	}()
	if err := s.do(ownEtc); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *shell) do(f func() error) error {
	done := make(chan error, 1)
	select {
	case s.jobs <- func() { done <- f() }:
		return <-done
	case <-s.ended: // before it began
		return errAbandoned
	}
}

func (s *shell) close() {
	close(s.jobs)
	<-s.ended
}

// ownEtc gives the calling thread, and the programs it starts, these files of
// their own. The host's name servers and names must not reach into the lab.
func ownEtc() error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return os.NewSyscallError("mount", err)
	}
	// The files live in memory. /tmp is only where they are made; it is itself
	// again afterwards.
	if err := unix.Mount("lab", "/tmp", "tmpfs", 0, "mode=755"); err != nil {
		return os.NewSyscallError("mount", err)
	}
	defer unix.Unmount("/tmp", unix.MNT_DETACH)
	for name, text := range map[string]string{
		"resolv.conf":   "",
		"hosts":         "127.0.0.1 localhost\n::1 localhost\n",
		"nsswitch.conf": "hosts: files dns\n",
	} {
		if _, err := os.Stat("/etc/" + name); errors.Is(err, os.ErrNotExist) && name != "resolv.conf" {
			continue
		}
		if err := os.WriteFile("/tmp/"+name, []byte(text), 0o644); err != nil {
			return err
		}
		if err := lay("/tmp/"+name, "/etc/"+name); err != nil {
			return err
		}
	}
	return nil
}

// lay puts a file or folder of the lab's in the place of another, in the calling
// thread's file system view.
func lay(own, over string) error {
	if err := unix.Mount(own, over, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("cannot lay the lab's file over %s: %w", over, err)
	}
	return nil
}
