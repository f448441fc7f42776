// Package replay judges again what a journal has recorded, under another policy, and
// compares. It uses package judge itself; only the facts come from the journal.
//
// The lines of facts leave out how old things are that are renewed in time (package
// recorder). Between two such lines replay judges them as just renewed: a limit above the
// floor of the lines gives the same verdicts at the same instants. For a smaller limit
// replay judges twice, once as if what is left out was always new, and once as if it was
// as old as the lines of ages allow. What is true is between the two.
package replay
