package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: machine run DIRECTORY")
		os.Exit(2)
	}
	dir, err := filepath.Abs(os.Args[2])
	if err == nil {
		err = run(os.Args[1], dir)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "machine: %v\n", err)
		os.Exit(1)
	}
}

func run(command, dir string) error {
	c, err := read(dir)
	if err != nil {
		return err
	}
	switch command {
	case "run":
		return supervise(c)
	case first: // by ourselves, in the namespaces
		return boot(c)
	}
	return fmt.Errorf("%s: must be run", command)
}

// serve answers each line that comes in by do's error, until no more come.
func serve(in io.Reader, out io.Writer, do func(command, argument string) error) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		command, argument, _ := strings.Cut(lines.Text(), " ")
		answer := "ok"
		if err := do(command, argument); err != nil {
			answer = strings.ReplaceAll(err.Error(), "\n", "; ")
		}
		if _, err := fmt.Fprintln(out, answer); err != nil {
			return err
		}
	}
	return lines.Err()
}
