// Package archive writes archives that depend on nothing but what is in them: files in
// the order of their names, of root, with one date.
package archive

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// An Entry is a file of an archive.
type Entry struct {
	Name       string // with slashes
	Executable bool
	Content    func() (io.ReadCloser, error)
}

// Bytes is the content of an entry.
func Bytes(content []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
}

// File is the content of an entry: that of a file.
func File(name string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return os.Open(name) }
}

// Folder returns all files below the folder, under their paths in it.
func Folder(dir string) (entries []Entry, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		entries = append(entries, Entry{Name: filepath.ToSlash(name), Content: File(path)})
		return err
	})
	return entries, err
}

// Write writes the archive, as what its name ends in: .tar, .tar.gz or .zip.
func Write(file string, date time.Time, entries []Entry) (err error) {
	entries = slices.SortedFunc(slices.Values(entries), func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() {
		if closed := f.Close(); err == nil {
			err = closed
		}
		if err != nil {
			os.Remove(file) //nolint:errcheck // what matters is why it is not whole
		}
	}()
	switch {
	case strings.HasSuffix(file, ".tar"):
		return writeTar(f, date, entries)
	case strings.HasSuffix(file, ".tar.gz"):
		compressed, err := gzip.NewWriterLevel(f, gzip.BestCompression) // without a date and a name
		if err != nil {
			return err
		}
		if err := writeTar(compressed, date, entries); err != nil {
			return err
		}
		return compressed.Close()
	case strings.HasSuffix(file, ".zip"):
		return writeZip(f, date, entries)
	}
	return fmt.Errorf("%s: must end in .tar, .tar.gz or .zip", file)
}

func writeTar(w io.Writer, date time.Time, entries []Entry) error {
	out := tar.NewWriter(w)
	for _, entry := range entries {
		size, err := entry.size()
		if err != nil {
			return err
		}
		if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: entry.Name, Mode: int64(entry.mode()), Size: size, ModTime: date}); err != nil {
			return err
		}
		if err := entry.copy(out); err != nil {
			return err
		}
	}
	return out.Close()
}

func writeZip(w io.Writer, date time.Time, entries []Entry) error {
	out := zip.NewWriter(w)
	out.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	for _, entry := range entries {
		header := &zip.FileHeader{Name: entry.Name, Method: zip.Deflate, Modified: date.UTC()}
		header.SetMode(entry.mode())
		file, err := out.CreateHeader(header)
		if err != nil {
			return err
		}
		if err := entry.copy(file); err != nil {
			return err
		}
	}
	return out.Close()
}

func (e Entry) mode() fs.FileMode {
	if e.Executable {
		return 0o755
	}
	return 0o644
}

func (e Entry) size() (int64, error) {
	content, err := e.Content()
	if err != nil {
		return 0, err
	}
	defer content.Close()
	if file, isFile := content.(*os.File); isFile {
		info, err := file.Stat()
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	}
	return io.Copy(io.Discard, content)
}

func (e Entry) copy(to io.Writer) error {
	content, err := e.Content()
	if err != nil {
		return err
	}
	defer content.Close()
	_, err = io.Copy(to, content)
	return err
}
