package policy_test

import (
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"
)

// A page is what can be linked to in one Markdown document, and what it links to.
type page struct {
	anchors map[string]bool
	links   []link
}

// A link is the target of one link of a document.
type link struct {
	line   int
	target string
}

var (
	inlineLink  = regexp.MustCompile(`\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)`) // [text](target), also of an image
	namedTarget = regexp.MustCompile(`(?m)^ {0,3}\[[^\]]+\]:\s+<?(\S+?)>?\s*$`)   // [name]: target
	htmlTarget  = regexp.MustCompile(`<[a-z]+\s[^>]*\b(?:href|src)="([^"]*)"`)
	htmlAnchor  = regexp.MustCompile(`<a\s[^>]*\b(?:id|name)="([^"]*)"`)
	heading     = regexp.MustCompile(`(?m)^ {0,3}#{1,6}\s+(.+?)\s*#*\s*$`)
	linkText    = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
)

// readPage reads a document. What is in code blocks and code spans links to nothing, but the text of
// a heading with a code span in it is part of its anchor.
func readPage(text string) page {
	text = withoutCode(text)
	p := page{anchors: map[string]bool{}}
	for _, match := range heading.FindAllStringSubmatch(text, -1) {
		name := anchorOf(match[1])
		for base, n := name, 1; p.anchors[name]; n++ {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		p.anchors[name] = true
	}
	text = codeSpan.ReplaceAllStringFunc(text, func(span string) string { return strings.Repeat(" ", len(span)) })
	for _, match := range htmlAnchor.FindAllStringSubmatch(text, -1) {
		p.anchors[match[1]] = true
	}
	for _, pattern := range []*regexp.Regexp{inlineLink, namedTarget, htmlTarget} {
		for _, at := range pattern.FindAllStringSubmatchIndex(text, -1) {
			p.links = append(p.links, link{1 + strings.Count(text[:at[2]], "\n"), text[at[2]:at[3]]})
		}
	}
	slices.SortStableFunc(p.links, func(a, b link) int { return a.line - b.line })
	return p
}

// withoutCode empties the lines of code blocks, fenced and indented, so that the others keep their numbers. An
// indented line is code only after an empty line or other code: in a list it may be text.
func withoutCode(text string) string {
	var kept strings.Builder
	fence, after := "", true // the open fence; whether an indented block could begin
	for line := range strings.Lines(text) {
		bare := strings.TrimSpace(line)
		ticks := bare[:len(bare)-len(strings.TrimLeft(bare, "`"))]
		indented := after && (strings.HasPrefix(line, "    ") || strings.HasPrefix(line, "\t"))
		keep := false
		switch {
		case fence == "" && len(ticks) >= 3:
			fence = ticks
		case fence != "" && bare == ticks && len(ticks) >= len(fence):
			fence = ""
		case fence == "":
			keep, after = !indented, bare == "" || indented
		}
		if keep {
			kept.WriteString(line)
		} else {
			kept.WriteString("\n")
		}
	}
	return kept.String()
}

// anchorOf is the anchor that GitHub makes of the text of a heading: in small letters, with hyphens for blanks,
// and without anything else that is no letter, digit, hyphen or underscore.
func anchorOf(heading string) string {
	heading = linkText.ReplaceAllString(heading, "$1")
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}

// checkLinks returns the links of the documents of a tree that lead nowhere in it. Links to other places are
// not looked at.
func checkLinks(tree fs.FS, pages map[string]page) (problems []string) {
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		for _, l := range pages[name].links {
			if why := brokenLink(tree, pages, name, l.target); why != "" {
				problems = append(problems, fmt.Sprintf("%s:%d: the link %s leads nowhere: %s", name, l.line, l.target, why))
			}
		}
	}
	return problems
}

