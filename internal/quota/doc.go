// Package quota counts what each user makes the sidecar keep, so that no user can
// take what is meant for all.
package quota
