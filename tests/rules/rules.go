// Package rules holds the import rules of the house: server -> engine ->
// backend, and nobody around it. It owns the table of who may import whom;
// the test compares it with what `go list` says of every package, so a new
// package must be given its place here first.
package rules

// place is where a package stands.
type place struct {
	// may are the packages of this module that it may import. A package that
	// is not listed must not be imported.
	may []string
	// tests are those that its tests may import besides.
	tests []string
}

// places has a row for each package of the module, front to back.
var places = map[string]place{
	"": {}, // the directive of go generate

	"cmd/agent": {may: []string{
		"backend", "backend/fake", "backend/frr", "backend/gobgp", "backend/srcaddr", "bgp",
		"engine/commit", "engine/datastore", "engine/nacm", "engine/schema",
		"internal/nearest",
		"server", "server/authority", "server/gnmi", "server/gnmi/preview", "server/netconf",
	}, tests: []string{"backend/backendtest"}},

	"server":           {may: []string{"internal/fileio", "internal/nearest", "internal/netspace"}, tests: []string{"server/authority", "tests/netlab"}},
	"server/authority": {may: []string{"internal/fileio"}},
	"server/gnmi": {
		may:   []string{"bgp", "engine/commit", "engine/datastore", "engine/nacm", "engine/operstate", "engine/schema", "internal/nearest", "server", "server/gnmi/ocview", "server/gnmi/preview"},
		tests: append([]string{"server/authority"}, fixture...),
	},
	"server/gnmi/preview": {},
	"server/gnmi/ocview":  {may: []string{"bgp", "engine/schema"}},
	"server/netconf": {
		may:   []string{"bgp", "engine/commit", "engine/datastore", "engine/nacm", "engine/operstate", "engine/schema", "internal/xmltok", "server", "server/netconf/files", "server/netconf/frame", "server/netconf/rpc", "server/netconf/xmltree"},
		tests: append([]string{"server/authority"}, fixture...),
	},
	"server/netconf/files":   {},
	"server/netconf/frame":   {},
	"server/netconf/notify":  {may: []string{"server/netconf/xmltree"}, tests: []string{"internal/xmltok"}},
	"server/netconf/push":    {may: []string{"engine/commit", "engine/schema"}, tests: fixture},
	"server/netconf/xmltree": {may: []string{"engine/xpath", "internal/xmltok"}},
	"server/netconf/rpc": {
		may:   []string{"bgp", "engine/commit", "engine/datastore", "engine/nacm", "engine/operstate", "engine/schema", "engine/xpath", "gen", "internal/nearest", "internal/xmltok", "server", "server/netconf/files", "server/netconf/notify", "server/netconf/push", "server/netconf/xmltree", "yang"},
		tests: fixture,
	},

	"engine/commit": {
		may:   []string{"backend", "backend/srcaddr", "bgp", "engine/datastore", "engine/effective", "engine/nacm", "engine/operstate", "engine/plan", "engine/schema", "gen"},
		tests: []string{"backend/fake"},
	},
	"engine/datastore": {may: []string{"engine/schema", "internal/fileio"}, tests: []string{"bgp", "gen"}},
	"engine/effective": {may: []string{"backend/srcaddr", "bgp", "engine/schema", "gen"}},
	"engine/nacm":      {may: []string{"engine/schema", "gen"}, tests: []string{"bgp"}},
	"engine/operstate": {may: []string{"bgp"}},
	"engine/plan":      {may: []string{"bgp"}, tests: []string{"backend/fake"}},
	"engine/schema":    {may: []string{"bgp", "gen", "internal/nearest", "internal/xmltok"}, tests: []string{"yang"}},
	"engine/xpath":     {may: []string{"engine/schema", "internal/nearest", "internal/xsdre"}},

	"backend":             {may: []string{"bgp", "engine/plan"}},
	"backend/backendtest": {may: []string{"backend", "bgp", "engine/plan"}},
	"backend/fake":        {may: []string{"backend", "backend/transport", "bgp", "engine/plan"}, tests: []string{"backend/backendtest"}},
	"backend/frr":         {may: []string{"backend", "bgp", "engine/plan"}, tests: []string{"backend/backendtest", "tests/netlab", "tests/remotes"}},
	"backend/gobgp":       {may: []string{"backend", "backend/transport", "bgp", "engine/plan"}, tests: []string{"backend/backendtest", "tests/netlab", "tests/remotes"}},
	"backend/srcaddr":     {may: []string{"bgp", "internal/netspace"}},
	"backend/transport":   {may: []string{"bgp", "internal/netspace"}, tests: []string{"tests/netlab"}},

	"bgp": {},
	// The generator's output and what it is made from.
	"gen":               {},
	"yang":              {},
	"internal/fileio":   {},
	"internal/nearest":  {},
	"internal/netspace": {},
	"internal/xmltok":   {},
	"internal/xsdre":    {},
	"internal/yanggen":  {may: []string{"internal/xsdre", "yang"}, tests: []string{"gen"}},

	"tests/rules":       {},
	"tests/conformance": {},
	"tests/documents":   {tests: []string{"tests/netlab"}},
	"tests/netlab":      {},
	"tests/report":      {},
	"tests/remotes":     {may: []string{"backend", "backend/backendtest", "bgp", "engine/plan", "tests/netlab"}},
	"tests/runner":      {may: []string{"tests/netlab"}},
	"tests/e2e":         {tests: []string{"server/gnmi/preview", "tests/netlab", "tests/runner"}}, // as a client has the message
	"tests/crash":       {tests: []string{"tests/runner"}},
	"tests/bench":       {tests: []string{"tests/netlab", "tests/runner"}},
}

