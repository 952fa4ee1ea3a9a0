package policy_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A phrase is a turn of words over which a native reader stumbles, or which has to be read twice.
// The table has only those for which there is always something better: a check that cries wolf is
// switched off.
type phrase struct {
	name  string         // also the key of an exception
	match *regexp.Regexp // looked for in a paragraph
	not   *regexp.Regexp // a look-alike: a sentence that has it is left alone; nil for none
	write string         // what to write instead
}

var phrases = []phrase{
	{"who", re(`(?:^|[.;:!?|] )Who [a-z]+|\b(?:[Ff]or|[Bb]y|to|than) who (?:wants?|needs?|has|is|only|[a-z]+s)\b`), re(`\?$`), `"a caller that …", "the task that …", "to find out …"`},
	{"whoever", re(`\b[Ww]hoever\b`), nil, `"the caller", "the task that …"; for an observer "monitoring"`},
	{"that of", re(`\b(?:is|are|was|has|like|as|from|than|with|by) that of\b`), nil, `repeat the noun: "the error is ctx's error"`},
	{"those of", re(`\b[Tt]hose of\b`), nil, `repeat the noun: "the options of …", "the tasks that …"`},
	{"so many", re(`\bso (?:many|much|long)\b`), re(`\bso (?:many|much|long)(?: \w+){0,3} (?:that|as)\b`), `"that many", "that long", "at most n units"`},
	{"but for", re(`\bbut for\b`), re(`(?:\bnot|\bnever|n't)\b.*\bbut for\b`), `"except", "apart from"`},
	{"its like", re(`\b(?:and|or) (?:its|their) likes?\b`), nil, `"and similar …", or list them`},
	{"it is false if", re(`\b(?:It|They) (?:is|are) (?:false|true|nil) (?:if|when|unless)\b`), nil, `name the result: "ok is false if …"`},
	{"says so", re(`\b(?:say|says|said|saying) so\b`), nil, `say what is said: "logs it", "reports that …"`},
	{"in that moment", re(`\bin (?:this|that|such a|the|the same|the very) (?:very |same )?moment\b`), nil, `"at that moment", "at the same time"`},
	{"besides", re(`\b[Bb]esides\b`), nil, `"also", "in addition to", "except"`},
	{"in the end", re(`\b[Ii]n the end\b`), nil, `"finally", "eventually", or leave it out`},
	{"stands still", re(`\b(?:stands?|stood|standing) still\b`), nil, `"stops", "makes no progress"`},
	{"ctx ends", re(`\b(?:ctx|[Cc]ontexts?)(?: itself)? (?:ends?|ended|(?:has|have|had) ended)\b`), re(`\b(?:ends|ended) (?:an?|the|it|its|was|with)\b`), `"ctx is done"`},
	{"as a pointer", re(`, as an? .?\*\w[\w.]*`), re(`, as an? \S+ (?:has|does|is)\b`), `"such as a", "for example a"`},
	{"as it has it", re(`\bas [\w. ]{1,30} has (?:it|them)\b`), re(`\bas (?:far|long|much|soon) as\b`), `"as in …", "the way … does it"`},
	{"his", re(`\b(?:[Hh]is|[Hh]im|[Hh]imself|[Hh]e)\b`), nil, `"its", "they", "the caller"`},
	{"also if", re(`\b[Aa]lso (?:if|when|while|after)\b`), nil, `"even if", "even when"`},
	{"to close it again", re(`\bTo [a-z]+ (?:it|them) (?:again|twice)\b`), nil, `"Closing it again …"`},
	{"can be had", re(`\b(?:can|could|may) be had\b`), nil, `"is available", "can be obtained"`},
	{"however it does", re(`, however (?:it|they) (?:does|do|did|has|have|had|is|was)\b`), nil, `"successfully or not", "in any way"`},
	{"wrong use", re(`\b[Ww]rong use\b`), nil, `"misuse"`},
}

func re(text string) *regexp.Regexp { return regexp.MustCompile(text) }

// Exceptions from phrases, each with its reason. A key is a file and the name of a phrase, with a
// colon between them.
var maySay = map[string]string{}

// A line is one line of prose.
type line struct {
	number int
	text   string
}

// checkEnglish finds the phrases in paragraphs, also where a phrase is on two lines.
func checkEnglish(name string, paragraphs [][]line) (found []finding) {
	for _, paragraph := range paragraphs {
		var text strings.Builder
		var starts []int
		for _, l := range paragraph {
			starts = append(starts, text.Len())
			text.WriteString(l.text + " ")
		}
		all := strings.TrimSuffix(text.String(), " ")
		for _, p := range phrases {
			for _, at := range p.match.FindAllStringIndex(all, -1) {
				if p.not != nil && p.not.MatchString(sentenceAt(all, at[0], at[1])) {
					continue
				}
				number := 0
				for i, start := range starts {
					if start <= at[0] {
						number = paragraph[i].number
					}
				}
				found = append(found, finding{
					fmt.Sprintf("%s:%d: %q (phrase %q): write %s", name, number, strings.TrimLeft(all[at[0]:at[1]], ".;:!?| "), p.name, p.write),
					[]string{name + ":" + p.name},
				})
			}
		}
	}
	return found
}

