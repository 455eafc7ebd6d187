package gnmi

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"mooring/server/gnmi/preview"
)

// hiding is rules that hide something of the configuration, and what is only
// there, in the second of two agents.
type hiding struct {
	name    string
	rules   []string
	write   bool // write-default
	secrets []*gpb.Update
}

var hiddenVPN2 = rule("vpn2", vpnPath+"[name='vpn2']", "*", "deny") + "," + rule("its place", "/mooring-vpn-instance:vpn-instances/vpn-instance[name='vpn2']", "*", "deny")

func hidings() []hiding {
	authed := update(thePeer+"/transport/authentication/config", jsonVal(`{"method":"md5","password":"S3cret"}`))
	hidden := []*gpb.Update{
		update(vpn2+"/peers/peer[address=10.2.2.2]", jsonVal(`{"config":{"as":200}}`)), update(vpn2+"/peers/peer[address=10.1.1.2]/config/description", jsonVal(`"mine"`)),
	}
	return []hiding{
		{name: "a reader", secrets: []*gpb.Update{authed}},
		{
			name: "a guest", secrets: hidden,
			rules: []string{rule("vpn1", vpnPath+"[name='vpn1']", "read", "permit"), rule("rest", "/mooring-bgp:bgp", "*", "deny"), hiddenVPN2},
		},
		{
			name: "an operator", secrets: append(hidden, update(thePeer+"/config/description", jsonVal(`"mine"`))),
			rules: []string{
				rule("text", vpnPath+"/peers/peer/config/description", "*", "deny"), rule("shown", vpnPath+"/peers/peer/state/description", "*", "deny"),
				rule("vpn1", vpnPath+"[name='vpn1']", "*", "permit"), hiddenVPN2, rule("rest", "/mooring-bgp:bgp", "*", "permit"),
			},
		},
		{name: "who may write and not read", write: true, secrets: append(hidden, authed), rules: []string{hiddenVPN2}},
	}
}

// changing is what may differ between two answers: times, identifiers, and how
// often a session has been reset, which is no configuration.
var changing = regexp.MustCompile(`"last-reset":\{.*?\},?|"resets":\{.*?\},?|"established-transitions":"?\d+"?|\d{4}-\d\d-\d\dT[0-9:.]+Z?|timestamp:\s*\d+|"(commit-)?id":"\d+"|commit_id:"\d+"`)

// What a user may not read makes no difference to any answer (gnmi.md 102).
func TestAnswersDoNotTellWhatIsHidden(t *testing.T) {
	for _, h := range hidings() {
		t.Run(h.name, func(t *testing.T) {
			var users [2]*rig
			for i := range users {
				r := newGuardedRig(t).twoVPNs()
				r.rules(h.rules...)
				if h.write {
					r.set(&gpb.SetRequest{Update: []*gpb.Update{update("/nacm/write-default", jsonVal(`"permit"`))}})
				}
				for n, s := range h.secrets {
					if i == 0 { // as many commits
						s = update(fmt.Sprintf("/nacm/groups/group[name=g%d]", n), jsonVal("{}"))
					}
					r.set(&gpb.SetRequest{Update: []*gpb.Update{s}})
				}
				users[i] = r.as("operator")
			}
			rnd := rand.New(rand.NewPCG(1, uint64(len(h.name)))) //nolint:gosec // the same each time
			tried := map[codes.Code]int{}
			for range 1000 {
				set, get := randomSet(t, rnd), randomGet(rnd)
				var said [2]string
				for i, u := range users {
					var err error
					var resp proto.Message
					if get != nil {
						resp, err = u.client.Get(u.ctx(), get)
					} else {
						resp, err = u.client.Set(u.ctx(), set)
					}
					said[i] = changing.ReplaceAllString(strings.ReplaceAll(prototext.MarshalOptions{}.Format(resp), `\"`, `"`), "")
					if err != nil {
						said[i] = changing.ReplaceAllString(status.Convert(err).String(), "")
					}
					if i == 0 {
						tried[status.Code(err)]++
					}
				}
				if strings.Join(strings.Fields(said[0]), "") != strings.Join(strings.Fields(said[1]), "") {
					t.Fatalf("%v %v\nwithout: %s\nwith:    %s", set, get, said[0], said[1])
				}
			}
			if len(tried) < 3 {
				t.Errorf("the requests were all answered alike: %v", tried)
			}
			t.Log(tried)
		})
	}
}

