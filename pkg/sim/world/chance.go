package world

// Chance returns a number that is evenly spread over 0 to 1, and depends on
// nothing but its arguments: what is drawn for one node does not depend on how
// much has been drawn for others.
func Chance(seed, a, b uint64) float64 {
	x := seed ^ a*0x9e3779b97f4a7c15 ^ b*0xbf58476d1ce4e5b9
	for range 2 { // the finalizer of SplitMix64
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		x ^= x >> 31
	}
	return float64(x>>11) / (1 << 53)
}
