package plugin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unicode/utf8"
)

// maxFile bounds what is read of a file of options, in bytes.
const maxFile = 1 << 20

// readExtraOpts gives the options of one --extra-opts=[SECTION][@FILE] as
// arguments.
func readExtraOpts(t Tunnel, spec string) ([]string, error) {
	section, file, named := strings.Cut(spec, "@")
	if section == "" {
		section = t.program()
	}
	bad := func(err error) error { return BadValue("--extra-opts", spec, err) }
	files := []string{file}
	if !named {
		files = defaultFiles()
	}
	var unread error
	for _, file := range files {
		text, err := readText(file)
		if err != nil {
			if named {
				return nil, bad(fmt.Errorf("that file %w", err))
			}
			if !errors.Is(err, fs.ErrNotExist) {
				unread = fmt.Errorf("%s %w", file, err)
			}
			continue
		}
		args, found, err := parseINI(text, section)
		if err != nil {
			return nil, bad(fmt.Errorf("%w of %s", err, place(file, named)))
		}
		if found {
			if err := tryAlone(t, args); err != nil {
				return nil, bad(fmt.Errorf("%w, in [%s] of %s", err, section, place(file, named)))
			}
			return args, nil
		}
	}
	switch {
	case named:
		return nil, bad(fmt.Errorf("that file has no section [%s]", section))
	case unread != nil:
		return nil, bad(fmt.Errorf("no file has a section [%s], and %w", section, unread))
	}
	return nil, bad(fmt.Errorf("no file has a section [%s], looked in %s", section, strings.Join(files, ", ")))
}

// tryAlone parses the options of a file by themselves, so that a mistake in
// them is told together with the place where it stands.
func tryAlone(t Tunnel, args []string) error {
	alone := &options{}
	if err := parseInto(t, alone, args); err != nil {
		return err
	}
	if alone.Help || alone.Version || alone.Explain || len(alone.ExtraOpts) > 0 {
		return errors.New("help, version, explain and extra-opts cannot stand in a file")
	}
	return nil
}

// place names a file that the user has not named, and saves the words on one
// that stands in the value already.
func place(file string, named bool) string {
	if named {
		return "that file"
	}
	return file
}

// Where files of options are looked for: by these names in the directories of
// these variables, and then as these files.
var (
	fileVariables = []string{"MP_CONFIG_PATH", "NAGIOS_CONFIG_PATH"}
	fileNames     = []string{"check_vpn.ini", "monitoring-plugins.ini", "plugins.ini", "nagios-plugins.ini"}
	usualFiles    = []string{"/etc/check-vpn/check_vpn.ini", "/etc/monitoring-plugins/monitoring-plugins.ini", "/etc/monitoring-plugins.ini"}
)

// defaultFiles are looked through in this order for the section.
func defaultFiles() (files []string) {
	for _, variable := range fileVariables {
		for _, dir := range filepath.SplitList(os.Getenv(variable)) {
			for _, name := range fileNames {
				files = append(files, filepath.Join(dir, name))
			}
		}
	}
	return append(files, usualFiles...)
}

// ReadFile reads a regular file of at most 1 MiB. It opens without blocking,
// because a pipe that nobody writes to would hang the check. Its errors follow
// the words "that file".
func ReadFile(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, plainFileError(err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, plainFileError(err)
	case !info.Mode().IsRegular():
		return nil, errors.New("is not a regular file")
	}
	// The size that a file claims is not trusted: those below /proc claim none.
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, plainFileError(err)
	case len(data) > maxFile:
		return nil, errors.New("is larger than 1 MiB")
	}
	return data, nil
}

// readText reads a file that must be text.
func readText(name string) (string, error) {
	data, err := ReadFile(name)
	if err == nil && (!utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0) {
		err = errors.New("is not a text file")
	}
	return string(data), err
}

func plainFileError(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("does not exist%w", silent{err})
	case errors.Is(err, fs.ErrPermission):
		return errors.New("cannot be read by this user")
	}
	return errors.New("cannot be read")
}

// silent keeps an error for errors.Is and adds nothing to the text.
type silent struct{ error }

func (silent) Error() string   { return "" }
func (s silent) Unwrap() error { return s.error }

// parseINI gives the options of a section as arguments: a key is a long option
// name, a key alone is a flag, a repeated key repeats the option. A section
// that stands twice is one. A line is a comment where it begins with # or ;
// and there is no quoting, so that a value may hold any character.
func parseINI(text, section string) (args []string, found bool, err error) {
	inside := false
	for i, line := range strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' {
			name, ok := strings.CutSuffix(line[1:], "]")
			if !ok {
				return nil, false, fmt.Errorf("line %d: a section is written [name]", i+1)
			}
			inside = strings.TrimSpace(name) == section
			found = found || inside
			continue
		}
		if !inside {
			continue
		}
		key, value, hasValue := strings.Cut(line, "=")
		key = strings.TrimSpace(key)
		if key == "" || strings.HasPrefix(key, "-") || strings.ContainsAny(key, " \t") {
			return nil, false, fmt.Errorf("line %d: a key is the name of an option without dashes", i+1)
		}
		arg := "--" + key
		if hasValue {
			arg += "=" + strings.TrimSpace(value)
		}
		args = append(args, arg)
	}
	return args, found, nil
}
