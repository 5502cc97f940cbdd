// Command commands writes the check commands of plugins, whose pages it reads as
// JSON: for Icinga 2, or as a basket for Icinga Director.
package main

import (
	"fmt"
	"io"
	"os"

	"checkvpn/pkg/manual"
)

func main() {
	if err := write(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "commands:", err)
		os.Exit(1)
	}
}

func write(args []string, in io.Reader, out io.Writer) error {
	forms := map[string]func([]manual.Page) (string, error){"icinga": manual.CheckCommands, "director": manual.Basket}
	if len(args) != 1 || forms[args[0]] == nil {
		return fmt.Errorf("want icinga or director")
	}
	pages, err := manual.Read(in)
	if err != nil {
		return err
	}
	text, err := forms[args[0]](pages)
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, text)
	return err
}
