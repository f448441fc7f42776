package main

import "syscall"

// daemon is a program on the director that can be restarted.
type daemon struct {
	service   string // of which it is
	name      string
	program   string
	arguments []string
	running   *process
}

func (d *daemon) start(n namespace) (err error) {
	d.running, err = n.start(d.name, nil, d.program, d.arguments...)
	return err
}

// stop ends the daemon as a service manager does, and waits until it has exited.
func (d *daemon) stop() error {
	if err := d.running.signal(syscall.SIGTERM); err != nil {
		return err
	}
	<-d.running.exited
	return nil
}
