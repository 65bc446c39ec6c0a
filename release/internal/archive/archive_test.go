package archive

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

var date = time.Date(2026, 12, 24, 18, 0, 0, 0, time.UTC)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The same files give the same archive, in whatever order they come.
func TestArchivesAreTheSameTwice(t *testing.T) {
	dir := t.TempDir()
	entries := []Entry{
		{Name: "tool", Executable: true, Content: Bytes([]byte("#!"))},
		{Name: "LICENSE", Content: Bytes([]byte("do as you like"))},
	}
	for _, kind := range []string{".tar", ".tar.gz", ".zip"} {
		var made [][]byte
		for range 2 {
			slices.Reverse(entries)
			file := filepath.Join(dir, "archive"+kind)
			must(t, Write(file, date, entries))
			content, err := os.ReadFile(file)
			must(t, err)
			made = append(made, content)
		}
		if !bytes.Equal(made[0], made[1]) {
			t.Errorf("two archives %s differ", kind)
		}
	}
}

func TestTarHasFilesOfRootInOrder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "archive.tar.gz")
	must(t, Write(file, date, []Entry{
		{Name: "tool", Executable: true, Content: Bytes([]byte("#!"))},
		{Name: "LICENSE", Content: File("archive.go")},
	}))
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	compressed, err := gzip.NewReader(f)
	must(t, err)
	if compressed.Name != "" || !compressed.ModTime.IsZero() {
		t.Errorf("the archive is called %q, of %v", compressed.Name, compressed.ModTime)
	}
	var names []string
	files := tar.NewReader(compressed)
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		names = append(names, header.Name)
		if executable := header.Mode == 0o755; executable != (header.Name == "tool") || header.Uid != 0 || !header.ModTime.Equal(date) {
			t.Errorf("the header is %+v", header)
		}
	}
	if !slices.Equal(names, []string{"LICENSE", "tool"}) {
		t.Errorf("the files are %v", names)
	}
}

func TestZipKeepsWhatIsExecutable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "archive.zip")
	must(t, Write(file, date, []Entry{{Name: "tool.exe", Executable: true, Content: Bytes([]byte("MZ"))}}))
	content, err := os.ReadFile(file)
	must(t, err)
	read, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	must(t, err)
	if f := read.File[0]; f.Name != "tool.exe" || f.Mode() != 0o755 || !f.Modified.Equal(date) {
		t.Errorf("the file is %+v", f.FileHeader)
	}
}

func TestWhatCannotBeReadLeavesNoArchive(t *testing.T) {
	file := filepath.Join(t.TempDir(), "archive.tar")
	if err := Write(file, date, []Entry{{Name: "gone", Content: File("no such file")}}); err == nil {
		t.Fatal("there is no error")
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("there is an archive")
	}
	if err := Write(filepath.Join(t.TempDir(), "archive.rar"), date, nil); err == nil {
		t.Error("an archive of an unknown kind is no error")
	}
}
