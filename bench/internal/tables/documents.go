package tables

import (
	"fmt"
	"os"
	"strings"
)

// Documents are the files into which a runner writes its tables. It is the value of a flag
// that may be given more than once.
//
// A document says where a table goes by two lines, between which everything is replaced:
//
//	<!-- begin table: NAME -->
//	<!-- end table: NAME -->
type Documents []string

// String returns the names of the files, with commas.
func (d *Documents) String() string { return strings.Join(*d, ",") }

// Set adds a file.
func (d *Documents) Set(file string) error {
	if file == "" {
		return fmt.Errorf("a document needs a name")
	}
	*d = append(*d, file)
	return nil
}

// Check returns an error unless each of the documents has a place for at least one of the
// tables. A runner calls it first, rather than find out after half an hour.
func (d Documents) Check(names ...string) error {
	for _, file := range d {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		places := 0
		for _, name := range names {
			_, _, found, err := place(string(text), name)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			if found {
				places++
			}
		}
		if places == 0 {
			return fmt.Errorf("%s has no place for a table: %s", file, beginLine(names[0]))
		}
	}
	return nil
}

// Replace writes a table into each of the documents that has a place for it.
func (d Documents) Replace(name, table string) error {
	for _, file := range d {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		begin, end, found, err := place(string(text), name)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if !found {
			continue
		}
		after := string(text[:begin]) + "\n" + strings.Trim(table, "\n") + "\n\n" + string(text[end:])
		if err := os.WriteFile(file, []byte(after), 0o666); err != nil { // it exists: its mode stays
			return err
		}
	}
	return nil
}

func beginLine(name string) string { return "<!-- begin table: " + name + " -->" }
func endLine(name string) string   { return "<!-- end table: " + name + " -->" }

// place finds where a table begins and ends in text.
func place(text, name string) (begin, end int, found bool, err error) {
	begin, found = lineIn(text, beginLine(name))
	if !found {
		return 0, 0, false, nil
	}
	begin += len(beginLine(name)) + 1
	if begin > len(text) {
		return 0, 0, false, fmt.Errorf("the table %s has no end: %s", name, endLine(name))
	}
	length, found := lineIn(text[begin:], endLine(name))
	if !found {
		return 0, 0, false, fmt.Errorf("the table %s has no end: %s", name, endLine(name))
	}
	return begin, begin + length, true, nil
}

// lineIn returns where the first line of text begins that is exactly line.
func lineIn(text, line string) (at int, found bool) {
	for each := range strings.Lines(text) {
		if strings.TrimSuffix(each, "\n") == line {
			return at, true
		}
		at += len(each)
	}
	return 0, false
}
