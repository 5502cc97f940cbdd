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
	more chan struct{} // closed when it says more
}

// newDaemon starts a program by the given function: [Node.Start], or a shell's.
func newDaemon(cmd *exec.Cmd, start func(*exec.Cmd) error) (*daemon, error) {
	d := &daemon{cmd: cmd, ended: make(chan struct{}), more: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = d, d
	if err := start(cmd); err != nil {
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
	close(d.more)
	d.more = make(chan struct{})
	return d.said.Write(b)
}

// since returns what the program has said after a mark, and a channel that is
// closed when it says more.
func (d *daemon) since(mark int) (string, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.said.String()[mark:], d.more
}

// mark is where the program's next words begin.
func (d *daemon) mark() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.said.Len()
}

// await waits until the program says the words after a mark.
func (d *daemon) await(words string, mark int, limit time.Duration) error {
	timeout := time.After(limit)
	for {
		said, more := d.since(mark)
		if strings.Contains(said, words) {
			return nil
		}
		select {
		case <-more:
		case <-d.ended:
			said, _ = d.since(mark)
			return fmt.Errorf("%s ended: %s", d.cmd.Path, lastLines(said))
		case <-timeout:
			return fmt.Errorf("%s has said no %q in %v: %s", d.cmd.Path, words, limit, lastLines(said))
		}
	}
}

// stop ends the program at once, so that it cannot tell its peer.
func (d *daemon) stop() {
	d.cmd.Process.Kill()
	<-d.ended
}

// lastLines is the end of a log, on one line.
func lastLines(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	return strings.Join(lines[max(0, len(lines)-4):], "; ")
}
