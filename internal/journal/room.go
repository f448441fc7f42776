package journal

import (
	"os"
	"slices"
	"time"
)

// makeRoom drops entries if there are too many: first what is older than a day, then the
// oldest of the services that have most, of the users that have most. So a user whose
// services change all the time makes the past of no other user's shorter. Half is for root
// and landmarkd's own user, so that other users, however many they are, do not make theirs
// shorter; what one half leaves the other may use. The last entry of each known service
// stays. The caller holds mu.
//
// It looks at all services, so it drops a quarter at least, or has as much added before it
// looks again.
func (p *past) makeRoom(now time.Time) {
	if p.size <= max(maxPast, p.roomTo) {
		return
	}
	for service, c := range p.byService {
		p.drop(service, c, c.before(now.Add(-PastAge)))
	}
	var trusted, others users
	for service, c := range p.byService {
		if isTrusted(c.owner) {
			trusted.add(service, c)
		} else {
			others.add(service, c)
		}
	}
	const most = maxPast * 3 / 4
	mostTrusted, mostOthers := max(most/2, most-others.size), max(most/2, most-trusted.size)
	p.shrinkUsers(trusted, mostTrusted)
	p.shrinkUsers(others, mostOthers)
	p.roomTo = p.size + maxPast/4
}

// isTrusted reports whether the user is root or landmarkd's own.
func isTrusted(uid uint32) bool { return uid == 0 || uid == uint32(os.Geteuid()) }

// users are some users, and the memory of the entries of all their services.
type users struct {
	byUID map[uint32]*user
	size  int
}

func (us *users) add(service string, c *changes) {
	u := us.byUID[c.owner]
	if u == nil {
		if us.byUID == nil {
			us.byUID = make(map[uint32]*user)
		}
		u = new(user)
		us.byUID[c.owner] = u
	}
	u.services = append(u.services, service)
	u.size += c.size
	us.size += c.size
}

// shrinkUsers drops entries of those users that have most, until all together have no more
// than most. The caller holds mu.
func (p *past) shrinkUsers(us users, most int) {
	var sizes []int
	for _, u := range us.byUID {
		sizes = append(sizes, u.size)
	}
	each := level(sizes, most)
	for _, u := range us.byUID {
		if u.size > each {
			p.shrink(u.services, each)
		}
	}
}

// user is the services of one user, and the memory of their entries.
type user struct {
	services []string
	size     int
}

// before returns how many of the entries are older than the time.
func (c *changes) before(t time.Time) int {
	n := slices.IndexFunc(c.entries, func(e Entry) bool { return !e.Time.Before(t) })
	if n < 0 {
		return len(c.entries)
	}
	return n
}

// level returns the most that each may have, so that all together have no more than most.
func level(sizes []int, most int) int {
	slices.Sort(sizes)
	rest := most
	for i, size := range sizes {
		left := len(sizes) - i
		if size > rest/left {
			return rest / left
		}
		rest -= size
	}
	return most // they have less
}

// shrink drops entries of the services of one user until they have no more than most, or
// nothing is left to drop. The caller holds mu.
func (p *past) shrink(services []string, most int) {
	sizes, size := make([]int, len(services)), 0
	for i, service := range services {
		sizes[i] = p.byService[service].size
	}
	each := level(sizes, most)
	for _, service := range services {
		c := p.byService[service]
		n, left := 0, c.size
		for ; left > each && n < len(c.entries)-1; n++ {
			left -= c.entries[n].size(service)
		}
		p.drop(service, c, n)
		size += c.size
	}
	// Each has one entry, or few enough.
	slices.SortFunc(services, func(a, b string) int { return p.byService[a].last().Compare(p.byService[b].last()) })
	for _, service := range services {
		if c := p.byService[service]; size > most && !c.known {
			size -= c.size
			p.drop(service, c, len(c.entries))
		}
	}
	for _, service := range services {
		c := p.byService[service]
		if size <= most {
			return
		}
		if c == nil || c.size <= each || len(c.entries[0].Landmarks) == 0 {
			continue
		}
		size -= c.size
		e := &c.entries[0]
		p.grow(c, -e.size(service))
		e.Change = &Change{Judged: e.Judged} // other goroutines read the old one
		p.grow(c, e.size(service))
		size += c.size
	}
}

// last returns the time of the latest entry.
func (c *changes) last() time.Time { return c.entries[len(c.entries)-1].Time }
