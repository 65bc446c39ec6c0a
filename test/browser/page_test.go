package browser

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

// timeout bounds each wait. It is generous: the machine may be slow.
const timeout = 2 * time.Minute

// browsers are the names that Chromium and its kin go by.
var browsers = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"}

// findBrowser says what to install if there is no browser.
func findBrowser() error {
	_, err := browser()
	return err
}

func browser() (path string, err error) {
	for _, name := range browsers {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no browser: the tests of the dashboard need Chromium in PATH, as one of %s; on Debian, apt-get install chromium", strings.Join(browsers, ", "))
}

// page is a tab of a browser.
type page struct {
	t      *testing.T
	ctx    context.Context
	origin string

	mu sync.Mutex
	// faults are what went wrong in the page, and requests to elsewhere.
	faults []string
}

// open opens the URL in a browser of its own. At the end of the test nothing must have
// gone wrong in the page but what tolerates names, and nothing asked for from elsewhere.
func open(t *testing.T, at string, tolerates ...string) *page {
	t.Helper()
	path, err := browser()
	if err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.WindowSize(1440, 900),
		chromedp.WSURLReadTimeout(timeout), chromedp.UserDataDir(t.TempDir()))
	if os.Geteuid() == 0 { // Chromium's sandbox is not for root
		options = append(options, chromedp.NoSandbox)
	}
	allocator, endAllocator := chromedp.NewExecAllocator(t.Context(), options...)
	p := &page{t: t, origin: "http://" + to.Host}
	ctx, end := chromedp.NewContext(allocator, chromedp.WithListener(p.listen))
	p.ctx = ctx
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		end()
		endAllocator()
		p.check(tolerates)
	})
	call(p, network.Enable, network.EnableParams{})
	call(p, log.Enable, cdp.Empty{})
	p.do(chromedp.Navigate(at))
	return p
}

// listen notes what must not be.
func (p *page) listen(event any) {
	fault := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		fault = e.ExceptionDetails.Text
		if thrown := e.ExceptionDetails.Exception; thrown != nil {
			fault += " " + thrown.Description
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			fault = e.Entry.Text + " " + e.Entry.URL
		}
	case *network.EventRequestWillBeSent:
		if at := e.Request.URL; !strings.HasPrefix(at, p.origin+"/") && !strings.HasPrefix(at, "about:") {
			fault = "a request to " + at
		}
	}
	if fault != "" {
		p.mu.Lock()
		p.faults = append(p.faults, fault)
		p.mu.Unlock()
	}
}

func (p *page) check(tolerates []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
faults:
	for _, fault := range p.faults {
		for _, text := range tolerates {
			if strings.Contains(fault, text) {
				continue faults
			}
		}
		p.t.Errorf("in the page: %s", fault)
	}
}

// do acts in the page.
func (p *page) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// call calls a command of the browser's protocol.
func call[P, R any](p *page, command cdp.Command[P, R], parameters P) R {
	p.t.Helper()
	result, err := chromedp.Call(p.ctx, command, parameters)
	if err != nil {
		p.t.Fatal(err)
	}
	return result
}

// keys presses keys.
func (p *page) keys(keys ...string) {
	p.t.Helper()
	for _, key := range keys {
		p.do(chromedp.KeyEvent(key))
	}
}

func (p *page) evaluate(expression string) (text string, err error) {
	return chromedp.Run(p.ctx, chromedp.Evaluate[string]("String("+expression+")"))
}

// text evaluates a JavaScript expression to a text.
func (p *page) text(expression string) string {
	p.t.Helper()
	text, err := p.evaluate(expression)
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

// until waits until the text that an expression evaluates to satisfies the condition.
func (p *page) until(expression string, condition func(text string) bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), timeout)
	defer cancel()
	err := cluster.WaitFor(ctx, "the page", func(context.Context) (bool, error) {
		text, err := p.evaluate(expression)
		if err != nil {
			return false, err
		}
		return condition(text), fmt.Errorf("%s is %q", expression, text)
	})
	if err != nil {
		p.screenshot("failed-" + p.t.Name())
		p.t.Fatalf("%v\nthe page: %s", err, p.text("document.body.innerText"))
	}
}

// shows waits until the element has the texts.
func (p *page) shows(selector string, texts ...string) {
	p.t.Helper()
	p.until(textOf(selector), func(text string) bool {
		for _, want := range texts {
			if !strings.Contains(text, want) {
				return false
			}
		}
		return true
	})
}

// textOf is an expression for the text of an element that is visible.
func textOf(selector string) string {
	return fmt.Sprintf("(e => e && e.checkVisibility() ? e.innerText : '')(document.querySelector(%q))", selector)
}

// focused is an expression for what has the focus.
const focused = "(e => e.id || e.dataset.name || e.dataset.pod || e.localName)(document.activeElement)"

// scheme sets whether the user prefers light or dark.
func (p *page) scheme(name string) {
	p.t.Helper()
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
}

// screenshot writes what is to be seen, if somebody wants to.
func (p *page) screenshot(name string) {
	p.t.Helper()
	if *screenshots == "" {
		return
	}
	image, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*screenshots, strings.ReplaceAll(name, "/", "-")+".png"), image, 0o600); err != nil {
		p.t.Error(err)
	}
}
