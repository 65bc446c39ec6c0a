package device

import "sync"

// Catalogues has the catalogue of each profile that ranks nodes by devices, for the
// other plugins of the profile. It may be used from any goroutine.
type Catalogues struct{ byProfile sync.Map }

// Set sets the profile's catalogue.
func (c *Catalogues) Set(profile string, catalogue *Catalogue) { c.byProfile.Store(profile, catalogue) }

// Of returns the profile's catalogue, nil if it has none, or c is nil.
func (c *Catalogues) Of(profile string) *Catalogue {
	if c == nil {
		return nil
	}
	catalogue, _ := c.byProfile.Load(profile)
	result, _ := catalogue.(*Catalogue)
	return result
}
