package browser

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

// Texts of the cluster are shown as they are, whatever they look like.
func TestTextsAreNoHTML(t *testing.T) {
	leader := newFake(t, 1)
	leader.wait(t, "evil")
	const evil = `<img src="/x" onerror="document.title='broken'"><script>document.title='broken'</script>`
	leader.decisions[len(leader.decisions)-1].WaitsFor = evil
	p := open(t, start(t, viewer(t), leader.server.URL), "requires 'TrustedHTML'")
	p.shows("#waiting", "Waits for "+evil)
	if title := p.text("document.title"); title != "Plimsoll" {
		t.Errorf("the text was run: the title is %q", title)
	}
	refused := p.text(`(() => { try { document.body.innerHTML = 'x'; return 'no' } catch (e) { return e.name } })()`)
	if refused != "TypeError" {
		t.Errorf("the page may make HTML of texts: %s", refused)
	}
}

// The browser is opened with a URL that is good for once, and without a token there is
// nothing to see.
func TestOpenedOnce(t *testing.T) {
	leader := newFake(t, 3)
	dir := t.TempDir()
	given := filepath.Join(dir, "given")
	script := "#!/bin/sh\nprintf %s \"$1\" >" + given + ".part\nmv " + given + ".part " + given + "\n"
	if err := os.WriteFile(filepath.Join(dir, "xdg-open"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	at := start(t, viewer(t), leader.server.URL, "--open")
	ticketURL := ""
	err := cluster.WaitFor(t.Context(), "the browser to be opened", func(context.Context) (bool, error) {
		content, err := os.ReadFile(given)
		ticketURL = string(content)
		return err == nil, err
	})
	if err != nil {
		t.Fatal(err)
	}
	_, token, _ := strings.Cut(at, "#token=")
	if token == "" || strings.Contains(ticketURL, token) || !strings.Contains(ticketURL, "/#ticket=") {
		t.Errorf("the browser is opened at %s, with the token of %s or without a ticket", ticketURL, at)
	}

	const unauthorized = "401 (Unauthorized)"
	open(t, ticketURL).shows("#shown", "3 nodes")
	second := open(t, ticketURL, unauthorized)
	second.shows("#problem", "this URL was good for once")
	page, _, _ := strings.Cut(at, "#")
	stranger := open(t, page, unauthorized)
	stranger.shows("#problem", "the token is missing or wrong: open the URL that kubectl plimsoll dashboard has printed")
	if nodes := stranger.text("document.querySelectorAll('#nodes button').length"); nodes != "0" {
		t.Errorf("without a token %s nodes are shown", nodes)
	}
	again := open(t, at)
	again.shows("#shown", "3 nodes")
	again.do(chromedp.Reload()) // the tab keeps the token
	again.shows("#shown", "3 nodes")
}
