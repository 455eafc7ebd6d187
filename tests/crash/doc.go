// Package crash kills the agent with SIGKILL in the middle of its work, some
// hundred times, and looks at what the next start finds.
//
// It holds the promise of the datastore against the real process: a commit that
// was answered is on disk, a commit is there whole or not at all, and the agent
// starts again whatever the moment was.
package crash
