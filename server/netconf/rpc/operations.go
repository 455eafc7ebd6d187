package rpc

// operations are those of the base namespace that are served. Each has its own
// file. confirmed-commit, get-schema and the like join this table when their
// capability is announced.
var operations = map[string]operation{
	"get":             getOperation,
	"get-config":      getConfigOperation,
	"edit-config":     editConfigOperation,
	"copy-config":     copyConfigOperation,
	"delete-config":   deleteConfigOperation,
	"lock":            lockOperation,
	"unlock":          unlockOperation,
	"commit":          commitOperation,
	"discard-changes": discardChangesOperation,
	"validate":        validateOperation,
	"close-session":   closeSessionOperation,
	"kill-session":    killSessionOperation,
}
