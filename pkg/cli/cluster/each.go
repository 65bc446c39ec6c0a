package cluster

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/pager"
)

// Each calls do with all objects that list, a method of a client, has: read in pages,
// so that the memory and what is asked of the API server at once stay small.
func Each[T any, L runtime.Object](ctx context.Context, list func(context.Context, metav1.ListOptions) (L, error), do func(*T)) error {
	return EachObject(ctx, list, func(object runtime.Object) { do(any(object).(*T)) })
}

// EachObject is Each for objects of any kind.
func EachObject[L runtime.Object](ctx context.Context, list func(context.Context, metav1.ListOptions) (L, error), do func(runtime.Object)) error {
	return pager.New(pager.SimplePageFunc(func(options metav1.ListOptions) (runtime.Object, error) {
		return list(ctx, options)
	})).EachListItem(ctx, metav1.ListOptions{}, func(object runtime.Object) error {
		do(object)
		return nil
	})
}
