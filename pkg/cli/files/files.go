// Package files reads what commands are given by --filename.
package files

import (
	"context"
	"io"
	"os"
)

// Read returns the content of a file, or of stdin for "-". It returns when ctx ends, also
// if nothing comes: from a terminal, or a pipe that nobody writes to.
func Read(ctx context.Context, name string, stdin io.Reader) ([]byte, error) {
	type result struct {
		content []byte
		err     error
	}
	read := make(chan result, 1)
	go func() {
		var r result
		if name == "-" {
			r.content, r.err = io.ReadAll(stdin)
		} else {
			r.content, r.err = os.ReadFile(name)
		}
		read <- r
	}()
	select {
	case r := <-read:
		return r.content, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
