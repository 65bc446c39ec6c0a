// Command demo shows Plimsoll at work: it starts a real control plane with
// simulated GPU nodes, has the stock scheduler and Plimsoll place the same
// pods, and then lets pods wait until the load of a node drops.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

func main() {
	keep := flag.Bool("keep", os.Getenv("KEEP") == "1", "leave the cluster running")
	remove := flag.String("remove", "", "remove the cluster in this directory, which was kept, and do nothing else")
	flag.Parse()
	var err error
	if *remove != "" {
		err = cluster.Remove(*remove)
	} else {
		err = run(*keep)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(keep bool) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := &show{start: time.Now(), out: os.Stdout}
	s.say("starting a control plane: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, metrics-server, kwok")
	s.Cluster, err = cluster.Start(ctx, cluster.Options{MetricResolution: resolution, Keep: keep})
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := s.Close(); err == nil {
			err = closeErr
		}
	}()
	if err := s.setUp(ctx); err != nil {
		return err
	}
	stock, err := s.place(ctx, stockScheduler)
	if err != nil {
		return err
	}
	if err := s.deletePods(ctx, stockScheduler); err != nil {
		return err
	}
	plimsoll, err := s.place(ctx, plimsollScheduler)
	if err != nil {
		return err
	}
	if err := s.table(ctx, stock, plimsoll); err != nil {
		return err
	}
	if err := s.waitForLoadToDrop(ctx, plimsoll); err != nil {
		return err
	}
	if keep {
		s.explainUse()
	}
	return s.verdict(stock, plimsoll)
}
