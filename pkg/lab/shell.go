package lab

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// shell is the thread that starts a node's programs. It has a file system view
// of its own, where the files that lead to name servers are the lab's.
//
// It lives as long as its node, for the kernel ends a program that asks for it
// (Pdeathsig) when the thread that started it ends.
type shell struct {
	jobs  chan func()
	ended chan struct{}
}

func newShell(ns *namespace) (*shell, error) {
	s := &shell{jobs: make(chan func()), ended: make(chan struct{})}
	ready := make(chan error)
	go func() {
		defer close(s.ended)
		onThread(func() error {
			err := errors.Join(ns.enter(), ownEtc())
			ready <- err
			if err != nil {
				return err
			}
			for job := range s.jobs {
				job()
			}
			return nil
		})
	}()
	return s, <-ready
}

func (s *shell) do(f func() error) error {
	done := make(chan error)
	s.jobs <- func() { done <- f() }
	return <-done
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
		target := "/etc/" + name
		if _, err := os.Stat(target); errors.Is(err, os.ErrNotExist) && name != "resolv.conf" {
			continue
		}
		if err := os.WriteFile("/tmp/"+name, []byte(text), 0o644); err != nil {
			return err
		}
		if err := unix.Mount("/tmp/"+name, target, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("cannot lay the lab's file over %s: %w", target, err)
		}
	}
	return nil
}
