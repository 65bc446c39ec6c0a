package browser

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// leastContrast is what WCAG 2.2 asks of text at level AA.
const leastContrast = "4.5"

// faint is a JavaScript expression for the visible texts whose contrast to what is behind
// them is too low.
const faint = `(() => {
	const parse = c => (c.match(/[\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
	const luminance = c => c.slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const behind = e => {
		for (; e; e = e.parentElement) {
			const c = parse(getComputedStyle(e).backgroundColor);
			if (c.length < 4 || c[3] === 1) return c;
		}
		throw new Error('no background');
	};
	const found = new Set();
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	let texts = 0;
	while (walker.nextNode()) {
		const e = walker.currentNode.parentElement;
		if (!walker.currentNode.data.trim() || !e.checkVisibility() || ['SCRIPT', 'NOSCRIPT', 'OPTION'].includes(e.tagName)) continue;
		texts++;
		const [a, b] = [luminance(parse(getComputedStyle(e).color)), luminance(behind(e))];
		const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (contrast < ` + leastContrast + `) found.add(contrast.toFixed(2) + ' of ' + walker.currentNode.data.trim());
	}
	return texts < 20 ? 'only ' + texts + ' texts' : [...found].join('; ');
})()`

// Texts can be read in light and in dark, also in the dialogs and on old data.
func TestContrast(t *testing.T) {
	leader := newFake(t, 120) // some of each kind
	way := newProxy(t, leader.server.URL)
	p := open(t, start(t, viewer(t), way.url()))
	p.shows("#shown", "120 nodes")
	check := func(what string) {
		t.Helper()
		for _, scheme := range []string{"light", "dark"} {
			p.scheme(scheme)
			if got := p.text(faint); got != "" {
				t.Errorf("%s, %s: %s", what, scheme, got)
			}
		}
	}
	check("the page")
	p.do(chromedp.Click("#nodes button.over"))
	p.shows("#details", "Use against the line")
	check("the dialog")
	p.screenshot("node-dark")
	p.keys(kb.Escape)
	way.lead("")
	p.shows("#live", "Not live")
	check("old data")
}

// named are the roles of what a user acts on or looks for: each has to have a name.
var named = []string{"button", "searchbox", "combobox", "textbox", "link", "dialog", "region", "list", "heading", "table", "main"}

// Who hears the page instead of seeing it is told what each part is, and who has no mouse
// gets everywhere.
func TestScreenReadersAndKeyboard(t *testing.T) {
	leader := newFake(t, 20)
	p := open(t, start(t, viewer(t), leader.server.URL))
	p.shows("#shown", "20 nodes")

	stops := map[string]bool{}
	for range 40 {
		p.keys(kb.Tab)
		at := p.text(focused)
		if stops[at] {
			break
		}
		stops[at] = true
		if outline := p.text("getComputedStyle(document.activeElement).outlineStyle"); outline != "solid" && at != "body" {
			t.Errorf("the focus on %s cannot be seen: outline %s", at, outline)
		}
	}
	for _, want := range []string{"profile", "find", "only", "sort", "name", madeUp(0).Name, "research/train-0001"} {
		if !stops[want] {
			t.Errorf("the tab key does not reach %s, but %v", want, stops)
		}
	}

	p.text("document.querySelector('#nodes button').focus()")
	p.keys(kb.Enter)
	p.shows("#details", "Node "+madeUp(0).Name, "Use against the line")
	p.until(focused, equals("details-heading"))
	seen := p.names()
	for _, want := range []string{"dialog: Node " + madeUp(0).Name, "button: Close Esc", "button: research/train-0000"} {
		if !slices.Contains(seen, want) {
			t.Errorf("the dialog has no %q, but %q", want, seen)
		}
	}
	p.keys(kb.Escape)
	p.until(focused, equals(madeUp(0).Name))

	seen = p.names()
	for _, want := range []string{
		"combobox: Profile", "searchbox: Find a pod", "combobox: Show", "combobox: Sort by", "searchbox: Name",
		"list: Nodes", "list: Pods that wait", "list: Last decisions", "heading: Totals",
	} {
		if !slices.Contains(seen, want) {
			t.Errorf("there is no %q, but %q", want, seen)
		}
	}
	card := p.text("document.querySelector('#nodes button').ariaLabel")
	for _, want := range []string{madeUp(0).Name, "CPU: 0% measured", "line at 85%", "memory: ", gpu + ": 0 of 8 in use, 8 free, of which 4 of no use", "4 pods"} {
		if !strings.Contains(card, want) {
			t.Errorf("a node's card says %q, without %q", card, want)
		}
	}
	if live := p.text("[...document.querySelectorAll('[role=status]')].filter(e => e.id === 'news').length"); live != "1" {
		t.Error("changes are not read out")
	}
}

// names returns roles and names of what an aid for reading sees, and reports what has
// none.
func (p *page) names() (names []string) {
	p.t.Helper()
	tree := call(p, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	for _, node := range tree.Nodes {
		if node.Ignored || node.Role == nil {
			continue
		}
		role := strings.Trim(string(node.Role.Value), `"`)
		name := ""
		if node.Name != nil {
			name = strings.Trim(string(node.Name.Value), `"`)
		}
		if slices.Contains(named, strings.ToLower(role)) && name == "" && !slices.Contains([]string{"list", "main"}, role) {
			p.t.Errorf("a %s has no name", role)
		}
		names = append(names, role+": "+name)
	}
	return names
}