// brokenLink says why a link of the document from leads nowhere; "" means that it is right, or leads outside.
func brokenLink(tree fs.FS, pages map[string]page, from, target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return err.Error()
	}
	if u.Scheme != "" || u.Host != "" {
		return ""
	}
	to := from
	if u.Path != "" {
		to = path.Join(path.Dir(from), u.Path)
	}
	if _, err := fs.Stat(tree, to); err != nil {
		return "there is no " + to
	}
	if u.Fragment == "" {
		return ""
	}
	p, ok := pages[to]
	switch {
	case !ok:
		return to + " has no anchors"
	case !p.anchors[u.Fragment]:
		return to + " has no heading with the anchor " + u.Fragment
	}
	return ""
}

// readPages reads all Markdown documents of a tree, apart from those in hidden folders and in testdata.
func readPages(tree fs.FS) (map[string]page, error) {
	pages := map[string]page{}
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata"):
			return fs.SkipDir
		case entry.IsDir() || path.Ext(name) != ".md":
			return nil
		}
		text, err := fs.ReadFile(tree, name)
		pages[name] = readPage(string(text))
		return err
	})
	return pages, err
}

func TestLinks(t *testing.T) {
	tree := os.DirFS(rootDir(t))
	pages, err := readPages(tree)
	if err != nil {
		t.Fatal(err)
	}
	links := 0
	for _, p := range pages {
		links += len(p.links)
	}
	if len(pages) < 10 || links < 100 {
		t.Errorf("found only %d documents with %d links: are they read?", len(pages), links)
	}
	report(t, checkLinks(tree, pages))
}

func TestCheckLinks(t *testing.T) {
	tree := fstest.MapFS{
		"examples/echo/main.go": {},
		"README.md":             {Data: []byte("# A `go` tool, again\n[here](docs/a.md#what-s-new) [there](docs/a.md#whats-new)\n[elsewhere](https://go.dev/#x) [gone](docs/b.md)\n")},
		"docs/a.md": {Data: []byte("# What's *new*?\n\n## Same\n\n## Same\n\n### [Text](x://y) of a link\n\n<a id=\"old\"></a>\n" +
			"[a](#same) [b](#same-1) [c](#same-2) [d](#old) [e](#text-of-a-link)\n[of two\nlines](../examples/echo) ![image](none.svg \"title\")\n" +
			"[f](../README.md#a-go-tool-again) [g](../examples/echo/main.go#L1)\n\n" +
			"```go\nf[0](no)\n```\n`a[0](no)`\n\n    b[0](no)\n\n- item\n    [h](no)\n\n[i]: nothing\n<img src=\"picture.svg\" alt=\"\">\n")},
		".git/x.md":       {Data: []byte("[x](y)")},
		"a/testdata/x.md": {Data: []byte("[x](y)")},
	}
	pages, err := readPages(tree)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, checkLinks(tree, pages),
		"README.md:2: the link docs/a.md#what-s-new leads nowhere: docs/a.md has no heading with the anchor what-s-new",
		"README.md:3: the link docs/b.md leads nowhere: there is no docs/b.md",
		"docs/a.md:10: the link #same-2 leads nowhere",
		"docs/a.md:12: the link none.svg",
		"docs/a.md:13: the link ../examples/echo/main.go#L1 leads nowhere: examples/echo/main.go has no anchors",
		"docs/a.md:23: the link no leads nowhere: there is no docs/no",
		"docs/a.md:25: the link nothing",
		"docs/a.md:26: the link picture.svg",
	)
}

// checkIndex returns the recipes of the how-to that its index does not name, and entries that are there twice.
func checkIndex(name, text string) (problems []string) {
	_, rest, ok := strings.Cut(text, "\n## Questions\n")
	if !ok {
		return []string{name + ": there is no index: a section Questions"}
	}
	index, rest, _ := strings.Cut(rest, "\n## ")
	listed := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^- \[(.*)\]\(#(.*)\)$`).FindAllStringSubmatch(index, -1) {
		if listed[match[1]] {
			problems = append(problems, fmt.Sprintf("%s: the index asks twice: %s", name, match[1]))
		}
		listed[match[1]], listed["#"+match[2]] = true, true
	}
	for _, match := range regexp.MustCompile(`(?m)^### (.*)$`).FindAllStringSubmatch(withoutCode(rest), -1) {
		if !listed["#"+anchorOf(match[1])] {
			problems = append(problems, fmt.Sprintf("%s: the index has no question for %q", name, match[1]))
		}
	}
	return problems
}

