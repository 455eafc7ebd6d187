package rpc

import (
	"mooring/engine/schema"
	"mooring/server/netconf/xmltree"
)

// identity is one that an error or a notification of a subscription names.
type identity struct {
	module, prefix, namespace string
	name                      string
	tag                       schema.Tag // of an error (RFC 8640 7)
}

func subscribed(name string, tag schema.Tag) *identity {
	return &identity{"ietf-subscribed-notifications", "sn", subscribedNS, name, tag}
}

func pushing(name string, tag schema.Tag) *identity {
	return &identity{"ietf-yang-push", "yp", pushNS, name, tag}
}

// The identities that this server uses, with the error-tags that RFC 8640 7
// gives them: those of RFC 8639 and those of RFC 8641.
var (
	encodingUnsupported   = subscribed("encoding-unsupported", schema.InvalidValue)
	filterUnsupported     = subscribed("filter-unsupported", schema.InvalidValue)
	insufficientResources = subscribed("insufficient-resources", schema.ResourceDenied)
	noSuchSubscription    = subscribed("no-such-subscription", schema.InvalidValue)
	unsupportableVolume   = subscribed("unsupportable-volume", 0)

	datastoreNotSubscribable = pushing("datastore-not-subscribable", schema.InvalidValue)
	noSubscriptionResync     = pushing("no-such-subscription-resync", schema.InvalidValue)
	onChangeUnsupported      = pushing("on-change-unsupported", schema.OperationNotSupported)
	onChangeSyncUnsupported  = pushing("on-change-sync-unsupported", schema.OperationNotSupported)
	periodUnsupported        = pushing("period-unsupported", schema.InvalidValue)
	unchangingSelection      = pushing("unchanging-selection", schema.OperationFailed)
)

// leaf is the identity as the reason of a notification or of error-info.
func (i *identity) leaf() xmltree.Element {
	e := xmltree.Leaf("reason", i.prefix+":"+i.name)
	e.Prefixes = []xmltree.Prefix{{Name: i.prefix, Namespace: i.namespace}}
	return e
}

// error is an rpc-error with the identity as its error-app-tag (RFC 8640 7).
func (i *identity) error(message string) *Error {
	return &Error{Type: typeApplication, Tag: i.tag, AppTag: i.module + ":" + i.name, Message: message}
}

// why adds a container of error-info with the reason and hints: one of the
// yang-data of the operation.
func (e *Error) why(container, namespace string, i *identity, hints ...xmltree.Element) *Error {
	info := xmltree.New(container, append([]xmltree.Element{i.leaf()}, hints...)...).In(namespace)
	e.info = append(e.info, info)
	return e
}
