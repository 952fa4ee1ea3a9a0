package policy_test

import "testing"

// TestPhrases has for each phrase what must be found, and what only looks like it.
func TestPhrases(t *testing.T) {
	tested := map[string]bool{}
	for _, test := range []struct {
		phrase       string
		found, alike []string
	}{
		{
			"who",
			[]string{"Who asks for more waits.", "It ends. Who waits gets it.", "It is there for who wants to know.", "For who wants to change it.", "It is answered by who reads."},
			[]string{"Who joined the task?", "Snapshot tells who waits for whom.", "The caller, who has it, goes on.", "It keeps account of who holds how much.", "Who: the task."},
		},
		{"whoever", []string{"It is for whoever watches.", "Whoever comes first wins."}, []string{"whatever"}},
		{
			"that of",
			[]string{"The error is that of ctx.", "It has that of a task.", "It is logged like that of any task."},
			[]string{"Make sure that offsets of both match.", "It is the cost that offends."},
		},
		{"those of", []string{"The options are those of the system."}, []string{"those that offer"}},
		{
			"so many",
			[]string{"It lets so many units be used.", "It waits for so long.", "Not so much."},
			[]string{"There are so many tasks that nothing works.", "As much is free, so long as it is open.", "So many are rare."},
		},
		{"but for", []string{"It has everything but for the name."}, []string{"It is not for readers, but for writers.", "It isn't for one but for all."}},
		{"its like", []string{"Debian and its like", "Receive and their like"}, []string{"files, directories and the like", "It is its likely end."}},
		{"it is false if", []string{"Get returns a value. It is false if none has been set.", "It is nil when there is none."}, []string{"ok is false if none has been set.", "If it is nil, Run panics."}},
		{"says so", []string{"A test that is skipped says so.", "The log has said so."}, []string{"It says something.", "It is said sometimes."}},
		{"in that moment", []string{"It may be cancelled in that moment.", "It comes in the very moment."}, []string{"at that moment", "in a moment"}},
		{"besides", []string{"Besides, it is slow."}, []string{"beside it"}},
		{"in the end", []string{"What it returns in the end is dropped."}, []string{"in the ending", "at the end", "in the endless loop"}},
		{"stands still", []string{"The clock stands still."}, []string{"It still stands.", "It stands."}},
		{
			"ctx ends",
			[]string{"If ctx ends first, Wait returns.", "The context has ended.", "Its context itself ended."},
			[]string{"If ctx is done first, Wait returns.", "fn and ctx endure.", "A cancelled context ends an operation.", "Its context has ended it.", "A task below a context ends with it."},
		},
		{
			"as a pointer",
			[]string{"Abide takes another lock, as a *sync.Mutex, and waits.", "It is a file, as a `*os.File`."},
			[]string{"Give it several, such as a *sync.Mutex.", "It has one, as a *net.TCPConn has.", "It is sent, as a whole, or not.", "It works as a *Lock."},
		},
		{"as it has it", []string{"It is a key, as Python has it.", "of 1 MiB, as net has them,"}, []string{"It is as good as it has been.", "It returns it as soon as it has it."}},
		{"his", []string{"Nobody else waits for his turn.", "Each does it himself, as he likes."}, []string{"this", "the history", "them", "The user has changed her mind."}},
		{"also if", []string{"It fails at once, also if it could have completed.", "Also when it is late"}, []string{"even if", "It also fails."}},
		{"to close it again", []string{"To close it again does nothing."}, []string{"Closing it again does nothing.", "To close it, call Close again."}},
		{"can be had", []string{"It returns when the lock can be had."}, []string{"It can be hard."}},
		{"however it does", []string{"It waits for the end, however it does."}, []string{"However, it does so.", "However many there are"}},
		{"wrong use", []string{"It panics on wrong use."}, []string{"the wrong user"}},
	} {
		tested[test.phrase] = true
		t.Run(test.phrase, func(t *testing.T) {
			for _, text := range test.found {
				said := map[string]bool{}
				for _, f := range checkEnglish("a.go", [][]line{{{1, text}}}) {
					said[f.keys[0]] = true
				}
				if !said["a.go:"+test.phrase] {
					t.Errorf("%q is not found", text)
				}
			}
			for _, text := range test.alike {
				for _, f := range checkEnglish("a.go", [][]line{{{1, text}}}) {
					t.Errorf("%q is not one: %s", text, f.problem)
				}
			}
		})
	}
	for _, p := range phrases {
		if !tested[p.name] {
			t.Errorf("no test finds the phrase %q", p.name)
		}
	}
}

func TestCheckEnglishInGo(t *testing.T) {
	s := mustParse(t, "p/p.go", `// Package p is for whoever
// watches.
package p

//lint:ignore whoever

// F waits. If ctx
// ends first, it fails.
//
//	whoever := 1
//
// Another paragraph: nothing
//
// but for this. It ends for
//   - whoever comes
func F() {} // besides

/*
In a block of
those of others.
*/
const text = "curio: whoever came"

var word = "whoever"
`)
	expect(t, excuse(checkEnglish(s.name, prose(s)), map[string]string{"p/p.go:besides": "a reason"}, map[string]bool{}),
		`p/p.go:1: "whoever"`,
		`p/p.go:7: "ctx ends"`,
		`p/p.go:14: "but for"`,
		`p/p.go:15: "whoever"`,
		`p/p.go:20: "those of"`,
		`p/p.go:22: "whoever"`,
	)
}

func TestCheckEnglishInMarkdown(t *testing.T) {
	paragraphs := markdownProse("# Whoever\ntext for\nwhoever reads `whoever`, in\n\n```go\nwhoever\n```\nthe end\n\n" +
		"- one\n- those of another\n\n| `Get` | Who waits | a lock, as a `*sync.Mutex` |\n")
	expect(t, excuse(checkEnglish("d.md", paragraphs), nil, nil),
		`d.md:1: "Whoever"`,
		`d.md:3: "whoever"`,
		`d.md:11: "those of"`,
		`d.md:13: "Who waits"`,
		`(phrase "as a pointer")`,
	)
}

func TestCheckFirstSentences(t *testing.T) {
	s := mustParse(t, "p/p.go", `package p

// Go is Spawn for a function without a result.
func Go() {}

// GetCase is [Queue.Get] as a case of a Select.
func (q *Queue) GetCase() {}

// DoRead is like Do, but for reading.
func DoRead() {}

// Err is ErrClosed when it has been closed.
func Err() {}

// At is where it is. It is Go for others.
func At() {}

// of is Go for us.
func of() {}

func Bare() {}
`)
	expect(t, excuse(checkFirstSentences(s), map[string]string{}, nil), `p/p.go:3: "Go is Spawn for"`, `p/p.go:6: "GetCase is [Queue.Get] as"`)
}
