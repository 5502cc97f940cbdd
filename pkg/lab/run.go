package lab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// inside marks, in the environment, a program that Run started anew in a user
// namespace.
const inside = "CHECK_VPN_LAB_INSIDE"

// Run calls main where namespaces may be made, and returns its result.
//
// For root that is here. For anyone else the program is started again in this
// process, with the same arguments, in a user namespace where it is root. What
// comes before Run in a program thus happens twice. Where neither is allowed, the
// error says what to do.
func Run(main func() int) (int, error) {
	isInside := os.Getenv(inside) != ""
	os.Unsetenv(inside) // programs that main starts are not in a place of their own
	err := try()
	if err == nil {
		goFirst()
		return main(), nil
	}
	if !isInside && errors.Is(err, os.ErrPermission) && !errors.Is(err, errNoTUN) {
		err = again()
	}
	remedy := "run it as root (sudo)"
	switch {
	case errors.Is(err, errNoTUN) && errors.Is(err, os.ErrPermission):
		remedy += ", or let everyone open it: chmod 666 " + tunPath
	case errors.Is(err, errNoTUN):
		remedy = "load the tun module (modprobe tun); in a container, pass the device in"
	default:
		remedy += ", or allow user namespaces: sysctl kernel.unprivileged_userns_clone=1 " +
			"user.max_user_namespaces=1000 kernel.apparmor_restrict_unprivileged_userns=0, those that there are"
	}
	return 0, fmt.Errorf("the lab cannot make network namespaces: %w; %s", err, remedy)
}

// goFirst has this process, and the programs that it starts, go before others on the
// host, as far as that is allowed: the laboratory is the network, and what else a busy
// host does must not look like a slow one.
func goFirst() {
	threads, _ := os.ReadDir("/proc/self/task")
	for _, thread := range threads { // the kernel has it a thread each, and new ones inherit it
		if id, err := strconv.Atoi(thread.Name()); err == nil {
			_ = unix.Setpriority(unix.PRIO_PROCESS, id, -10)
		}
	}
}

// Main ends the program with the result of main, which Run calls.
func Main(main func() int) {
	code, err := Run(main)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// errNoTUN means that the fault lies with the TUN device's file, which a user
// namespace does not change.
var errNoTUN = errors.New(tunPath)

// try does once what the lab does all the time.
func try() error {
	file, err := os.OpenFile(tunPath, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoTUN, errors.Unwrap(err))
	}
	file.Close()
	n, err := NewNode()
	if err != nil {
		return err
	}
	device, err := n.OpenDevice(Device{Name: "try", MTU: 1500})
	if err == nil {
		err = device.Close()
	}
	return errors.Join(err, n.Close())
}

// again starts this program anew in a user namespace, in this process. It returns
// only if that fails.
func again() error {
	unshare := []string{"/usr/bin/unshare", "--map-root-user", "--net", "--mount"}
	if said, err := exec.Command(unshare[0], append(unshare[1:], "true")...).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(said))
	}
	// By its descriptor: this user may not be allowed where the file is.
	program, err := unix.Open("/proc/self/exe", unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	args := append(append(unshare, "--", fmt.Sprintf("/proc/self/fd/%d", program)), os.Args[1:]...)
	return syscall.Exec(unshare[0], args, append(os.Environ(), inside+"=1"))
}

// Skip skips a test that this machine cannot run, and fails it where CI is set, as
// make test does: there everything must be.
func Skip(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}
