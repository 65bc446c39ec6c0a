// Package browser tests the page of kubectl plimsoll dashboard in a real browser, headless
// Chromium: against a scheduler on a real control plane, and in a cluster of 1,000 nodes
// that is made up.
//
// It is a module of its own because the library that drives the browser is for it alone.
// To look at the page as the tests see it, have them write screenshots:
//
//	go -C test/browser test -screenshots /tmp
package browser
