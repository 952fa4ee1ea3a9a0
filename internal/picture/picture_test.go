package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each picture of the documents is what its text says, and each has a text.
func TestPicturesAreOfTheirTexts(t *testing.T) {
	dir := filepath.FromSlash("../../docs/pictures")
	pictures, err := filepath.Glob(filepath.Join(dir, "*.svg"))
	if err != nil || len(pictures) == 0 {
		t.Fatalf("there are no pictures in %s, %v", dir, err)
	}
	texts, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil || len(texts) != len(pictures) {
		t.Errorf("%d texts, %d pictures, %v", len(texts), len(pictures), err)
	}
	for _, text := range texts {
		want, err := of(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(beside(text)); err != nil || string(got) != want {
			t.Errorf("the picture of %s is not what the text says (%v): go run ./internal/picture", filepath.Base(text), err)
		}
	}
}

// A picture is XML, whatever is in the text, and has each line of it.
func TestSVG(t *testing.T) {
	picture := svg(`a "title" & <more>`, "$ curio tree\n  └─ <b>&amp;\n\nend\n\n")
	decoder := xml.NewDecoder(strings.NewReader(picture))
	var texts []string
	inText := false
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, picture)
		}
		switch token := token.(type) {
		case xml.StartElement:
			inText = token.Name.Local == "text" || token.Name.Local == "title"
		case xml.EndElement:
			inText = false
		case xml.CharData:
			if inText {
				texts = append(texts, string(token))
			}
		}
	}
	want := []string{`a "title" & <more>`, "$ curio tree", "└─ <b>&amp;", "end"}
	if strings.Join(texts, "|") != strings.Join(want, "|") {
		t.Errorf("its texts are %q, want %q", texts, want)
	}
	if strings.Count(picture, `class="typed"`) != 1 {
		t.Errorf("not one line is typed:\n%s", picture)
	}
}
