package xpath

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
)

const zoo = `<zoo xmlns="urn:zoo">
	<cage><name>a</name><size>1</size><guest>cat</guest><guest>dog</guest></cage>
	<cage><name>b</name><size>20</size><inner><cage><name>c</name><size>3</size></cage></inner></cage>
	<cage><name>d</name><size>x</size><note xmlns="urn:other">it's "here"</note></cage>
	<empty/>
</zoo><other xmlns="urn:other"><name>a</name></other>`

var zooScope = &Scope{Prefixes: map[string]string{"z": "urn:zoo", "o": "urn:other"}, Default: "urn:zoo", Variables: []string{"USER"}}

func zooContext(t testing.TB) Context {
	return Context{Document: NewDocument(parseXML(t, zoo)), Variables: map[string]string{"USER": "b"}}
}

// netconf.md 46: axes, predicates, unions.
func TestNodes(t *testing.T) {
	tests := []struct{ expr, want string }{
		{"/", "/"},
		{"/zoo", "zoo"},
		{"/*", "zoo other"},
		{"/z:*", "zoo"},
		{"/o:other/o:name", "name=a"},
		{"/other", ""}, // another namespace
		{"zoo/cage/name", "name=a name=b name=d"},
		{"/child::zoo/child::cage/child::name", "name=a name=b name=d"},
		{"//name", "name=a name=b name=c name=d"},
		{"//cage[name='c']/size", "size=3"},
		{"/zoo//cage/name", "name=a name=b name=c name=d"},
		{"//cage//name", "name=a name=b name=c name=d"},
		{"//cage[1]/name", "name=a name=c"}, // the first of each parent
		{"(//cage)[1]/name", "name=a"},
		{"(//cage)[last()]/name", "name=d"},
		{"/zoo/cage[2]/name", "name=b"},
		{"/zoo/cage[last()]/name", "name=d"},
		{"/zoo/cage[position()>1]/name", "name=b name=d"},
		{"/zoo/cage[position()=last()-1]/name", "name=b"},
		{"/zoo/cage[size]/name", "name=a name=b name=d"},
		{"/zoo/cage[guest][1]/name", "name=a"},
		{"/zoo/cage[size > 2]/name", "name=b"},
		{"/zoo/cage[size = '1' or name = 'd']/name", "name=a name=d"},
		{"/zoo/cage[not(guest)]/name", "name=b name=d"},
		{"/zoo/cage[guest = 'dog']/name", "name=a"},
		{"/zoo/cage[guest != 'dog']/name", "name=a"},
		{"/zoo/cage[name = $USER]/name", "name=b"},
		{"/zoo/cage['b' = name]/name", "name=b"},
		{"/zoo/cage[o:note]/name", "name=d"},
		{"/zoo/cage/guest[. = 'cat']", "guest=cat"},
		{"/zoo/cage/guest/text()", "=cat =dog"},
		{"/zoo/cage[name/text() = 'b']/size", "size=20"},
		{"/zoo/cage/guest/..", "cage"},
		{"//inner/parent::cage/name", "name=b"},
		{"//inner/parent::zoo", ""},
		{"//inner/ancestor::*", "zoo cage"},
		{"//inner/ancestor::*[1]/name", "name=b"}, // counted from the inside
		{"//inner/ancestor-or-self::node()", "/ zoo cage inner"},
		{"//guest[1]/following-sibling::*", "guest=dog"},
		{"//guest[2]/preceding-sibling::*", "name=a size=1 guest=cat"},
		{"//guest[2]/preceding-sibling::*[1]", "guest=cat"},
		{"//inner/following::name", "name=d"},
		{"//inner/following::o:*", "note=it's \"here\" other name=a"},
		{"//inner/preceding::*", "cage name=a size=1 guest=cat guest=dog name=b size=20"},
		{"//inner/preceding::*[1]", "size=20"},
		{"//inner/descendant::*", "cage name=c size=3"},
		{"//inner/descendant-or-self::*[1]", "inner"},
		{"//inner/self::inner", "inner"},
		{"//inner/self::cage", ""},
		{"//inner/node()", "cage"},
		{"//name | //size", "name=a size=1 name=b size=20 name=c size=3 name=d size=x"},
		{"//size | //size", "size=1 size=20 size=3 size=x"},
		{"(/zoo/cage | //cage)/name", "name=a name=b name=c name=d"},
		{"/zoo/cage/@name", ""},
		{"/zoo/attribute::*", ""},
		{"/zoo/namespace::z", ""},
		{"//comment() | //processing-instruction('x')", ""},
		{"/zoo/cage[@x]", ""},
		{"current()/zoo/empty", "empty="},
		{"id('x')", ""},
		{"/zoo/cage[name=../cage[2]/name]/size", "size=20"},
		{"/zoo/cage[name=/o:other/o:name]/size", "size=1"},
		{"/zoo/cage[name=//guest]/size", ""},
		{"/zoo/cage[name=//cage/name]/size", "size=1 size=20 size=x"},
		{"/zoo/cage[2][1]/name", "name=b"},
		{"/zoo/cage[true()]/name[. != 'a']", "name=b name=d"},
		{"/zoo/cage[count(guest) = 2]/guest[2]", "guest=dog"},
		{"/zoo/div", ""},
		{"/zoo/*[local-name() = 'empty']", "empty="},
	}
	for _, tt := range tests {
		t.Run(tt.expr, func(t *testing.T) {
			x, err := Compile(tt.expr, zooScope)
			if err != nil {
				t.Fatal(err)
			}
			set, err := x.Nodes(t.Context(), zooContext(t))
			if got := show(set); got != tt.want || err != nil {
				t.Errorf("got  %s, %v\nwant %s", got, err, tt.want)
			}
		})
	}
}