func TestIndexOfHowTo(t *testing.T) {
	const name = "docs/howto.md"
	text, err := os.ReadFile(filepath.Join(rootDir(t), filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	report(t, checkIndex(name, string(text)))
}

func TestCheckIndex(t *testing.T) {
	expect(t, checkIndex("h.md", "# How to\n"), "h.md: there is no index")
	expect(t, checkIndex("h.md", "# How to\n\n## Questions\n\n- [Why?](#b)\n- [Why?](#c)\n\n## Group\n\n### A b\n\n```sh\n### x\n```\n\n### C\n"),
		"h.md: the index asks twice: Why?", `h.md: the index has no question for "A b"`)
}

// programHeader is how the comment above a program begins that says how to try it.
var programHeader = regexp.MustCompile(`(?s)^([A-Z][a-z0-9]*) .*\n\tgo run (?:-C )?(?:\./)?examples/`)

// checkExample returns what is missing from a directory of examples: a line of the index, a header that says what
// the program does and how to try it, and a test.
func checkExample(tree fs.FS, index, dir string) (problems []string) {
	name := path.Base(dir)
	if !regexp.MustCompile(`(?m)^\| \[` + name + `\]\(` + name + `(/[^)]*)?\) \| .+ \| .*\|$`).MatchString(index) {
		problems = append(problems, fmt.Sprintf("examples/README.md: no line for %s", dir))
	}
	text, err := fs.ReadFile(tree, dir+"/main.go")
	if err != nil {
		return append(problems, fmt.Sprintf("%s: there is no main.go", dir))
	}
	s, err := parseSource(dir+"/main.go", text)
	if err != nil {
		return append(problems, err.Error())
	}
	if match := programHeader.FindStringSubmatch(s.tree.Doc.Text()); match == nil || !strings.EqualFold(match[1], name) {
		problems = append(problems, s.problem(s.tree.Package, "the comment above does not begin with the program's name, or shows no go run that tries it"))
	}
	if tests, err := fs.Glob(tree, dir+"/*_test.go"); err != nil || len(tests) == 0 {
		problems = append(problems, fmt.Sprintf("%s: there is no test", dir))
	}
	return problems
}

func TestExamplesAreIndexed(t *testing.T) {
	tree := os.DirFS(rootDir(t))
	index, err := fs.ReadFile(tree, "examples/README.md")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := fs.ReadDir(tree, "examples")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.IsDir() {
			report(t, checkExample(tree, string(index), "examples/"+entry.Name()))
		}
	}
	if len(entries) < 30 {
		t.Errorf("found only %d examples", len(entries))
	}
}

func TestCheckExample(t *testing.T) {
	const good = "// Echo echoes.\n//\n//\tgo run ./examples/echo\npackage main\n"
	tree := fstest.MapFS{
		"examples/echo/main.go":      {Data: []byte(good)},
		"examples/echo/main_test.go": {},
		"examples/other/main.go":     {Data: []byte(good)},
		"examples/mute/main.go":      {Data: []byte("// Mute says nothing.\npackage main\n")},
		"examples/empty/x.go":        {},
	}
	const index = "| [echo](echo) | an echo server | echoserv |\n| [other](echo) | | |\n| [mute](mute) | mute | |\n"
	expect(t, checkExample(tree, index, "examples/echo"))
	expect(t, checkExample(tree, index, "examples/other"),
		"no line for examples/other", "examples/other/main.go:4: the comment above", "examples/other: there is no test")
	expect(t, checkExample(tree, index, "examples/mute"), "examples/mute/main.go:2: the comment above", "examples/mute: there is no test")
	expect(t, checkExample(tree, index, "examples/empty"), "no line for examples/empty", "examples/empty: there is no main.go")
}
