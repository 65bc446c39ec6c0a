package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sync/errgroup"
	api "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"

	"github.com/plimsoll-scheduler/plimsoll/test/burn"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, context.Canceled) {
		log.Printf("deviceplugin: %v", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	var all []*devices
	set := flag.NewFlagSet("deviceplugin", flag.ContinueOnError)
	set.Func("resource", "a resource and how many devices of it there are, such as example.com/npu=4; may be repeated", func(value string) error {
		d, err := parseResource(value)
		if err == nil && slices.ContainsFunc(all, func(other *devices) bool { return other.kind == d.kind }) {
			err = errors.New("there is one of that kind: ids of devices would be the same")
		}
		all = append(all, d)
		return err
	})
	sockets := set.String("sockets", filepath.Dir(api.KubeletSocket), "the kubelet's `directory` of plugins' sockets")
	folders := set.String("folders", "/run/deviceplugin", "the `directory` of what devices mount, the same on the node and here")
	listen := set.String("listen", ":8080", "the `address` where tests tell what happens to devices")
	if err := set.Parse(args); err != nil {
		return err
	}
	if len(all) == 0 {
		return errors.New("--resource: must be given, such as example.com/npu=4")
	}
	server := &http.Server{Addr: *listen, Handler: control(all, &burn.Burner{}), ReadHeaderTimeout: 10 * time.Second}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(server.ListenAndServe)
	group.Go(func() error {
		<-ctx.Done()
		return server.Close()
	})
	for _, d := range all {
		p := &plugin{devices: d, sockets: *sockets, folders: *folders}
		group.Go(func() error { return p.keepServing(ctx) })
	}
	err := group.Wait()
	if ctx.Err() != nil && errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// keepServing serves, anew whenever the kubelet has begun anew.
func (p *plugin) keepServing(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer func() { _ = watcher.Close() }()
	if err := watcher.Add(p.sockets); err != nil {
		return fmt.Errorf("--sockets=%s: watch it for the kubelet's: %w", p.sockets, err)
	}
	made := make(chan struct{}, 1)
	go func() {
		for event := range watcher.Events {
			if event.Has(fsnotify.Create) && event.Name == p.kubeletSocket() {
				notify(made)
			}
		}
	}()
	go func() {
		for err := range watcher.Errors {
			log.Printf("%s: watch %s: %v", p.resource, p.sockets, err)
			notify(made) // it may have been among what is lost
		}
	}()
	for ctx.Err() == nil {
		if err := p.serve(ctx, made); err != nil && ctx.Err() == nil {
			log.Print(err)
			select { // for as long as the kubelet is away there is nobody to register with
			case <-made:
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
	}
	return ctx.Err()
}

// notify says that there is news, unless that is known already.
func notify(news chan<- struct{}) {
	select {
	case news <- struct{}{}:
	default:
	}
}
