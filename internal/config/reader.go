package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// reader reads one document and collects its problems.
type reader struct {
	name     string   // of the file
	lines    []string // of the file, without line ends
	aliases  map[*ast.AliasNode]ast.Node
	entries  int // keys read so far; see maxEntries
	problems []problem
	own      []Listener // of landmarkd
}

func newReader(name string, src []byte) *reader {
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimPrefix(string(src), "\ufeff"))
	return &reader{name: name, lines: strings.Split(text, "\n"), aliases: make(map[*ast.AliasNode]ast.Node)}
}

// path is a place in the document: the keys that lead to it.
type path []string

// to returns the path of the key's value.
func (p path) to(key string) path { return append(p[:len(p):len(p)], key) }

// maxShown is how much of a key is shown, in bytes. It is enough for the longest name.
const maxShown = 128

// bare matches keys that need no quotes in a path.
var bare = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// String joins the keys: services.epg.landmarks."main loop".within.
func (p path) String() string {
	keys := make([]string, len(p))
	for i, k := range p {
		switch {
		case len(k) > maxShown:
			keys[i] = strconv.Quote(k[:maxShown]) + "…"
		case !bare.MatchString(k):
			keys[i] = strconv.Quote(k)
		default:
			keys[i] = k
		}
	}
	return strings.Join(keys, ".")
}

// link finds the value of each alias: that of the last anchor with its name before
// it. It reports whether all are known. An anchor is known only after its value, so
// no value contains itself.
func (r *reader) link(body ast.Node) bool {
	anchors := make(map[string]ast.Node)
	linked := true
	var visit func(ast.Node)
	visit = func(n ast.Node) {
		switch n := n.(type) {
		case *ast.AnchorNode:
			visit(n.Value)
			anchors[n.Name.GetToken().Value] = n.Value
		case *ast.AliasNode:
			name := n.Value.GetToken().Value
			named, ok := anchors[name]
			if !ok {
				r.failAt(n.Start.Position.Line, n.Start.Position.Column, nil, "*%s has no anchor before it: write &%[1]s before the value that it stands for", name)
				linked = false
			}
			r.aliases[n] = named
		case *ast.TagNode:
			visit(n.Value)
		case *ast.MappingKeyNode:
			visit(n.Value)
		case *ast.MappingNode:
			for _, v := range n.Values {
				visit(v.Key)
				visit(v.Value)
			}
		case *ast.SequenceNode:
			for _, v := range n.Values {
				visit(v)
			}
		}
	}
	visit(body)
	return linked
}

// plain returns the node behind all anchors and aliases.
func (r *reader) plain(n ast.Node) ast.Node {
	for {
		switch named := n.(type) {
		case *ast.AnchorNode:
			n = named.Value
		case *ast.AliasNode:
			n = r.aliases[named]
		default:
			return n
		}
	}
}

// text returns the text of a scalar, without its quotes. Its YAML type does not
// matter: the key decides what it must be.
func (r *reader) text(n ast.Node) (text string, ok bool) {
	switch n := r.plain(n).(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	default:
		return "", false
	}
}

// describe describes a node of the wrong kind.
func describe(n ast.Node) string {
	switch n.(type) {
	case *ast.NullNode:
		return "empty"
	case *ast.MappingNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.LiteralNode:
		return "a block of text"
	case *ast.TagNode:
		return "a tag"
	default:
		return fmt.Sprintf("%.40q", n.GetToken().Value)
	}
}

// entry is a key of a mapping, and its value.
type entry struct {
	name  string
	key   ast.Node
	value ast.Node
}

// mapping returns the entries of a mapping, with those merged into it (<<: *anchor).
// A null node is an empty mapping.
func (r *reader) mapping(at path, n ast.Node) []entry {
	n = r.plain(n)
	m, ok := n.(*ast.MappingNode)
	if !ok {
		if _, empty := n.(*ast.NullNode); !empty {
			r.fail(n, at, "must be a mapping, not %s: write keys below it, indented, each with a colon and a space, or indent this line if it belongs to the key above", describe(n))
		}
		return nil
	}
	if r.entries > maxEntries {
		return nil
	}
	if r.entries += 1 + len(m.Values); r.entries > maxEntries {
		r.fail(m, at, "there are more than %d keys here, with those of anchors counted at each use: use fewer", maxEntries)
		return nil
	}

	var own, merged []entry
	lines := make(map[string]int) // by key
	for _, v := range m.Values {
		if v.Key.IsMergeKey() {
			merged = append(merged, r.merge(at, v.Value)...)
			continue
		}
		name, ok := r.text(v.Key)
		switch line := lines[name]; {
		case !ok:
			r.fail(v.Key, at, "has a key that is %s: write a name", describe(r.plain(v.Key)))
			continue
		case line > 0:
			r.fail(v.Key, at.to(name), "is on line %d already: remove one of the two", line)
			continue
		}
		lines[name] = v.Key.GetToken().Position.Line
		own = append(own, entry{name, v.Key, v.Value})
	}
	for _, e := range merged {
		if lines[e.name] == 0 {
			lines[e.name] = e.key.GetToken().Position.Line
			own = append(own, e)
		}
	}
	return own
}

// list returns the items of a list. A null node is an empty list.
func (r *reader) list(at path, n ast.Node) []ast.Node {
	n = r.plain(n)
	switch n := n.(type) {
	case *ast.SequenceNode:
		return n.Values
	case *ast.NullNode:
		return nil
	}
	r.fail(n, at, "must be a list, not %s: write each item below it on a line that begins with a hyphen and a space", describe(n))
	return nil
}

// merge returns the entries that a mapping takes from another mapping, or from a list
// of mappings. If several have a key, the first counts.
func (r *reader) merge(at path, n ast.Node) []entry {
	sources := []ast.Node{n}
	if list, ok := r.plain(n).(*ast.SequenceNode); ok {
		sources = list.Values
	}
	var entries []entry
	for _, s := range sources {
		entries = append(entries, r.mapping(at.to("<<"), s)...)
	}
	return entries
}
