package terminal

import "time"

// Live is a line of a screen that is written anew in place.
type Live struct {
	screen *Screen
	texts  chan string
	over   chan struct{}
	last   string
	shown  bool
}

// Live begins with nothing shown. Stop must follow.
func (s *Screen) Live() *Live {
	l := &Live{screen: s, texts: make(chan string, 1), over: make(chan struct{})}
	go l.write()
	return l
}

// Show replaces the line with text, cut to the screen. It never waits: where
// the screen has not taken the last line yet, as one that is held with ^S, this
// one is dropped.
func (l *Live) Show(text string) {
	if !l.screen.moves || text == l.last {
		return
	}
	select {
	case l.texts <- Cut(text, l.screen.Width-1):
		l.last, l.shown = text, true
	default:
	}
}

// patience is how long Stop waits for a screen that does not take its line.
const patience = 50 * time.Millisecond

// Stop ends the line, and gives what erases it, to be written before anything
// else.
func (l *Live) Stop() (erase string) {
	close(l.texts)
	select {
	case <-l.over:
	case <-time.After(patience):
	}
	if !l.shown {
		return ""
	}
	return home
}

// home goes to the first column and erases to the end of the line (ECMA-48, 8.3.41).
const home = "\r\x1b[K"

func (l *Live) write() {
	defer close(l.over)
	for text := range l.texts {
		// A screen that has gone leaves nobody to tell.
		_, _ = l.screen.out.Write([]byte(home + text))
	}
}
