package metrics

import (
	"strings"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

const (
	// maxLandmarks is how many landmarks these metrics have, and maxLandmarksOfUser
	// how many of one user other than root and landmarkd's own: of 65,536 that the
	// user may declare.
	maxLandmarks       = 32_768
	maxLandmarksOfUser = 4_096
)

// landmarkFamily is a family with metrics of each landmark.
type landmarkFamily struct {
	name, help string
	write      func(l *landmark)
}

// landmark is a landmark of a scrape.
type landmark struct {
	s       *scrape
	service string
	name    string
	source  string // program or host
	*registry.Landmark
}

var byLandmark = []string{"service", "landmark", "source"}

// add adds a metric of the landmark.
func (l *landmark) add(value float64) { l.s.add(value, byLandmark, l.service, l.name, l.source) }

var landmarkFamilies = []landmarkFamily{
	{"landmark_failing", "Whether the landmark fails.", writeFailing},
	{"landmark_age_seconds", "Since the landmark was last reached.", func(l *landmark) { l.add(l.Age.Seconds()) }},
	{"landmark_age_limit_seconds", "How old that may be.", writeAgeLimit},
	{"landmark_lag_seconds", "How long the last answer of the Loop took.", func(l *landmark) {
		if l.Kind == judge.KindLoop && l.Reached {
			l.add(l.Lag.Seconds())
		}
	}},
	{"landmark_open_work", "How much work is open at the Deadline.", func(l *landmark) {
		if l.Kind == judge.KindDeadline {
			l.add(float64(l.Pending))
		}
	}},
	{"landmark_condition_met", "Whether the Condition was met when it was last set.", func(l *landmark) {
		if l.Kind == judge.KindCondition && l.Reached {
			l.add(oneIf(l.Met))
		}
	}},
	{"landmark_level", "The number of the Level.", func(l *landmark) {
		if l.Kind == judge.KindLevel && l.Reached {
			l.add(l.Value)
		}
	}},
	{"landmark_level_limit", "Where the Level begins to lower the weight, and where it fails.", writeLevelLimits},
}

var byKind = []string{"service", "landmark", "source", "kind", "impact"}

func writeFailing(l *landmark) {
	l.s.add(oneIf(l.State == judge.Failing), byKind, l.service, l.name, l.source, l.Kind.String(), l.Impact.String())
}

func writeAgeLimit(l *landmark) {
	switch {
	case l.Within > 0:
		l.add(l.Within.Seconds())
	case l.Kind == judge.KindCondition && l.TTL > 0:
		l.add(l.TTL.Seconds())
	}
}

var byLimit = []string{"service", "landmark", "source", "limit"}

func writeLevelLimits(l *landmark) {
	if l.Kind == judge.KindLevel {
		l.s.add(l.Limits.DegradeAt, byLimit, l.service, l.name, l.source, "degrade")
		l.s.add(l.Limits.FailAt, byLimit, l.service, l.name, l.source, "fail")
	}
}

// writeLandmarks writes a family, and returns how many landmarks are beyond the limits.
// Of a service that has too many, those that fail are written first.
func (s *scrape) writeLandmarks(f *landmarkFamily) (omitted int) {
	s.begin(f.name, f.help, gauge)
	left, users := maxLandmarks, make(map[uint32]int)
	l := &landmark{s: s}
	for _, name := range s.names {
		of, known := s.source.Status(name)
		if !known || s.err != nil {
			continue
		}
		landmarks := of.Answers[judge.Readiness].Landmarks()
		most := min(len(landmarks), left)
		if !of.Trusted {
			most = min(most, maxLandmarksOfUser-users[of.UID])
			users[of.UID] += most
		}
		left -= most
		omitted += len(landmarks) - most
		l.service = name
		for i := range landmarks[:most] {
			l.Landmark, l.name, l.source = &landmarks[i], strings.ToValidUTF8(landmarks[i].Name, "\uFFFD"), "program"
			if l.OfHost {
				l.source = "host"
			}
			f.write(l)
		}
	}
	return omitted
}
