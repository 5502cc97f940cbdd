package manual

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// JSON is the page for Read.
func (p Page) JSON() string {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // it has nothing but strings and bools
	}
	return string(text) + "\n"
}

// Read reads pages, one after another, as JSON wrote them.
func Read(r io.Reader) (pages []Page, err error) {
	from := json.NewDecoder(r)
	from.DisallowUnknownFields()
	for {
		var p Page
		switch err := from.Decode(&p); {
		case errors.Is(err, io.EOF):
			return pages, nil
		case err != nil:
			return nil, fmt.Errorf("page %d: %w", len(pages)+1, err)
		}
		pages = append(pages, p)
	}
}
