package dashboard

import (
	"context"
	"os/exec"
	"runtime"
)

// openBrowser opens the URL in the user's browser. Other users of the machine may read it
// in the list of processes: it is to be one that is good for once.
func openBrowser(ctx context.Context, url string) error {
	name, args := "xdg-open", []string{url}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", url}
	}
	cmd := exec.CommandContext(ctx, name, args...)
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // what the browser says of itself is its own affair
	return nil
}
