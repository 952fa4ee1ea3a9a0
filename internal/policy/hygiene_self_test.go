package policy_test

import (
	"strings"
	"testing"
)

func TestCheckTimers(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"call", "import \"time\"\nfunc f() { time.Sleep(1) }", []string{"p.go:3: time.Sleep"}},
		{"value", "import \"time\"\nvar sleep = time.Sleep", []string{"time.Sleep"}},
		{"renamed", "import clock \"time\"\nvar c = clock.After(1)", []string{"time.After"}},
		{"each", "import \"time\"\nfunc f() { time.Tick(1); time.NewTimer(1); time.AfterFunc(1, f) }", []string{"Tick", "NewTimer", "AfterFunc"}},
		{"harmless", "import \"time\"\nvar d = time.Since(time.Now()) + time.Second", nil},
		{"another package", "import \"example/time2\"\nvar d = time2.Sleep", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := mustParse(t, "p.go", "package p\n"+test.text+"\n")
			expect(t, excuse(checkTimers(s), nil, nil), test.want...)
		})
	}
}

func TestCheckLengths(t *testing.T) {
	body := func(lines int) string { return strings.Repeat("\t_ = 0\n", lines) }
	s := mustParse(t, "p.go", "package p\n\nfunc short() {\n"+body(58)+"}\n\nfunc long() {\n"+body(59)+"}\n")
	expect(t, excuse(checkLengths(s), nil, nil), "long has 61 lines")

	s = mustParse(t, "p.go", "package p\n"+strings.Repeat("// x\n", maxFileLines))
	expect(t, excuse(checkLengths(s), nil, nil), "the file has 60")
}

func TestCheckSkips(t *testing.T) {
	s := mustParse(t, "p_test.go", `package p

func f() {
	t.Skip()
	b.Skip("")
	t.SkipNow()
	t.Skip("this system has no pidfd")
	t.Skipf("%s is missing", name)
	reader.Skip()
}
`)
	expect(t, excuse(checkSkips(s), nil, nil), "p_test.go:4: t.Skip", "p_test.go:5: b.Skip", "p_test.go:6: t.SkipNow")
}

func TestExceptions(t *testing.T) {
	found := []finding{{"one", []string{"a.go", "./"}}, {"two", []string{"b.go", "lib/"}}}
	table := map[string]string{"a.go": "reason", "lib/": "", "c.go": "reason", "gone.go": "reason"}
	used := map[string]bool{}
	expect(t, excuse(found, table, used), "two") // an exception without a reason is none

	all := []*source{{name: "a.go"}, {name: "c.go"}}
	expect(t, unused(table, used, all), "c.go is not needed")
}
