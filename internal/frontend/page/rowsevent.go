package page

// rowsEvent is an event with rows, and with the bands of some of them.
type rowsEvent struct {
	rows, bands []byte
	bars        map[string]string
	gone        []string
	first, last bool // of the events with all services
}

func (e *rowsEvent) addRow(text []byte) {
	if len(e.rows) > 0 {
		e.rows = append(e.rows, ',')
	}
	e.rows = append(e.rows, text...)
}

func (e *rowsEvent) addBand(name string, b band) {
	if len(b) == 0 {
		return
	}
	if len(e.bands) > 0 {
		e.bands = append(e.bands, ',')
	}
	e.bands = append(e.bands, '"')
	e.bands = append(e.bands, name...) // which needs no escapes
	e.bands = append(e.bands, '"', ':')
	e.bands = b.append(e.bands)
}

func (e *rowsEvent) addBars(name, bars string) {
	if e.bars == nil {
		e.bars = make(map[string]string)
	}
	e.bars[name] = bars
}

// empty reports whether the event is about no service.
func (e *rowsEvent) empty() bool { return len(e.rows)+len(e.bands)+len(e.gone) == 0 }

// bytes returns the event by its name.
func (e *rowsEvent) bytes(s *Server, name string) []byte {
	return s.event(name, struct {
		timeJSON
		Rows  raw               `json:"rows"`
		Bands raw               `json:"bands"`
		Bars  map[string]string `json:"bars,omitempty"`
		Gone  []string          `json:"gone,omitempty"`
		First bool              `json:"first,omitempty"`
		Last  bool              `json:"last,omitempty"`
	}{s.stamp(), raw{'[', e.rows, ']'}, raw{'{', e.bands, '}'}, e.bars, e.gone, e.first, e.last})
}

// raw is JSON that is written already, without its brackets.
type raw struct {
	open  byte
	text  []byte
	close byte
}

// MarshalJSON implements json.Marshaler.
func (r raw) MarshalJSON() ([]byte, error) {
	return append(append([]byte{r.open}, r.text...), r.close), nil
}
