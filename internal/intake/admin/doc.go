// Package admin is the intake of what operators want: it takes drains, their end
// and services to forget over the admin socket (proto/landmark/admin/v1), and
// hands them to the registry with the operator's user, as the kernel vouches for it.
package admin
