package lab

import (
	"errors"
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
