package browser

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
)

// In a cluster of 1,000 nodes an update touches only the cards of nodes that changed, and
// filters and orders choose among all.
func TestLargeCluster(t *testing.T) {
	leader := newFake(t, 1000)
	leader.wait(t, "llm-pretrain-7", "llm-pretrain-8", "finetune-42", "embed-eu-3", "eval-nightly")
	p := open(t, start(t, viewer(t), leader.server.URL))
	p.shows("#shown", "1000 nodes")
	p.until("document.querySelectorAll('#nodes button').length", equals("1000"))
	p.shows("#waiting-heading", "Pods that wait: 5")
	p.screenshot("large-light")
	p.scheme("dark")
	p.screenshot("large-dark")

	const changed = 500
	name := madeUp(changed).Name
	p.text(`(() => {
		window.touched = new Set();
		new MutationObserver(all => all.forEach(m => {
			const li = m.target.closest?.('#nodes > li') ?? m.target.parentElement?.closest('#nodes > li');
			touched.add(li ? li.firstElementChild.dataset.name : m.target.id);
		})).observe(document.querySelector('#nodes'), {subtree: true, childList: true, attributes: true, characterData: true});
	})()`)
	leader.change(changed, func(n *status.Node) { setUse(n, 0.9, 0.3) })
	p.until(fmt.Sprintf("document.querySelector('[data-name=%q]').textContent", name), contains("120%"))
	if got := p.text("[...touched].join()"); got != name {
		t.Errorf("the update changed the cards of %q, want %s alone", got, name)
	}
	p.until("document.querySelector('#news').textContent", contains("Over the line now: "+name))

	over := 0
	for _, n := range leader.nodes {
		if n.Over != "" {
			over++
		}
	}
	p.text("(e => { e.value = 'over'; e.dispatchEvent(new Event('input')) })(document.querySelector('#only'))")
	p.shows("#shown", fmt.Sprintf("%d of 1000 nodes", over))
	p.text("(e => { e.value = 'headroom'; e.dispatchEvent(new Event('input')) })(document.querySelector('#sort'))")
	p.until("document.querySelector('#nodes button').dataset.name", equals(name))
	p.text("(e => { e.value = 'all'; e.dispatchEvent(new Event('input')) })(document.querySelector('#only'))")
	p.text("(e => { e.value = 'name'; e.dispatchEvent(new Event('input')) })(document.querySelector('#sort'))")

	// The last of 1,000 is one key away, and the way back is one tab stop.
	p.text("document.querySelector('#nodes button').focus()")
	first := p.text(focused)
	p.keys(kb.End)
	p.until(focused, func(text string) bool { return text != first })
	p.until("document.activeElement.getBoundingClientRect().bottom <= innerHeight", equals("true"))
	p.keys(kb.Home)
	p.until(focused, equals(first))
	p.keys(kb.ArrowRight, kb.ArrowDown, kb.ArrowUp, kb.ArrowLeft)
	p.until(focused, equals(first))
	if stops := p.text("document.querySelectorAll('#nodes button[tabindex=\"0\"]').length"); stops != strconv.Itoa(1) {
		t.Errorf("the grid has %s tab stops, want 1", stops)
	}

	p.text("document.querySelector('#find').focus()")
	p.keys("n", "-", "0", "9", "9", "9")
	p.shows("#found", "1 pod", "research/train-0999", "on "+madeUp(999).Name)
	p.keys(kb.ArrowDown)
	p.until(focused, equals("research/train-0999"))
	p.keys(kb.Escape)
	p.until(textOf("#found"), equals(""))
}
