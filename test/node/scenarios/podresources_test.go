package scenarios

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	podresources "k8s.io/kubelet/pkg/apis/podresources/v1"
)

// podResources returns which devices the kubelet says that containers have, by
// NAMESPACE/POD/CONTAINER and kind.
func (w *world) podResources(ctx context.Context) (map[string]map[corev1.ResourceName][]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	socket := filepath.Join(w.node.Dir, "var-lib", "kubelet", "pod-resources", "kubelet.sock")
	connection, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	list, err := podresources.NewPodResourcesListerClient(connection).List(ctx, &podresources.ListPodResourcesRequest{})
	if err != nil {
		return nil, err
	}
	all := map[string]map[corev1.ResourceName][]string{}
	for _, pod := range list.PodResources {
		for _, container := range pod.Containers {
			ids := map[corev1.ResourceName][]string{}
			for _, devices := range container.Devices {
				kind := corev1.ResourceName(devices.ResourceName)
				ids[kind] = append(ids[kind], devices.DeviceIds...)
				slices.Sort(ids[kind])
			}
			all[pod.Namespace+"/"+pod.Name+"/"+container.Name] = ids
		}
	}
	return all, nil
}

func intstrOf(port int32) intstr.IntOrString { return intstr.FromInt32(port) }
