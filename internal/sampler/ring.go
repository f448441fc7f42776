package sampler

import "math"

// ring is the last values of one series, one for each step. Its zero value is empty.
type ring struct {
	values [points]float16
	first  int // the step of the first value that was ever added
	next   int // the step after the last value, 0 if there is none
}

// add adds the value of the step, which is later than all before. Steps without a value
// in between have none.
func (r *ring) add(step int, v float64) {
	if r.next == 0 {
		r.first, r.next = step, step
	}
	for r.next = max(r.next, step-points); r.next < step; r.next++ {
		r.values[r.next%points] = missing
	}
	r.values[step%points] = pack(v)
	r.next = step + 1
}

// last returns the values of the steps from begin to end, NaN where there is none.
func (r *ring) last(begin, end int) []float32 {
	values := make([]float32, 0, end-begin)
	for step := begin; step < end; step++ {
		v := missing
		if step >= r.first && step < r.next && step >= r.next-points {
			v = r.values[step%points]
		}
		values = append(values, v.unpack())
	}
	return values
}

// float16 is the upper half of a float32: as large as that, and precise to 0.4 %, which
// no plot shows.
type float16 uint16

const missing float16 = 0x7fc0 // a NaN

func pack(v float64) float16 {
	if math.IsNaN(v) {
		return missing
	}
	bits := math.Float32bits(float32(v))
	if bits&0x7f80_0000 == 0x7f80_0000 { // infinite
		return float16(bits >> 16)
	}
	return float16((bits + 0x7fff + bits>>16&1) >> 16) // rounded
}

func (f float16) unpack() float32 { return math.Float32frombits(uint32(f) << 16) }
