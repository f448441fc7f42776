// Package quota counts what each user makes the sidecar keep, and each client makes it
// hold, so that none can take what is meant for all.
package quota
