package metrics

import (
	"bytes"
	"io"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/encoding/protodelim"
)

const (
	// batch is how many metrics are encoded at once, which bounds the memory of a
	// scrape.
	batch = 64
	// fullBuffer is the length of encoded metrics, in bytes, at which they are written.
	// A batch may add some kilobytes.
	fullBuffer = 32 << 10
	// maxLabels is the largest number of labels of a metric.
	maxLabels = 5
)

// turn lets one scrape at a time encode, and has what it needs for that.
type turn struct {
	taken chan struct{} // holds a token while a scrape encodes
	spare []*metric     // for a batch; guarded by taken
}

func newTurn() *turn { return &turn{taken: make(chan struct{}, 1)} }

// encoder writes metrics to a client, those of one family after the other. It has the
// turn except while it writes, and then no metric waits to be encoded.
type encoder struct {
	*turn
	out      io.Writer
	protobuf bool
	tookAt   time.Time     // when it took the turn
	used     time.Duration // for how long it had it before that
	buffer   bytes.Buffer
	err      error // of the first write that failed; nothing is written after it

	family        dto.MetricFamily // with the metrics that are not encoded yet
	kind          dto.MetricType
	headerWritten bool // of the family
}

// metric is a metric and all that it points to, for use again and again.
type metric struct {
	dto.Metric
	labels  [maxLabels]dto.LabelPair
	values  [maxLabels]string
	gauge   dto.Gauge
	counter dto.Counter
	value   float64
}

// newEncoder returns an encoder that has the turn. The caller calls release.
func newEncoder(out io.Writer, protobuf bool, t *turn) *encoder {
	e := &encoder{turn: t, out: out, protobuf: protobuf}
	e.take()
	return e
}

// take waits until no other scrape encodes.
func (e *encoder) take() {
	e.taken <- struct{}{}
	e.tookAt = time.Now()
}

// release lets other scrapes encode, and returns for how long this one did.
func (e *encoder) release() (used time.Duration) {
	e.used += time.Since(e.tookAt)
	<-e.taken
	return e.used
}

// begin begins a family of gauges, counters or histograms.
func (e *encoder) begin(name, help string, kind dto.MetricType) {
	e.flush()
	e.family.Name, e.family.Help, e.family.Type = &name, &help, &kind
	e.kind, e.headerWritten = kind, false
}

// add adds a gauge or a counter to the family. labels and values belong together.
func (e *encoder) add(value float64, labels []string, values ...string) {
	m := e.next()
	m.Label = m.Label[:0]
	for i := range values {
		m.values[i] = values[i]
		m.labels[i].Name, m.labels[i].Value = &labels[i], &m.values[i]
		m.Label = append(m.Label, &m.labels[i])
	}
	m.value = value
	m.Gauge, m.Counter, m.Histogram = nil, nil, nil
	if e.kind == dto.MetricType_COUNTER {
		m.counter.Value = &m.value
		m.Counter = &m.counter
	} else {
		m.gauge.Value = &m.value
		m.Gauge = &m.gauge
	}
}

// next returns the next metric of the family, to be filled.
func (e *encoder) next() *metric {
	n := len(e.family.Metric)
	if n == batch {
		e.flush()
		n = 0
	}
	if n == len(e.spare) {
		e.spare = append(e.spare, &metric{Metric: dto.Metric{Label: make([]*dto.LabelPair, 0, maxLabels)}})
	}
	m := e.spare[n]
	e.family.Metric = append(e.family.Metric, &m.Metric)
	return m
}

// finish writes all that is not written yet.
func (e *encoder) finish() {
	e.flush()
	e.write()
}

// flush encodes the metrics that wait.
func (e *encoder) flush() {
	if len(e.family.Metric) == 0 {
		return
	}
	e.encode(&e.family)
	e.family.Metric = e.family.Metric[:0]
	e.headerWritten = true
}

// encode encodes the metrics of a family, and writes if enough waits to be written. In text
// it omits the header of a family that is written already.
func (e *encoder) encode(family *dto.MetricFamily) {
	if e.err != nil {
		return
	}
	start := e.buffer.Len()
	if e.protobuf {
		_, e.err = protodelim.MarshalTo(&e.buffer, family)
	} else {
		_, e.err = expfmt.MetricFamilyToText(&e.buffer, family)
	}
	if added := e.buffer.Bytes()[start:]; family == &e.family && e.headerWritten && !e.protobuf {
		samples := added
		for range 2 { // HELP and TYPE
			_, samples, _ = bytes.Cut(samples, []byte{'\n'})
		}
		e.buffer.Truncate(start + copy(added, samples))
	}
	if e.buffer.Len() >= fullBuffer {
		e.write()
	}
}

// write writes what is encoded. It lets others encode while the client reads.
func (e *encoder) write() {
	if e.err != nil {
		return
	}
	e.family.Metric = e.family.Metric[:0] // they are encoded, and others may use them
	e.release()
	_, e.err = e.out.Write(e.buffer.Bytes())
	e.take()
	e.buffer.Reset()
}

// addHistogram adds a native histogram to the family.
func (e *encoder) addHistogram(h *dto.Histogram, labels []string, values ...string) {
	e.add(0, labels, values...)
	m := e.family.Metric[len(e.family.Metric)-1]
	m.Gauge, m.Histogram = nil, h
}
