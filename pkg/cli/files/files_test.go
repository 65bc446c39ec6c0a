package files

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"-": "stdin", file: "file"} {
		if got, err := Read(t.Context(), name, strings.NewReader("stdin")); err != nil || string(got) != want {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	if _, err := Read(t.Context(), "/no/such/file", nil); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// Who presses Ctrl-C does not have to wait for input.
func TestReadEndsWithItsContext(t *testing.T) {
	silent, writer := io.Pipe()
	defer func() { _ = writer.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Read(ctx, "-", silent); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
