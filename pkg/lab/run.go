package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// inside marks, in the environment, the copy of a program that Run started in
// a user namespace.
const inside = "CHECK_VPN_LAB_INSIDE"

// Run calls main where namespaces may be made, and returns its result.
//
// For root that is here. For anyone else the program is started again, with
// the same arguments, in a user namespace where it is root, and Run returns
// that program's exit code. What comes before Run in a program thus happens
// twice. Where neither is allowed, the error says what to do.
func Run(main func() int) (int, error) {
	isInside := os.Getenv(inside) != ""
	os.Unsetenv(inside) // programs that main starts are not that copy
	err := onThread(tryNamespace)
	if err == nil {
		goFirst()
		return main(), nil
	}
	if isInside || !errors.Is(err, os.ErrPermission) || errors.Is(err, errNoTUN) {
		return 0, advise(err, isInside)
	}
	return again()
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

// tryNamespace does once, on a thread that ends, what the lab does all the time.
func tryNamespace() error {
	file, err := os.OpenFile(tunPath, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoTUN, errors.Unwrap(err))
	}
	file.Close()
	if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	fd, err := openTUN("try")
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// again starts this program anew in a user namespace and waits for its end.
func again() (int, error) {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNET | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	// The kernel sends that signal when the thread that started the program
	// ends, so the thread must stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return 0, advise(err, false)
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		for {
			select {
			case s := <-signals:
				cmd.Process.Signal(s)
			case <-ended:
				return
			}
		}
	}()
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	return cmd.ProcessState.ExitCode(), nil
}

// advise says in one line what would let the lab run.
func advise(err error, isInside bool) error {
	remedy := "run it as root (sudo)"
	switch {
	case errors.Is(err, errNoTUN) && errors.Is(err, os.ErrPermission):
		remedy += ", or let everyone open it: chmod 666 " + tunPath
	case errors.Is(err, errNoTUN):
		remedy = "load the tun module (modprobe tun); in a container, pass the device in"
	case isInside:
		remedy += ", or allow user namespaces their rights: sysctl kernel.apparmor_restrict_unprivileged_userns=0"
	case errors.Is(err, unix.ENOSPC):
		remedy += ", or allow user namespaces: sysctl user.max_user_namespaces=1000"
	case errors.Is(err, os.ErrPermission):
		remedy += ", or allow user namespaces: sysctl kernel.unprivileged_userns_clone=1"
	}
	return fmt.Errorf("the lab cannot make network namespaces: %w; %s", err, remedy)
}
