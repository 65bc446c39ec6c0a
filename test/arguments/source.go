package arguments

import (
	"cmp"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
)

// source is what the code of a package says of its types.
type source struct {
	// types has the comments of types; fields, those of the fields of a struct, by
	// TYPE.FIELD. Fields that are declared together share one.
	types, fields map[string]string
	// values are the constants of a type, in the order of the code.
	values map[string][]value
	// constants has what the constants stand for that are named in comments: those of a
	// type, and annotations.
	constants map[string]string
}

// value is one that a field can have.
type value struct{ Text, Comment string }

// read reads the package in the directory.
func read(dir string) (*source, error) {
	s := &source{types: map[string]string{}, fields: map[string]string{}, values: map[string][]value{}, constants: map[string]string{}}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(set, name, content, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, declaration := range file.Decls {
			if general, ok := declaration.(*ast.GenDecl); ok {
				s.readDeclaration(general)
			}
		}
	}
	return s, nil
}

func (s *source) readDeclaration(declaration *ast.GenDecl) {
	for _, spec := range declaration.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			s.types[spec.Name.Name] = cmp.Or(spec.Doc.Text(), declaration.Doc.Text())
			if fields, ok := spec.Type.(*ast.StructType); ok {
				s.readFields(spec.Name.Name, fields)
			}
		case *ast.ValueSpec:
			if declaration.Tok == token.CONST {
				s.readConstant(spec)
			}
		}
	}
}

// readFields takes a field without a comment of its own for one of those that the
// comment above is about, if that names it.
func (s *source) readFields(of string, fields *ast.StructType) {
	above := ""
	for _, field := range fields.Fields.List {
		for _, name := range field.Names {
			if field.Doc != nil {
				above = field.Doc.Text()
			}
			if field.Doc != nil || word(name.Name).MatchString(above) {
				s.fields[of+"."+name.Name] = above
			}
		}
	}
}

func (s *source) readConstant(spec *ast.ValueSpec) {
	for i, name := range spec.Names {
		if i >= len(spec.Values) || !name.IsExported() {
			continue
		}
		evaluated, err := types.Eval(token.NewFileSet(), nil, token.NoPos, types.ExprString(spec.Values[i]))
		if err != nil || evaluated.Value == nil || evaluated.Value.Kind() != constant.String {
			continue // of no matter: made of others
		}
		text := constant.StringVal(evaluated.Value)
		of, typed := spec.Type.(*ast.Ident)
		if typed || strings.HasSuffix(name.Name, "Annotation") {
			s.constants[name.Name] = text
		}
		if typed {
			s.values[of.Name] = append(s.values[of.Name], value{Text: text, Comment: spec.Doc.Text()})
		}
	}
}

func word(name string) *regexp.Regexp {
	return regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`)
}

var identifier = regexp.MustCompile(`\b[A-Z][A-Za-z]+\b`)

// plain returns a comment as users read it: with the names that things have in files.
// Of fields those of the struct count.
func (s *source) plain(comment string, of reflect.Type) string {
	text := strings.Join(strings.Fields(comment), " ")
	return identifier.ReplaceAllStringFunc(text, func(name string) string {
		if text, ok := s.constants[name]; ok {
			return "`" + text + "`"
		}
		if of != nil {
			if field, ok := of.FieldByName(name); ok {
				return "`" + field.Tag.Get("json") + "`"
			}
		}
		return name
	})
}
