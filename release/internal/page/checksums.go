package page

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/plimsoll-scheduler/plimsoll/release/internal/digest"
)

// ChecksumsFile is the name of the file that Checksums writes.
const ChecksumsFile = "SHA256SUMS"

// Checksums writes the checksums of all files in the folder, as sha256sum -c reads them.
func Checksums(dir string) error {
	entries, err := os.ReadDir(dir) // by name
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, entry := range entries {
		if entry.Name() == ChecksumsFile {
			continue
		}
		sum, err := digest.SHA256(filepath.Join(dir, entry.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%s  %s\n", sum, entry.Name())
	}
	return os.WriteFile(filepath.Join(dir, ChecksumsFile), []byte(sums.String()), 0o644)
}
