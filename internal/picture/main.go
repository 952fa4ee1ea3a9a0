// Picture makes the pictures of the documents: of each text in docs/pictures an SVG beside it, so that a picture can be read
// and changed as text. The first line of the text is its title, for those who cannot see the picture.
//
//	go run ./internal/picture
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if err := run(filepath.FromSlash("docs/pictures")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run makes all pictures of a directory.
func run(dir string) error {
	texts, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		return err
	}
	if len(texts) == 0 {
		return fmt.Errorf("%s has no texts: run this in the root of the repository", dir)
	}
	for _, text := range texts {
		picture, err := of(text)
		if err != nil {
			return err
		}
		if err := os.WriteFile(beside(text), []byte(picture), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// of returns the picture of the text in a file.
func of(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	title, text, _ := strings.Cut(string(data), "\n")
	return svg(title, strings.TrimLeft(text, "\n")), nil
}

// beside returns the name of the picture of a text.
func beside(text string) string { return strings.TrimSuffix(text, ".txt") + ".svg" }
