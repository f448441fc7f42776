package main

import (
	"context"
	"log/slog"
	"time"
)

// again is how often a track file is looked at, and written once more if it could
// not be, or somebody else has changed or removed it.
const again = time.Second

// keeper keeps one track file at the value that was last wanted of it.
type keeper struct {
	file   trackFile
	logger *slog.Logger
	wanted chan int // holds the latest

	problem string // why the file could not be written last, "" if it could
}

func newKeeper(file trackFile, logger *slog.Logger) *keeper {
	return &keeper{file: file, logger: logger, wanted: make(chan int, 1)}
}

// want has the file say the value, and waits for nothing. Only one goroutine may
// call it at a time.
func (k *keeper) want(value int) {
	select {
	case <-k.wanted: // was not come to, and is the latest no more
	default:
	}
	k.wanted <- value
}

// run keeps the file until ctx is done, and calls first once the file has said what
// was wanted. Before there is a first value it leaves the file as it is.
func (k *keeper) run(ctx context.Context, first func()) {
	k.file.tidy()
	var value int
	select {
	case value = <-k.wanted:
	case <-ctx.Done():
		return
	}
	look := time.NewTicker(again)
	defer look.Stop()
	for told := false; ; {
		if k.keep(value) && !told {
			told = true
			first()
		}
		select {
		case value = <-k.wanted:
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

// keep makes the file say the value if it does not, and reports whether it does. It
// tells when that cannot be done, and when it can again.
func (k *keeper) keep(value int) bool {
	if !k.file.holds(value) {
		if err := k.file.write(value); err != nil {
			if k.problem != err.Error() {
				k.problem = err.Error()
				k.logger.Error("the track file cannot be written, and may say what is not true", "wanted", value, "err", err)
			}
			return false
		}
	}
	if k.problem != "" {
		k.problem = ""
		k.logger.Info("the track file is written again", "value", value)
	}
	return true
}
