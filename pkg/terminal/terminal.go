// Package terminal is the screen of a person who runs a program by hand: how
// wide it is, colours, a line that changes in place, and text that fits. It
// knows nothing of what is shown.
//
// The screen is asked for what it is and never put into another mode, so that
// nothing needs to be restored when the program is killed. NO_COLOR (a name
// that many programs heed) turns colours off; TERM=dumb turns off every escape
// code.
package terminal

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Screen is a terminal. The zero value is 0 columns wide and has no colours.
type Screen struct {
	Width  int // in characters
	colour bool
	moves  bool // a line can be written anew
	out    io.Writer
}

// usualWidth is for a terminal that does not know its own, as a serial line.
const usualWidth = 80

// Of gives the terminal that w writes to, or nil where w is none.
func Of(w io.Writer) *Screen {
	file, ok := w.(*os.File)
	if !ok {
		return nil
	}
	conn, err := file.SyscallConn()
	if err != nil {
		return nil
	}
	var size *unix.Winsize
	isTerminal := false
	// Fd would make the file blocking; this does not.
	err = conn.Control(func(fd uintptr) {
		_, err := unix.IoctlGetTermios(int(fd), unix.TCGETS)
		isTerminal = err == nil
		size, _ = unix.IoctlGetWinsize(int(fd), unix.TIOCGWINSZ)
	})
	if err != nil || !isTerminal {
		return nil
	}
	s := &Screen{Width: usualWidth, out: w, moves: os.Getenv("TERM") != "dumb"}
	s.colour = s.moves && os.Getenv("NO_COLOR") == ""
	if size != nil && size.Col > 0 {
		s.Width = int(size.Col)
	}
	return s
}

// Colour is one of a few that can be read on dark and on light ground.
type Colour string

// The colours (ECMA-48, 8.3.117), all bold.
const (
	Green   Colour = "1;32"
	Yellow  Colour = "1;33"
	Red     Colour = "1;31"
	Magenta Colour = "1;35"
)

// Paint gives text a colour, where the screen has any.
func (s *Screen) Paint(c Colour, text string) string {
	if !s.colour || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}
