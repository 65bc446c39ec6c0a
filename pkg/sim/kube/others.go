package kube

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	resourceclient "k8s.io/client-go/kubernetes/typed/resource/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
)

// others are the informers of what a cluster may have beside nodes and pods.
type others map[reflect.Type]*informer

// newOthers returns those of volumes, and of what dynamic resource allocation goes by.
func newOthers() others {
	all := others{}
	for _, kind := range []runtime.Object{
		&v1.PersistentVolume{}, &v1.PersistentVolumeClaim{},
		&storagev1.StorageClass{}, &storagev1.CSINode{}, &storagev1.CSIDriver{}, &storagev1.CSIStorageCapacity{}, &storagev1.VolumeAttachment{},
		&resourceapi.ResourceSlice{}, &resourceapi.DeviceClass{}, &resourceapi.ResourceClaim{}, &compat.DeviceTaintRule{},
	} {
		all[reflect.TypeOf(kind)] = &informer{SharedIndexInformer: cache.NewSharedIndexInformer(
			&cache.ListWatch{}, kind, 0, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})}
	}
	return all
}

// install has the factory hand them out.
func (o others) install(factory informers.SharedInformerFactory) {
	for kind, informer := range o {
		object := reflect.New(kind.Elem()).Interface().(runtime.Object)
		factory.InformerFor(object, func(kubernetes.Interface, time.Duration) cache.SharedIndexInformer { return informer })
	}
}

// Add adds an object that is neither a node nor a pod: a volume, a claim to one, its
// storage class, what CSI drivers say of themselves and of nodes, a resource claim, a
// resource slice, a device class or a rule that taints devices.
func (c *Cluster) Add(object runtime.Object) error {
	informer, meta, err := c.other(object)
	if err != nil {
		return err
	}
	c.stamp(meta)
	return informer.add(object)
}

// other returns the informer of an object.
func (c *Cluster) other(object runtime.Object) (*informer, metav1.Object, error) {
	informer := c.others[reflect.TypeOf(object)]
	meta, isObject := object.(metav1.Object)
	if informer == nil || !isObject {
		return nil, nil, fmt.Errorf("add %T: a cluster has no such objects here", object)
	}
	return informer, meta, nil
}

func (c client) ResourceV1() resourceclient.ResourceV1Interface {
	return resources{c.Interface.ResourceV1(), c.cluster}
}

type resources struct {
	resourceclient.ResourceV1Interface
	cluster *Cluster
}

func (r resources) ResourceClaims(namespace string) resourceclient.ResourceClaimInterface {
	return claims{r.ResourceV1Interface.ResourceClaims(namespace), namespace, r.cluster}
}

// claims keeps what kube-scheduler writes to resource claims: which devices it has
// allocated to which pod. It writes while the cluster's goroutine waits for it.
type claims struct {
	resourceclient.ResourceClaimInterface
	namespace string
	cluster   *Cluster
}

// Create is called for the claim that an extended resource becomes.
func (c claims) Create(_ context.Context, claim *resourceapi.ResourceClaim, _ metav1.CreateOptions) (*resourceapi.ResourceClaim, error) {
	made := claim.DeepCopy()
	made.Namespace = c.namespace
	if made.Name == "" {
		made.Name = fmt.Sprint(made.GenerateName, c.cluster.versions)
	}
	made.UID = types.UID(made.Namespace + "/" + made.Name)
	err := c.cluster.Add(made)
	return made.DeepCopy(), err
}

func (c claims) Update(_ context.Context, claim *resourceapi.ResourceClaim, _ metav1.UpdateOptions) (*resourceapi.ResourceClaim, error) {
	informer, _, err := c.cluster.other(claim)
	if err != nil {
		return nil, err
	}
	changed := claim.DeepCopy()
	c.cluster.stamp(changed)
	err = informer.update(changed)
	return changed.DeepCopy(), err // the caller changes it further
}

func (c claims) UpdateStatus(ctx context.Context, claim *resourceapi.ResourceClaim, options metav1.UpdateOptions) (*resourceapi.ResourceClaim, error) {
	return c.Update(ctx, claim, options)
}

func (c claims) Get(_ context.Context, name string, _ metav1.GetOptions) (*resourceapi.ResourceClaim, error) {
	object, found, err := c.cluster.others[reflect.TypeFor[*resourceapi.ResourceClaim]()].GetStore().GetByKey(c.namespace + "/" + name)
	if err == nil && !found {
		err = errors.New("there is no resource claim " + c.namespace + "/" + name)
	}
	if err != nil {
		return nil, err
	}
	return object.(*resourceapi.ResourceClaim).DeepCopy(), nil
}