// sentenceAt returns the sentence of text in which the bytes from start to end are.
func sentenceAt(text string, start, end int) string {
	for start > 0 && !strings.ContainsRune(".!?|", rune(text[start])) {
		start--
	}
	text = strings.TrimLeft(text[start:], ".!?| ")
	if at := ends.FindStringIndex(text); at != nil {
		text = text[:at[0]+1]
	}
	return text
}

var ends = re(`[.!?](?: |$)`)

// prose returns the comments of a Go file as paragraphs, without code in them, and its texts of
// more than one word, such as those of errors and log lines.
func prose(s *source) (paragraphs [][]line) {
	for _, group := range s.tree.Comments {
		var paragraph []line
		for _, c := range group.List {
			number := s.line(c.Pos())
			for text := range strings.SplitSeq(c.Text, "\n") {
				text, isLine := strings.CutPrefix(text, "//")
				text = strings.TrimPrefix(strings.TrimSuffix(text, "*/"), "/*")
				isCode := strings.HasPrefix(text, "\t") || isLine && text != "" && text[0] != ' '
				text = strings.TrimSpace(text)
				if isCode || text == "" || strings.HasPrefix(text, "- ") {
					paragraphs, paragraph = append(paragraphs, paragraph), nil
				}
				if !isCode && text != "" {
					paragraph = append(paragraph, line{number, text})
				}
				number++
			}
		}
		paragraphs = append(paragraphs, paragraph)
	}
	ast.Inspect(s.tree, func(node ast.Node) bool {
		if literal, ok := node.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if text, err := strconv.Unquote(literal.Value); err == nil && strings.Contains(text, " ") {
				for l := range strings.Lines(text) {
					paragraphs = append(paragraphs, []line{{s.line(literal.Pos()), strings.TrimSpace(l)}})
				}
			}
		}
		return true
	})
	return paragraphs
}

// markdownProse returns the paragraphs of a document. Blocks of code are left out, and code in a
// line is blotted out.
func markdownProse(text string) (paragraphs [][]line) {
	var paragraph []line
	var fence string
	number := 0
	for text := range strings.Lines(text) {
		number++
		text = strings.TrimSpace(text)
		ticks := text[:len(text)-len(strings.TrimLeft(text, "`"))]
		switch {
		case fence != "":
			if text == ticks && len(ticks) >= len(fence) {
				fence = ""
			}
			continue
		case len(ticks) >= 3:
			fence = ticks
			text = ""
		}
		if text == "" || startsItem.MatchString(text) {
			paragraphs, paragraph = append(paragraphs, paragraph), nil
		}
		if text != "" {
			paragraph = append(paragraph, line{number, codeSpan.ReplaceAllStringFunc(text, blot)})
		}
	}
	return append(paragraphs, paragraph)
}

var (
	startsItem = re(`^(?:[-*#|]|\d+\. )`)
	codeSpan   = re("`[^`]+`")
)

// blot keeps the star of a pointer, for the phrase "as a pointer".
func blot(code string) string {
	if strings.HasPrefix(code, "`*") {
		return "`*" + strings.Repeat("x", len(code)-3) + "`"
	}
	return "`" + strings.Repeat("x", len(code)-2) + "`"
}

// isAnother is a first sentence that a reader cannot understand without another entry.
var isAnother = re(`^\w+ is (?:the )?\[?[A-Z][A-Za-z.]*\]? (?:and|as|for|from|if|in|of|on|that|to|with|without)\b`)

// checkFirstSentences finds exported functions and methods whose first sentence does not stand by
// itself: lists of packages and editors show only that.
func checkFirstSentences(s *source) (found []finding) {
	for _, decl := range s.tree.Decls {
		function, ok := decl.(*ast.FuncDecl)
		if !ok || !function.Name.IsExported() || function.Doc == nil {
			continue
		}
		if text := isAnother.FindString(function.Doc.Text()); text != "" {
			found = append(found, finding{
				s.problem(function.Doc.Pos(), "%q is no first sentence that stands by itself: say what %s does; \"is like …, but\" will do", text, function.Name.Name),
				[]string{s.name + ":" + function.Name.Name},
			})
		}
	}
	return found
}

// Comments in tests are not checked, except in examples, which go doc shows.
func TestEnglish(t *testing.T) {
	root := rootDir(t)
	used := map[string]bool{}
	all := sources(t, true)
	for _, s := range all {
		isExample := strings.HasPrefix(path.Base(s.name), "example")
		if s.isTest() && !isExample {
			continue
		}
		report(t, excuse(checkEnglish(s.name, prose(s)), maySay, used))
		if isPublic(s.dir()) && !s.isTest() {
			report(t, excuse(checkFirstSentences(s), maySay, used))
		}
	}
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && file != root && (entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), ".")):
			return fs.SkipDir
		case entry.IsDir() || filepath.Ext(file) != ".md":
			return nil
		}
		name, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		text, err := os.ReadFile(file)
		if err == nil {
			report(t, excuse(checkEnglish(name, markdownProse(string(text))), maySay, used))
		}
		all = append(all, &source{name: name})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	report(t, unused(maySay, used, all))
}