func randomGet(r *rand.Rand) *gpb.GetRequest {
	if r.IntN(4) > 0 {
		return nil
	}
	paths := []string{
		"/", "/bgp", vpn1, vpn2, vpn2 + "/peers/peer[address=10.2.2.2]", vpn2 + "/peers/peer[address=10.2.2.9]", thePeer,
		thePeer + "/transport/authentication/config/password", "/vpn-instances", "/network-instances", "/network-instances/network-instance[name=vpn2]",
		"/bgp/instances/instance[name=*]/vpn-instances/vpn-instance[name=*]/peers/peer[address=*]/config",
	}
	return &gpb.GetRequest{
		Path: []*gpb.Path{path(paths[r.IntN(len(paths))])}, Type: gpb.GetRequest_CONFIG,
		Encoding: []gpb.Encoding{gpb.Encoding_PROTO, gpb.Encoding_JSON_IETF}[r.IntN(2)],
	}
}

func randomSet(t *testing.T, r *rand.Rand) *gpb.SetRequest {
	t.Helper()
	pick := func(texts ...string) string { return texts[r.IntN(len(texts))] }
	vpn := strings.Replace(vpn1, "vpn1", pick("vpn1", "vpn2", "vpn3"), 1)
	peer := vpn + "/peers/peer[address=" + pick("10.1.1.2", "10.2.2.2", "10.2.2.9", "*") + "]"
	req := &gpb.SetRequest{}
	if r.IntN(4) == 0 {
		req.Extension = previewExt(t, &preview.Preview{DryRun: r.IntN(2) == 0})
	}
	for range 1 + r.IntN(2) {
		if r.IntN(3) == 0 {
			at := pick(peer, peer, peer+"/config/description", peer+"/transport", peer+"/transport/authentication/config/password", vpn, vpn+"/peers", "/bgp",
				"/vpn-instances/vpn-instance[name="+pick("vpn1", "vpn2", "vpn3")+"]", "/network-instances/network-instance[name="+pick("vpn2", "vpn3", "*")+"]")
			req.Delete = append(req.Delete, path(at))
			continue
		}
		peer := strings.Replace(peer, "*", "10.1.1.2", 1)
		u := update(peer+"/config/description", jsonVal(`"`+pick("mine", "plans", "one")+`"`))
		switch r.IntN(7) {
		case 0:
			u = update(peer, jsonVal(pick(`{}`, peerJSON, `{"config":{"as":200}}`, `{"config":{"peer-group":"g1"}}`)))
		case 1:
			u = update(peer+"/transport/authentication/config/password", jsonVal(`"`+pick("S3cret", "guess")+`"`))
		case 2:
			u = update(peer+"/transport/authentication/config/method", jsonVal(`"md5"`))
		case 3:
			u = update(pick(vpn, "/bgp"), jsonVal("{}"))
		case 4:
			u = update("/network-instances/network-instance[name="+pick("vpn1", "vpn2", "vpn3")+"]/config/description", jsonVal(`"`+pick("a", "b")+`"`))
		case 5:
			u = update("/vpn-instances/vpn-instance[name="+pick("vpn1", "vpn2", "vpn3")+"]", jsonVal(`{}`))
		}
		if r.IntN(3) == 0 {
			req.Replace = append(req.Replace, u)
		} else {
			req.Update = append(req.Update, u)
		}
	}
	if r.IntN(6) == 0 {
		req.UnionReplace, req.Delete, req.Replace, req.Update = append(req.Replace, req.Update...), nil, nil, nil
	}
	return req
}

// A guess of a secret is answered alike whether it is right (gnmi.md 102).
func TestSecretsCannotBeGuessed(t *testing.T) {
	r := newGuardedRig(t).example()
	r.set(&gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/transport/authentication/config", jsonVal(`{"method":"md5","password":"S3cret"}`))}})
	guest := r.as("guest")
	var said [2]string
	for i, word := range []string{"guess", "S3cret"} {
		_, err := guest.client.Set(guest.ctx(), &gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/transport/authentication/config/password", jsonVal(`"`+word+`"`))}})
		wantStatus(t, err, codes.PermissionDenied, "password")
		said[i] = err.Error()
	}
	if said[0] != said[1] {
		t.Errorf("a wrong guess: %s\nthe right one: %s", said[0], said[1])
	}
}
