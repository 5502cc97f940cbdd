package lab

import (
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// daemon is a tunnel's program, which runs in the foreground until it is
// stopped. What it says is kept, to know when it is ready and why it failed.
type daemon struct {
	cmd   *exec.Cmd
	ended chan struct{}

	mu   sync.Mutex
	said strings.Builder
}

func newDaemon(at *Node, cmd *exec.Cmd) (*daemon, error) {
	d := &daemon{cmd: cmd, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = d, d
	if err := at.Start(cmd); err != nil {
		return nil, err
	}
	go func() {
		defer close(d.ended)
		cmd.Wait()
	}()
	return d, nil
}

// Write takes what the program says.
func (d *daemon) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.said.Write(b)
}

// log is what the program has said.
func (d *daemon) log() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.said.String()
}

// await waits until the program says the words, after so many bytes of its log.
func (d *daemon) await(words string, after int, limit time.Duration) error {
	timeout := time.After(limit)
	for {
		if strings.Contains(d.log()[after:], words) {
			return nil
		}
		select {
		case <-time.After(time.Millisecond):
		case <-d.ended:
			return fmt.Errorf("%s ended: %s", d.cmd.Path, lastLines(d.log()))
		case <-timeout:
			return fmt.Errorf("%s has said no %q in %v: %s", d.cmd.Path, words, limit, lastLines(d.log()))
		}
	}
}

// stop ends the program at once, so that it cannot tell its peer. There may be
// none.
func (d *daemon) stop() {
	if d != nil {
		d.cmd.Process.Kill()
		<-d.ended
	}
}

// lastLines is the end of a log, on one line.
func lastLines(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	return strings.Join(lines[max(0, len(lines)-4):], "; ")
}
