package main

import "time"

// channels is how many channels the guide has, numbered from 1.
const channels = 8

// slot is how long each programme lasts.
const slot = 30 * time.Minute

var titles = []string{
	"News at the Hour", "The Lighthouse Keepers", "Cooking with Salt", "Night Trains",
	"A Short History of Bread", "Harbour Patrol", "The Long Meadow", "Late Film",
	"Questions, Please", "Weather for Sailors", "Repair Shop",
}

// onAir returns what is on the channel at the time, nil if there is no such
// channel. The guide is the same for ever; a real one would be looked up.
func onAir(channel uint16, at time.Time) *programme {
	if channel < 1 || channel > channels {
		return nil
	}
	start := at.Truncate(slot)
	turn := uint64(start.Unix()/int64(slot/time.Second)) + 3*uint64(channel)
	return &programme{start: start, duration: slot, title: titles[turn%uint64(len(titles))]}
}
