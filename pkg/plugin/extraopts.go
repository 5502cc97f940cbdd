package plugin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"
)

// maxFile bounds what is read of a file of options, in bytes.
const maxFile = 1 << 20

// readExtraOpts gives the options of one --extra-opts=[SECTION][@FILE] as
// arguments: also beside an error, as far as they could be read.
func readExtraOpts(t Tunnel, spec string) ([]string, error) {
	section, file, named := strings.Cut(spec, "@")
	if section == "" {
		section = t.program()
	}
	files := []string{file}
	if !named {
		files = defaultFiles()
	}
	var sections, looked []string
	for _, file := range files {
		ini, err := ReadINI(file)
		switch {
		case named && err != nil:
			return nil, BadValue("--extra-opts", spec, fmt.Errorf("the file %w", err))
		case err != nil:
			looked = append(looked, fmt.Sprintf("%s %s", file, err))
			continue
		}
		args, found, err := ini.args(section)
		if err == nil && found {
			err = tryAlone(t, args)
		}
		if err != nil {
			return args, BadValue("--extra-opts", spec, fmt.Errorf("%w, in [%s] of %s", err, section, shown(file)))
		}
		if found {
			return args, nil
		}
		sections = append(sections, ini.tunnels()...)
		looked = append(looked, file+" has no such section")
	}
	return nil, noSection(spec, section, sections, looked)
}

// noSection says which sections there are, and in further lines where it was
// looked for.
func noSection(spec, section string, sections, looked []string) error {
	why := fmt.Errorf("no section [%s]", section)
	details := make([]string, 0, len(looked)+1)
	if len(sections) > 0 {
		list := strings.Join(sections, ", ")
		why = fmt.Errorf("no section [%s]: there are %s", section, list)
		details = append(details, "Sections: "+list)
	}
	for _, text := range looked {
		details = append(details, "Looked: "+text)
	}
	return &detailedError{BadValue("--extra-opts", spec, why), details}
}

// detailedError is one that needs more than line 1.
type detailedError struct {
	error
	details []string
}

func (e *detailedError) Unwrap() error { return e.error }

// tryAlone parses the options of a file by themselves, so that a mistake in
// them is told together with the place where it stands.
func tryAlone(t Tunnel, args []string) error {
	alone := &options{}
	if err := parseInto(t, alone, args); err != nil {
		return err
	}
	if alone.Help || alone.Version || alone.Explain || alone.Replay.set || len(alone.ExtraOpts) > 0 {
		return errors.New("help, version, explain, replay and extra-opts cannot stand in a file")
	}
	return nil
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
func ReadFile(name string) ([]byte, error) { return readFile(name, maxFile) }

// readFile reads a regular file of at most so many bytes.
func readFile(name string, limit int) ([]byte, error) {
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
	data, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	switch {
	case err != nil:
		return nil, plainFileError(err)
	case len(data) > limit:
		return nil, fmt.Errorf("is larger than %d MiB", limit>>20)
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

// INI is the text of a file of options: a key is a long option name, a key alone
// is a flag, a repeated key repeats the option. A section that stands twice is
// one. A line is a comment if it begins with # or ; and there is no quoting, so
// that a value may hold any character.
//
// Sections [monitoring], [monitoring NAME] and [host NAME] hold what is not for
// the plugins, but for what makes the configuration of Icinga and Nagios.
type INI string

// ReadINI reads a file of options, at most 1 MiB. Its errors follow the words
// "the file".
func ReadINI(name string) (INI, error) {
	text, err := readText(name)
	return INI(text), err
}

// Line is one that says something: it begins a section, and has no key then, or
// has a key of one.
type Line struct {
	Number   int // from 1
	Section  string
	Key      string
	Value    string
	HasValue bool // whether there is a = behind the key
}

// Lines calls f with each line that says something. Its errors name the line.
func (text INI) Lines(f func(Line) error) error {
	section := ""
	for i, line := range strings.Split(strings.TrimPrefix(string(text), "\ufeff"), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		l := Line{Number: i + 1}
		if line[0] == '[' {
			name, ok := strings.CutSuffix(line[1:], "]")
			if !ok {
				return fmt.Errorf("line %d: a section is written [name]", l.Number)
			}
			section = strings.TrimSpace(name)
		} else {
			l.Key, l.Value, l.HasValue = strings.Cut(line, "=")
			l.Key, l.Value = strings.TrimSpace(l.Key), strings.TrimSpace(l.Value)
		}
		l.Section = section
		if err := f(l); err != nil {
			return err
		}
	}
	return nil
}

// Monitoring tells whether a section is not for the plugins, and whose it is:
// kind is monitoring or host, and name is what follows it, if anything does.
func Monitoring(section string) (kind, name string, ok bool) {
	kind, name, _ = strings.Cut(section, " ")
	name = strings.TrimSpace(name)
	return kind, name, kind == "monitoring" || kind == "host" && name != ""
}

// tunnels are the sections that a plugin reads, in their order.
func (text INI) tunnels() (names []string) {
	_ = text.Lines(func(l Line) error {
		if _, _, other := Monitoring(l.Section); !other && l.Section != "" && !slices.Contains(names, l.Section) {
			names = append(names, l.Section)
		}
		return nil
	})
	return names
}

// args gives the options of a section as arguments.
func (text INI) args(section string) (args []string, found bool, err error) {
	err = text.Lines(func(l Line) error {
		if l.Section != section {
			return nil
		}
		if found = true; l.Key == "" && !l.HasValue {
			return nil
		}
		if l.Key == "" || strings.HasPrefix(l.Key, "-") || strings.ContainsAny(l.Key, " \t") {
			return fmt.Errorf("line %d: a key is the name of an option without dashes", l.Number)
		}
		arg := "--" + l.Key
		if l.HasValue {
			arg += "=" + l.Value
		}
		args = append(args, arg)
		return nil
	})
	return args, found, err
}
