package main

import "syscall"

// daemon is a program on the director that scenarios start again.
type daemon struct {
	name      string
	program   string
	arguments []string
	running   *process
}

func (d *daemon) start(n namespace) (err error) {
	d.running, err = n.start(d.name, nil, d.program, d.arguments...)
	return err
}

// stop ends the daemon as its service manager would, and returns when it is gone.
func (d *daemon) stop() error {
	if err := d.running.signal(syscall.SIGTERM); err != nil {
		return err
	}
	<-d.running.gone
	return nil
}
