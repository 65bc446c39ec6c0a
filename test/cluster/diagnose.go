package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// errPortTaken means that a foreign program has taken a port of the cluster.
var errPortTaken = errors.New("a port was taken by another program")

// logTail is how many lines of a component's log an error quotes.
const logTail = 5

// explain adds to an error what the logs say, for they go with the directory.
func (c *Cluster) explain(err error) error {
	paths, _ := filepath.Glob(filepath.Join(c.Dir, "clusters", c.Name, "logs", "*.log"))
	for _, path := range paths {
		data, readErr := os.ReadFile(path)
		if readErr != nil {
			continue
		}
		if bytes.Contains(data, []byte("address already in use")) {
			err = fmt.Errorf("%w: %w", errPortTaken, err)
		}
		lines := strings.Split(strings.TrimSpace(string(data)), "\n")
		lines = lines[max(0, len(lines)-logTail):]
		err = fmt.Errorf("%w\n--- end of %s\n%s", err, filepath.Base(path), strings.Join(lines, "\n"))
	}
	return err
}