// fixture is what the test of a front end puts behind it, a real engine with
// the fake backend; and what holds its guide against the tests.
var fixture = []string{"backend", "backend/fake", "backend/srcaddr", "engine/plan", "gen", "tests/conformance"}

// seal keeps packages from reaching others on any way, however long.
type seal struct {
	who, what []string // prefixes of packages; of the module, or import paths
	why       string
}

var seals = []seal{
	{
		who: []string{"backend", "bgp", "engine/plan", "engine/operstate"}, what: []string{"gen", "yang", "engine/schema", "engine/datastore", "engine/commit", "server", "github.com/openconfig"},
		why: "backends, planner and domain words never see YANG, the datastore or a front end",
	},
	{
		who: []string{"engine", "server"}, what: []string{"backend/gobgp", "backend/frr", "backend/fake", "github.com/osrg/gobgp"},
		why: "engine and front ends never see a BGP speaker",
	},
	{
		who: []string{"engine"}, what: []string{"server"},
		why: "the engine never sees a front end",
	},
	{
		who: []string{"bgp"}, what: []string{"mooring/engine", "golang.org", "github.com", "google.golang.org", "go.yaml.in", "go.etcd.io", "go.uber.org"},
		why: "package bgp imports the standard library only",
	},
}

// holders are the modules that only some packages may import themselves: each
// of them is one package's business, or the wiring's.
var holders = map[string][]string{
	"github.com/osrg/gobgp/v4":          {"backend/gobgp", "cmd/agent"}, // the demo's remote is one
	"go.etcd.io/bbolt":                  {"engine/datastore"},
	"github.com/tidwall/btree":          {testsOnly, "engine/datastore", "engine/operstate"},
	"github.com/vishvananda/netlink":    {"backend/srcaddr", "backend/transport", "tests/netlab"},
	"github.com/vishvananda/netns":      {"backend/srcaddr", "internal/netspace", "tests/netlab"},
	"google.golang.org/grpc":            {"server/gnmi", "cmd/agent", "tests/runner", "tests/e2e", "tests/crash", "tests/bench"},
	"github.com/openconfig/gnmi":        {"server/gnmi", "cmd/agent", "tests/runner", "tests/e2e", "tests/crash", "tests/bench"},
	"github.com/openconfig/goyang":      {"internal/yanggen"},
	"github.com/Juniper/go-netconf":     {testsOnly, "tests/runner", "tests/e2e", "tests/crash", "tests/bench"},
	"go.yaml.in/yaml/v3":                {"cmd/agent", "server", "tests/documents"},
	"github.com/rogpeppe/go-internal":   {"cmd/agent"},
	"github.com/google/go-cmp":          {testsOnly, "backend/backendtest"},
	"go.uber.org/goleak":                {testsOnly},
	"github.com/scrapli/scrapligo":      {testsOnly},
	"github.com/openconfig/ygot/ytypes": {},
}

// testsOnly lets every package's tests import a module.
const testsOnly = "tests only"
