package main

import (
	"fmt"
	"html"
	"strings"
	"unicode/utf8"
)

// The measures of a picture, in pixels: a character of a monospaced font of 14 pixels, and the margin.
const (
	charWidth  = 8.4
	lineHeight = 18
	margin     = 16
)

// style makes a picture readable in light and in dark mode. The font's width differs from one system to another, so each
// line is told how long it is.
const style = `
rect { fill: #f6f8fa; stroke: #d0d7de }
text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #1f2328; white-space: pre }
.typed { font-weight: bold }
@media (prefers-color-scheme: dark) {
  rect { fill: #161b22; stroke: #30363d }
  text { fill: #e6edf3 }
}
`

// svg returns text as a picture. A line that begins with "$ " is what somebody has typed. title is for those who cannot
// see it.
func svg(title, text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	columns := 0
	for _, line := range lines {
		columns = max(columns, utf8.RuneCountInString(line))
	}
	width, height := float64(columns)*charWidth+2*margin, len(lines)*lineHeight+2*margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" role="img" width="%.0f" height="%d" viewBox="0 0 %.0f %d">`+"\n",
		width, height, width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n<style>%s</style>\n", html.EscapeString(title), style)
	b.WriteString(`<rect x="0.5" y="0.5" width="99.9%" height="99.9%" rx="6"/>` + "\n")
	for i, line := range lines {
		shown := strings.TrimLeft(line, " ")
		if shown == "" {
			continue
		}
		indent, length := utf8.RuneCountInString(line)-utf8.RuneCountInString(shown), utf8.RuneCountInString(shown)
		class := ""
		if strings.HasPrefix(line, "$ ") {
			class = ` class="typed"`
		}
		fmt.Fprintf(&b, `<text%s x="%.1f" y="%d" textLength="%.1f" lengthAdjust="spacingAndGlyphs" xml:space="preserve">%s</text>`+"\n",
			class, margin+float64(indent)*charWidth, margin+(i+1)*lineHeight-5, float64(length)*charWidth, html.EscapeString(shown))
	}
	b.WriteString("</svg>\n")
	return b.String()
}
