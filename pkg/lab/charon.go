package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	charonPath  = "/usr/lib/ipsec/charon"
	swanctlPath = "/usr/sbin/swanctl"
	viciSocket  = "/run/charon.vici"
)

// charon is a strongSwan daemon in a gateway's namespace. Its /run and its
// configuration are in memory, in a file system view of its own, at their usual
// paths: the AppArmor profiles of the distributions know no others.
type charon struct {
	shell  *shell
	daemon *daemon
}

// newCharon starts a daemon and loads its connections and secrets.
func newCharon(ns *namespace, strongswanConf, swanctlConf string) (*charon, error) {
	c := new(charon)
	if err := c.begin(ns, strongswanConf, swanctlConf); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *charon) begin(ns *namespace, strongswanConf, swanctlConf string) (err error) {
	if c.shell, err = newShell(ns); err != nil {
		return err
	}
	err = c.shell.do(func() error { return layCharonFiles(strongswanConf, swanctlConf) })
	if err != nil {
		return err
	}
	if c.daemon, err = newDaemon(exec.Command(charonPath), c.start); err != nil {
		return err
	}
	// By then it has opened its ports, and the socket for commands.
	if err := c.daemon.await("spawning", 0, 5*time.Second); err != nil {
		return err
	}
	if said, _ := c.daemon.since(0); strings.Contains(said, "unable to bind socket") {
		return errors.New("another program at the gateway has the port for IKE")
	}
	return c.swanctl("--load-all", "--noprompt")
}

// start starts a program that ends with the shell's thread, and so with this
// process, however that ends.
func (c *charon) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c.shell.do(cmd.Start)
}

// swanctl runs a command of the daemon.
func (c *charon) swanctl(args ...string) error {
	_, err := c.ask(args...)
	return err
}

// ask is swanctl with what it answered.
func (c *charon) ask(args ...string) (string, error) {
	mark := c.daemon.mark()
	var out, complaint strings.Builder
	cmd := exec.Command(swanctlPath, append(args, "--uri", "unix://"+viciSocket)...)
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := c.start(cmd); err != nil {
		return "", err
	}
	if err := cmd.Wait(); err != nil {
		said, _ := c.daemon.since(mark)
		return "", fmt.Errorf("swanctl %s: %w: %s: %s", args[0], err, lastLines(complaint.String()), lastLines(said))
	}
	return out.String(), nil
}

func (c *charon) close() {
	if c.daemon != nil {
		c.daemon.stop()
	}
	if c.shell != nil {
		c.shell.close()
	}
}

// device is the name of the daemon's TUN device. It says so when it starts.
func (c *charon) device() (string, error) {
	said, _ := c.daemon.since(0)
	_, after, found := strings.Cut(said, "created TUN device: ")
	if !found {
		return "", errors.New("charon has no TUN device: " + lastLines(said))
	}
	name, _, _ := strings.Cut(after, "\n")
	return name, nil
}

// layCharonFiles gives the calling thread's file system view the daemon's files.
func layCharonFiles(strongswanConf, swanctlConf string) error {
	if err := unix.Mount("lab", "/run", "tmpfs", 0, "mode=755"); err != nil {
		return os.NewSyscallError("mount", err)
	}
	const dir = "/run/swanctl"
	// swanctl complains about each of these that is not there.
	for _, d := range []string{"x509", "x509ca", "x509ocsp", "x509aa", "x509ac", "x509crl",
		"pubkey", "private", "rsa", "ecdsa", "bliss", "pkcs8", "pkcs12"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return err
		}
	}
	for file, text := range map[string]string{
		"/run/strongswan.conf":             strongswanConf,
		filepath.Join(dir, "swanctl.conf"): swanctlConf,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return err
		}
	}
	for from, to := range map[string]string{"/run/strongswan.conf": "/etc/strongswan.conf", dir: "/etc/swanctl"} {
		if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("cannot lay the lab's file over %s: %w", to, err)
		}
	}
	return nil
}
