// Package documents runs what the README and docs/ print, as a reader would
// paste it: page by page, block by block, against the agent of this tree, stock
// daemons, and gnmic's own code (tests/clients/gnmic). It owns where the blocks
// of a page are run and which are not, with the reason; it must never change the
// text of a block but for the words in capitals that a page leaves to its reader.
//
// A page has a machine of its own: namespaces for network, mounts and processes,
// in which what a block writes below /etc, /usr/local, /var/lib and the working
// tree is gone at the end. Its blocks run in their order and see each other's
// variables.
package documents