// netconf.md 46: the core function library and the conversions.
func TestText(t *testing.T) {
	tests := []struct{ expr, want string }{
		{"1 + 2 * 3", "7"},
		{"(1 + 2) * 3", "9"},
		{"7 mod 3 - -1", "2"},
		{"-7 mod 3", "-1"},
		{"1 div 0", "Infinity"},
		{"-1 div 0", "-Infinity"},
		{"0 div 0", "NaN"},
		{"-0", "0"},
		{"--3", "3"},
		{"0.5", "0.5"},
		{".5 + .25", "0.75"},
		{"100000000000000000000 * 1", "100000000000000000000"},
		{"'a' = 'a'", "true"},
		{"1 = '1.0'", "true"},
		{"'1' = '1.0'", "false"},
		{"true() = 'x'", "true"},
		{"true() > false()", "true"},
		{"//size > 19", "true"},
		{"//size < 1", "false"},
		{"19 < //size", "true"},
		{"//size = 20.0", "true"},
		{"//name = //guest", "false"},
		{"//name != //name", "true"},
		{"/zoo/empty != /zoo/empty", "false"},
		{"//size > //cage/size", "true"},
		{"//guest < //size", "false"},
		{"//nothing = ''", "false"},
		{"//nothing = false()", "true"},
		{"//nothing < true()", "true"},
		{"not(//nothing)", "true"},
		{"boolean('false')", "true"},
		{"boolean(0)", "false"},
		{"string(//cage[2])", "b20c3"},
		{"string()", "a1catdogb20c3dxit's \"here\"a"},
		{"string(true())", "true"},
		{"number('12 ')", "12"},
		{"number('1e3')", "NaN"},
		{"number('')", "NaN"},
		{"number(true())", "1"},
		{"concat('a', 1, true())", "a1true"},
		{"starts-with('abc', 'ab')", "true"},
		{"contains('abc', 'd')", "false"},
		{"substring-before('a/b', '/')", "a"},
		{"substring-before('ab', '/')", ""},
		{"substring-after('a/b', '/')", "b"},
		{"substring-after('ab', '/')", ""},
		{"substring('12345', 2, 3)", "234"},
		{"substring('12345', 2)", "2345"},
		{"substring('12345', 1.5, 2.6)", "234"},
		{"substring('12345', 0, 3)", "12"},
		{"substring('12345', 0 div 0, 3)", ""},
		{"substring('12345', 1, 0 div 0)", ""},
		{"substring('12345', -42, 1 div 0)", "12345"},
		{"substring('12345', -1 div 0, 1 div 0)", ""},
		{"substring('äöü', 2, 1)", "ö"},
		{"string-length('äöü')", "3"},
		{"normalize-space('  a \t b ')", "a b"},
		{"translate('bar', 'abc', 'AB')", "BAr"},
		{"translate('--aaa--', 'abc-', 'ABC')", "AAA"},
		{"count(//cage)", "4"},
		{"sum(//cage/size[. != 'x'])", "24"},
		{"sum(//size)", "NaN"},
		{"floor(-1.5)", "-2"},
		{"ceiling(1.2)", "2"},
		{"round(2.5)", "3"},
		{"round(-2.5)", "-2"},
		{"round(0 div 0)", "NaN"},
		{"local-name(//o:note)", "note"},
		{"namespace-uri(//o:note)", "urn:other"},
		{"name(//o:note)", "o:note"},
		{"name(//nothing)", ""},
		{"local-name(/)", ""},
		{"last()", "1"},
		{"lang('en')", "false"},
		{"$USER", "b"},
		{`"it's"`, "it's"},
		{"//guest[2]", "dog"},
		{"3 - 2", "1"},
		{"6 div 2 = 3 and 1 or 0", "true"},
		{"string(1 < 2) = 'true'", "true"},
	}
	for _, tt := range tests {
		t.Run(tt.expr, func(t *testing.T) {
			x, err := Compile(tt.expr, zooScope)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := x.Text(t.Context(), zooContext(t)); got != tt.want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
	x, err := Compile("//size", zooScope)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := x.Number(t.Context(), zooContext(t)); n != 1 || err != nil {
		t.Errorf("number of a set: %v, %v", n, err)
	}
	if b, err := x.Bool(t.Context(), zooContext(t)); !b || err != nil {
		t.Errorf("boolean of a set: %v, %v", b, err)
	}
}

// netconf.md 46: what is wrong with an expression is said, with its place.
func TestCompileErrors(t *testing.T) {
	tests := []struct {
		expr   string
		reason error
		offset int
	}{
		{"", ErrSyntax, 0},
		{"/zoo/", ErrSyntax, 5},
		{"/zoo[", ErrSyntax, 5},
		{"/zoo]", ErrSyntax, 4},
		{"/zoo[name='a'", ErrSyntax, 13},
		{"'a", ErrSyntax, 0},
		{"1 +", ErrSyntax, 3},
		{"a b", ErrSyntax, 2},
		{"//", ErrSyntax, 2},
		{"(1", ErrSyntax, 2},
		{"up::a", ErrSyntax, 0},
		{"child::", ErrSyntax, 7},
		{"a:", ErrSyntax, 2},
		{"#", ErrSyntax, 0},
		{"a or", ErrSyntax, 4},
		{"text(1)", ErrSyntax, 5},
		{"count()", ErrSyntax, 0},
		{"true(1)", ErrSyntax, 0},
		{"concat('a')", ErrSyntax, 0},
		{"last", nil, 0}, // a name
		{"nobody:x", ErrName, 0},
		{"/zoo/x:*", ErrName, 5},
		{"frobnicate(1)", ErrName, 0},
		{"z:count(1)", ErrName, 0},
		{"$nobody", ErrName, 0},
		{"1 | //a", ErrType, 2},
		{"//a | 1", ErrType, 6},
		{"count('a')", ErrType, 6},
		{"'a'/b", ErrType, 0},
		{"'a'[1]", ErrType, 0},
		{strings.Repeat("(", 100) + "1" + strings.Repeat(")", 100), ErrLimit, maxDepth},
		{strings.Repeat("a[", 100), ErrLimit, 2 * maxDepth},
		{"1" + strings.Repeat("+1", maxLength/2), ErrLimit, -1},
		{"\xff", ErrSyntax, -1},
	}
	for _, tt := range tests {
		_, err := Compile(tt.expr, zooScope)
		if !errors.Is(err, tt.reason) {
			t.Errorf("%.40q: %v, want %v", tt.expr, err, tt.reason)
			continue
		}
		if e, ok := errors.AsType[*Error](err); ok && e.Offset != tt.offset {
			t.Errorf("%.40q: %v, want it at %d", tt.expr, err, tt.offset)
		}
	}
}

// Names without a prefix are in no namespace where the scope has no default.
func TestScope(t *testing.T) {
	for expr, want := range map[string]string{"/zoo": "", "//name": "", "/z:zoo/z:cage[name='a']": "", "/z:zoo/z:empty": "empty="} {
		x, err := Compile(expr, &Scope{Prefixes: map[string]string{"z": "urn:zoo"}})
		if err != nil {
			t.Fatal(err)
		}
		if set, err := x.Nodes(t.Context(), zooContext(t)); show(set) != want || err != nil {
			t.Errorf("%s: %s, %v", expr, show(set), err)
		}
	}
}

// typed is a leaf of the types that no leaf of the model has.
type typed struct{ *element }

func (typed) Bit(name string) bool   { return name == "set" }
func (typed) Enum() (int64, bool)    { return 7, true }
func (typed) Identity() (Name, bool) { return Name{"urn:zoo", "cat"}, true }

// RFC 7950 10.4 to 10.6
func TestTypes(t *testing.T) {
	scope := *zooScope
	scope.Derived = func(id, base Name) bool { return id == Name{"urn:zoo", "cat"} && base == Name{"urn:zoo", "animal"} }
	c := zooContext(t)
	c.Node = typed{&element{}}
	for expr, want := range map[string]bool{
		"bit-is-set(., 'set')": true, "bit-is-set(., 'unset')": false, "bit-is-set(/zoo, 'set')": false, "bit-is-set(/zoo/nothing, 'set')": false,
		"enum-value(.) = 7": true, "enum-value(/zoo) = 7": false,
		"derived-from(., 'z:animal')": true, "derived-from(., 'animal')": true, "derived-from(., 'z:cat')": false, "derived-from(., 'x:animal')": false,
		"derived-from-or-self(., 'cat')": true, "derived-from-or-self(., 'o:cat')": false, "derived-from-or-self(/zoo, 'cat')": false,
	} {
		x, err := Compile(expr, &scope)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := x.Bool(t.Context(), c); got != want || err != nil {
			t.Errorf("%s: %v, %v", expr, got, err)
		}
	}
}

func TestLimits(t *testing.T) {
	c := zooContext(t)
	x, err := Compile("//*[//*[//*[//*[//*[//*[//*[//*]]]]]]]", zooScope)
	if err != nil {
		t.Fatal(err)
	}
	c.Steps = 10_000
	if _, err := x.Nodes(t.Context(), c); !errors.Is(err, ErrLimit) {
		t.Errorf("a hostile expression: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c.Steps = 1 << 30
	if _, err := x.Nodes(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("an evaluation that nobody waits for: %v", err)
	}
	if x, err = Compile("1", zooScope); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Nodes(t.Context(), c); !errors.Is(err, ErrType) || x.NodeSet() {
		t.Errorf("a number as a node-set: %v", err)
	}
}

// Numbers have neither exponents nor a plus sign (XPath 1.0 3.7).
func TestNumbers(t *testing.T) {
	for _, text := range []string{"", ".", "-", "1.2.3", "1e1", "+1", "0x1", "Infinity", "--1"} {
		if n := parseNumber(text); !math.IsNaN(n) {
			t.Errorf("%q is %v", text, n)
		}
	}
	for text, want := range map[string]float64{" 1 ": 1, "-.5": -.5, "5.": 5, "007": 7} {
		if n := parseNumber(text); n != want {
			t.Errorf("%q is %v", text, n)
		}
	}
}
