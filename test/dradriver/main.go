//go:build !k8s136 && !k8s135

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/dynamic-resource-allocation/kubeletplugin"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		log.Printf("dradriver: %v", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	d := &driver{node: os.Getenv("NODE_NAME")}
	set := flag.NewFlagSet("dradriver", flag.ContinueOnError)
	set.IntVar(&d.devices, "devices", 2, "how many devices the node has")
	set.StringVar(&d.cdi, "cdi", "/run/cdi", "the `directory` of specifications of the Container Device Interface")
	if err := set.Parse(args); err != nil {
		return err
	}
	uid := types.UID(os.Getenv("POD_UID"))
	if d.node == "" || uid == "" {
		return errors.New("NODE_NAME and POD_UID: must be set, to the name of the node and the pod's UID")
	}
	if d.devices < 1 || d.devices > 100 {
		return fmt.Errorf("--devices=%d: must be 1 to 100", d.devices)
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	data := filepath.Join(kubeletplugin.KubeletPluginsDir, driverName)
	if err := os.MkdirAll(data, 0o750); err != nil {
		return err
	}
	ctx, d.stop = context.WithCancelCause(ctx)
	helper, err := kubeletplugin.Start(ctx, d,
		kubeletplugin.DriverName(driverName), kubeletplugin.NodeName(d.node), kubeletplugin.KubeClient(client),
		kubeletplugin.PluginDataDirectoryPath(data), kubeletplugin.RollingUpdate(uid),
		kubeletplugin.HealthService(false))
	if err != nil {
		return err
	}
	defer helper.Stop()
	if err := helper.PublishResources(ctx, d.resources()); err != nil {
		return err
	}
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
