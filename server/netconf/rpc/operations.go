package rpc

import (
	"mooring/engine/schema"
)

// operations are those that are served, each in its own file.
var operations = func() map[name]*operation {
	m := map[name]*operation{}
	for local, op := range map[string]operation{
		"get":             getOperation,
		"get-config":      getConfigOperation,
		"edit-config":     editConfigOperation,
		"copy-config":     copyConfigOperation,
		"delete-config":   deleteConfigOperation,
		"lock":            lockOperation,
		"unlock":          unlockOperation,
		"commit":          commitOperation,
		"cancel-commit":   cancelCommitOperation,
		"discard-changes": discardChangesOperation,
		"validate":        validateOperation,
		"close-session":   closeSessionOperation,
		"kill-session":    killSessionOperation,
	} {
		m[name{local, BaseNamespace}] = &op
	}
	m[name{"update", privateNS}] = &updateOperation
	m[name{"compare", compareNS}] = &compareOperation
	m[name{"get-schema", monitoringNS}] = &getSchemaOperation
	m[name{"create-subscription", notificationNS}] = &createSubscriptionOperation
	m[name{"get-data", nmdaNS}] = &getDataOperation
	m[name{"edit-data", nmdaNS}] = &editDataOperation
	m[name{"partial-lock", partialLockNS}] = &partialLockOperation
	m[name{"partial-unlock", partialLockNS}] = &partialUnlockOperation
	for local, op := range map[string]operation{
		"establish-subscription": establishSubscriptionOperation,
		"modify-subscription":    modifySubscriptionOperation,
		"delete-subscription":    deleteSubscriptionOperation,
		"kill-subscription":      killSubscriptionOperation,
	} {
		m[name{local, subscribedNS}] = &op
	}
	m[name{"resync-subscription", pushNS}] = &resyncSubscriptionOperation
	for local, run := range map[string]func(*call, input) (body, error){
		"preview":    preview,
		"reset-peer": resetPeer,
		"rollback":   rollback,
	} {
		o := schema.RPC(local)
		m[name{local, o.Namespace}] = modelOperation(o, run)
	}
	return m
}()
