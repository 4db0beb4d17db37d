# SPDX-License-Identifier: MIT
# Makes the table that --describe prints, from the TEST and SUBTEST comments of a program.
function quoted(text)
{
	gsub(/\\/, "\\\\", text)
	gsub(/"/, "\\\"", text)
	return "\"" text "\""
}

function flush()
{
	if (name != "")
		subtests = subtests "\t{ " quoted(name) ", " line ", " quoted(text) " },\n"
	else if (text != "")
		test = text
	name = text = ""
	open = 0
}

/^ \* TEST: / { comment = 1 }
/^ \* SUBTEST: / { comment = 1; name = $3; line = FNR }
comment && /^ \* Description: / { open = 1; sub(/^ \* Description: /, ""); text = $0; next }
comment && /^ \*\// { flush(); comment = 0 }
open { sub(/^ \*  ?/, ""); text = text " " $0 }

END {
	print "#include \"lib/prime_test.h\"\n"
	print "const char prime_source[] = " quoted(FILENAME) ";"
	print "const char prime_description[] = " quoted(test) ";"
	print "const struct prime_description prime_descriptions[] = {"
	printf "%s", subtests
	print "\t{ }\n};"
}
