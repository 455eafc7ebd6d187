package gnmi

import (
	"context"
	"fmt"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"mooring/engine/schema"
	"mooring/server/gnmi/ocview"
	"mooring/server/gnmi/preview"
)

// version is the gNMI version that the generated code was made from.
var version = proto.GetExtension(gpb.File_github_com_openconfig_gnmi_proto_gnmi_gnmi_proto.Options(), gpb.E_GnmiService).(string)

// models are the modules that Get and Set accept (gnmi.md 1, 2).
var models = func() []*gpb.ModelData {
	var out []*gpb.ModelData
	for _, m := range schema.Modules() {
		if m.Implemented {
			out = append(out, &gpb.ModelData{Name: m.Name, Organization: m.Organization, Version: m.Revision})
		}
	}
	return append(out, openConfigModels()...)
}()

// encodings are those that Get and Subscribe speak (gnmi.md 3).
var encodings = []gpb.Encoding{gpb.Encoding_JSON, gpb.Encoding_JSON_IETF, gpb.Encoding_PROTO}

// supportedExtensions tells clients what no field of a CapabilityResponse does
// (gnmi.md 5).
var supportedExtensions = []string{
	"Get: depth",
	"Set: 999 mooring.gnmi.Preview",
	"Set: commit",
	"Set: master_arbitration",
	"Subscribe: config_subscription",
	"Subscribe: depth",
	"Subscribe: history",
}

// Capabilities tells models, encodings and version.
func (s *Server) Capabilities(_ context.Context, req *gpb.CapabilityRequest) (*gpb.CapabilityResponse, error) {
	if _, err := readExtensions(rpcCapabilities, req.GetExtension()); err != nil {
		return nil, err
	}
	exts, err := registered(&preview.Preview{SupportedExtension: supportedExtensions})
	if err != nil {
		return nil, statusOf(err)
	}
	return &gpb.CapabilityResponse{SupportedModels: models, SupportedEncodings: encodings, GNMIVersion: version, Extension: exts}, nil
}

// moduleSet are the modules that a request wants to see; nil is all.
type moduleSet map[string]bool

// modulesOf reads use_models (gnmi.md 25, 63).
func modulesOf(use []*gpb.ModelData) (moduleSet, error) {
	if len(use) == 0 {
		return nil, nil
	}
	set := moduleSet{}
	for _, u := range use {
		if !known(u) {
			return nil, fault{
				code: codes.Unimplemented, path: "use_models",
				reason: fmt.Sprintf("model %s of %s, version %s, is not one of the capabilities", quote(u.GetName()), quote(u.GetOrganization()), quote(u.GetVersion())),
			}.err()
		}
		set[u.GetName()] = true
		if ocview.Owned(u.GetName()) { // each of them stands for the whole tree
			set[ocview.Top().Node().Module] = true
		}
	}
	return set, nil
}

// known says whether u names a model; what u leaves out is not compared.
func known(u *gpb.ModelData) bool {
	for _, m := range models {
		if m.Name == u.GetName() {
			return (u.GetOrganization() == "" || u.GetOrganization() == m.Organization) &&
				(u.GetVersion() == "" || u.GetVersion() == m.Version)
		}
	}
	return false
}

// has says whether a node belongs to the set. Modules do not augment each
// other, so the top-level node decides for all below it.
func (m moduleSet) has(n *schema.Node) bool { return m == nil || n.Module == "" || m[n.Module] }

// checkEncoding refuses what is not served (gnmi.md 19, 57).
func checkEncoding(e gpb.Encoding) error {
	for _, ok := range encodings {
		if e == ok {
			return nil
		}
	}
	return fault{
		code: codes.Unimplemented, path: "encoding",
		reason: fmt.Sprintf("%s is not served: use JSON, JSON_IETF or PROTO", e),
	}.err()
}
