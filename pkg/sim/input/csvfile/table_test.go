package csvfile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/csvfile"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/textfile"
)

// rowsOf returns the rows of a text: LINE:field|field.
func rowsOf(text string) (string, error) {
	rows := csvfile.NewRows(&textfile.File{Name: "f", Text: text})
	var all []string
	for {
		ok, err := rows.Next()
		if !ok || err != nil {
			return strings.Join(all, " "), err
		}
		all = append(all, fmt.Sprintf("%d:%s", rows.Line(), strings.Join(rows.Fields(), "|")))
	}
}

func TestRows(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"nothing":                  {"", ""},
		"no newline at the end":    {"a,b\nc,d", "1:a|b 2:c|d"},
		"empty lines":              {"\n \n\t\na,b\n\n  \nc,d\n \n", "4:a|b 7:c|d"},
		"lines of empty fields":    {"a,b\n,\n , \n\"\",\nc,", "1:a|b 5:c|"},
		"comments":                 {"# x, \"y\n  # z\na,b # c\n#\nd,#e\n", "3:a|b # c 5:d|#e"},
		"a quoted field with #":    {"\"#a\",b\n", "1:#a|b"},
		"spaces":                   {" a , b\t,  c d \n", "1:a|b|c d"},
		"quoted":                   {"\"a\",\"b,c\",\"d\"\"e\"\n", "1:a|b,c|d\"e"},
		"quoted, and spaces":       {" \"a\" , \"b\"\t, \"c , d\" \n", "1:a|b|c , d"},
		"a newline in quotes":      {"\"a\nb\",c\nd,e\n", "1:a\nb|c 3:d|e"},
		"semicolons":               {"a;b,c\n", "1:a;b|c"},
		"semicolons only":          {"# x,y\na;\"b;c\"\nd;e,f\n", "2:a|b;c 3:d|e,f"},
		"tabs":                     {"a\tb\tc\nd\t\t e\n\t\tf\n", "1:a|b|c 2:d||e 3:||f"},
		"tabs and quotes":          {"\"a\"\t\t\"b\" \t\"c\"\n", "1:a||b|c"},
		"rows of different widths": {"a\nb,c\n", "1:a 2:b|c"},
	} {
		if got, err := rowsOf(test.text); err != nil || got != test.want {
			t.Errorf("%s: %q is %q (%v), want %q", name, test.text, got, err, test.want)
		}
	}
}

func TestFaultyQuotes(t *testing.T) {
	for text, want := range map[string]string{
		"a,b\nc,13\" d\n":         `f:2: a field has a quote (") and does not begin with one`,
		"a,b\n\"c\"x,d\n":         `f:2: a field in quotes (") goes on after them`,
		"a,b\n\"c,d\ne,f\ng,h\n":  `f:2: a field begins with a quote (") and does not end with one in its line`,
		"a,b\n\"c,d\ne,\"f\"\n":   `f:2: a field begins with a quote (") and does not end with one in its line`,
		"a,b\n\n# c\n\n\"d\" e\n": `f:5: a field in quotes (") goes on after them`,
	} {
		if got, err := rowsOf(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q is %q, the error is %v, want %q", text, got, err, want)
		}
	}
}

// tableOf returns the columns name and count of a text: name=count.
func tableOf(text string) (string, error) {
	table, err := csvfile.Open(&textfile.File{Name: "f", Text: text}, "name", "count")
	if err != nil {
		return "", err
	}
	var all []string
	for {
		ok, err := table.Next()
		if !ok || err != nil {
			return strings.Join(all, " "), err
		}
		count := table.Whole("count", 1, 9)
		if err := table.Err(); err != nil {
			return "", err
		}
		all = append(all, fmt.Sprintf("%s=%d%s", table.Text("name"), count, table.Text("note")))
	}
}

func TestTables(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"only a header":              {"name,count\n", ""},
		"a header in another order":  {" Count ,NAME\n1,a\n", "a=1"},
		"more columns":               {"x,name,,count,x,\n0,a,,1,2,\n", "a=1"},
		"a column that may be there": {"name,count,note\na,1,!\n", "a=1!"},
		"headers that come again":    {"name,count\na,1\nNAME,Count\nb,2\n", "a=1 b=2"},
		"a row of the header's name": {"name,count\nname,1\n", "name=1"},
	} {
		if got, err := tableOf(test.text); err != nil || got != test.want {
			t.Errorf("%s: %q is %q (%v), want %q", name, test.text, got, err, test.want)
		}
	}
}

func TestFaultyTables(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "f: the file is empty: its first line must name the columns name,count",
		"# nothing\n\n":               "f: the file is empty: its first line must name the columns name,count",
		"\na,1\n":                     `f:2: there is no column name: the first line is "a,1", and must name the columns name,count`,
		"name;x\na;1\n":               `f:1: there is no column count: the first line is "name,x"`,
		"name,Count,count\na,1,2\n":   "f:1: there are two columns count",
		"name,count\na,1\nb\n":        "f:3: there are 1 fields, and 2 columns in the header",
		"name,count\na,1\nb":          "f:3: there are 1 fields, and 2 columns in the header; the file ends in this line: it may have been cut off",
		"name,count\na,1,\n":          "f:2: there are 3 fields, and 2 columns in the header: a field that has a separator in it must be in quotes",
		"name,count\na,1\n\nb,none\n": `f:4: count is "none": must be a whole number from 1 to 9`,
		"name,count\na,\n":            `f:2: count is "": must be a whole number from 1 to 9`,
		"name,count\na,\"b\n":         `f:2: a field in quotes (") goes on after them, or they are not closed`,
	} {
		got, err := tableOf(text)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q is %q, the error is %v, want %q", text, got, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "cut off") != strings.Contains(want, "cut off") {
			t.Errorf("the error of %q is %v", text, err)
		}
	}
}

func TestFaultsAreThoseOfTheirRows(t *testing.T) {
	table, err := csvfile.Open(&textfile.File{Name: "f", Text: "count,name\n1,a\n3.5,b\n2\n2,c,x\n-1,d\n4,e\n"}, "name", "count")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for {
		ok, err := table.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		count := table.Whole("count", 1, 9)
		all = append(all, fmt.Sprintf("%s=%d %t", table.Text("name"), count, table.Err() == nil))
	}
	if got, want := strings.Join(all, "; "), "a=1 true; b=0 false; =2 false; c=2 false; d=0 false; e=4 true"; got != want {
		t.Errorf("the rows are %q, want %q", got, want)
	}
}
