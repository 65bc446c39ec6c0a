package scenario

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/datadriven"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

// args are what a command is given. The first fault of them is kept for end.
type args struct {
	list []datadriven.CmdArg
	used []bool
	err  error
}

func newArgs(list []datadriven.CmdArg) *args { return &args{list: list, used: make([]bool, len(list))} }

// containerArgs reads (name, key=value, ...) of a container.
func containerArgs(values []string) *args {
	var list []datadriven.CmdArg
	for _, value := range values {
		key, v, given := strings.Cut(value, "=")
		arg := datadriven.CmdArg{Key: key}
		if given {
			arg.Vals = strings.Split(v, "/")
		}
		list = append(list, arg)
	}
	return newArgs(list)
}

func (a *args) fail(format string, values ...any) {
	if a.err == nil {
		a.err = fmt.Errorf(format, values...)
	}
}

// end returns what was wrong with the arguments, also that one is not known.
func (a *args) end() error {
	for i := range a.list {
		if !a.used[i] {
			a.fail("there is no argument %s", a.list[i])
		}
	}
	return a.err
}

// name returns the next argument without a value, which must be there.
func (a *args) name() string {
	name, ok := a.next()
	if !ok {
		a.fail("a name is missing")
	}
	return name
}

func (a *args) next() (name string, ok bool) {
	for i := range a.list {
		if !a.used[i] && len(a.list[i].Vals) == 0 {
			a.used[i] = true
			return a.list[i].Key, true
		}
	}
	return "", false
}

// names returns all the arguments without a value that are left.
func (a *args) names() (names []string) {
	for {
		name, ok := a.next()
		if !ok {
			return names
		}
		names = append(names, name)
	}
}

// flag reports whether the argument is there, without a value.
func (a *args) flag(key string) bool {
	for i := range a.list {
		if a.list[i].Key == key && len(a.list[i].Vals) == 0 {
			a.used[i] = true
			return true
		}
	}
	return false
}

// all returns the values of each argument of the key.
func (a *args) all(key string) (values [][]string) {
	for i := range a.list {
		if a.list[i].Key == key && len(a.list[i].Vals) > 0 {
			a.used[i] = true
			values = append(values, a.list[i].Vals)
		}
	}
	return values
}

func (a *args) values(key string) []string {
	all := a.all(key)
	if len(all) > 1 {
		a.fail("there is more than one %s", key)
	}
	if len(all) == 0 {
		return nil
	}
	return all[0]
}

// text returns the value of the key, and whether there is one. JSON keeps its
// commas.
func (a *args) text(key string) (string, bool) {
	values := a.values(key)
	return strings.Join(values, ", "), values != nil
}

func (a *args) textOr(key, otherwise string) string {
	if value, given := a.text(key); given {
		return value
	}
	return otherwise
}

// seconds reads a time of whole seconds.
func (a *args) seconds(value string) time.Duration {
	d, err := time.ParseDuration(strings.TrimPrefix(value, "+"))
	if err != nil || d%time.Second != 0 {
		a.fail("%q must be a time of whole seconds, such as 1m30s", value)
	}
	return d
}

func (a *args) duration(key string, otherwise time.Duration) time.Duration {
	if value, given := a.text(key); given {
		return a.seconds(value)
	}
	return otherwise
}

func (a *args) number(key string, otherwise int) int {
	value, given := a.text(key)
	if !given {
		return otherwise
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		a.fail("%s=%q must be a whole number", key, value)
	}
	return n
}

// quantity reads an amount as Kubernetes writes it.
func (a *args) quantity(r amount.Resource, value string) int64 {
	q, err := resource.ParseQuantity(value)
	if err != nil {
		a.fail("%q must be an amount of %s", value, r.Name())
	}
	return amount.FromQuantity(r, q)
}

// amount returns the amount of the key, and whether there is one.
func (a *args) amount(r amount.Resource, key string) (int64, bool) {
	value, given := a.text(key)
	if !given {
		return 0, false
	}
	return a.quantity(r, value), true
}

func (a *args) amountOr(r amount.Resource, key string, otherwise int64) int64 {
	if value, given := a.amount(r, key); given {
		return value
	}
	return otherwise
}

// pattern returns the use of CPU of the key, and whether there is one.
func (a *args) pattern(key string) (p pattern, given bool) {
	p.every = int(a.duration("every", interval) / time.Second)
	for _, value := range a.values(key) {
		p.cpu = append(p.cpu, a.quantity(amount.CPU, value))
	}
	return p, len(p.cpu) > 0
}
