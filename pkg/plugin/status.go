package plugin

import (
	"errors"
	"fmt"
	"strings"
)

// statuses are HTTP statuses, as ranges of numbers with both ends.
type statuses [][2]int

// readStatus reads which statuses are answers.
func (p *plan) readStatus(_ Tunnel, o *options) (err error) {
	if p.status, err = parseStatuses(o.HTTPStatus.text); err != nil {
		return BadValue("--http-status", o.HTTPStatus.text, err)
	}
	return nil
}

// parseStatuses reads a list such as 200-299,401.
func parseStatuses(text string) (list statuses, err error) {
	for part := range strings.SplitSeq(text, ",") {
		low, high, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			high = low
		}
		first, err := number("", low, 100, 599)
		last, err2 := number("", high, 100, 599)
		if errors.Join(err, err2) != nil || first > last {
			return nil, fmt.Errorf("want statuses from 100 to 599 or ranges of them, for example 200-299,401")
		}
		list = append(list, [2]int{first, last})
	}
	return list, nil
}

func (s statuses) answer(code int) bool {
	for _, r := range s {
		if r[0] <= code && code <= r[1] {
			return true
		}
	}
	return false
}
